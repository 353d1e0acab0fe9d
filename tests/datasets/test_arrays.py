import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhal.datasets import arrays, load_dataset
from qhal.errors import InputError, QhalError

X = np.linspace(0, 1, 12).reshape(6, 2)
Y = np.array([0, 1, 0, 1, 0, 1])


def write(path, **contents):
    np.savez(path, **contents)
    return path


def test_given_split_is_kept(tmp_path):
    path = write(tmp_path / "a.npz", x_train=X, y_train=Y + 3, x_test=X[:2], y_test=Y[:2] + 3)
    dataset = load_dataset(path)
    assert np.array_equal(dataset.x_train, X)
    assert np.array_equal(dataset.y_train, Y)
    assert np.array_equal(dataset.x_test, X[:2])
    assert dataset.class_names == ("3", "4")
    assert dataset.source == str(path)


def test_unsplit_samples_are_split_the_same_way_each_time(tmp_path):
    x = np.random.default_rng(0).random((40, 3))
    path = write(tmp_path / "a.npz", x=x, y=np.repeat(["no", "yes"], 20))
    first, second = load_dataset(path), load_dataset(path)
    assert first.class_names == ("no", "yes")
    assert np.bincount(first.y_train).tolist() == [14, 14]
    assert np.bincount(first.y_test).tolist() == [6, 6]
    together = np.concatenate([first.x_train, first.x_test])
    assert np.array_equal(np.sort(together, axis=0), np.sort(x, axis=0))
    assert np.array_equal(first.x_train, second.x_train)


def test_bytes_mean_0_to_255_unless_they_are_bits(tmp_path):
    images = np.arange(6 * 9, dtype=np.uint8).reshape(6, 3, 3)
    dataset = load_dataset(write(tmp_path / "a.npz", x=images, y=Y), image_size=3)
    assert dataset.image_size == 3
    assert max(dataset.x_train.max(), dataset.x_test.max()) == 53 / 255
    bits = np.tile(np.eye(2, dtype=np.uint8), (3, 1))
    dataset = load_dataset(write(tmp_path / "b.npz", x=bits, y=Y))
    assert np.unique(dataset.x_train).tolist() == [0, 1]


def test_flat_images_are_recognised_by_the_size_asked_for(tmp_path):
    path = write(tmp_path / "a.npz", x=np.zeros((6, 9)), y=Y)
    assert load_dataset(path, image_size=3).image_size == 3
    with pytest.raises(InputError, match="plain features and are no images"):
        load_dataset(path, image_size=7)
    assert load_dataset(path).image_size is None


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ({"x_train": X, "y_train": Y, "x_test": X}, "must hold the arrays .* it holds x_test,"),
        ({}, "it holds none"),
        ({"x": X[0], "y": Y}, r"got float64 in the shape \(2,\)"),
        ({"x": X, "y": Y[:5]}, r"one label per sample, shape \(6,\), got the shape \(5,\)"),
        ({"x": X.astype(str), "y": Y}, "must hold numbers"),
        ({"x": X, "y": Y / 2}, "integers or strings, got float64"),
        ({"x": np.where(X > 0.5, np.nan, X), "y": Y}, "NaN or infinity"),
        ({"x": np.where(X > 0.5, np.inf, X), "y": Y}, "NaN or infinity"),
        ({"x": X * 2, "y": Y}, r"from 0 to 2; scale them to \[0, 1\]"),
        ({"x": X - 0.5, "y": Y}, "from -0.5"),
        ({"x": X[:0], "y": Y[:0]}, "must hold numbers"),
        ({"x": X, "y": Y * 0}, "at least two classes"),
        ({"x": np.zeros((6, 2, 3)), "y": Y}, "square, got 2x3"),
        ({"x": np.array([{}] * 6), "y": Y}, "allow_pickle=False"),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y},
            r"\(2,\) in x_train and \(1,\) in x_test",
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X.astype(np.uint8), "y_test": Y},
            "both be bytes or both be floats",
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y.astype(str)},
            "both be integers or both be strings",
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y + 1},
            "class '2' has no training samples",
        ),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, contents, reason):
    with pytest.raises(InputError, match=reason):
        load_dataset(write(tmp_path / "a.npz", **contents))


def test_files_that_are_no_arrays(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(InputError, match="No such file"):
        load_dataset(path)
    path.write_text("x, y")
    with pytest.raises(InputError, match=r"not an \.npz file, or damaged"):
        load_dataset(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "text")
    with pytest.raises(InputError, match="x in .* is not a numpy array"):
        load_dataset(path)


def test_files_that_would_fill_the_memory(tmp_path, monkeypatch):
    path = write(tmp_path / "a.npz", x=np.zeros((2, 2**20)), y=Y[:2])
    monkeypatch.setattr(arrays, "_MAX_BYTES", 2**20)
    with pytest.raises(InputError, match="unpacks to more than"):
        load_dataset(path)


@given(data=st.data())
def test_a_damaged_file_is_an_input_error_or_harmless(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    np.savez_compressed(path, x=X, y=Y)
    contents = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(contents) - 1), max_size=3)):
        contents[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(contents[: data.draw(st.integers(len(contents) // 2, len(contents)))])
    try:
        read = arrays.read_npz(path)
    except QhalError:
        return
    # zip's checksum covers the arrays, not their names in the directory of the archive
    for array in read.values():
        assert any(np.array_equal(array, known) for known in (X, Y))
