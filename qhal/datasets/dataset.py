"""What a data set is, and the way from labelled samples to one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhal.errors import InputError, UnknownNameError, did_you_mean

TEST_SHARE = 0.3
SPLIT_SEED = 0


@dataclass(frozen=True)
class Dataset:
    """Samples for training and testing a classifier.

    Attributes
    ----------
    x_train, x_test : (num_samples, num_features) float64
        Features within [0, 1].
    y_train, y_test : (num_samples,) int64
        Class indices within 0..len(class_names) - 1.
    class_names : tuple of str
        One name per index, at least two.
    image_size : int or None
        Side of the square images whose pixels, row by row, are the features; None if the features
        are no image.
    source : str
        Where the samples came from, for people.
    """

    x_train: NDArray[np.float64]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float64]
    y_test: NDArray[np.int64]
    class_names: tuple[str, ...]
    image_size: int | None
    source: str


@dataclass(frozen=True)
class LabelledSamples:
    """Labelled samples as a reader found them: every class, images in their own size.

    `x_*` have shape (num_samples, side, side) for images or (num_samples, num_features), with
    values from 0 to `max_value`; `y_*` index `class_names`.
    """

    x_train: NDArray[Any]
    y_train: NDArray[Any]
    x_test: NDArray[Any]
    y_test: NDArray[Any]
    class_names: tuple[str, ...]
    max_value: int
    source: str


def build_dataset(
    samples: LabelledSamples, classes: Sequence[str] | None, image_size: int | None
) -> Dataset:
    """Keep `classes`, in their order, and bring images to `image_size` (None: every class, as is).

    Raises `UnknownNameError` for a name that the samples do not have, `InputError` for fewer than
    two classes, one named twice, one without training samples, no test samples at all, or an
    `image_size` that the images cannot be reduced to.
    """
    names = check_classes(classes, samples.class_names, samples.source)
    old_to_new = np.full(len(samples.class_names), -1, dtype=np.int64)
    old_to_new[[samples.class_names.index(name) for name in names]] = np.arange(len(names))

    y_train, y_test = old_to_new[samples.y_train], old_to_new[samples.y_test]
    for index in np.flatnonzero(np.bincount(y_train[y_train >= 0], minlength=len(names)) == 0):
        raise InputError(
            f"class {names[index]!r} has no training samples in {samples.source}; "
            "leave it out or add samples of it."
        )
    if not (y_test >= 0).any():
        raise InputError(f"{samples.source} has no test samples of {', '.join(names)}; add some.")
    return Dataset(
        _features(samples.x_train[y_train >= 0], samples.max_value, image_size),
        y_train[y_train >= 0],
        _features(samples.x_test[y_test >= 0], samples.max_value, image_size),
        y_test[y_test >= 0],
        class_names=names,
        image_size=_side(samples.x_train, image_size),
        source=samples.source,
    )


def check_classes(
    classes: Sequence[str] | None, known: Sequence[str], source: str
) -> tuple[str, ...]:
    """`classes` (None: all of `known`) if they are at least two different names out of `known`."""
    names = tuple(known if classes is None else classes)
    for name in names:
        if name not in known:
            raise UnknownNameError(
                f"{source} has no class {name!r}{did_you_mean(name, known)} "
                f"Its classes: {', '.join(known)}."
            )
        if names.count(name) > 1:
            raise InputError(f"class {name!r} is named twice; name each class once.")
    if len(names) < 2:
        raise InputError(
            f"at least two classes are needed to tell them apart, got {len(names)} "
            f"(classes of {source}: {', '.join(known)})."
        )
    return names


def index_labels(
    y_train: NDArray[Any], y_test: NDArray[Any]
) -> tuple[NDArray[np.intp], NDArray[np.intp], tuple[str, ...]]:
    """Labels as indices into their names, which are the different labels in ascending order."""
    labels = np.unique(np.concatenate([y_train, y_test]))
    names = tuple(map(str, labels))
    return np.searchsorted(labels, y_train), np.searchsorted(labels, y_test), names


def stratified_split(y: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of training and test samples: 70% and 30% of each class, the same on every call.

    A class keeps at least one sample for training. Both index arrays are ascending.
    """
    rng = np.random.default_rng(SPLIT_SEED)
    is_test = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        is_test[members[: min(round(TEST_SHARE * len(members)), len(members) - 1)]] = True
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def reduce_images(images: NDArray[Any], size: int, max_value: int) -> NDArray[np.float64]:
    """Area averages of square images, divided by `max_value`: shape (num_samples, size²).

    Every output pixel is the mean of `images` (num_samples, side, side) over its share of the
    area, so that for a `size` that divides the side this is average pooling. In units of 1/size
    all overlaps are integers; the sums are therefore exact and rounded once, in the division.

    Raises `InputError` if `size` is not within 1..side, or the images are not square.
    """
    num_images, side, width = images.shape
    if side != width:
        raise InputError(f"images must be square, got {side}x{width}.")
    check_image_size(size, side)
    left_out, left_in = side * np.arange(size)[:, None], size * np.arange(side)
    overlap = np.minimum(left_out + side, left_in + size) - np.maximum(left_out, left_in)
    weights = np.maximum(overlap, 0).astype(np.float64)
    sums = weights @ images.astype(np.float64) @ weights.T
    return np.asarray(sums.reshape(num_images, size**2) / (max_value * side**2))


def check_image_size(size: int, side: int) -> None:
    """Raise InputError unless images with that side can be reduced to `size`."""
    if not 1 <= size <= side:
        raise InputError(f"the image size must be between 1 and {side}, got {size}.")


def _features(x: NDArray[Any], max_value: int, image_size: int | None) -> NDArray[np.float64]:
    if x.ndim == 3:
        return reduce_images(x, x.shape[1] if image_size is None else image_size, max_value)
    if image_size is not None and image_size**2 != x.shape[1]:
        raise InputError(
            f"the samples have {x.shape[1]} plain features and are no images, so they cannot be "
            f"reduced to {image_size}x{image_size}: leave the image size out."
        )
    return np.asarray(x / max_value, dtype=np.float64)


def _side(x: NDArray[Any], image_size: int | None) -> int | None:
    """Side of the images that the features of `x` are, if they are images."""
    if x.ndim == 3:
        return int(x.shape[1]) if image_size is None else image_size
    side = math.isqrt(x.shape[1])
    return side if side == image_size and side**2 == x.shape[1] else None
