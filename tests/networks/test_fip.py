"""The encoder against the forward pass, over every weight assignment of tiny networks."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import assume, given, settings

from qhal.errors import InputError
from qhal.networks import Network, SplineSpec, encode_network, make_spec
from qhal.networks.counting import count_spins
from qhal.networks.fip import distinct
from qhal.networks.spec import Code
from qhal.problems.encoding import encode
from tests.networks.strategies import ACTIVATIONS, LAYOUTS, LOSSES, Case, assignments, cases
from tests.problems.strategies import all_bits

MAX_AUXILIARY_BITS = 13


def spline_losses(network: Network, case: Case) -> np.ndarray:
    """Loss of each sample by the spline network's outputs, without the encoder."""
    spec = network.spec
    signs, shifts = spec.margins(case.y)
    margins = signs * network.outputs(spec.grid(case.x)) + shifts / spec.output_unit
    if spec.loss.quadratic:
        return ((1 - margins) ** 2).sum(axis=1)
    return network.splines.loss(np.rint(margins * spec.output_unit)).sum(axis=1)


@settings(max_examples=150)
@given(cases())
def test_completed_bits_are_feasible_and_cost_the_spline_loss(case: Case) -> None:
    encoded = case.encoded()
    problem = encoded.problem
    assert sum(encoded.num_spins.values()) == problem.num_variables
    values = problem.completion(assignments(encoded))
    assert problem.feasible(values).all()
    assert (problem.completion(values) == values).all()
    for row, objective in list(zip(values, problem.objectives(values), strict=True))[::7]:
        network = encoded.network(row)
        assert objective == pytest.approx(spline_losses(network, case).mean(), rel=1e-9, abs=1e-9)
        again = encoded.network(encoded.values(network))
        for first, second in zip(network.weights, again.weights, strict=True):
            assert (first == second).all()
        for first, second in zip(network.biases, again.biases, strict=True):
            assert (first == second).all()


@settings(max_examples=150)
@given(cases(max_features=2, max_samples=1))
def test_only_the_completed_auxiliary_bits_are_feasible(case: Case) -> None:
    encoded = case.encoded()
    problem = encoded.problem
    auxiliary = problem.num_variables - encoded.spec.num_weight_bits
    assume(0 < auxiliary <= MAX_AUXILIARY_BITS)
    tails = all_bits(auxiliary)
    for values in assignments(encoded)[:8]:
        completed = problem.completion(values[np.newaxis, :])[0]
        head = np.tile(values[: encoded.spec.num_weight_bits], (len(tails), 1))
        candidates = np.hstack([head, tails]).astype(np.int64)
        feasible = candidates[problem.feasible(candidates)]
        assert feasible.tolist() == [completed.tolist()]


@settings(max_examples=60)
@given(cases(max_samples=2))
def test_an_encoded_network_lifts_without_slack(case: Case) -> None:
    """Every quadratic row is a form that is never negative, every coefficient whole."""
    encoded = case.encoded()
    program = encode(encoded.problem)
    assert program.is_whole
    assert program.contradiction is None
    assert program.num_bits == encoded.problem.num_variables


@settings(max_examples=60)
@given(cases())
def test_layouts_encode_the_same_function_in_different_sizes(case: Case) -> None:
    sizes, objectives = {}, []
    for layout in LAYOUTS:
        encoded = encode_network(case.spec, case.x, case.y, layout=layout)
        values = encoded.problem.completion(assignments(encoded, limit=16))
        objectives.append(encoded.problem.objectives(values[:1])[0])
        network = encoded.network(values[0])
        assert objectives[-1] == pytest.approx(spline_losses(network, case).mean(), abs=1e-9)
        sizes[layout.shared_offsets, layout.reduced_indicators] = encoded.problem.num_variables
    assert sizes[True, True] <= min(sizes.values())
    assert sizes[False, False] >= max(sizes.values())


@pytest.mark.parametrize("bits", ["ternary", 1, 2, 3, 8])
def test_codes_decode_what_they_encode(bits) -> None:
    code = Code.of_weights(bits)
    assert (code.decode(code.encode(code.levels)) == code.levels).all()
    assert (code.levels == -code.levels[::-1]).all()
    count = 3 if bits == "ternary" else 2**bits
    assert len(code.levels) == count
    assert code.levels[-1] == (1 if bits == "ternary" else 2**bits - 1)
    assert set(np.diff(code.levels)) == {code.step}


def test_equal_samples_are_encoded_once_and_weighted() -> None:
    x = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    y = np.array([1, 1, 1, 0])
    spec = make_spec(x, ACTIVATIONS["relu"], LOSSES["hinge"], hidden=1, input_bits=2)
    q, signs, _, shares = distinct(spec.grid(x), *spec.margins(y))
    assert q.tolist() == [[0, 3], [3, 0], [0, 3]]
    assert signs.ravel().tolist() == [1, 1, -1]
    assert shares.tolist() == [0.5, 0.25, 0.25]
    encoded = encode_network(spec, x, y)
    values = encoded.problem.completion(assignments(encoded, limit=8))
    for row, objective in zip(values, encoded.problem.objectives(values), strict=True):
        case = Case(spec, x, y, LAYOUTS[0])
        losses = spline_losses(encoded.network(row), case)
        assert objective == pytest.approx(losses.mean(), abs=1e-12)


def test_a_deadline_stops_the_encoding_in_a_sentence() -> None:
    x, y = np.random.default_rng(0).random((50, 9)), np.arange(50) % 2
    spec = make_spec(x, ACTIVATIONS["tanh"], LOSSES["logistic"])
    with pytest.raises(InputError, match="the time limit passed while the network was being enc"):
        encode_network(spec, x, y, deadline=time.perf_counter())


@pytest.mark.parametrize("y", [[0, 2], [1], [0.5, 1], [[0, 1]], ["a", "b"]], ids=str)
def test_bad_classes_are_refused(y: list) -> None:
    x = np.array([[0.0, 1.0], [1.0, 0.0]])
    spec = make_spec(x, ACTIVATIONS["hard-tanh"], LOSSES["hinge"])
    with pytest.raises(InputError, match="a class, 0 or 1, for each|x has 2 samples and y 1"):
        encode_network(spec, x, np.array(y))


@pytest.mark.parametrize("y", [[0.0, np.nan], [[0.0, 1.0]], ["a", "b"], [0.0]], ids=str)
def test_bad_targets_are_refused(y: list) -> None:
    x = np.array([[0.0, 1.0], [1.0, 0.0]])
    spec = make_spec(x, ACTIVATIONS["hard-tanh"], LOSSES["squared"], regression=True)
    with pytest.raises(InputError, match="targets must be|x has 2 samples and y 1"):
        encode_network(spec, x, np.array(y))


def test_a_regression_needs_a_loss_of_the_error() -> None:
    x = np.array([[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(InputError, match="'hinge' is no loss of an error"):
        make_spec(x, ACTIVATIONS["relu"], LOSSES["hinge"], regression=True)


@settings(max_examples=300)
@given(cases(max_features=4, max_samples=4))
def test_the_formula_counts_what_the_encoder_builds(case: Case) -> None:
    counted = count_spins(case.spec, case.x, case.y, layout=case.layout)
    assert counted == case.encoded().num_spins


@pytest.mark.parametrize("pieces", [4, 5, 8])
def test_gates_shared_by_inner_parts_are_never_negative(pieces: int) -> None:
    """Pieces of a tanh left and right of 0 share offsets that the reference has no part in."""
    x, y = np.random.default_rng(0).random((3, 12)), np.array([0, 1, 1])
    spline = SplineSpec(1, pieces)
    spec = make_spec(x, ACTIVATIONS["tanh"], LOSSES["hinge"], hidden=1, spline=spline)
    encoded = encode_network(spec, x, y)
    rows = encoded.problem.constraints
    gates = np.array([label.endswith("gate") for label in rows.labels])
    both = gates & (np.diff(rows.linear.indptr) > 0) & (rows.products.sum(axis=1) > -2)
    several = np.diff(rows.products.indptr) > 2
    assert (both & several).any()
    assert encode(encoded.problem).num_bits == encoded.problem.num_variables
    bits = np.random.default_rng(1).integers(0, 2, (20_000, encoded.problem.num_variables))
    quadratic = rows.quadratic
    assert (rows.values(bits)[:, quadratic] >= rows.rhs[quadratic]).all()
