"""From the name of a data set, or the path of a file or folder, to its samples."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from qhal.datasets import fashion_mnist
from qhal.datasets.arrays import read_samples
from qhal.datasets.dataset import (
    Dataset,
    LabelledSamples,
    build_dataset,
    index_labels,
    stratified_split,
)
from qhal.errors import InputError, UnknownNameError, did_you_mean

NAMES = ("fashion-mnist", "digits")


def load_dataset(
    name_or_path: str | Path,
    *,
    classes: str | Sequence[str] | None = "default",
    image_size: int | None = None,
) -> Dataset:
    """The data set of that name, or the one in that file or folder.

    Parameters
    ----------
    name_or_path : str or Path
        "fashion-mnist"; "digits"; the path of an ``.npz`` file (`qhal.datasets.arrays` says what
        is in it); or the path of a folder with the four idx files of Fashion-MNIST, MNIST or a set
        like them. A file or folder called like a data set is reached as ``./digits``.
    classes : sequence of str, str or None
        The classes to keep; their order gives the class indices. None or "all" keeps every class;
        so does "default", except for Fashion-MNIST, where it is coat and sandal. Any other string
        is read as names between commas: "coat,sandal".
    image_size : int or None
        Side to which square images are reduced, by averaging over areas. None: 7 for
        Fashion-MNIST, their own size for all others. Plain features take none, unless they are the
        rows of such images one after the other.

    Raises
    ------
    UnknownNameError
        For an unknown data set or class; the text suggests what may have been meant.
    InputError
        For a file that cannot be used, a class without training samples, fewer than two classes,
        or an image size out of range.
    """
    name = str(name_or_path)
    wanted = _class_names(
        classes, default=fashion_mnist.EMBEDDED_CLASSES if name == NAMES[0] else None
    )
    if name == "fashion-mnist":
        size = fashion_mnist.EMBEDDED_SIZE if image_size is None else image_size
        return fashion_mnist.load_fashion_mnist(wanted, size)
    reader = _read_digits if name == "digits" else _file_reader(name)
    return build_dataset(reader(), wanted, image_size)


def _class_names(
    classes: str | Sequence[str] | None, default: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    if classes == "default":
        return default
    if classes is None or classes == "all":
        return None
    names = classes.split(",") if isinstance(classes, str) else classes
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"classes must be names, as 'a,b' or ['a', 'b'], not {classes!r}; "
            "a class called 3 is '3'."
        )
    return tuple(name.strip() for name in names)


def _read_digits() -> LabelledSamples:
    """Handwritten digits: 1,797 images of 8x8 pixels from scikit-learn's installation.

    E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998 (the test part). Split once and for all into 70% and 30% of each class.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InputError(
            "the digits come with scikit-learn, which is not installed: install 'qhal-core[data]'."
        ) from error
    bunch = load_digits()
    images, labels = np.asarray(bunch.images), np.asarray(bunch.target)
    train, test = stratified_split(labels)
    y_train, y_test, names = index_labels(labels[train], labels[test])
    source = "scikit-learn's digits"
    return LabelledSamples(images[train], y_train, images[test], y_test, names, 16, source)


def _file_reader(name: str) -> Callable[[], LabelledSamples]:
    """What reads the file or folder called `name`."""
    path = Path(name).expanduser()
    if os.path.isdir(path):
        return lambda: fashion_mnist.read_folder(path)
    if path.suffix == ".npz":
        return lambda: read_samples(path)
    if os.path.exists(path):
        raise InputError(f"{path} is neither an .npz file nor a folder with idx files.")
    raise UnknownNameError(
        f"there is no data set {name!r}{did_you_mean(name, NAMES)} "
        f"Known: {', '.join(NAMES)}, the path of an .npz file, or of a folder with idx files."
    )
