"""Spins and labels come back as the user wrote them."""

from __future__ import annotations

import dimod
import numpy as np
import pytest
from hypothesis import given

import qhal
from qhal.problems.spins import over_bits, spin_values
from tests.problems.strategies import all_values, qcbos


@given(qcbos(max_variables=4))
def test_over_bits_keeps_objective_and_rows(problem: qhal.Qcbo) -> None:
    bits = over_bits(problem)
    assert not bits.spins.any()
    values = all_values(bits)
    originals = spin_values(problem, values)
    assert len(originals) == len(all_values(problem))
    np.testing.assert_allclose(bits.objectives(values), problem.objectives(originals))
    np.testing.assert_allclose(
        bits.constraints.violations(values), problem.constraints.violations(originals), atol=1e-12
    )
    assert (bits.feasible(values) == problem.feasible(originals)).all()


@given(qcbos(max_variables=4))
def test_dimod_gets_and_gives_the_same_model(problem: qhal.Qcbo) -> None:
    again = qhal.Qcbo.from_cqm(problem.to_cqm())
    assert again.names == problem.names
    assert again.constraints.labels == problem.constraints.labels
    assert (again.spins == problem.spins).all()
    values = all_values(problem)
    np.testing.assert_allclose(again.objectives(values), problem.objectives(values))
    np.testing.assert_allclose(
        again.constraints.violations(values), problem.constraints.violations(values), atol=1e-12
    )


def test_a_constant_objective_keeps_its_value_in_dimod() -> None:
    problem = qhal.Qcbo.from_arrays(linear=[0.0, 0.0], offset=3.0, A_eq=[[0, 0]], b_eq=[0])
    cqm = problem.to_cqm()
    assert cqm.objective.energy({"x0": 0, "x1": 1}) == 3.0
    assert cqm.check_feasible({"x0": 0, "x1": 1})
    assert qhal.Qcbo.from_cqm(cqm).offset == 3.0


def test_rounding_of_substituted_spins_leaves_no_coefficients() -> None:
    square = np.zeros((3, 3))
    square[0, 1], square[0, 2] = 0.1, 0.2
    # x0 + x1 + x2 are bits s = 2x - 1; 0.3 s0 cancels with the products but for rounding.
    problem = qhal.Qcbo.from_arrays(
        linear=[1.0, 1.0, 1.0],
        quadratic_constraints=[(square, [0.3, 0.0, 0.0], "==", 0.6)],
        spins=[True] * 3,
    )
    bits = over_bits(problem)
    row = bits.constraints.linear.toarray()[0]
    assert row[0] == 0.0
    solution = qhal.solve(problem, oracle="exhaustive", seed=0)
    assert solution.certified
    assert solution.objective == 3.0


def test_a_spin_has_no_value_between() -> None:
    problem = qhal.Qcbo.from_arrays(linear=[1, 1], spins=[True, False])
    assert problem.feasible([[-1, 0], [1, 1], [0, 1], [-1, -1]]).tolist() == [
        True,
        True,
        False,
        False,
    ]
    with pytest.raises(qhal.InputError, match="these must be its bounds"):
        qhal.Qcbo.from_arrays(linear=[1], spins=[True], lower=[0])


@pytest.mark.parametrize("oracle", ["exhaustive", "sa", "cpsat"])
def test_a_solution_fits_the_model_it_was_asked_for(oracle: str) -> None:
    spins = [("s", 0), 1, 2.5]
    cqm = dimod.ConstrainedQuadraticModel()
    s = [dimod.Spin(label) for label in spins]
    k = dimod.Integer(("k", 1), lower_bound=-3, upper_bound=3)
    cqm.set_objective(s[0] * s[1] - 2 * s[1] * s[2] + 0.5 * s[2] + k * k - k)
    cqm.add_constraint(s[0] + s[1] + s[2] == 1, label=7)
    solution = qhal.solve(cqm, oracle=oracle, seed=0)
    assert solution.objective == -2.5
    assert set(solution.assignment) == {*spins, ("k", 1)}
    assert {solution.assignment[label] for label in spins} <= {-1, 1}
    assert cqm.objective.energy(solution.assignment) == solution.objective
    assert cqm.check_feasible(solution.assignment)
    assert solution.to_json()["assignment"]["('k', 1)"] in (0, 1)


def test_an_ising_model_is_solved_in_spins() -> None:
    ising = qhal.Ising(np.triu([[0, 1, -2], [0, 0, 1], [0, 0, 0]]), [0.5, 0, 0], 3)
    bqm = dimod.BinaryQuadraticModel({"a": 0.5}, {"ab": 1, "bc": 1, "ac": -2}, 3, "SPIN")
    for problem in (ising, bqm):
        solution = qhal.solve(problem, oracle="exhaustive")
        assert solution.certified
        assert solution.objective == -1.5
        assert ising.energies(solution.values())[0] == -1.5
    assert bqm.energy(solution.assignment) == -1.5


def test_labels_that_read_the_same_are_refused() -> None:
    with pytest.raises(qhal.InputError, match="different also as text"):
        qhal.Qcbo.from_arrays(linear=[1, 1], names=[1, "1"])
