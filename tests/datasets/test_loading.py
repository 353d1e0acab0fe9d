import sys

import numpy as np
import pytest

from qhal.datasets import load_dataset
from qhal.errors import InputError, UnknownNameError
from tests.datasets.idx_files import write_idx_folder


def test_digits():
    dataset = load_dataset("digits")
    assert dataset.class_names == tuple("0123456789")
    assert dataset.image_size == 8
    assert dataset.x_train.shape[1] == 64
    assert len(dataset.x_train) + len(dataset.x_test) == 1797
    assert dataset.x_train.min() == 0
    assert dataset.x_train.max() == 1
    share = np.bincount(dataset.y_test) / (
        np.bincount(dataset.y_train) + np.bincount(dataset.y_test)
    )
    np.testing.assert_allclose(share, 0.3, atol=0.003)
    # Ones are narrow, zeros have a hole in the middle: the right images under the right labels.
    means = [dataset.x_train[dataset.y_train == k].mean(axis=0).reshape(8, 8) for k in (0, 1)]
    assert means[0][3:5, 3:5].mean() < 0.2 < 0.7 < means[1][3:5, 3:5].mean()


def test_digits_reduced_and_selected():
    whole = load_dataset("digits")
    dataset = load_dataset("digits", classes="3,8", image_size=4)
    assert dataset.class_names == ("3", "8")
    assert dataset.image_size == 4
    images = whole.x_test[np.isin(whole.y_test, [3, 8])].reshape(-1, 4, 2, 4, 2)
    assert np.array_equal(dataset.x_test, images.mean(axis=(2, 4)).reshape(-1, 16))


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InputError, match=r"install 'qhal-core\[data\]'"):
        load_dataset("digits")


@pytest.mark.parametrize("compress", [True, False])
def test_folder_of_idx_files(tmp_path, compress):
    arrays = write_idx_folder(tmp_path, [7, 1, 7, 4], [4, 7, 1], compress=compress)
    dataset = load_dataset(str(tmp_path))
    assert dataset.class_names == ("1", "4", "7")
    assert dataset.y_train.tolist() == [2, 0, 2, 1]
    assert dataset.y_test.tolist() == [1, 2, 0]
    assert dataset.image_size == 4
    assert np.array_equal(dataset.x_train, arrays["train-images-idx3-ubyte"].reshape(4, 16) / 255)
    smaller = load_dataset(tmp_path, image_size=2, classes=["7", "4"])
    assert smaller.x_train.shape == (3, 4)
    assert smaller.y_train.tolist() == [0, 0, 1]


def test_folder_without_idx_files(tmp_path):
    with pytest.raises(InputError, match="lacks train-images-idx3-ubyte, train-labels"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("name", ["fasion-mnist", "Fashion-MNIST", "fashion_mnist"])
def test_near_names_are_suggested(name):
    with pytest.raises(UnknownNameError, match="did you mean 'fashion-mnist'"):
        load_dataset(name)


def test_unknown_names_list_what_is_known(tmp_path):
    with pytest.raises(UnknownNameError, match=r"Known: fashion-mnist, digits, the path"):
        load_dataset("zzz")
    table = tmp_path / "table.csv"
    table.touch()
    with pytest.raises(InputError, match=r"neither an \.npz file nor a folder"):
        load_dataset(table)
    with pytest.raises(UnknownNameError):
        load_dataset("x" * 5000)


@pytest.mark.parametrize(
    ("classes", "suggestion"), [("coat,sandle", "sandal"), ("ankle boot,bag", "ankle-boot")]
)
def test_near_classes_are_suggested(classes, suggestion):
    with pytest.raises(UnknownNameError, match=f"did you mean '{suggestion}'"):
        load_dataset("fashion-mnist", classes=classes)
