"""Whole constrained problems, solved directly, against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qhal_ortools.direct import solve_qcbo

import qhal
from qhal.problems.constraints import ConstraintRows
from qhal.samples import Status

EXHAUSTIVE = qhal.get_oracle("exhaustive")


@st.composite
def problems(draw):
    """Bits and small integers, rows of every kind and sense, whole, decimal or real numbers."""
    n = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    integer = rng.random(n) < draw(st.sampled_from([0.0, 0.5]))
    lower = np.where(integer, rng.integers(-3, 2, n), 0)
    upper = np.where(integer, lower + rng.integers(0, 4, n), 1)
    step = draw(st.sampled_from([1.0, 0.1, 2.0**-5, 0.0]))

    def numbers(*shape):
        values = rng.normal(size=shape) * 3 * (rng.random(shape) < 0.7)
        return values if step == 0.0 else np.round(values / step) * step

    inside = rng.integers(lower, upper + 1)  # a point that some of the rows are made to admit
    rows = ConstraintRows(n)
    for _ in range(draw(st.integers(0, 3))):
        sense = draw(st.sampled_from(["==", "<=", ">="]))
        line, square = numbers(n), numbers(n, n) * draw(st.booleans())
        rhs = inside @ square @ inside + line @ inside if rng.random() < 0.7 else numbers()
        rows.add_quadratic(square, line, sense, float(rhs))
    names = tuple(f"x{i}" for i in range(n))
    objective = np.triu(numbers(n, n))
    return qhal.Qcbo(objective, numbers(n), float(numbers()), rows.build(), lower, upper, names)


@given(problems())
def test_agrees_with_brute_force(problem):
    truth = EXHAUSTIVE.solve_exactly(problem)
    answer = solve_qcbo(problem)
    assert answer.status == truth.status
    if truth.status is Status.INFEASIBLE:
        assert answer.values is None
        return
    assert problem.feasible(answer.values)[0]
    assert answer.objective == problem.objectives(answer.values)[0]
    assert answer.objective == pytest.approx(truth.objective, abs=1e-9)
    assert answer.lower_bound <= truth.objective
    assert answer.lower_bound == pytest.approx(truth.objective, abs=1e-9)


def knapsack(weights, limit):
    n = len(weights)
    return qhal.Qcbo.from_arrays(linear=-np.ones(n), A_le=[weights], b_le=[limit])


def test_rows_hold_to_the_tolerance_of_feasible():
    within = knapsack([1.0, 1.0], 1.0 - 9e-7)
    beyond = knapsack([1.0, 1.0], 1.0 - 2e-6)
    assert solve_qcbo(within).objective == EXHAUSTIVE.solve_exactly(within).objective == -1
    assert solve_qcbo(beyond).objective == EXHAUSTIVE.solve_exactly(beyond).objective == 0


def test_rows_beyond_whole_numbers_are_refused():
    with pytest.raises(qhal.InputError, match="'c0' cannot be written in whole numbers"):
        solve_qcbo(knapsack([np.pi * 1e15, 1e-3], 1.0))


def test_products_beyond_float_precision_are_refused():
    problem = qhal.Qcbo.from_arrays(
        [[0.0, 1.0], [0.0, 0.0]], lower=[2**40] * 2, upper=[2**40 + 1] * 2
    )
    with pytest.raises(qhal.InputError, match="below 2"):
        solve_qcbo(problem)


@pytest.mark.parametrize("row", [[0, 0], [1, 1], [0.1, 0.2]])
def test_rows_between_whole_numbers_are_infeasible(row):
    problem = qhal.Qcbo.from_arrays(np.eye(2), A_eq=[row], b_eq=[-2.55])
    assert solve_qcbo(problem).status is Status.INFEASIBLE
    halfway = qhal.Qcbo.from_arrays(np.eye(2), A_eq=[[1, 1]], b_eq=[0.5])
    assert solve_qcbo(halfway).status is Status.INFEASIBLE


def test_empty_rows_and_empty_problems():
    assert solve_qcbo(qhal.Qcbo.from_arrays(np.zeros((0, 0)), offset=3.0)).objective == 3.0
    impossible = qhal.Qcbo.from_arrays(np.eye(2), A_eq=[[0, 0]], b_eq=[1])
    assert solve_qcbo(impossible).status is Status.INFEASIBLE


def test_time_limit_leaves_a_valid_bound():
    rng = np.random.default_rng(0)
    n = 60
    problem = qhal.Qcbo.from_arrays(
        np.triu(rng.integers(-9, 10, (n, n))), A_eq=[np.ones(n)], b_eq=[n // 3]
    )
    answer = solve_qcbo(problem, time_limit=0.5)
    assert answer.status in (Status.FEASIBLE, Status.NO_FEASIBLE_SOLUTION_FOUND)
    if answer.objective is not None and answer.lower_bound is not None:
        assert answer.lower_bound < answer.objective


def test_completion_gives_the_start():
    def complete(values):
        values = values.copy()
        values[:, 1:] = 1 - values[:, :1]
        return values

    n = 40
    rows = np.zeros((n - 1, n))
    rows[:, 0] = 1
    rows[np.arange(n - 1), np.arange(1, n)] = 1
    problem = qhal.Qcbo.from_arrays(
        linear=np.arange(n) - 100.0, A_eq=rows, b_eq=np.ones(n - 1)
    ).with_completion(complete)
    answer = solve_qcbo(problem)
    assert answer.status is Status.OPTIMAL
    assert answer.objective == min(-100.0, float((np.arange(1, n) - 100.0).sum()))


def test_the_oracle_offers_it():
    problem = knapsack([2, 3, 4], 6)
    answer = qhal.get_oracle("cpsat").solve_exactly(problem, time_limit=5.0, seed=1)
    assert (answer.status, answer.objective) == (Status.OPTIMAL, -2)
