"""Binary files that are wrong, or announce more than they hold."""

import io
import json
import re
import struct
import zipfile

import numpy as np
import pytest

from .samples import refused


def packed(arrays: dict[str, object]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def arrays_of(content: bytes) -> dict[str, np.ndarray]:
    return dict(np.load(io.BytesIO(content)))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("linear", np.array([np.nan, 1.0]), "linear in .* contains NaN"),
        ("rhs", np.array([np.inf]), "rhs in .* contains NaN or an infinite"),
        ("offset", np.float64("nan"), "offset in .* must be one finite number"),
        ("offset", np.array([1.0]), "offset in .* must be one finite number"),
        ("linear", np.array([1.0]), "linear in .* has 1 entries, not 2"),
        ("linear", np.array([[1.0, 2.0]]), "linear in .* must be float64 of the shape"),
        ("linear", np.array([1, 2]), "linear in .* must be float64"),
        ("linear", np.array(["1", "2"]), "linear in .* must be float64"),
        ("linear", np.array([{}, []], dtype=object), "linear.npy in .* holds no numbers or text"),
        ("linear", None, "lacks the array 'linear'"),
        ("names", np.array(["a", "a"]), "2 variable names, different"),
        ("pairs", np.array([[0, 1], [0, 2], [0, 0]])[:3], "pairs in .* points to"),
        ("pairs", np.array([[0, 1], [0, -1], [0, 0]]), "pairs in .* points to"),
        ("row_entries", np.array([[0, 0], [1, 1]]), "row_entries in .* points to"),
        ("senses", np.array(["=>"]), "senses in .* must be"),
        ("upper", np.array([1, 2**62]), "bounds in .* must lie within"),
        ("upper", np.array([1, -1]), "lower bound above its upper bound"),
        ("format", np.array("qhal-problem-9"), "is not a problem of qhal"),
        ("format", None, "is not a problem of qhal"),
    ],
)
def test_npz_arrays(tmp_path, samples, key, value, expected):
    arrays = arrays_of(samples[".npz"])
    if value is None:
        del arrays[key]
    else:
        arrays[key] = value
    assert re.search(expected, refused(tmp_path, ".npz", packed(arrays)))


def test_npz_of_a_data_set_says_where_it_belongs(tmp_path):
    content = packed({"x": np.zeros((2, 2)), "y": np.zeros(2)})
    assert "data sets go to qhal train" in refused(tmp_path, ".npz", content)


def test_npz_header_that_announces_terabytes(tmp_path):
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("linear.npy", head + bytes(8))
    assert "announces the shape (1000000000000,)" in refused(tmp_path, ".npz", stream.getvalue())


def test_zip_directory_that_announces_gigabytes(tmp_path, samples):
    content = samples[".npz"]
    entry = content.index(b"PK\x01\x02")
    patched = content[: entry + 24] + struct.pack("<I", 2**31) + content[entry + 28 :]
    assert "announces 2147483648 bytes, more than" in refused(tmp_path, ".npz", patched)


def test_bqm_that_announces_too_much(tmp_path, samples):
    content = samples[".bqm"]
    patched = content.replace(b'"shape": [2, 1]', b'"shape": [2,9]')
    assert patched != content
    assert "is damaged" in refused(tmp_path, ".bqm", patched.replace(b"[2,9]", b"[2, 9]"))
    huge = content.replace(b'"shape": [2, 1]', b'"shape": [9999999999, 1]')
    assert "is damaged" in refused(tmp_path, ".bqm", huge)


def test_cqm_of_real_or_soft_parts(tmp_path):
    import dimod

    real = dimod.ConstrainedQuadraticModel()
    real.add_constraint(dimod.Real("r") + dimod.Binary("x") <= 1)
    soft = dimod.ConstrainedQuadraticModel()
    soft.add_constraint(dimod.Binary("x") + dimod.Binary("y") <= 1, weight=2.0, label="wish")
    for cqm, expected in ((real, "variable 'r' is real"), (soft, "constraint 'wish' is soft")):
        with cqm.to_file() as file:
            assert expected in refused(tmp_path, ".cqm", file.read())


def test_deeply_nested_json(tmp_path, samples):
    content = samples[".bqm"]
    at = content.index(b"VARS")
    labels = json.dumps(["left", "right"]).encode()
    nested = b"[" * 50_000 + b"]" * 50_000
    assert labels in content[at:]
    patched = content[:at] + b"VARS" + struct.pack("<I", len(nested)) + nested
    refused(tmp_path, ".bqm", patched)
