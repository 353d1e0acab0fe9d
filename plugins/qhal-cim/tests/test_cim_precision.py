"""Limited precision: what the machine sees, and that energies stay exact."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from qhal_cim import Cim
from qhal_cim.forms import QuadraticForm
from qhal_cim.precision import ROUNDINGS, dynamic_range_bits, energy_error, rounded

import qhal


@st.composite
def forms(draw):
    n = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    upper = np.triu(rng.standard_t(2, (n, n)) * (rng.random((n, n)) < 0.7), 1)
    linear = rng.normal(size=n) * draw(st.sampled_from([0.0, 1.0, 10.0]))
    matrix = upper + upper.T
    scale = 10.0 ** draw(st.integers(-9, 9))
    if draw(st.booleans()):
        return QuadraticForm(sp.csr_array(scale * matrix), scale * linear)
    return QuadraticForm(scale * matrix, scale * linear)


def dense(matrix):
    return matrix.toarray() if sp.issparse(matrix) else matrix


@given(forms(), st.integers(2, 12), st.sampled_from(ROUNDINGS), st.integers(0, 2**32 - 1))
def test_rounded_coefficients_are_few_integers(form, bits, rounding, seed):
    seen = rounded(form, bits, rounding, np.random.default_rng(seed))
    exact, values = dense(form.matrix), dense(seen.matrix)
    both = np.concatenate([values.ravel(), seen.linear])
    originals = np.concatenate([exact.ravel(), form.linear])
    largest = np.abs(originals).max()
    if largest == 0:
        assert (both == 0).all()
        return
    assert (values == values.T).all()
    assert (np.diag(values) == 0).all()
    assert (both[originals == 0] == 0).all()
    levels = 2 ** (bits - 1) - 1
    assert len(np.unique(both)) <= 2 * levels + 1
    if rounding != "clipped":
        step = largest / levels
        np.testing.assert_allclose(both / step, np.rint(both / step), atol=1e-6)
        allowed = step if rounding == "stochastic" else step / 2
        assert np.abs(both - originals).max() <= allowed * (1 + 1e-9)


@given(forms(), st.integers(2, 8))
def test_clipping_never_has_a_larger_square_error_than_not_clipping(form, bits):
    rng = np.random.default_rng(0)

    def square_error(rounding):
        seen = rounded(form, bits, rounding, rng)
        # As the machine counts: every pair and every field once.
        pairs = np.triu(dense(seen.matrix) - dense(form.matrix))
        return np.square(pairs).sum() + np.square(seen.linear - form.linear).sum()

    assert square_error("clipped") <= square_error("nearest") * (1 + 1e-9)


def test_clipping_pays_when_one_coefficient_is_large():
    rng = np.random.default_rng(1)
    upper = np.triu(rng.normal(size=(40, 40)), 1)
    upper[0, 1] = 12.0
    form = QuadraticForm(upper + upper.T, np.zeros(40))
    errors = {r: energy_error(form, rounded(form, 4, r, rng)) for r in ("nearest", "clipped")}
    assert errors["clipped"] < 0.9 * errors["nearest"]


def test_stochastic_rounding_is_right_in_the_mean():
    rng = np.random.default_rng(2)
    upper = np.triu(rng.normal(size=(8, 8)), 1)
    form = QuadraticForm(upper + upper.T, rng.normal(size=8))
    draws = 4000
    total = QuadraticForm(np.zeros((8, 8)), np.zeros(8))
    for _ in range(draws):
        seen = rounded(form, 4, "stochastic", rng)
        total = QuadraticForm(total.matrix + seen.matrix, total.linear + seen.linear)
    step = max(np.abs(form.matrix).max(), np.abs(form.linear).max()) / 7
    slack = 5 * step / 2 / np.sqrt(draws)  # five standard errors
    np.testing.assert_allclose(total.matrix / draws, form.matrix, atol=slack)
    np.testing.assert_allclose(total.linear / draws, form.linear, atol=slack)


@given(forms(), st.integers(0, 2**32 - 1))
def test_energy_error_is_the_rms_over_all_states(form, seed):
    n = form.num_variables
    if n > 8:
        return
    seen = rounded(form, 3, "nearest", np.random.default_rng(seed))
    s = 2.0 * ((np.arange(2**n)[:, np.newaxis] >> np.arange(n)) & 1) - 1
    pairs = dense(seen.matrix) - dense(form.matrix)
    changes = 0.5 * np.einsum("ri,ij,rj->r", s, pairs, s) + s @ (seen.linear - form.linear)
    assert energy_error(form, seen) == pytest.approx(np.sqrt(np.mean(changes**2)), rel=1e-9)


def test_dynamic_range_ignores_absent_couplings_and_noise():
    matrix = np.array([[0, 8.0, 0], [8.0, 0, 1e-16], [0, 1e-16, 0]])
    assert dynamic_range_bits(QuadraticForm(matrix, np.array([0.5, 0, 0]))) == 4
    assert dynamic_range_bits(QuadraticForm(np.zeros((2, 2)), np.zeros(2))) == 0


def test_energies_are_of_the_exact_problem_and_bits_buy_quality():
    rng = np.random.default_rng(3)
    qubo = qhal.Qubo.from_ising(qhal.Ising(np.triu(rng.normal(size=(80, 80)), 1), np.zeros(80)))
    best = Cim().sample(qubo, seed=0).energies[0]
    gaps = {}
    for bits in (2, 4, 8, 16):
        samples = Cim(coefficient_bits=bits, rounding="nearest").sample(qubo, seed=0)
        np.testing.assert_allclose(samples.energies, qubo.energies(samples.states), rtol=1e-13)
        gaps[bits] = samples.energies[0] - best
        assert gaps[bits] >= -1e-9
    assert gaps[16] <= gaps[4] + 1e-9
    assert gaps[16] < gaps[2]
    assert gaps[2] > 0  # two bits are not enough, and no exact descent hides it


def test_descent_on_exact_coefficients_is_an_option():
    rng = np.random.default_rng(4)
    qubo = qhal.Qubo(np.triu(rng.normal(size=(60, 60))))
    raw = Cim(coefficient_bits=3).sample(qubo, seed=0)
    finished = Cim(coefficient_bits=3, descent=True).sample(qubo, seed=0)
    assert raw.info["descent"] is False
    assert finished.info["descent"] is True
    assert finished.energies.mean() < raw.energies.mean()
    flipped = finished.states.copy()
    for i in range(60):
        flipped[:, i] ^= 1
        assert (qubo.energies(flipped) >= finished.energies - 1e-9).all()
        flipped[:, i] ^= 1
