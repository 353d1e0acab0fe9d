"""Data sets in ``.npz`` files: numpy arrays by name, never pickled objects.

A file holds either ``x_train, y_train, x_test, y_test`` or ``x, y``, which are then split into 70%
and 30% of each class. ``x`` is (num_samples, num_features) or, for images, (num_samples, side,
side): numbers within [0, 1], or unsigned bytes, which mean 0 to 255 if any is above 1. ``y`` is
(num_samples,): integers or strings, which are the class names.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhal.datasets.dataset import LabelledSamples, index_labels, stratified_split
from qhal.errors import InputError

_SPLIT = ("x_train", "y_train", "x_test", "y_test")
_MAX_BYTES = 2**32


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an ``.npz`` file by name.

    Raises `InputError` if the file cannot be read, is no such file, is damaged, unpacks to more
    than 4 GiB, or holds Python objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _MAX_BYTES:
                raise InputError(f"{path} unpacks to more than {_MAX_BYTES // 2**30} GiB.")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except zipfile.BadZipFile as error:
        raise InputError(f"{path} is not an .npz file, or damaged: {error!s:.100}.") from error
    except InputError:
        raise
    except Exception as error:  # numpy lets through whatever its parser of headers raises
        reason = getattr(error, "strerror", None) or error or type(error).__name__
        raise InputError(f"cannot read {path}: {reason!s:.100}.") from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise InputError(f"{name} in {path} is not a numpy array; save it with numpy.savez.")
    return arrays


def read_samples(path: Path) -> LabelledSamples:
    """The labelled samples in the ``.npz`` file at `path`.

    Raises `InputError` if the file cannot be read, or its arrays are not as described above.
    """
    arrays = read_npz(path)
    if all(name in arrays for name in _SPLIT):
        x_train, y_train, x_test, y_test = (arrays[name] for name in _SPLIT)
    elif "x" in arrays and "y" in arrays:
        _check_pair(path, "", arrays["x"], arrays["y"])
        train, test = stratified_split(arrays["y"])
        x_train, y_train = arrays["x"][train], arrays["y"][train]
        x_test, y_test = arrays["x"][test], arrays["y"][test]
    else:
        raise InputError(
            f"{path} must hold the arrays {', '.join(_SPLIT)}, or x and y; it holds "
            f"{', '.join(sorted(arrays)) or 'none'}."
        )
    _check_pair(path, "_train", x_train, y_train)
    _check_pair(path, "_test", x_test, y_test)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise InputError(
            f"samples in {path} differ in shape: {x_train.shape[1:]} in x_train and "
            f"{x_test.shape[1:]} in x_test."
        )
    is_bytes = x_train.dtype == np.uint8
    if is_bytes != (x_test.dtype == np.uint8):
        raise InputError(f"x_train and x_test in {path} must both be bytes or both be floats.")
    if (y_train.dtype.kind == "U") != (y_test.dtype.kind == "U"):
        raise InputError(f"y_train and y_test in {path} must both be integers or both be strings.")
    index_train, index_test, names = index_labels(y_train, y_test)
    return LabelledSamples(
        x_train,
        index_train,
        x_test,
        index_test,
        class_names=names,
        max_value=255 if is_bytes and max(x_train.max(), x_test.max()) > 1 else 1,
        source=str(path),
    )


def _check_pair(path: Path, part: str, x: NDArray[Any], y: NDArray[Any]) -> None:
    """Raise unless x and y are samples and their labels as this module describes them."""
    if x.ndim not in (2, 3) or x.dtype.kind not in "fiub" or not x.size:
        raise InputError(
            f"x{part} in {path} must hold numbers in the shape (num_samples, num_features) or "
            f"(num_samples, side, side), got {x.dtype} in the shape {x.shape}."
        )
    if y.shape != x.shape[:1]:
        raise InputError(
            f"y{part} in {path} must hold one label per sample, shape {x.shape[:1]}, "
            f"got the shape {y.shape}."
        )
    if y.dtype.kind not in "iuU":
        raise InputError(f"y{part} in {path} must hold integers or strings, got {y.dtype}.")
    if not np.isfinite(x).all():
        raise InputError(
            f"x{part} in {path} holds NaN or infinity; remove or replace those values."
        )
    if x.dtype != np.uint8 and (x.min() < 0 or x.max() > 1):
        raise InputError(
            f"x{part} in {path} has values from {x.min():g} to {x.max():g}; scale them to [0, 1] "
            "(or store bytes, which mean 0 to 255)."
        )
