import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qhal.datasets.idx import read_idx, read_idx_folder
from qhal.errors import InputError
from tests.datasets.idx_files import idx_bytes, write_idx_folder


@given(
    array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, max_side=5)),
    compress=st.booleans(),
)
def test_reads_what_was_written(tmp_path_factory, array, compress):
    path = tmp_path_factory.mktemp("idx") / ("file.gz" if compress else "file")
    path.write_bytes(gzip.compress(idx_bytes(array)) if compress else idx_bytes(array))
    assert np.array_equal(read_idx(path, array.ndim), array)


GOOD = idx_bytes(np.arange(8).reshape(2, 2, 2))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "starts with nothing"),
        (b"\x00\x00\x0d\x03" + GOOD[4:], "starts with 00 00 0d 03"),
        (b"\x00\x00\x08\x01" + GOOD[4:], "3 dimension"),
        (GOOD[:9], "ends within its header"),
        (GOOD[:-1], "holds fewer"),
        (GOOD + b"\x00", "holds more"),
        (struct.pack(">HBBIII", 0, 8, 3, 2**31, 2**31, 2**31), "announces"),
        (struct.pack(">HBBIII", 0, 8, 3, 2**28, 1, 1) + b"\x01", "holds fewer"),
        (struct.pack(">HBBIII", 0, 8, 3, 0, 2, 2), "announces 0 values"),
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_refuses_what_is_no_idx_file(tmp_path, data, reason, compress):
    path = tmp_path / ("file.gz" if compress else "file")
    path.write_bytes(gzip.compress(data) if compress else data)
    with pytest.raises(InputError, match=reason):
        read_idx(path, 3)


@given(data=st.data())
def test_damaged_compressed_file_is_an_input_error_or_harmless(tmp_path_factory, data):
    packed = bytearray(gzip.compress(GOOD, mtime=0))
    position = data.draw(st.integers(0, len(packed) - 1))
    packed[position] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("idx") / "file.gz"
    path.write_bytes(packed[: data.draw(st.integers(0, len(packed)))])
    try:
        array = read_idx(path, 3)
    except InputError:
        return
    assert np.array_equal(array.ravel(), np.arange(8))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_idx(tmp_path / "nothing.gz", 3)


def test_folder_must_be_complete_and_consistent(tmp_path):
    arrays = write_idx_folder(tmp_path, [0, 1, 2], [1, 0])
    read = read_idx_folder(tmp_path)
    assert read.keys() == arrays.keys()
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)

    labels = tmp_path / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(gzip.compress(idx_bytes([0, 1])))
    with pytest.raises(InputError, match="3 images and 2 labels"):
        read_idx_folder(tmp_path)
    labels.unlink()
    with pytest.raises(InputError, match="lacks train-labels-idx1-ubyte"):
        read_idx_folder(tmp_path)
