"""Joint training end to end on small data, and models on disk."""

from __future__ import annotations

import json
import re
from typing import ClassVar

import numpy as np
import pytest

import qhal
from qhal.api import plan_training
from qhal.networks import Network, make_spec
from qhal.networks.training import CandidatePool, LargeProblemWarning, draw_samples
from qhal.registry import load
from qhal.samples import StopReason


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory):
    """Two classes that three features tell apart, as a file."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    path = tmp_path_factory.mktemp("data") / "data.npz"
    x = np.clip(0.2 + 0.6 * y[:, None] + rng.normal(0, 0.1, (60, 3)), 0, 1)
    np.savez(path, x=x, y=np.array(["left", "right"])[y])
    return path


@pytest.fixture(scope="module")
def result():
    return qhal.train(oracle="random", num_reads=200, iterations=3, samples=10, seed=0)


def test_training_reports_what_the_contract_names(result) -> None:
    record = json.loads(json.dumps(result.to_json(), allow_nan=False))
    for key in (
        "test_accuracy train_accuracy bits_per_parameter num_parameters num_variables "
        "num_constraints oracle oracle_calls total_time_s seed"
    ).split():
        assert key in record
    assert record["oracle_calls"] == 3
    assert record["num_parameters"] == 3 * 50
    assert record["bits_per_parameter"] == pytest.approx((147 + 12) / 150)
    assert record["num_variables"] == sum(record["num_spins"].values())


def test_the_reported_accuracy_is_that_of_the_model(result, tmp_path) -> None:
    model = tmp_path / "model.npz"
    result.save(str(model))
    network = Network.load(model)
    data = result.dataset
    assert (network.predict(data.x_test) == result.network.predict(data.x_test)).all()
    assert network.accuracy(data.x_test, data.y_test) == result.test_accuracy
    assert network.class_names == ("coat", "sandal")
    assert network.provenance["seed"] == 0
    assert set(np.unique(network.weights[0])) <= {-1, 1}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hidden": 2}, ["2 units of 3 inputs", "Loss: hinge", "left against right", "absorbed"]),
        ({"hidden": (2, 2), "activation": ("tanh", "relu")}, ["Layer 2: relu", "Layer 3"]),
        ({"activation": "step"}, ["absorbed", "fixed at -"]),
        ({"hidden": 0, "loss": "squared"}, ["no spline", "Layer 1, bias"]),
        ({"classes": "all", "data": "digits", "hidden": 0, "samples": 10}, ["(class 9)"]),
    ],
)
def test_the_report_says_in_words_what_its_pictures_show(two_classes, tmp_path, options, said):
    given = {"data": str(two_classes), "samples": 6} | options
    if given["data"] == "digits":
        pytest.importorskip("sklearn")
    result = qhal.train(oracle="random", iterations=2, num_reads=5, seed=0, **given)
    result.report(str(tmp_path / "run.html"))
    page = (tmp_path / "run.html").read_text()
    for text in said:
        assert text in page
    alternatives = re.findall(r'<img alt="([^"]*)"', page)
    assert len(alternatives) == page.count("<img") == len(set(alternatives)) > 3
    parts = set(re.findall('<th scope="row">([a-z]*)</th>', page))
    assert parts >= {"weights", "indicators", "offsets", "products", "seed", "loss", "numpy"}
    for count in result.num_spins.values():
        assert f"<td>{count:,}</td>" in page


def test_the_same_seed_gives_the_same_network(result) -> None:
    again = qhal.train(oracle="random", num_reads=200, iterations=3, samples=10, seed=0)
    for first, second in zip(again.network.weights, result.network.weights, strict=True):
        assert (first == second).all()
    assert again.solution.objective == result.solution.objective


def test_machines_of_few_bits_are_asked_about_the_whole_problem(two_classes) -> None:
    """Parts of it, held at good states, lower the loss and cost accuracy (docs/reproduction.md)."""

    class Counting(qhal.Oracle):
        info = qhal.OracleInfo(
            name="counting", summary="fair coins", factory="", seeded=True, coefficient_bits=8
        )
        sizes: ClassVar[list[int]] = []

        def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
            self.sizes.append(qubo.num_variables)
            rng = np.random.default_rng(seed)
            return rng.integers(0, 2, (num_reads, qubo.num_variables))

    data = str(two_classes)
    result = qhal.train(data, oracle=Counting(), iterations=6, num_reads=30, samples=4, seed=0)
    assert Counting.sizes == [result.solution.num_variables] * 6


def test_the_training_loss_is_that_of_the_incumbent(result) -> None:
    losses = [state["incumbent"] for state in result.solution.history]
    assert losses == sorted(losses, reverse=True)
    assert result.solution.objective == losses[-1]
    assert result.solution.max_violation == 0


def test_training_plots(result, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    result.plot(str(tmp_path / "training.png"))
    assert (tmp_path / "training.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    "options",
    [{"hidden": 0}, {"weight_bits": 2}, {"activation": "relu"}, {"loss": "squared", "hidden": 2}],
    ids=str,
)
def test_other_architectures_train(options: dict) -> None:
    result = qhal.train(oracle="random", num_reads=50, iterations=2, samples=6, seed=1, **options)
    assert result.train_accuracy >= 0.5
    assert result.solution.feasible


def test_a_damaged_model_is_refused_in_a_sentence(result, tmp_path) -> None:
    model = tmp_path / "model.npz"
    result.save(str(model))
    whole = model.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            damaged[place] ^= int(rng.integers(1, 256))
        model.write_bytes(bytes(damaged[: int(rng.integers(1, len(whole)))]))
        with pytest.raises(qhal.InputError):
            Network.load(model)
    with pytest.raises(qhal.InputError, match="No such file"):
        Network.load(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hiden": 3}, "no option 'hiden'; did you mean 'hidden'"),
        ({"hidden": (3, 0)}, "the size of a hidden layer must be a whole number of at least 1"),
        ({"weight_bits": (1, 1, 1)}, "weight_bits must be one, or one for each of the 2 layers"),
        ({"spline_order": 2}, "the spline order must be a whole number from 0 to 1"),
        ({"spline_knots": "even"}, "'uniform' or 'adaptive', not 'even'"),
        ({"classes": "coat,sandel"}, "did you mean 'sandal'"),
        ({"activation": "hard-tahn"}, "did you mean 'hard-tanh'"),
        ({"loss": "hing"}, "did you mean 'hinge'"),
        ({"hidden": -1}, "hidden"),
        ({"weight_bits": 0}, "weight_bits"),
        ({"samples": 1}, "samples"),
        ({"method": "hedgehog"}, "method must be one of joint"),
        ({"classes": (3, 8)}, "a class called 3 is '3'"),
        ({"hidden": "a"}, "hidden must be a whole number of at least 0, not 'a'"),
        ({"hidden": 2.5}, "hidden must be a whole number"),
        ({"samples": 2.5}, "samples must be a whole number of at least 1, not 2.5"),
        ({"data": np.zeros((4, 3))}, "not a ndarray: give arrays to qhal.networks.Quantized"),
        ({"activation": np.tanh}, r"qhal.Activation.from_callable\(function"),
        ({"loss": abs}, r"qhal.Loss.from_callable\(function"),
        ({"loss": 3}, "loss must be a name or a qhal.Loss, not 3"),
    ],
)
def test_bad_options_are_sentences(options: dict, message: str) -> None:
    with pytest.raises(qhal.InputError, match=message):
        qhal.train(**{"oracle": "random", "iterations": 1, "num_reads": 2} | options)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (5,)])
def test_inputs_are_a_table(shape: tuple[int, ...]) -> None:
    with pytest.raises(qhal.InputError, match="num_samples, num_features"):
        make_spec(np.zeros(shape), load("activation", "hard-tanh"), load("loss", "hinge"))


def test_samples_are_drawn_evenly() -> None:
    y = np.array([0] * 50 + [1] * 7)
    drawn = draw_samples(y, 10, seed=3)
    assert np.bincount(y[drawn]).tolist() == [5, 5]
    assert len(set(drawn.tolist())) == 10
    unbalanced = draw_samples(y, 20, seed=3)
    assert np.bincount(y[unbalanced]).tolist() == [13, 7]
    assert sorted(draw_samples(y, 57, seed=3)) == list(range(57))
    for count in (1, 58):
        with pytest.raises(qhal.InputError, match="samples must be from 2 to 57"):
            draw_samples(y, count, seed=3)


def test_the_pool_keeps_the_best_distinct_assignments() -> None:
    pool = CandidatePool(2)
    pool(np.array([[0, 1, 9], [1, 1, 9], [0, 1, 8]]), np.array([3.0, 1.0, 3.0]))
    pool(np.array([[1, 0, 7]]), np.array([2.0]))
    assert len(pool) == 3
    assert pool.lowest_loss == 1.0


def test_a_plan_counts_the_spins_of_the_run(result) -> None:
    plan = plan_training(samples=10, seed=0)
    assert plan.num_spins() == result.num_spins
    assert plan.to_json()["num_variables"] == result.solution.num_variables


def test_the_time_limit_covers_the_encoding() -> None:
    options = {"oracle": "random", "num_reads": 10, "samples": 3000, "time_limit": 1e-6}
    with pytest.raises(qhal.InputError, match="the time limit passed while the network was being"):
        qhal.train(seed=0, **options)


def test_a_run_keeps_to_the_time_limit() -> None:
    result = qhal.train(oracle="random", samples=10, iterations=1000, time_limit=0.3, seed=0)
    assert result.solution.stop_reason is StopReason.TIME_LIMIT
    assert result.solution.iterations < 1000


def test_a_large_problem_is_announced(monkeypatch) -> None:
    monkeypatch.setattr("qhal.networks.training.LARGE_PROBLEM", 100)
    with pytest.warns(LargeProblemWarning, match=r"spins \(53 weights, .*fewer samples"):
        qhal.train(oracle="random", num_reads=5, samples=4, hidden=1, iterations=1, seed=0)


def test_several_classes_have_one_output_each() -> None:
    pytest.importorskip("sklearn")
    result = qhal.train(
        "digits",
        classes="0,1,2",
        image_size=4,
        hidden=(4, 3),
        activation=("sign", "relu"),
        weight_bits=(1, "ternary", 2),
        oracle="random",
        num_reads=300,
        iterations=2,
        samples=6,
        seed=0,
    )
    assert [layer.outputs for layer in result.network.spec.layers] == [4, 3, 3]
    assert set(np.unique(result.network.weights[1])) <= {-1, 0, 1}
    assert result.test_accuracy > 0.5
    assert result.network.decision_function(result.dataset.x_test).shape[1] == 3
