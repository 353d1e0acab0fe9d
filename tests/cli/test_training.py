"""`qhal train` from the outside."""

import json

import numpy as np
import pytest

from qhal.networks import Network

KEYS = (
    "test_accuracy train_accuracy bits_per_parameter num_parameters num_variables num_constraints "
    "oracle oracle_calls total_time_s model seed"
).split()
SMALL = "--oracle random --hidden 1 --samples 4 --iterations 2 --seed 3".split()


@pytest.fixture
def data(tmp_path):
    """Two classes that two features tell apart."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    path = tmp_path / "data.npz"
    x = np.clip(0.2 + 0.6 * y[:, None] + rng.normal(0, 0.1, (60, 3)), 0, 1)
    np.savez(path, x=x, y=np.array(["left", "right"])[y])
    return path


def test_the_document_model_and_plot(qhal, data, tmp_path):
    model, plot = tmp_path / "model.npz", tmp_path / "run.svg"
    command = ("train", "--data", data, *SMALL, "--model", model, "--plot", plot)
    result = qhal(*command, "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert set(KEYS) <= set(document)
    assert document["model"] == str(model)
    assert (document["oracle"], document["seed"]) == ("random", 3)
    assert document["test_accuracy"] > 0.9
    assert document["bits_per_parameter"] <= 2
    assert "<svg" in plot.read_text()
    network = Network.load(model)
    assert network.class_names == ("left", "right")
    predicted = json.loads(qhal("predict", model, data, "--json").stdout)
    assert predicted["accuracy"] > 0.9


def test_the_text(qhal, data):
    result = qhal("train", "--data", data, *SMALL)
    assert result.exit_code == 0
    assert result.stderr == ""
    for expected in ("test accuracy", "bits per parameter", "left, right"):
        assert expected in result.stdout


def test_the_same_seed_gives_the_same_network(qhal, data, tmp_path):
    def weights(name):
        model = tmp_path / name
        assert qhal("train", "--data", data, *SMALL, "--model", model).exit_code == 0
        network = Network.load(model)
        return [array.tolist() for array in (*network.weights, *network.biases)]

    assert weights("one.npz") == weights("two.npz")


def test_the_default_has_hidden_units_for_two_classes_only(qhal, data, tmp_path):
    rng = np.random.default_rng(0)
    several = tmp_path / "several.npz"
    np.savez(several, x=rng.random((30, 4)), y=np.arange(30) % 3)
    for path, parameters in ((data, 3 * (3 + 1)), (several, 3 * (4 + 1))):
        document = json.loads(qhal("train", "--data", path, "--dry-run", "--json").stdout)
        assert document["num_parameters"] == parameters
    command = ("train", "--data", several, "--hidden", 2, "--dry-run", "--json")
    assert json.loads(qhal(*command).stdout)["num_parameters"] == 2 * (4 + 1) + 3 * (2 + 1)


def test_a_dry_run_tells_the_spins_of_the_run(qhal, data):
    options = ("--hidden", "2,1", "--weight-bits", "1,ternary,2", "--activation", "sign,relu")
    command = ("train", "--data", data, *SMALL, *options, "--json")
    planned = json.loads(qhal(*command, "--dry-run").stdout)
    document = json.loads(qhal(*command).stdout)
    for key in ("num_variables", "num_spins", "bits_per_parameter", "num_parameters", "seed"):
        assert planned[key] == document[key]
    assert "oracle_calls" not in planned
    text = qhal("train", "--data", data, *SMALL, "--dry-run").stdout
    for part in ("weights", "indicators", "offsets", "products"):
        assert part in text


def test_a_dry_run_of_sequential_training_tells_the_largest_qubos(qhal, tmp_path):
    rng = np.random.default_rng(0)
    data = tmp_path / "several.npz"
    np.savez(data, x=rng.random((30, 4)), y=np.arange(30) % 3)
    command = ("train", "--data", data, "--method", "sequential", "--hidden", 2, "--json")
    command += ("--weight-bits", "1,2", "--oracle", "random", "--seed", 0, "--epochs", 2)
    planned = json.loads(qhal(*command, "--dry-run").stdout)
    assert planned["num_spins"] == {"layer 1": 4 + 6, "layer 2": 2 * 2 + 6}
    document = json.loads(qhal(*command).stdout)
    assert planned["num_variables"] == document["num_variables"] == 10
    assert planned["num_parameters"] == document["num_parameters"]
    split = json.loads(qhal(*command, "--dry-run", "--max-variables", 7).stdout)
    assert split["num_variables"] <= 7
    assert planned["samples"] == 21
    hedged = json.loads(
        qhal("train", "--data", data, "--method", "hedging", "--dry-run", "--json").stdout
    )
    assert hedged["num_variables"] == 550
    assert json.loads(qhal(*command, "--dry-run", "--samples", 9).stdout)["samples"] == 9


def test_a_large_problem_is_a_line_on_stderr(qhal, data, monkeypatch):
    monkeypatch.setattr("qhal.networks.training.LARGE_PROBLEM", 10)
    result = qhal("train", "--data", data, *SMALL)
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: the problem has ")
    assert len(result.stderr.splitlines()) == 1
    assert qhal("train", "--data", data, *SMALL, "--quiet").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--classes left,middle", "has no class 'middle'"),
        ("--classes lefft,right", "did you mean 'left'?"),
        ("--classes left", "at least two classes are needed"),
        ("--classes left,left", "class 'left' is named twice"),
        ("--data fashion-mist", "did you mean 'fashion-mnist'?"),
        ("--data absent.npz", "absent.npz"),
        ("--oracle randon", "did you mean 'random'?"),
        ("--set sweeps=1", "oracle 'random' has no option 'sweeps'"),
        ("--activation hard-tan", "did you mean 'hard-tanh'?"),
        ("--loss hing", "did you mean 'hinge'?"),
        ("--method hedging --bundle-size 99", "bundle_size must be from 1 to"),
        ("--executor dask", "'dask'"),
        ("--weight-bits 9", "Invalid value for '--weight-bits'"),
        ("--weight-bits 1,x", "Invalid value for '--weight-bits'"),
        ("--weight-bits 1,1,1,1", "one for each of the 2 layers of weights"),
        ("--activation relu,sign", "one for each of the 1 hidden layers"),
        ("--time-limit 1e-9", "the time limit passed while"),
        ("--hidden -1", "Invalid value for '--hidden'"),
        ("--image-size 2", "3 plain features and are no images"),
        ("--samples 1", "samples must be from 2"),
        ("--seed -5", "seed must be a whole number"),
    ],
)
def test_bad_options(refused, data, arguments, expected):
    assert expected in refused("train", "--data", data, *SMALL, *arguments.split())


def test_an_empty_class(refused, data):
    arrays = dict(np.load(data))
    x, y = arrays["x"], arrays["y"]
    left = y == "left"
    np.savez(data, x_train=x[left], y_train=y[left], x_test=x, y_test=y)
    assert "class 'right' has no training samples" in refused("train", "--data", data, *SMALL)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"x": np.full((60, 3), np.nan)}, "holds NaN or infinity"),
        ({"x": np.zeros((59, 3))}, "one label per sample"),
        ({"x": np.zeros((60, 3, 2))}, "images must be square"),
        ({"x": np.zeros(60)}, "must hold numbers in the shape"),
        ({"x": np.zeros((60, 3), dtype=object)}, "cannot read"),
        ({"y": np.zeros(60, dtype=int)}, "at least two classes are needed"),
    ],
)
def test_bad_data(refused, data, change, expected):
    np.savez(data, **dict(np.load(data)) | change)
    sentence = refused("train", "--data", data, *SMALL)
    assert expected in sentence
    assert "data.npz" in sentence or "square" in sentence


def test_damaged_data(refused, data):
    content = data.read_bytes()
    for damage in (b"", content[: len(content) // 2], b"x" * 100):
        data.write_bytes(damage)
        assert "data.npz" in refused("train", "--data", data, *SMALL)


def test_the_report_is_one_page(qhal, data, tmp_path):
    page = tmp_path / "run.html"
    assert qhal("train", "--data", data, *SMALL, "--report", page).exit_code == 0
    text = page.read_text()
    for expected in ("left against right", "test accuracy", "indicators", "bits per parameter"):
        assert expected in text
    assert text.count("data:image/png;base64,") == text.count("<figcaption>") >= 5
    for foreign in ("http:", "https:", "<script", "<link"):
        assert foreign not in text


@pytest.mark.parametrize("option", ["--model", "--plot", "--report"])
def test_unwritable_outputs_are_noticed_before_the_run(refused, data, monkeypatch, option):
    def never(*arguments, **options):
        raise AssertionError("the run has started")

    monkeypatch.setattr("qhal.api.train", never)
    for place in (data.parent / "absent" / "f.png", data / "f.png"):
        assert "cannot write" in refused("train", option, place)


def test_sequential_training_resumes_and_tells_every_epoch(qhal, data, tmp_path):
    checkpoint, plot = tmp_path / "run.ckpt", tmp_path / "run.svg"
    small = "--method sequential --oracle random --hidden 2 --batch 30 --seed 3".split()
    command = ("train", "--data", data, *small, "--resume", checkpoint)
    calls = ("--epochs", 4, "--max-oracle-calls")
    first = qhal(*command, *calls, 6, "--json", "-v")
    assert first.exit_code == 0
    told = first.stderr.count("epoch ")
    assert 0 < told < 4
    more = qhal(*command, *calls, 10**6, "--json", "-v", "--plot", plot)
    assert more.stderr.count("epoch ") == 4 - told
    document = json.loads(more.stdout)
    assert set(KEYS) <= set(document)
    assert document["epochs"] == 4
    assert document["num_variables"] == 3 + 6  # weights of one bit, a bias of six moves
    assert document["test_accuracy"] > 0.9
    whole = json.loads(qhal("train", "--data", data, *small, "--epochs", 4, "--json").stdout)
    assert whole["test_accuracy"] == document["test_accuracy"]
    assert whole["oracle_calls"] == document["oracle_calls"]
    assert "<svg" in plot.read_text()


def test_options_of_the_other_method_are_named(qhal, data):
    wrong = qhal("train", "--data", data, "--epochs", 2)
    assert wrong.exit_code == 2
    assert "epochs is an option of method 'sequential'" in wrong.stderr
    wrong = qhal("train", "--data", data, "--method", "sequential", "--iterations", 2)
    assert "iterations is an option of method 'joint'" in wrong.stderr
    wrong = qhal("train", "--data", data, "--method", "sequential", "--report", "x.html")
    assert wrong.exit_code == 2
    assert "report" in wrong.stderr


def test_a_joint_loss_of_several_outputs_is_for_sequential_training(qhal):
    wrong = qhal("train", "--data", "digits", "--loss", "softmax", "--hidden", 0)
    assert wrong.exit_code == 2
    assert "sequential" in wrong.stderr


def test_sequential_training_begins_with_a_model(qhal, data, tmp_path):
    small = ("train", "--data", data, "--method", "sequential", "--oracle", "random", "--seed", "1")
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    assert qhal(*small, "--hidden", "2", "--epochs", "1", "--model", first).exit_code == 0
    before = first.read_bytes()
    result = qhal(*small, "--initial", first, "--epochs", "2", "--model", second, "--json")
    assert result.exit_code == 0
    assert (
        json.loads(result.stdout)["train_accuracy"]
        >= Network.load(first).provenance["train_accuracy"]
    )
    assert Network.load(second).spec.layers == Network.load(first).spec.layers
    refused = qhal(*small, "--initial", first, "--model", first)
    assert refused.exit_code != 0
    assert "would overwrite the input" in refused.stderr
    assert first.read_bytes() == before
    refused = qhal("train", "--data", data, "--initial", first)
    assert refused.exit_code != 0
    assert "initial is an option of method 'sequential'" in refused.stderr
