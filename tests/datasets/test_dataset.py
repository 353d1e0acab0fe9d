from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhal.datasets.dataset import (
    LabelledSamples,
    build_dataset,
    reduce_images,
    stratified_split,
)
from qhal.errors import InputError, UnknownNameError


def make_samples(y_train, y_test, names=("cat", "dog", "emu")) -> LabelledSamples:
    """Samples whose only feature is their position, so that they can be told apart."""
    x_train, x_test = (np.arange(len(y))[:, None] for y in (y_train, y_test))
    return LabelledSamples(
        x_train, np.array(y_train), x_test, np.array(y_test), names, 1, "the zoo"
    )


def area_average(image, size):
    """Every output pixel as the exact mean over its area, pixel by pixel."""
    side = len(image)
    edge = Fraction(side, size)

    def share(out, pixel):
        return max(min((out + 1) * edge, pixel + 1) - max(out * edge, pixel), 0)

    return [
        sum(
            share(i, row) * share(j, column) * int(image[row][column])
            for row in range(side)
            for column in range(side)
        )
        / edge**2
        for i in range(size)
        for j in range(size)
    ]


@given(side=st.integers(1, 6), size=st.integers(1, 6), seed=st.integers(0, 2**16))
def test_reduce_images_is_the_area_average_rounded_once(side, size, seed):
    image = np.random.default_rng(seed).integers(0, 256, size=(1, side, side), dtype=np.uint8)
    if size > side:
        with pytest.raises(InputError, match=f"between 1 and {side}"):
            reduce_images(image, size, 255)
        return
    expected = [float(value / 255) for value in area_average(image[0], size)]
    assert reduce_images(image, size, 255).tolist() == [expected]


def test_reduce_images_is_average_pooling_where_the_size_divides():
    images = np.random.default_rng(1).integers(0, 256, size=(3, 28, 28), dtype=np.uint8)
    pooled = images.reshape(3, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(3, 196) / 255
    np.testing.assert_allclose(reduce_images(images, 14, 255), pooled, rtol=1e-15)
    assert np.array_equal(reduce_images(images, 28, 255), images.reshape(3, 784) / 255)


def test_reduce_images_stays_within_bounds():
    for size in range(1, 29):
        assert np.array_equal(
            reduce_images(np.full((1, 28, 28), 255), size, 255), np.ones((1, size**2))
        )


def test_images_must_be_square():
    with pytest.raises(InputError, match="square, got 2x3"):
        reduce_images(np.zeros((1, 2, 3)), 2, 255)


@given(y=st.lists(st.integers(0, 3), max_size=60))
def test_split_is_stratified_and_repeatable(y):
    y = np.array(y, dtype=np.int64)
    train, test = stratified_split(y)
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(y)))
    for label in np.unique(y):
        count = (y == label).sum()
        in_training = (y[train] == label).sum()
        assert in_training >= 1
        assert abs(in_training - 0.7 * count) <= 1
    again = stratified_split(y)
    assert np.array_equal(train, again[0])
    assert np.array_equal(test, again[1])


def test_classes_are_kept_in_their_order():
    dataset = build_dataset(
        make_samples([0, 1, 2, 1, 0, 2], [2, 1, 0]), classes=("emu", "cat"), image_size=None
    )
    assert dataset.class_names == ("emu", "cat")
    assert dataset.x_train.ravel().tolist() == [0, 2, 4, 5]
    assert dataset.y_train.tolist() == [1, 0, 1, 0]
    assert dataset.x_test.ravel().tolist() == [0, 2]
    assert dataset.y_test.tolist() == [0, 1]
    assert dataset.x_train.dtype == np.float64
    assert dataset.y_train.dtype == np.int64
    assert dataset.image_size is None


@pytest.mark.parametrize(
    ("classes", "error", "reason"),
    [
        (("cat", "dig"), UnknownNameError, "did you mean 'dog'"),
        (("cat", "zzz"), UnknownNameError, "Its classes: cat, dog, emu"),
        (("cat", "dog", "cat"), InputError, "'cat' is named twice"),
        (("cat",), InputError, "at least two classes"),
        ((), InputError, "at least two classes"),
        (("cat", "emu"), InputError, "class 'emu' has no training samples in the zoo"),
        (None, InputError, "class 'emu' has no training samples"),
    ],
)
def test_classes_that_cannot_be(classes, error, reason):
    with pytest.raises(error, match=reason):
        build_dataset(make_samples([0, 1, 0], [0, 1, 2]), classes, None)


def test_no_test_samples():
    with pytest.raises(InputError, match="no test samples of cat, dog"):
        build_dataset(make_samples([0, 1, 2], [2]), ("cat", "dog"), None)
