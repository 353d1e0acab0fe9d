"""Encoding to a program of bits keeps energies, feasible sets and minima."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhal.problems import Qcbo
from qhal.problems.bits import fitted_bits, fitted_weights
from qhal.problems.encoding import encode
from qhal.problems.scaling import whole_number_factor
from tests.problems.strategies import all_bits, all_values, qcbos


@given(st.integers(0, 300))
def test_fitted_bits_reach_exactly_the_range(span: int) -> None:
    weights = fitted_weights(span)
    values = np.arange(span + 1)
    assert (fitted_bits(values, weights) @ weights == values).all()
    assert weights.sum() == span
    assert len(weights) == int(np.ceil(np.log2(span + 1)))


@given(qcbos())
def test_completed_bits_are_feasible_exactly_when_the_values_are(problem: Qcbo) -> None:
    program = encode(problem)
    values = all_values(problem)
    bits = program.complete(values)
    assert np.allclose(program.objective.energies(bits), problem.objectives(values))
    assert (program.values(bits) == values).all()
    feasible = problem.feasible(values)
    if program.contradiction is not None:
        assert not feasible.any()
        return
    residuals = np.abs(program.row_residuals(bits)).max(axis=1, initial=0)
    forms = program.form_residuals(bits)
    assert (forms >= 0).all()
    met = (residuals < 1e-9) & (forms.max(axis=1, initial=0) < 1e-9)
    assert (met == feasible).all()
    assert program.is_whole


@given(qcbos(max_variables=3))
def test_every_feasible_bit_pattern_stands_for_feasible_values(problem: Qcbo) -> None:
    program = encode(problem)
    if program.num_bits > 14 or program.contradiction is not None:
        return
    bits = all_bits(program.num_bits)
    forms = program.form_residuals(bits)
    assert (forms >= 0).all()
    met = (np.abs(program.row_residuals(bits)).max(axis=1, initial=0) < 1e-9) & (
        forms.max(axis=1, initial=0) < 1e-9
    )
    values = program.values(bits)
    assert problem.feasible(values[met]).all()
    feasible = all_values(problem)
    feasible = feasible[problem.feasible(feasible)]
    assert {tuple(v) for v in values[met].tolist()} == {tuple(v) for v in feasible.tolist()}


@given(qcbos())
def test_unary_slack_stands_for_the_same_points(problem: Qcbo) -> None:
    program = encode(problem, unary_span=50)
    values = all_values(problem)
    feasible = problem.feasible(values)
    if program.contradiction is not None:
        assert not feasible.any()
        return
    bits = program.complete(values)
    met = (np.abs(program.row_residuals(bits)).max(axis=1, initial=0) < 1e-9) & (
        program.form_residuals(bits).max(axis=1, initial=0) < 1e-9
    )
    assert (met == feasible).all()


@given(qcbos(quadratic=False))
def test_without_slack_inequalities_are_forms_that_may_be_negative(problem: Qcbo) -> None:
    program = encode(problem, slack_free=True)
    values = all_values(problem)
    feasible = problem.feasible(values)
    if program.contradiction is not None:
        assert not feasible.any()
        return
    assert program.num_bits == program.num_primary
    bits = program.complete(values)
    met = (np.abs(program.row_residuals(bits)).max(axis=1, initial=0) < 1e-9) & (
        program.form_residuals(bits).max(axis=1, initial=0) < 1e-9
    )
    assert (met == feasible).all()


def test_a_grid_slack_is_not_called_exact() -> None:
    problem = Qcbo.from_arrays(linear=[1.0, 1.0], A_le=[[np.sqrt(2), np.pi]], b_le=[3.5])
    program = encode(problem)
    assert not program.is_whole
    assert program.num_bits == 2 + 13


@pytest.mark.parametrize(
    ("coefficients", "factor"), [([2, 4], 0.5), ([0.1, 0.25], 20), ([], 1), ([np.pi], None)]
)
def test_whole_number_factor(coefficients: list[float], factor: float | None) -> None:
    assert whole_number_factor(coefficients) == factor
