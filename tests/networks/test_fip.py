"""The encoder against the forward pass, over every weight assignment of tiny networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhal.functions import Activation, Loss
from qhal.networks import EncodedNetwork, encode_network, make_spec
from qhal.networks.gridspline import loss_spline, output_reach
from qhal.problems.encoding import encode
from tests.problems.strategies import all_bits

ACTIVATIONS = {
    "hard-tanh": Activation(
        name="hard-tanh",
        function=lambda z: np.clip(z, -1, 1),
        lipschitz=1.0,
        curvature=0.0,
        breakpoints=(-1.0, 1.0),
        odd=True,
    ),
    "sign": Activation(
        name="sign",
        function=lambda z: np.where(z >= 0, 1.0, -1.0),
        curvature=0.0,
        breakpoints=(0.0,),
        jumps=True,
    ),
    "relu": Activation(
        name="relu", function=lambda z: np.maximum(z, 0), curvature=0.0, breakpoints=(0.0,)
    ),
    "tanh": Activation(name="tanh", function=np.tanh, lipschitz=1.0, curvature=0.77, odd=True),
}
LOSSES = {
    "hinge": Loss(
        name="hinge", function=lambda m: np.maximum(0, 1 - m), curvature=0.0, breakpoints=(1.0,)
    ),
    "squared": Loss(name="squared", function=lambda m: (1 - m) ** 2, curvature=2.0, quadratic=True),
    "logistic": Loss(name="logistic", function=lambda m: np.logaddexp(0, -m), curvature=0.25),
}


@st.composite
def encodings(draw) -> tuple[EncodedNetwork, np.ndarray, np.ndarray]:
    features = draw(st.integers(1, 3))
    samples = draw(st.integers(1, 3))
    level = st.integers(0, 3).map(lambda k: k / 3)
    rows = st.lists(level, min_size=features, max_size=features)
    x = np.array(draw(st.lists(rows, min_size=samples, max_size=samples)))
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=samples, max_size=samples)))
    spec = make_spec(
        x,
        ACTIVATIONS[draw(st.sampled_from(sorted(ACTIVATIONS)))],
        LOSSES[draw(st.sampled_from(sorted(LOSSES)))],
        hidden=draw(st.integers(0, 2)),
        weight_bits=draw(st.integers(1, 2)),
        bias_bits=draw(st.integers(0, 2)),
        input_bits=draw(st.integers(1, 2)),
        spline_order=draw(st.integers(0, 1)),
        spline_pieces=draw(st.integers(1, 3)),
    )
    return encode_network(spec, x, y), x, y


def spline_losses(encoded: EncodedNetwork, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Loss of each sample by the spline network's outputs, without the encoder."""
    spec = encoded.spec
    margins = (2 * y - 1) * outputs
    if spec.loss.quadratic:
        return (1 - margins) ** 2
    return loss_spline(spec, output_reach(spec))(np.rint(margins * spec.output_unit))


def assignments(encoded: EncodedNetwork, limit: int = 256) -> np.ndarray:
    """Every assignment of the parameter bits (or `limit` random ones), auxiliary bits arbitrary."""
    count = encoded.spec.num_weight_bits
    rng = np.random.default_rng(0)
    heads = all_bits(count) if 2**count <= limit else rng.integers(0, 2, (limit, count))
    tails = rng.integers(0, 2, (len(heads), encoded.problem.num_variables - count))
    return np.hstack([heads, tails]).astype(np.int64)


@settings(max_examples=150)
@given(encodings())
def test_completed_bits_are_feasible_and_cost_the_spline_loss(case) -> None:
    encoded, x, y = case
    problem = encoded.problem
    values = problem.completion(assignments(encoded))
    assert problem.feasible(values).all()
    objectives = problem.objectives(values)
    for row, objective in zip(values[::7], objectives[::7], strict=True):
        network = encoded.network(row)
        outputs = network.decision_function(x)
        assert objective == pytest.approx(spline_losses(encoded, outputs, y).mean(), abs=1e-9)
        assert (encoded.values(network) == row).all()
    assert (problem.completion(values) == values).all()
    assert sum(encoded.num_spins.values()) == problem.num_variables


@settings(max_examples=60)
@given(encodings())
def test_only_the_completed_auxiliary_bits_are_feasible(case) -> None:
    encoded, _, _ = case
    problem = encoded.problem
    auxiliary = problem.num_variables - encoded.spec.num_weight_bits
    if auxiliary > 13:
        return
    tails = all_bits(auxiliary)
    for values in assignments(encoded, limit=8)[:8]:
        completed = problem.completion(values[np.newaxis, :])[0]
        head = np.tile(values[: encoded.spec.num_weight_bits], (len(tails), 1))
        candidates = np.hstack([head, tails]).astype(np.int64)
        feasible = candidates[problem.feasible(candidates)]
        assert feasible.tolist() == [completed.tolist()]


@settings(max_examples=40)
@given(encodings())
def test_an_encoded_network_lifts_without_slack(case) -> None:
    encoded, _, _ = case
    program = encode(encoded.problem)
    assert program.is_whole
    assert program.contradiction is None
    assert program.num_bits == encoded.problem.num_variables
