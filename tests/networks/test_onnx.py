"""Exported networks, run by onnxruntime, are the networks themselves."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhal.errors import InputError
from qhal.networks import Network, SplineSpec, make_spec
from tests.networks.strategies import ACTIVATIONS, LOSSES, Case, cases
from tests.networks.test_ensembles import random_network

RUNTIME = "onnxruntime"


def run(network: Network, path, x: np.ndarray) -> list[np.ndarray]:
    onnxruntime = pytest.importorskip(RUNTIME)
    network.to_onnx(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


def inputs(network: Network, seed: int) -> np.ndarray:
    """Inside the grid, outside it, and where rounding has ties."""
    grid, rng = network.spec.grid, np.random.default_rng(seed)
    ties = (rng.integers(0, 2**grid.bits, (40, len(grid.low))) + 0.5) / max(1, 2**grid.bits - 1)
    spread = rng.uniform(-0.5, 1.5, (40, len(grid.low)))
    return grid.low + np.vstack([ties, spread]) * (grid.high - grid.low)


def check(network: Network, path, seed: int) -> None:
    x = inputs(network, seed)
    decision, *classes = run(network, path, x)
    wanted = network.decision_function(x)
    assert decision.shape == wanted.shape
    assert (decision == wanted).all()
    if not network.spec.regression:
        assert (classes[0] == network.predict(x)).all()
    assert len(classes) == (not network.spec.regression)


@settings(max_examples=80, deadline=None)
@given(cases(), st.integers(0, 1000))
def test_small_networks_of_every_kind(tmp_path_factory, case: Case, seed: int) -> None:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    check(random_network(case.spec, seed), path, seed)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
@pytest.mark.parametrize("order", [0, 1])
def test_larger_networks(tmp_path, name: str, order: int) -> None:
    x = np.random.default_rng(order).normal(3, 10, (30, 20))  # a grid of other units than [0, 1]
    x[:, 5] = 7.0  # a constant feature
    spec = make_spec(
        x,
        ACTIVATIONS[name],
        LOSSES["squared"],
        hidden=(6, 5),
        outputs=1 + 3 * order,
        weight_bits=(1, "ternary", 8),
        bias_bits=8,
        input_bits=8,
        spline=SplineSpec(order, 7, "adaptive"),
    )
    check(random_network(spec, 1), tmp_path / "model.onnx", 2)


def test_what_the_file_says_of_itself(tmp_path) -> None:
    onnx = pytest.importorskip("onnx")
    spec = make_spec(np.eye(9), ACTIVATIONS["sign"], LOSSES["hinge"], hidden=2)
    network = random_network(spec, 0)
    path = tmp_path / "model.onnx"
    network.to_onnx(path)
    model = onnx.load(path)
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "class_names": json.dumps(["0", "1"])
    }
    stored = {onnx.numpy_helper.to_array(entry).dtype for entry in model.graph.initializer}
    assert np.dtype(np.int8) in stored  # weights do not grow to eight bytes
    assert [entry.name for entry in model.graph.output] == ["decision", "class"]


def test_onnx_absent(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    spec = make_spec(np.eye(3), ACTIVATIONS["sign"], LOSSES["hinge"], hidden=2)
    with pytest.raises(InputError, match=r"pip install 'qhal-core\[onnx\]'"):
        random_network(spec, 0).to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
