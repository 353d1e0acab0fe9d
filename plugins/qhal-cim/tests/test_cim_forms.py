"""Forms, forces and the descent on exact coefficients."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from qhal_cim.descent import descend
from qhal_cim.forms import Forces, QuadraticForm, over_bits, over_spins, with_ancilla

import qhal


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([0.3, 1.0]))
def test_forces_are_scaled_gradients(random_form, seed, n, density):
    form = random_form(n, seed, density)
    forces = Forces.of(form)
    s = np.random.default_rng(seed).choice([-1.0, 1.0], (4, n))
    rows = forces.matrix @ s.T.astype(np.float32) + forces.field[:, np.newaxis]
    gradient = form.matrix @ s.T + form.linear[:, np.newaxis]
    decided = np.abs(form.linear) > 2 * form.reach()  # the field's size is limited there
    np.testing.assert_allclose(
        (rows * forces.weight[:, np.newaxis])[~decided], -gradient[~decided], atol=1e-4
    )
    assert (np.sign(rows[decided]) == -np.sign(gradient[decided])).all()
    norms = np.asarray(abs(forces.matrix).power(2).sum(axis=1)) if density < 0.3 else None
    norms = np.square(sp.csr_array(forces.matrix).toarray()).sum(axis=1) if norms is None else norms
    assert np.logical_or(np.isclose(norms, 1, atol=1e-5), norms == 0).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_forms_keep_energies(value, seed, n):
    rng = np.random.default_rng(seed)
    qubo = qhal.Qubo(np.triu(rng.normal(size=(n, n))), 3.0)
    bits, unit = over_bits(qubo)
    spins = over_spins(bits)
    x = rng.integers(0, 2, (6, n))
    constant = qubo.energies(x) - unit * value(spins, 2.0 * x - 1)
    np.testing.assert_allclose(unit * value(bits, 1.0 * x) + 3.0, qubo.energies(x), atol=1e-9)
    np.testing.assert_allclose(constant, constant[0], atol=1e-9)
    extended = with_ancilla(spins)
    s = np.hstack([2.0 * x - 1, np.ones((6, 1))])
    for z in (s, -s):
        np.testing.assert_allclose(value(extended, z), value(spins, 2.0 * x - 1), atol=1e-9)


@pytest.mark.parametrize("density", [0.1, 1.0])
@pytest.mark.parametrize("use_numba", [True, False])
def test_descent_ends_in_local_minima_below_its_start(
    random_form, value, density, use_numba, request
):
    if not use_numba:
        request.getfixturevalue("without_numba")
    form = random_form(50, 8, density)
    start = np.random.default_rng(9).integers(0, 2, (20, 50)).astype(np.int8)
    end = descend(form, start)
    assert (value(form, 1.0 * end) <= value(form, 1.0 * start)).all()
    for i in range(50):
        flipped = end.copy()
        flipped[:, i] ^= 1
        assert (value(form, 1.0 * flipped) >= value(form, 1.0 * end) - 1e-9).all()


@pytest.mark.parametrize("density", [0.1, 1.0])
@pytest.mark.parametrize("use_numba", [True, False])
def test_descent_ends_where_no_pair_of_flips_gains(random_form, value, density, use_numba, request):
    if not use_numba:
        request.getfixturevalue("without_numba")
    form = random_form(25, 8, density)
    end = descend(form, np.random.default_rng(9).integers(0, 2, (20, 25)).astype(np.int8))
    for i in range(25):
        for j in range(i):
            flipped = end.copy()
            flipped[:, [i, j]] ^= 1
            assert (value(form, 1.0 * flipped) >= value(form, 1.0 * end) - 1e-9).all()


@pytest.mark.parametrize("use_numba", [True, False])
def test_descent_exchanges_what_a_penalty_holds(use_numba, request):
    if not use_numba:
        request.getfixturevalue("without_numba")
    # 1000 (sum(x) - 2)^2 - c'x: single flips are stuck wherever two bits are set.
    gains = np.array([1.0, 5.0, 2.0, 4.0, 3.0])
    form = QuadraticForm(2000 * (1 - np.eye(5)), -3000 - gains)
    start = np.zeros((5, 5), dtype=np.int8)
    start[np.arange(5), np.arange(5)] = start[np.arange(5), (np.arange(5) + 1) % 5] = 1
    assert (descend(form, start) == [0, 1, 0, 1, 0]).all()
