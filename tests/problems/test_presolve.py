"""Presolve keeps the optimum, the feasibility and the user's variables."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhal.problems import Qcbo
from qhal.problems.encoding import encode
from qhal.problems.presolve import presolve
from tests.problems.strategies import all_values, qcbos


@st.composite
def tight_qcbos(draw) -> Qcbo:
    """Problems of several rows of large and small coefficients, often infeasible."""
    n = draw(st.integers(1, 5))
    lower = np.array(draw(st.lists(st.sampled_from([0, 0, 0, -1]), min_size=n, max_size=n)))
    upper = lower + np.array(draw(st.lists(st.sampled_from([1, 1, 1, 3]), min_size=n, max_size=n)))
    spins = np.array(draw(st.lists(st.sampled_from([False] * 3 + [True]), min_size=n, max_size=n)))
    lower[spins], upper[spins] = -1, 1
    scale = draw(st.sampled_from([1.0, 1.0, 0.1, np.pi]))
    row = st.lists(st.sampled_from([0, 0, 1, 1, -1, 2, 3, 5, -7]), min_size=n, max_size=n)
    rows = {}
    for key in draw(st.sets(st.sampled_from(["eq", "le", "ge"]))):
        count = draw(st.integers(1, 3))
        rows[f"A_{key}"] = scale * np.array([draw(row) for _ in range(count)])
        rows[f"b_{key}"] = scale * np.array([draw(st.integers(-4, 8)) for _ in range(count)])
    weight = st.integers(-3, 3)
    return Qcbo.from_arrays(
        draw(st.sampled_from([0, 1]))
        * np.triu(
            np.array(
                draw(st.lists(st.lists(weight, min_size=n, max_size=n), min_size=n, max_size=n))
            )
        ),
        draw(st.lists(weight, min_size=n, max_size=n)),
        lower=lower,
        upper=upper,
        spins=spins,
        **rows,
    )


def check(problem: Qcbo) -> None:
    reduced = presolve(problem)
    values = all_values(problem)
    feasible = problem.feasible(values)
    if reduced.contradiction is not None:
        assert not feasible.any()
        assert str(reduced.contradiction) in reduced.reason
        return
    inside = ((values >= reduced.problem.lower) & (values <= reduced.problem.upper)).all(axis=1)
    kept = inside & reduced.problem.feasible(
        np.where(inside[:, None], values, reduced.problem.lower)
    )
    assert (feasible | ~kept).all()
    assert reduced.problem.names == problem.names
    objectives = problem.objectives(values)
    assert (reduced.problem.objectives(values) == objectives).all()
    if feasible.any():
        assert objectives[kept].min() == objectives[feasible].min()
    if not any(step[0] == "dominated" for step in reduced.steps):
        assert (kept == feasible).all()
    again = presolve(reduced.problem)
    assert again.steps == ()
    assert again.contradiction is None


@settings(max_examples=150)
@given(tight_qcbos())
def test_the_optimum_and_feasibility_stay(problem: Qcbo) -> None:
    check(problem)


@settings(max_examples=80)
@given(qcbos())
def test_they_stay_with_every_kind_of_row(problem: Qcbo) -> None:
    check(problem)


@pytest.mark.slow
@settings(max_examples=4000)
@given(st.one_of(qcbos(), tight_qcbos()))
def test_they_stay_in_thousands_of_problems(problem: Qcbo) -> None:
    check(problem)


@given(tight_qcbos())
def test_a_completion_keeps_every_feasible_assignment(problem: Qcbo) -> None:
    completed = problem.with_completion(lambda values: values)
    steps = presolve(completed).steps
    assert not any(step[0] == "dominated" for step in steps)


@given(tight_qcbos())
def test_programs_of_reduced_problems_stand_for_the_users_values(problem: Qcbo) -> None:
    reduced = presolve(problem)
    if reduced.contradiction is not None:
        return
    program = encode(reduced.problem, problem)
    values = all_values(reduced.problem)
    bits = program.complete(values)
    assert (program.values(bits) == values).all()
    assert np.allclose(program.objective.energies(bits), problem.objectives(values))
    feasible = problem.feasible(values)
    if program.contradiction is not None:
        assert not feasible.any()
        return
    rows = np.abs(program.row_residuals(bits)) <= np.where(
        program.row_misses, program.row_misses, 0.5
    )
    forms = program.form_residuals(bits) <= 0.5
    met = rows.all(axis=1) & forms.all(axis=1)
    assert (met == feasible).all()


def test_what_is_done_to_a_knapsack() -> None:
    problem = Qcbo.from_arrays(
        -np.array([[3.0, 1, 0, 0], [0, 4, 1, 0], [0, 0, 5, 0], [0, 0, 0, 6]]),
        A_le=[[4, 5, 6, 99], [1, 1, 1, 0], [8, 10, 12, 0]],
        b_le=[9, 3, 18],
    )
    reduced = presolve(problem)
    assert reduced.problem.upper.tolist() == [1, 1, 1, 0]
    assert reduced.problem.num_constraints == 1
    row = reduced.problem.constraints.linear.toarray()[0]
    assert row.tolist() == [4, 5, 6, 0]
    assert reduced.problem.constraints.rhs.tolist() == [9]
    assert reduced.summary == {"fixed_variables": 1, "dropped_rows": 2}


def test_coefficients_are_clipped_to_the_excess() -> None:
    problem = Qcbo.from_arrays(linear=[-1, -1, -1], A_le=[[9, 1, 1]], b_le=[9])
    (row,) = presolve(problem).problem.constraints.linear.toarray()
    assert row.tolist() == [2, 1, 1]


def test_opposite_rows_become_an_equality() -> None:
    problem = Qcbo.from_arrays(
        linear=[1, 2, 3], A_le=[[1, 1, 1]], b_le=[2], A_ge=[[2, 2, 2]], b_ge=[4]
    )
    reduced = presolve(problem).problem
    assert reduced.constraints.senses == ("==",)
    assert encode(reduced).num_bits == 3


@pytest.mark.parametrize(
    ("rows", "label", "words"),
    [
        ({"A_ge": [[1, 1, 1]], "b_ge": [4]}, "c0", "at most 3 .* has to be >= 4"),
        ({"A_eq": [[2, 4, 2]], "b_eq": [3]}, "c0", "common divisor"),
        (
            {"A_eq": [[1, 1, 1]], "b_eq": [2], "A_le": [[3, 3, 3]], "b_le": [5]},
            "c1",
            "contradicts constraint 'c0'",
        ),
        ({"A_eq": [[1, 0, 0], [1, 1, 0]], "b_eq": [1, 0]}, "c1", "at least 1 .* has to be == 0"),
    ],
)
def test_a_contradiction_is_a_sentence_that_names_the_row(rows, label: str, words: str) -> None:
    problem = Qcbo.from_arrays(linear=[1, 1, 1], **rows)
    reduced = presolve(problem)
    assert reduced.contradiction == label
    assert f"constraint {label!r} cannot be met" in reduced.reason
    assert re.search(words, reduced.reason), reduced.reason


def test_corners() -> None:
    for problem in (
        Qcbo.from_arrays(linear=[0.0]),
        Qcbo.from_arrays(linear=[1e300, -1e-300], A_le=[[1e-300, 1e-300]], b_le=[1e-300]),
        Qcbo.from_arrays(linear=[1.0], A_eq=[[0.0]], b_eq=[0.0]),
        Qcbo.from_arrays(linear=[1.0, 1], A_le=[[2.0**60, 1]], b_le=[2.0**60]),
    ):
        check(problem)
    assert presolve(Qcbo.from_arrays(np.zeros((0, 0)), offset=2.0)).steps == ()
    assert presolve(Qcbo.from_arrays(linear=[0.0], A_eq=[[0.0]], b_eq=[1.0])).contradiction == "c0"
