"""Every bound holds, and is not far off where it can be computed exactly."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhal.errors import InputError
from qhal.networks import make_spec
from qhal.networks.bounds import (
    approximation_error,
    generalisation_gap,
    samples_needed,
    time_to_solution,
    unit_spins,
)
from qhal.networks.counting import count_spins
from qhal.networks.gridspline import grid_splines, layer_reach
from tests.networks.strategies import ACTIVATIONS, LOSSES, Case, cases
from tests.networks.test_ensembles import random_network

X = np.random.default_rng(0).random((200, 9))


@settings(max_examples=200)
@given(cases(max_features=4, max_samples=4), st.integers(0, 1000))
def test_the_true_network_is_within_the_stated_bound(case: Case, seed: int) -> None:
    spec, x = case.spec, np.random.default_rng(seed).random((30, case.x.shape[1]))
    network = random_network(spec, seed)
    q = spec.grid(x)
    spline, true = network.outputs(q), network.outputs(q, true_activation=True)
    difference = np.abs(spline - true).max()
    own, any_weights = approximation_error(spec, network), approximation_error(spec)
    assert difference <= own.output * (1 + 1e-9) + 1e-9
    assert own.output <= any_weights.output * (1 + 1e-12)
    margins = np.rint(spline * spec.output_unit)
    of_splines = network.splines.loss(margins) if not spec.loss.quadratic else (1 - spline) ** 2
    assert np.abs(of_splines - spec.loss(true)).max() <= own.loss * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "silu", "hard-tanh"])
def test_the_error_of_one_hidden_layer_is_within_a_small_factor(name: str) -> None:
    """Searched over inputs, the largest difference is near the bound when units can align."""
    spec = make_spec(X, ACTIVATIONS[name], LOSSES["hinge"], hidden=1)
    network = random_network(spec, 1)
    q = spec.grid(np.random.default_rng(1).random((20_000, 9)))
    difference = np.abs(network.outputs(q) - network.outputs(q, true_activation=True)).max()
    bound = approximation_error(spec, network).output
    assert difference <= bound <= 2 * difference + 1e-12


def test_hard_tanh_networks_are_exact() -> None:
    spec = make_spec(X, ACTIVATIONS["hard-tanh"], LOSSES["hinge"], hidden=(4, 3), weight_bits=2)
    error = approximation_error(spec)
    assert max(error.units) == 0.0
    assert error.output == 0.0
    assert error.loss == pytest.approx(0.0, abs=1e-9)


def test_errors_do_not_pass_a_jump_unnoticed() -> None:
    functions = [ACTIVATIONS["tanh"], ACTIVATIONS["sign"]]
    spec = make_spec(X, functions, LOSSES["hinge"], hidden=(2, 2))
    assert approximation_error(spec).output == math.inf


@settings(max_examples=200)
@given(cases(max_features=4, max_samples=4))
def test_units_take_no_more_spins_than_the_bound(case: Case) -> None:
    """Summed over samples and units; the encoder builds what `count_spins` says (test_fip.py)."""
    spec, splines = case.spec, grid_splines(case.spec)
    functions = [*splines.hidden, splines.loss][: len(spec.layers) - spec.loss.quadratic]
    largest, bound = 2**spec.grid.bits - 1, 0.0
    for layer, spline in zip(spec.layers, functions, strict=False):
        reach = layer_reach(layer, largest)
        if layer is spec.layers[-1]:  # where margins are, of targets within -1 .. 1
            reach += 2 * spec.output_unit
        values = 2 * reach + 1
        pieces = min(len(spline.starts), values)
        slopes = min(len(np.unique(spline.slopes)), pieces)
        bound += len(case.x) * layer.outputs * unit_spins(pieces, slopes, values)
        largest = max(1, spline.largest(reach))
    counted = count_spins(spec, case.x, case.y)
    assert counted["indicators"] + counted["offsets"] <= bound + 1e-9


def test_a_unit_without_a_choice_takes_no_spins() -> None:
    assert unit_spins(1, 1, 5) == 0.0
    assert unit_spins(3, 2, 9) == 3 + 1 + 2 * 4
    for bad in ((0, 0, 5), (2, 3, 5), (3, 2, 2)):
        with pytest.raises(InputError, match="a unit has"):
            unit_spins(*bad)


def test_the_generalisation_gap_holds_over_all_networks_of_a_tiny_class() -> None:
    """All 2^4 sign networks against a noisy target, 2,000 training sets: the gap fails rarely."""
    x = np.array(list(itertools.product([0.0, 1.0], repeat=3)))
    spec = make_spec(x, ACTIVATIONS["sign"], LOSSES["hinge"], hidden=0, bias_bits=1, input_bits=1)
    codes = itertools.product([-1, 1], repeat=4)
    q = spec.grid(x)
    step = spec.layers[0].bias_step
    wrong = np.array(
        [(q @ np.array(w) + step * b >= 0) != (x[:, 0] > 0.5) for *w, b in codes], dtype=float
    )
    true_error = wrong.mean(axis=1)
    rng, count, confidence = np.random.default_rng(0), 40, 0.9
    gap = generalisation_gap(spec, count, confidence)
    draws = rng.integers(0, 8, (2000, count))
    excess = (true_error[:, np.newaxis] - wrong[:, draws].mean(axis=2)).max(axis=0)
    assert gap == pytest.approx(math.sqrt((4 * math.log(2) + math.log(10)) / 80))
    assert (excess > gap).mean() <= 1 - confidence
    assert np.quantile(excess, confidence) > gap / 4


@pytest.mark.parametrize("gap", [0.5, 0.1, 0.013])
def test_samples_needed_inverts_the_gap(gap: float) -> None:
    spec = make_spec(X, ACTIVATIONS["sign"], LOSSES["hinge"], hidden=2, weight_bits="ternary")
    count = samples_needed(spec, gap)
    assert generalisation_gap(spec, count) <= gap < generalisation_gap(spec, count - 1)
    assert samples_needed(spec, gap, realisable=True) <= count * 2 * gap + 1


@settings(max_examples=50)
@given(st.floats(0.001, 0.98), st.floats(0.5, 0.999))
def test_time_to_solution_is_that_of_independent_runs(rate: float, confidence: float) -> None:
    runs = time_to_solution(1.0, rate, confidence)
    if rate >= confidence:
        assert runs == 1.0
    else:
        assert 1 - (1 - rate) ** runs == pytest.approx(confidence)


def test_certain_and_hopeless_runs() -> None:
    assert time_to_solution(2.0, 1.0) == 2.0
    assert time_to_solution(2.0, 0.0) == math.inf
    for bad in ((-1.0, 0.5), (1.0, 1.5), (1.0, math.nan)):
        with pytest.raises(InputError):
            time_to_solution(*bad)
    spec = make_spec(X, ACTIVATIONS["sign"], LOSSES["hinge"])
    for call in (
        lambda: samples_needed(spec, 0.0),
        lambda: samples_needed(spec, 0.1, 1.0),
        lambda: generalisation_gap(spec, 0),
    ):
        with pytest.raises(InputError):
            call()
