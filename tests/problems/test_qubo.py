"""QUBO and Ising: conventions, conversions and what is refused."""

from __future__ import annotations

from fractions import Fraction

import dimod
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from qhal import InputError, Ising, Qcbo, Qubo
from qhal.ocean import bqm_from_qubo, qubo_from_bqm
from tests.problems.strategies import all_bits, all_values, qcbos

numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda v: 0.0 if abs(v) < 1e-6 else v)


@st.composite
def qubos(draw) -> Qubo:
    n = draw(st.integers(0, 6))
    row = st.lists(numbers, min_size=n, max_size=n)
    matrix = np.triu(np.array(draw(st.lists(row, min_size=n, max_size=n))).reshape(n, n))
    return Qubo(sp.csr_array(matrix) if draw(st.booleans()) else matrix, draw(numbers))


@given(qubos())
def test_ising_and_back_keeps_every_energy(qubo: Qubo) -> None:
    bits = all_bits(qubo.num_variables)
    ising = qubo.to_ising()
    scale = 1 + np.abs(qubo.matrix).sum() + abs(qubo.offset)
    energies = qubo.energies(bits)
    assert np.abs(ising.energies(2 * bits - 1) - energies).max() <= 1e-12 * scale
    again = Qubo.from_ising(ising)
    assert np.abs(again.energies(bits) - energies).max() <= 1e-12 * scale


@given(qubos())
def test_bqm_and_back_keeps_every_energy(qubo: Qubo) -> None:
    bits = all_bits(qubo.num_variables)
    again = qubo_from_bqm(bqm_from_qubo(qubo))
    scale = 1 + np.abs(qubo.matrix).sum() + abs(qubo.offset)
    assert np.abs(again.energies(bits) - qubo.energies(bits)).max(initial=0) <= 1e-12 * scale


def test_the_conventions() -> None:
    qubo = Qubo([[1, 2], [0, 3]], offset=0.5)
    assert qubo.energies([[1, 1], [1, 0]]).tolist() == [6.5, 1.5]
    ising = Ising([[0, 2], [0, 0]], [1, -1], 0.5)
    assert ising.energies([[1, 1], [-1, 1]]).tolist() == [2.5, -3.5]
    assert Qubo.from_array([[1, 1], [1, 3]]).energies([1, 1]).tolist() == [6]


@given(qcbos())
def test_cqm_and_back_keeps_objective_and_violations(problem: Qcbo) -> None:
    again = Qcbo.from_cqm(problem.to_cqm())
    values = all_values(problem)
    assert again.names == problem.names
    assert np.allclose(again.objectives(values), problem.objectives(values))
    assert np.allclose(again.max_violations(values), problem.max_violations(values))


def test_a_cqm_with_spins_and_integers() -> None:
    x, y, s = dimod.Binary("x"), dimod.Integer("y", upper_bound=5), dimod.Spin("s")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(x * y + y * y + 2 * s * x - 3)
    cqm.add_constraint(x + y * x <= 3, label="a")
    cqm.add_constraint(s + y == 2, label="b")
    problem = Qcbo.from_cqm(cqm)
    assert problem.names == ("x", "y", "s")
    assert problem.objectives([[1, 2, 1]]).tolist() == [5.0]
    assert problem.max_violations([[1, 2, 1], [0, 1, 1]]).tolist() == [1.0, 0.0]
    assert cqm.vartype("s") is dimod.SPIN


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[np.nan]], "NaN"),
        ([[np.inf]], "infinite"),
        ([[1, 2], [3]], "ragged"),
        ([[1, 2, 3], [4, 5, 6]], "square"),
        ([1, 2], "two-dimensional"),
        ([["a"]], "real numbers"),
        ([[1j]], "real numbers"),
        (sp.csr_array([[np.nan]]), "NaN"),
    ],
)
def test_bad_matrices_are_refused_in_a_sentence(matrix, message: str) -> None:
    for make in (Qubo, Qubo.from_array, Qcbo.from_arrays):
        with pytest.raises(InputError, match=message):
            make(matrix)


def test_asymmetric_and_lower_triangular_matrices_are_refused() -> None:
    with pytest.raises(InputError, match="below the diagonal"):
        Qubo([[0, 1], [1, 0]])
    with pytest.raises(InputError, match="neither symmetric nor upper"):
        Qubo.from_array([[0, 1], [2, 0]])
    with pytest.raises(InputError, match="strictly upper"):
        Ising([[1]], [0])


def test_a_problem_is_frozen_and_copies_its_input() -> None:
    source = np.triu(np.ones((3, 3)))
    qubo = Qubo(source)
    source[0, 0] = 9
    assert qubo.energies([1, 0, 0]).tolist() == [1]
    with pytest.raises(ValueError, match="read-only"):
        qubo.matrix[0, 0] = 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"linear": [1, 2], "A_eq": [[1, 2, 3]], "b_eq": [1]}, "columns"),
        ({"linear": [1, 2], "A_eq": [[1, 2]], "b_eq": [1, 2]}, "1 entries"),
        ({"linear": [1, 2], "A_le": [[1, 2]]}, "both its matrix"),
        ({"linear": [1, 2], "names": ["a", "a"]}, "different"),
        ({"linear": [1, 2], "lower": [1, 0], "upper": [0, 1]}, "above its upper"),
        ({"linear": [1], "upper": [2.5]}, "whole"),
        ({"linear": [1], "upper": [2**40]}, "tighter"),
        ({"linear": [1], "upper": [1e300]}, "2\\^53"),
        ({"linear": [1], "A_eq": [[np.nan]], "b_eq": [0]}, "NaN"),
        ({"linear": [1], "quadratic_constraints": [([[1]], None, "=", 1)]}, "sense"),
        ({}, "at least one"),
    ],
)
def test_bad_problems_are_refused_in_a_sentence(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Qcbo.from_arrays(**options)


def test_tiny_and_huge_coefficients_keep_their_energies() -> None:
    qubo = Qubo([[1e300, 0], [0, -1e-300]])
    assert qubo.energies([[1, 0], [0, 1]]).tolist() == [1e300, -1e-300]


@given(st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_energies_are_those_of_the_coefficients_in_any_order(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.normal(size=(n, n)) * 10 ** rng.uniform(-3, 3))
    bits, order = rng.integers(0, 2, (8, n)), rng.permutation(n)
    turned = matrix[np.ix_(order, order)]
    turned = np.triu(turned) + np.triu(turned.T, k=1)
    energies = Qubo(matrix).energies(bits)
    assert energies.tolist() == Qubo(turned).energies(bits[:, order]).tolist()
    exact = [float(sum(map(Fraction, matrix[np.outer(x, x) == 1]), Fraction())) for x in bits]
    np.testing.assert_array_max_ulp(energies, np.array(exact), maxulp=1)
