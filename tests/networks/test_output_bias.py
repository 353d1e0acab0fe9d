"""The last layer's bias: none after an odd activation, fixed after one that is odd about a centre.

A network of one output and +-1 output weights w is the same function with all output weights +1:
w f(z) = f(w z) - c + w c where f is odd about c, so the units' own signs can take w over.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhal.archive import write_arrays
from qhal.errors import InputError
from qhal.functions import Activation
from qhal.networks import Network, make_spec
from qhal.networks.spec import LayerSpec
from tests.networks.strategies import ACTIVATIONS, LOSSES, Case, cases
from tests.networks.test_ensembles import random_network

X = np.random.default_rng(0).random((60, 9))


@pytest.mark.parametrize(
    ("name", "options", "fixed", "bias_bits"),
    [
        ("hard-tanh", {}, 0, 0),
        ("sign", {"hidden": (2, 3)}, 0, 0),
        ("hard-tanh", {"weight_bits": 2}, None, 0),
        ("sigmoid", {"weight_bits": (1, 2)}, None, 4),
        ("step", {"outputs": 3}, None, 4),
        ("relu", {}, None, 4),
        ("relu", {"bias_bits": 0}, None, 0),
    ],
    ids=str,
)
def test_what_the_last_layer_learns(name, options, fixed, bias_bits) -> None:
    last = make_spec(X, ACTIVATIONS[name], LOSSES["hinge"], **options).layers[-1]
    assert last.fixed == (fixed is not None)
    assert (last.num_bits == 0) == last.fixed
    if last.fixed:
        assert last.fixed_bias == fixed
    else:
        assert last.bias_bits == bias_bits


@pytest.mark.parametrize("name", ["sigmoid", "step", "tanh", "sign"])
def test_absorbing_output_weights_loses_no_function(name: str) -> None:
    """The true functions, away from jumps, for all signs of three output weights."""
    function = ACTIVATIONS[name]
    spec = make_spec(X, function, LOSSES["hinge"], hidden=3)
    last, scale = spec.layers[-1], spec.hidden[-1].resolution
    assert last.fixed_bias == -round(3 * function.centre * scale)
    z = np.random.default_rng(1).normal(0.0, 2.0, (50, 3))
    for w in np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T:
        centred = (function(z) - function.centre) @ w
        absorbed = (function(w * z) * scale).sum(axis=1) + last.fixed_bias
        assert absorbed / scale == pytest.approx(centred, abs=1e-9)


@pytest.mark.parametrize("name", ["sigmoid", "step"])
def test_networks_of_such_units_say_both_classes(name: str) -> None:
    """Without a bias every sum of positive values would be class 1."""
    spec = make_spec(X, ACTIVATIONS[name], LOSSES["hinge"], hidden=3)
    classes = [random_network(spec, seed).predict(X).mean() for seed in range(40)]
    assert 0.2 < np.mean(classes) < 0.8
    assert spec.layers[-1].fixed_bias < 0
    for seed in range(3):
        assert random_network(spec, seed).biases[-1].tolist() == [spec.layers[-1].fixed_bias]


def test_an_activation_of_ones_own_can_be_odd_about_a_centre() -> None:
    function = Activation.from_callable(
        lambda z: 3.0 + np.arctan(z), lipschitz=1.0, curvature=0.65, odd=True, centre=3.0
    )
    spec = make_spec(X, function, LOSSES["hinge"], hidden=2)
    assert spec.layers[-1].fixed_bias == -6 * spec.hidden[0].resolution


@settings(max_examples=60)
@given(cases(), st.integers(0, 1000))
def test_models_come_back_from_files(tmp_path_factory, case: Case, seed: int) -> None:
    path = tmp_path_factory.mktemp("models") / "model.npz"
    names = tuple(f"class {k}" for k in range(case.spec.num_classes))
    network = replace(random_network(case.spec, seed), class_names=names)
    network.save(path)
    again = Network.load(path)
    assert [vars(layer) for layer in again.spec.layers] == [vars(one) for one in case.spec.layers]
    assert (again.decision_function(case.x) == network.decision_function(case.x)).all()
    assert again.class_names == names


def _rewritten(path, change) -> None:
    """The model file at `path` with its header changed by `change`."""
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(bytes(arrays["header"]).decode())
    change(header, arrays)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    path.write_bytes(write_arrays(arrays))


def test_models_of_the_format_before_are_read(tmp_path) -> None:
    def older(header, arrays) -> None:
        assert header["format"] == "qhal-network-3"
        header["format"] = "qhal-network-2"
        for layer in header["layers"]:
            del layer["fixed_bias"]

    network = random_network(make_spec(X, ACTIVATIONS["tanh"], LOSSES["hinge"]), 0)
    path = tmp_path / "model.npz"
    network.save(path)
    _rewritten(path, older)
    assert (Network.load(path).decision_function(X) == network.decision_function(X)).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda header, arrays: header.update(format="qhal-network-1"),
        lambda header, arrays: header["layers"][1].update(fixed_bias=0.5),
        lambda header, arrays: header["layers"][1].update(fixed_bias=-1),
        lambda header, arrays: arrays.update(biases_1=arrays["biases_1"] + 1),
        lambda header, arrays: arrays.update(weights_0=arrays["weights_0"] * 2),
        lambda header, arrays: arrays.update(weights_1=-arrays["weights_1"]),
    ],
    ids=["format", "half a bias", "another bias", "a bias off", "weights of 2", "weights of -1"],
)
def test_models_whose_numbers_do_not_fit_the_layers_are_refused(tmp_path, change) -> None:
    network = random_network(make_spec(X, ACTIVATIONS["sigmoid"], LOSSES["hinge"]), 0)
    path = tmp_path / "model.npz"
    network.save(path)
    _rewritten(path, change)
    with pytest.raises(InputError, match="not a qhal model, or it is damaged"):
        Network.load(path)


def test_a_fixed_bias_is_whole() -> None:
    with pytest.raises(InputError, match="fixed_bias must be a whole number"):
        LayerSpec(3, 1, 1, 0, fixed=True, fixed_bias=0.5)  # type: ignore[arg-type]
