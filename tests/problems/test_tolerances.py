"""What counts as met: relative to a row's own coefficients, so that no scale hides a violation."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qhal
from qhal.samples import Status

SCALES = st.sampled_from([1e-300, 1e-12, 1e-7, 1e-5, 0.1, 1.0, 1e3, 1e9, 1e15])


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e-7, 1.0, 1e12])
@pytest.mark.parametrize("oracle", ["exhaustive", "cpsat"])
def test_small_rows_are_not_ignored(scale: float, oracle: str) -> None:
    problem = qhal.Qcbo.from_arrays(
        linear=[-2, -3], A_le=[[2 * scale, 3 * scale]], b_le=[3 * scale]
    )
    solution = qhal.solve(problem, oracle=oracle, certify=oracle, seed=0)
    assert (solution.status, solution.objective) == (Status.OPTIMAL, -3.0)


@given(
    st.lists(st.integers(-9, 9), min_size=1, max_size=4),
    st.integers(-20, 20),
    st.sampled_from(["==", "<=", ">="]),
    SCALES,
)
def test_whole_rows_are_judged_alike_at_every_scale(
    row: list[int], side: int, sense: str, scale: float
) -> None:
    key = {"==": "eq", "<=": "le", ">=": "ge"}[sense]
    rows = {f"A_{key}": [[scale * a for a in row]], f"b_{key}": [scale * side]}
    problem = qhal.Qcbo.from_arrays(linear=np.ones(len(row)), **rows)
    states = np.array(list(itertools.product((0, 1), repeat=len(row))))
    value = states @ np.array(row)
    expected = {"==": value == side, "<=": value <= side, ">=": value >= side}[sense]
    assert (problem.feasible(states) == expected).all()


@given(
    st.lists(st.floats(-10, 10).filter(lambda a: abs(a) > 1e-3), min_size=1, max_size=4),
    st.floats(-10, 10),
    SCALES,
)
def test_real_rows_follow_exact_arithmetic_outside_the_tolerance(
    row: list[float], side: float, scale: float
) -> None:
    row, side = [scale * a for a in row], scale * side
    problem = qhal.Qcbo.from_arrays(linear=np.ones(len(row)), A_le=[row], b_le=[side])
    for state in itertools.product((0, 1), repeat=len(row)):
        excess = sum(Fraction(a) * x for a, x in zip(row, state, strict=True)) - Fraction(side)
        least = Fraction(min(map(abs, row)))
        if excess > least / 10**5 or excess <= 0:
            assert bool(problem.feasible(state)[0]) == (excess <= 0)


def test_what_a_float_loses_depends_on_the_state() -> None:
    problem = qhal.Qcbo.from_arrays(linear=[-1, -1], A_le=[[np.pi * 1e15, 3.0]], b_le=[1.0])
    assert problem.feasible([[0, 0], [0, 1], [1, 0]]).tolist() == [True, False, False]
    rounded = qhal.Qcbo.from_arrays(linear=[-1, -1], A_le=[[0.1, 0.2]], b_le=[0.1 + 0.2 - 6e-17])
    assert rounded.feasible([1, 1])[0]
