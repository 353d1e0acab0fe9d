"""The polish only ever improves, stays feasible, and ends where no move of its own helps."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given

import qhal
from qhal.qcgd.polish import Polish
from tests.problems.strategies import all_values, qcbos


def steps(problem: qhal.Qcbo) -> list[np.ndarray]:
    """Every single step and every exchange, as changes of the values."""
    unit = np.diag(problem.steps)
    singles = [*unit, *-unit]
    pairs = itertools.permutations(range(len(unit)), 2)
    return [*singles, *(unit[i] - unit[j] for i, j in pairs)]


@given(qcbos(max_variables=5))
def test_no_step_and_no_exchange_improves_the_result(problem: qhal.Qcbo) -> None:
    values = all_values(problem)
    values = values[problem.feasible(values)]
    polish = Polish(problem)
    moves = steps(problem)
    for start in values[:: max(1, len(values) // 5)]:
        before = start.copy()
        end = polish(start)
        assert (start == before).all()
        assert problem.feasible(end)[0]
        reached = problem.objectives(end)[0]
        assert reached <= problem.objectives(start)[0]
        around = end + np.array(moves)
        around = around[problem.feasible(around)]
        assert (problem.objectives(around) >= reached - 1e-6).all()


def test_wide_integers_and_spins_are_polished() -> None:
    problem = qhal.Qcbo.from_arrays(
        np.diag([1.0, 1.0]),
        [-1000.0, 300.0],
        A_le=[[1, 1]],
        b_le=[400],
        lower=[-1000] * 2,
        upper=[1000] * 2,
    )
    assert Polish(problem)(np.array([0, 0])).tolist() == [500, -150]
    ising = qhal.Qcbo.from_ising(qhal.Ising(np.triu(np.ones((3, 3)), k=1), [0.5, 0, 0]))
    assert ising.objectives(Polish(ising)(np.array([1, 1, 1])))[0] == -1.5


def test_swaps_leave_a_poor_assignment() -> None:
    size = 3
    eye, one = np.eye(size), np.ones((1, size))
    rows = np.vstack([np.kron(eye, one), np.kron(one, eye)])
    cost = -np.array([[0, 5, 0], [5, 0, 0], [0, 0, 1]]).ravel()
    problem = qhal.Qcbo.from_arrays(linear=cost, A_eq=rows, b_eq=np.ones(2 * size))
    assert problem.objectives(Polish(problem)(np.eye(size, dtype=int).ravel()))[0] == -11


def test_a_deadline_stops_it() -> None:
    problem = qhal.Qcbo.from_arrays(linear=[-1.0, -1.0])
    assert Polish(problem)(np.array([0, 0]), lambda: True).tolist() == [0, 0]
