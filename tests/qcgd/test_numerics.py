"""Problems whose numbers are awkward: what is claimed of them is still true."""

from __future__ import annotations

import math

import numpy as np
import pytest

import qhal
from qhal.problems.encoding import encode
from qhal.qcgd.certificate import meets, rounding_margin
from qhal.samples import Status, StopReason
from tests.problems.strategies import all_values

HUGE = [
    589262492,
    603925700,
    941565181,
    349612341,
    834268198,
    703788889,
    454734262,
    871663848,
]


def optimum(problem: qhal.Qcbo) -> float | None:
    values = all_values(problem)
    values = values[problem.feasible(values)]
    return float(problem.objectives(values).min()) if len(values) else None


@pytest.mark.parametrize(
    "problem",
    [
        qhal.Qcbo.from_arrays(linear=[-1, -1], lower=[0, 0], upper=[2, 0]),
        qhal.Qcbo.from_arrays(linear=[-1] * 8, A_eq=[HUGE], b_eq=[3586372060]),
        qhal.Qcbo.from_arrays(linear=[1, 1], A_ge=[[1e7, 1e7]], b_ge=[1]),
        qhal.Qcbo.from_arrays(linear=[-1, -2], A_le=[[1e6, 1e6]], b_le=[1999999.5]),
        qhal.Qcbo.from_arrays(linear=[1], A_eq=[[1e-4]], b_eq=[1.0005e-4]),
        qhal.Qcbo.from_arrays(
            linear=[2],
            lower=[-1],
            upper=[1],
            quadratic_constraints=[
                ([[0.0002]], [-0.00020066218521119696], "<=", -6.62185211196953e-07)
            ],
        ),
        qhal.Qcbo.from_arrays(linear=[17963.84934707, -3], lower=[1, 0], upper=[1, 1]),
        qhal.Qcbo.from_arrays(linear=[-1, -1], A_le=[[math.pi, math.e]], b_le=[0]),
        qhal.Qcbo.from_arrays(linear=[-2, -3], A_le=[[math.pi, math.e]], b_le=[math.pi]),
        qhal.Qcbo.from_arrays(linear=[1, 2, 3], A_eq=[[0.12345, 0.54321, 0.3]], b_eq=[0.66666]),
        qhal.Qcbo.from_arrays(linear=[5 / 7, -4 / 9967], offset=1e6),
        qhal.Qcbo.from_arrays(linear=[1e-11, -3e-11], A_eq=[[1, 1]], b_eq=[1]),
        qhal.Qcbo.from_arrays(linear=[1e12, 1, -1], A_eq=[[1, 0, 0], [0, 1, 1]], b_eq=[1, 1]),
        qhal.Qcbo.from_arrays(linear=[1, -2], offset=1e11, A_le=[[1, 1]], b_le=[1]),
        qhal.Qcbo.from_arrays(linear=[1, -2], offset=1e13, A_le=[[1, 1]], b_le=[1]),
    ],
)
@pytest.mark.parametrize("num_reads", [1, 100])
def test_the_exhaustive_oracle_proves_the_truth(problem: qhal.Qcbo, num_reads: int) -> None:
    solution = qhal.solve(problem, oracle="exhaustive", num_reads=num_reads, seed=0)
    best = optimum(problem)
    assert solution.certified
    assert (solution.status is Status.INFEASIBLE) == (best is None)
    assert solution.objective == best
    direct = qhal.solve(problem, oracle="cpsat", method="direct")
    assert (direct.objective, direct.status) == (best, solution.status)


def test_real_rows_are_certified_or_left_open_but_never_wrong() -> None:
    rng = np.random.default_rng(0)
    certified = 0
    for _ in range(60):
        n = int(rng.integers(2, 5))
        problem = qhal.Qcbo.from_arrays(
            linear=rng.integers(-4, 5, n), A_le=rng.normal(size=(1, n)), b_le=rng.normal(size=1)
        )
        solution = qhal.solve(problem, oracle="exhaustive", seed=1, iterations=12)
        if solution.certified:
            certified += 1
            assert solution.objective == optimum(problem)
        elif solution.feasible:
            assert solution.lower_bound is None or solution.lower_bound <= optimum(problem)
    assert certified >= 50


def test_a_bound_meets_a_value_to_less_than_the_objective_moves() -> None:
    whole = qhal.Qcbo.from_arrays(linear=[1, 2], offset=1e11)
    assert meets(whole, 1e11 + 1, 1e11 + 1)
    assert not meets(whole, 1e11 + 1, 1e11)
    small = qhal.Qcbo.from_arrays(linear=[1e-11, 2e-11])
    assert not meets(small, 1e-11, 0.0)
    real = qhal.Qcbo.from_arrays(linear=[math.pi, 1e12], offset=0.5)
    assert not meets(real, 1e12 + 3.6, 1e12 + 0.5)


def test_rounding_is_nothing_only_where_sums_are_exact() -> None:
    qubo = qhal.Qubo(np.diag([1.0, 0.25]))
    assert rounding_margin(qubo, 0.25) == 0
    assert rounding_margin(qubo, 0.0) > 0
    assert rounding_margin(qhal.Qubo(np.diag([2.0**60, 1.0])), 1.0) > 1


def test_limits_are_kept() -> None:
    infeasible = qhal.Qcbo.from_arrays(linear=[1, 1], A_eq=[[1, 1]], b_eq=[1.0])
    one = qhal.solve(infeasible, oracle="exhaustive", max_oracle_calls=1)
    assert one.oracle_calls == 1
    free = qhal.Qcbo.from_arrays(linear=[1.0, -1.0])
    timed = qhal.solve(free, oracle="exhaustive", time_limit=5.0)
    assert timed.stop_reason is StopReason.PROVED


def test_a_fixed_variable_does_not_stop_the_polish() -> None:
    problem = qhal.Qcbo.from_arrays(
        np.triu(4 * np.eye(30) - 1), lower=[1] + [0] * 29, upper=[1] * 30
    )
    solution = qhal.solve(problem, oracle="random", num_reads=1, seed=0)
    assert solution.objective == -345
    assert solution.raw_objective > -345


def test_a_slack_on_a_grid_counts_as_met_where_the_row_is() -> None:
    problem = qhal.Qcbo.from_arrays(linear=[-1, -1], A_le=[[math.sqrt(2), math.pi]], b_le=[3.5])
    program = encode(problem)
    bits = program.complete(np.array([[0, 1], [1, 0], [1, 1]]))
    from qhal.qcgd.lifting import Lifting

    assert Lifting(program).atoms(bits, 0.0).feasible.tolist() == [True, True, False]


SPIN_ROWS = [
    qhal.Qcbo.from_arrays(
        linear=[-1, -1],
        quadratic_constraints=[([[0, 1], [0, 0]], [1.000001, 0.0], "==", 2.0000015)],
        spins=[True, True],
    ),
    qhal.Qcbo.from_arrays(linear=[-1.0], A_le=[[-1.0]], b_le=[-1.000001], spins=[True]),
    qhal.Qcbo.from_arrays(linear=[-1.0, 0], A_eq=[[5e9, 1]], b_eq=[5e9 + 3e-6]),
    qhal.Qcbo.from_arrays(linear=[-1.0, 0], A_le=[[5e9, 1]], b_le=[5e9 - 3e-6]),
]


@pytest.mark.parametrize("problem", SPIN_ROWS)
def test_cpsat_judges_rows_as_the_problem_does(problem: qhal.Qcbo) -> None:
    best = optimum(problem)
    for oracle in ("cpsat", "exhaustive"):
        solution = qhal.solve(problem, oracle=oracle, method="direct")
        assert (solution.objective, solution.certified) == (best, True)
    checked = qhal.solve(problem, oracle="random", certify="cpsat", seed=0)
    assert "error" not in checked.info.get("certificate", {})
    assert checked.lower_bound == checked.objective == best


@pytest.mark.parametrize(
    "rows",
    [
        {"A_le": [[0, 0]], "b_le": [1e16]},
        {"A_ge": [[0, 0]], "b_ge": [1e16]},
        {"A_le": [[1e10, 0]], "b_le": [1e16 + 1], "lower": [10, 0], "upper": [10, 1]},
    ],
)
def test_extreme_rows_are_no_traceback(rows: dict) -> None:
    problem = qhal.Qcbo.from_arrays(linear=[-1.0, 1], **rows)
    solution = qhal.solve(problem, oracle="exhaustive", iterations=3)
    assert solution.objective == optimum(problem)


def test_a_row_of_extreme_range_is_refused_in_a_sentence() -> None:
    problem = qhal.Qcbo.from_arrays(
        linear=[-1.0, -1, -1], A_le=[[3e-310, math.pi, math.pi]], b_le=[4.0]
    )
    with pytest.raises(qhal.InputError, match="scale"):
        qhal.solve(problem, oracle="exhaustive")


@pytest.mark.parametrize("method", ["level", "frank-wolfe", "fully-corrective"])
def test_an_offset_drowns_nothing(method: str) -> None:
    rows = {"A_eq": [[1, 1, 1]], "b_eq": [1]}
    small, large = (
        qhal.Qcbo.from_arrays(linear=[1e-2, -2e-2, 0], offset=offset, **rows)
        for offset in (0.0, -1e13)
    )
    settings = {"oracle": "sa", "method": method, "iterations": 5, "seed": 0, "num_reads": 3}
    one, other = qhal.solve(small, **settings), qhal.solve(large, **settings)
    assert one.assignment == other.assignment
    assert [s["max_residual"] for s in one.history] == [s["max_residual"] for s in other.history]
