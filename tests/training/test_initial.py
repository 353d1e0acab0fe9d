"""Sequential training that begins with a trained network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qhal
from qhal.api import plan_training
from qhal.errors import InputError
from qhal.executors.serial import Serial
from qhal.networks import Network
from qhal.networks.architecture import make_spec
from qhal.oracle import Oracle
from qhal.registry import get_oracle, load
from qhal.training.blocks import network_of, parameters_of
from qhal.training.checkpoint import check_parameters, digest
from qhal.training.initial import enlarged
from qhal.training.run import Limits
from qhal.training.sequential import Settings
from qhal.training.sequential_run import Run
from qhal.training.store import Store
from tests.training.test_chunk import random_parameters
from tests.training.test_sequential import check_resume, make_data, make_run, same

SMALL = {
    "classes": "coat,sandal", "hidden": 2, "samples": 60, "method": "sequential", "seed": 0,
    "oracle": "sa", "oracle_options": {"num_sweeps": 10},
}  # fmt: skip


class Contrary(Oracle):
    """Would flip everything."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return np.ones((1, qubo.num_variables), dtype=np.int8)


def begun(initial, oracle=None, samples=300, **settings):
    x, y = make_data(samples)
    run = Run(
        initial.spec,
        Store(x, y),
        oracle or get_oracle("sa", num_sweeps=20),
        Serial(),
        settings=Settings(**({"epochs": 2, "batch": 300} | settings)),
        limits=Limits(),
        seed=0,
        class_names=("a", "b", "c"),
    )
    run.begin_with(initial)
    return run


@pytest.fixture(scope="module")
def trained():
    return make_run(epochs=6, batch=300).run(None)


@pytest.mark.parametrize("seed", range(3))
def test_it_begins_there_and_goes_on(seed):
    spec = make_run().spec
    parameters = random_parameters(spec, np.random.default_rng(seed))
    initial = network_of(spec, parameters, ("a", "b", "c"))
    run = begun(initial)
    for mine, theirs in zip(run.state.parameters, parameters, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    x, y = make_data()
    assert run.run(None).network.accuracy(x, y) > initial.accuracy(x, y)


@pytest.mark.parametrize("oracle", [None, Contrary()])
def test_the_result_is_never_worse(trained, oracle):
    initial = trained.network
    x, y = make_data()
    found = begun(initial, oracle, epochs=3, batch=5, final_batch=5).run(None)
    assert found.network.accuracy(x, y) >= initial.accuracy(x, y)


def test_a_pass_that_spoils_it_is_not_the_result(trained, monkeypatch):
    run = begun(trained.network, epochs=1)
    worst = random_parameters(run.spec, np.random.default_rng(1))
    monkeypatch.setattr(run.state, "epoch", lambda number: vars(run.state).update(parameters=worst))
    found = run.run(None)
    assert found.history[0]["accuracy"] < found.history[0]["best_accuracy"]
    assert same(found, trained)


def test_later_starts_are_random(trained):
    run = begun(trained.network, epochs=1, starts=2)
    first = run.state.parameters
    run.state.epoch(2)
    agree = np.mean(run.state.parameters[0][:, :-1] == first[0][:, :-1])
    assert agree < 0.95


def test_resume_is_bit_for_bit_and_only_from_the_same_network(trained, tmp_path):
    path = tmp_path / "run.ckpt"
    check_resume(lambda **options: begun(trained.network, epochs=4, batch=50, **options), path)
    other = random_parameters(trained.network.spec, np.random.default_rng(2))
    with pytest.raises(InputError, match="checkpoint"):
        begun(network_of(trained.network.spec, other, ("a", "b", "c")), epochs=4, batch=50).resume(
            path
        )
    with pytest.raises(InputError, match="checkpoint"):
        make_run(epochs=4, batch=50).resume(path)


def test_train_begins_with_a_network_or_the_path_of_one(tmp_path):
    first = qhal.train("fashion-mnist", **SMALL, epochs=1)
    first.save(str(tmp_path / "first.npz"))
    options = SMALL | {"hidden": 5, "epochs": 2}  # the architecture is that of the network
    by_path = qhal.train("fashion-mnist", **options, initial=str(tmp_path / "first.npz"))
    by_object = qhal.train("fashion-mnist", **options, initial=first.network)
    assert by_path.network.spec.layers == first.network.spec.layers
    assert same(by_path, by_object)
    assert by_path.to_json()["initial_network"] == digest(parameters_of(first.network))
    by_path.save(str(tmp_path / "second.npz"))
    assert "initial_network" in Network.load(tmp_path / "second.npz").provenance
    assert "initial_network" not in first.to_json()


def changed(network, change):
    """With other weights in the first layer; those of the second are fixed."""
    first, *others = network.weights
    return replace(network, weights=(change(first), *others))


def regression_like(network):
    spec = replace(network.spec, regression=True, loss=load("loss", "squared"))
    return replace(network, spec=spec)


def test_networks_of_other_data_are_refused(tmp_path):
    network = qhal.train("fashion-mnist", **SMALL, epochs=1).network
    assert isinstance(network, Network)
    for options, match in (
        ({"image_size": 10}, "7x7 images, the data are 10x10: choose an image_size that is a mult"),
        ({"image_size": 6}, "one for 7x7 images, the data are 6x6"),
        ({"classes": "coat,shirt"}, "tells coat, sandal apart, the data have the classes coat, sh"),
        ({"method": "joint"}, "initial is an option of method 'sequential', not of 'joint'"),
        ({"method": "hedging"}, "initial is an option of method 'sequential', not of 'hedging'"),
        ({"initial": regression_like(network)}, "the initial network is a regression"),
        ({"initial": changed(network, lambda w: w / 2)}, "its weights are not whole numbers"),
        ({"initial": changed(network, lambda w: w[:, 1:])}, "whole numbers of the layers' shapes"),
        ({"initial": changed(network, lambda w: 3 * w)}, "a weight is none of its levels"),
        ({"initial": replace(network, biases=[b + 1 for b in network.biases])}, "a bias is none"),
        (
            {"initial": changed(network, lambda w: w[:, 1:]), "image_size": 14},
            "whole numbers of the layers' shapes",
        ),
        ({"initial": 3}, "initial must be a Network or the path of one"),
        ({"initial": str(tmp_path / "none.npz")}, "none.npz"),
    ):
        with pytest.raises(InputError, match=match):
            qhal.train("fashion-mnist", **(SMALL | {"initial": network} | options))


@given(st.data())
def test_an_enlarged_network_is_the_same_of_enlarged_images(data):
    side, factor = data.draw(st.integers(1, 4)), data.draw(st.integers(2, 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    low, high = data.draw(st.sampled_from([(0.0, 1.0), (-3.0, 2.0)]))
    x = rng.uniform(low, high, (20, side, side))
    x[0], x[1] = low, high
    activation = data.draw(st.sampled_from(["hard-tanh", "sign", "relu", "tanh"]))
    spec = make_spec(
        x.reshape(20, -1),
        load("activation", activation),
        load("loss", "hinge"),
        hidden=data.draw(st.lists(st.integers(1, 4), max_size=2)),
        outputs=data.draw(st.sampled_from([1, 3])),
        weight_bits=data.draw(st.sampled_from([1, 2, "ternary"])),
        gain=data.draw(st.sampled_from([1.0, 4.0])),
    )
    network = network_of(spec, random_parameters(spec, rng), tuple("abc")[: spec.num_classes])
    larger = enlarged(network, factor)
    check_parameters(larger.spec, parameters_of(larger))
    images = x.repeat(factor, axis=1).repeat(factor, axis=2).reshape(20, -1)
    outputs = network.decision_function(x.reshape(20, -1))
    finer = 0.5 if activation == "tanh" else 0.0  # values of curves are rounded to finer steps
    np.testing.assert_allclose(larger.decision_function(images), outputs, rtol=0, atol=finer)


def test_training_goes_on_with_larger_images(tmp_path):
    coarse = qhal.train("fashion-mnist", **SMALL, epochs=2, image_size=7).network
    coarse.save(tmp_path / "coarse.npz")
    size = np.int64(14)  # whatever the type of it, the result can be written
    fine = SMALL | {"image_size": size, "initial": str(tmp_path / "coarse.npz"), "batch": 60}
    plan = plan_training(
        **{k: fine[k] for k in "classes samples seed method initial image_size".split()}
    )
    assert plan.spec.layers[0].inputs == 196
    x, y = plan.dataset.x_train, plan.dataset.y_train
    x, y = x[plan.chosen], y[plan.chosen]
    found = qhal.train("fashion-mnist", **fine, epochs=2)
    assert found.network.accuracy(x, y) >= plan.initial.accuracy(x, y) >= 0.8
    assert found.network.spec.layers == plan.spec.layers
    found.save(str(tmp_path / "fine.npz"))
    assert Network.load(tmp_path / "fine.npz").accuracy(x, y) == found.network.accuracy(x, y)


def test_parameters_of_a_network_are_those_it_was_made_of(trained):
    spec = trained.network.spec
    parameters = random_parameters(spec, np.random.default_rng(3))
    for mine, theirs in zip(parameters_of(network_of(spec, parameters)), parameters, strict=True):
        np.testing.assert_array_equal(mine, theirs)
