"""`qhal predict` from the outside."""

import json

import numpy as np
import pytest

from qhal.networks import Network, make_spec
from qhal.registry import load


@pytest.fixture
def network():
    """Class b if the first of four features is above the fourth, else a."""
    x = np.random.default_rng(0).random((50, 4))
    spec = make_spec(x, load("activation", "hard-tanh"), load("loss", "hinge"), hidden=0)
    return Network(spec, (np.array([[1, 1, -1, -1]]),), (np.array([1]),), ("a", "b"))


@pytest.fixture
def model(network, tmp_path):
    path = tmp_path / "model.npz"
    network.save(path)
    return path


@pytest.fixture
def samples(tmp_path):
    def save(**arrays):
        path = tmp_path / "samples.npz"
        np.savez(path, **arrays)
        return path

    return save


X = np.array([[1.0, 0.6, 0.0, 0.3], [0.0, 0.3, 1.0, 1.0], [0.9, 0.9, 0.1, 0.1]])


def test_the_document(qhal, model, samples):
    path = samples(x=X, y=np.array(["b", "a", "a"]))
    result = qhal("predict", model, path, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "model": str(model),
        "num_samples": 3,
        "class_names": ["a", "b"],
        "predictions": ["b", "a", "b"],
        "accuracy": pytest.approx(2 / 3),
    }


def test_the_text(qhal, model, samples):
    result = qhal("predict", model, samples(x=X))
    assert result.exit_code == 0
    assert "0 b, 1 a, 2 b" in result.stdout
    assert "unknown: no y" in result.stdout
    with_labels = qhal("predict", model, samples(x=X, y=np.array(["b", "a", "a"]))).stdout
    rows = [line.split() for line in with_labels.splitlines()]
    assert ["accuracy", "0.6666666667"] in rows
    assert ["a", "1", "2", "1"] in rows
    assert ["b", "2", "1", "1"] in rows


def test_many_samples_are_summed_up(qhal, model, samples, tmp_path):
    path, out = samples(x=np.repeat(X, 700, axis=0)), tmp_path / "predictions.json"
    result = qhal("predict", model, path, "--out", out)
    assert len(result.stdout.splitlines()) < 15
    assert "and 2090 more (--out writes them all)" in result.stdout
    assert len(json.loads(out.read_text())["predictions"]) == 2100


@pytest.mark.parametrize(
    "y", [np.array([1, 0, 0]), np.array([1, 0, 0], dtype=np.uint8), np.array([1.0, 0, 0])]
)
def test_classes_may_be_given_by_their_numbers(qhal, model, samples, y):
    document = json.loads(qhal("predict", model, samples(x=X, y=y), "--json").stdout)
    assert document["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.array([0, 1, 7]), "has the class '7', which the model does not know. Its classes: a, "),
        (np.array([0, 1, -1]), "has the class '-1'"),
        (np.array([0.5, 1, 1]), "has the class '0.5'"),
        (np.array(["a", "b", "A"]), "has the class 'A', which the model does not know; did you me"),
        (np.array(["a", "b"]), "one class for each of the 3 samples, but its shape is (2,)."),
        (np.array([["a", "b", "b"]]), "but its shape is (1, 3)."),
        (np.array("a"), "but its shape is ()."),
    ],
)
def test_labels_that_cannot_be(refused, model, samples, y, expected):
    assert expected in refused("predict", model, samples(x=X, y=y))


def test_inputs_are_not_overwritten(refused, model, samples):
    path = samples(x=X)
    for place in (model, path):
        assert "--out" in refused("predict", model, path, "--out", place)
    assert "the input: choose another file" in refused("predict", model, path, "--out", model)


def test_images_are_reduced_to_what_the_model_takes(qhal, model, network, samples):
    images = np.kron(X.reshape(3, 2, 2), np.ones((7, 7)))
    for x in (images, (255 * images).round().astype(np.uint8)):
        document = json.loads(qhal("predict", model, samples(x=x), "--json").stdout)
        expected = [network.class_names[index] for index in network.predict(X)]
        assert document["predictions"] == expected


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"z": X}, "must hold an array x; it holds z."),
        ({"x": X[:, :3]}, "the model takes 4 features, but the samples in "),
        ({"x": X[0]}, "x in "),
        ({"x": np.zeros((0, 4))}, "must hold numbers in the shape"),
        ({"x": X.astype(str)}, "must hold numbers in the shape"),
        ({"x": X + np.nan}, "holds NaN or infinity"),
        ({"x": 3 * X}, "values from 0 to 3, not in [0, 1]"),
        ({"x": np.array([1, "a"], dtype=object)}, "cannot read"),
    ],
)
def test_bad_samples(refused, model, samples, arrays, expected):
    path = samples(**arrays)
    sentence = refused("predict", model, path)
    assert expected in sentence
    assert str(path) in sentence


def test_bad_files(refused, model, samples, tmp_path):
    path = samples(x=X)
    absent, damaged = tmp_path / "absent.npz", tmp_path / "damaged.npz"
    assert "absent.npz" in refused("predict", model, absent)
    assert "absent.npz" in refused("predict", absent, path)
    assert "directory" in refused("predict", tmp_path, path)
    content = model.read_bytes()
    for damage in (b"", content[:50], content[: len(content) // 2], content[:-30], b"x" * 500):
        damaged.write_bytes(damage)
        assert "damaged.npz" in refused("predict", damaged, path)
        assert "damaged.npz" in refused("predict", model, damaged)
    assert "samples.npz" in refused("predict", path, path)


def test_every_damaged_byte_of_a_model_is_noticed_or_harmless(qhal, model, samples, tmp_path):
    content, path = bytearray(model.read_bytes()), samples(x=X)
    damaged = tmp_path / "damaged.npz"
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(content), 60):
        copy = bytearray(content)
        copy[position] ^= int(rng.integers(1, 256))
        damaged.write_bytes(copy)
        result = qhal("predict", damaged, path)
        assert result.exit_code in (0, 2), (position, result.stderr)
