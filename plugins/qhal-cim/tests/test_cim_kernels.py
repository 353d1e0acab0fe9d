"""Kernels against each other."""

import sys

import numpy as np
import pytest
import qhal_cim.oracle
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from qhal_cim import Cim, compiled
from qhal_cim.fallback import NumpyDenseKernel, NumpySparseKernel, greedy_colours
from qhal_cim.forms import Forces, QuadraticForm
from qhal_cim.kernels import Batch, CompiledKernel
from qhal_cim.schedules import BSB, Replicas, chosen
from qhal_cim.simulation import make_kernel

import qhal


def batch(replicas, n, seed):
    rng = np.random.default_rng(seed)
    result = Batch.begin(replicas, replicas.start(n, rng))
    result.y[:, replicas.num_cac :] = 0.1 * rng.normal(size=(n, 1))
    return result


def whole_ramp(replicas):
    return replicas.pump_at(np.linspace(0, 1, 12), np.linspace(0, 1, 12))


@pytest.mark.parametrize("dynamics", ["cac", "bsb", "portfolio"])
@pytest.mark.parametrize("n", [1, 4, 37, 64])
@pytest.mark.parametrize("columns", [1, 9])
def test_dense_kernels_agree(random_form, dynamics, n, columns):
    forces = Forces.of(random_form(n, n))
    replicas = Replicas.share(chosen(dynamics, random_form(n, n)), columns)
    pump = whole_ramp(replicas)
    one, two = batch(replicas, n, 1), batch(replicas, n, 1)
    for kernel, state in ((CompiledKernel(forces), one), (NumpyDenseKernel(forces), two)):
        kernel.advance(state, pump)
        kernel.record(state, 0, columns)
    # Chaotic dynamics: rounding errors grow, so only a short run can be compared.
    np.testing.assert_allclose(one.x, two.x, atol=2e-3)
    np.testing.assert_allclose(one.y, two.y, atol=2e-2)


@pytest.mark.parametrize("n", [1, 30, 90])
def test_sparse_kernels_agree_in_the_same_order(random_form, n):
    form = random_form(n, n, density=0.1)
    fallback = NumpySparseKernel(Forces.of(form))
    order = fallback.order
    sorted_form = QuadraticForm(form.matrix[order][:, order].tocsr(), form.linear[order])
    kernel = CompiledKernel(Forces.of(sorted_form))
    replicas = Replicas.share(chosen("portfolio", form), 10)
    pump = whole_ramp(replicas)
    one, two = batch(replicas, n, 2), batch(replicas, n, 2)
    fallback.advance(one, pump)
    kernel.advance(two, pump)
    np.testing.assert_allclose(one.x, two.x, atol=2e-3)
    fallback.record(one, 0, 10)
    kernel.record(two, 0, 10)
    np.testing.assert_allclose(one.best_energy, two.best_energy, rtol=1e-5, atol=1e-5)


def uniform_form(n, degree, seed, fields=0.0):
    """Couplings ±1 on a random graph, fields of size `fields`, the last variable alone."""
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.choice([-1.0, 1.0], (n, n)) * (rng.random((n, n)) < degree / n), 1)
    upper[:, -1] = 0
    return QuadraticForm(sp.csr_array(upper + upper.T), fields * rng.normal(size=n))


@pytest.mark.parametrize("fields", [0.0, 1.0])
def test_sums_of_whole_numbers_agree_with_floating_point(fields, monkeypatch):
    form = uniform_form(150, 16, 5, fields)
    whole = CompiledKernel(Forces.of(form))
    monkeypatch.setattr(Forces, "uniform_rows", lambda forces: None)
    floating = CompiledKernel(Forces.of(form))
    assert (whole.name, floating.name) == ("numba-uniform", "numba-sparse")
    replicas = Replicas.share(chosen("portfolio", form), 20)
    replicas.constants[1] /= 50  # steps so short that positions stay on the 8-bit grid, nearly
    one, two = batch(replicas, 150, 4), batch(replicas, 150, 4)
    unit = replicas.constants[4] / 128
    one.x[:] = two.x[:] = (np.floor(one.x / unit) + 0.5) * unit
    start, pump = two.x.copy(), whole_ramp(replicas)[:1]
    for kernel, state in ((whole, one), (floating, two)):
        kernel.advance(state, pump)
    assert np.abs(two.x - start).max() > 5e-3
    np.testing.assert_allclose(one.x, two.x, atol=2e-4)
    one.x[:] = two.x
    for kernel, state in ((whole, one), (floating, two)):
        kernel.record(state, 0, 20)
    np.testing.assert_allclose(one.best_energy, two.best_energy, rtol=1e-5)
    assert (one.best == two.best).all()


def test_whole_numbers_are_for_many_couplings_of_one_size_that_cannot_overflow(random_form):
    form = uniform_form(150, 16, 5)
    indptr, middles, indices, sizes, halves = Forces.of(form).uniform_rows()
    matrix = Forces.of(form).matrix
    for i in range(150):
        signs = np.zeros(150)
        signs[indices[indptr[i] : middles[i]]] = 1
        signs[indices[middles[i] : indptr[i + 1]]] = -1
        assert halves[i] == signs.sum() / 2
        np.testing.assert_allclose(sizes[i] * signs, matrix[[i]].toarray()[0], rtol=1e-6)
    for other in (uniform_form(150, 5, 5), random_form(150, 5, 0.2), random_form(20, 5)):
        assert Forces.of(other).uniform_rows() is None
    hubs = np.zeros((400, 400))
    hubs[:4, 4:] = 1  # 396 neighbours, of up to 128 in size each, exceed 16 bits
    assert (
        Forces.of(QuadraticForm(sp.csr_array(hubs + hubs.T), np.zeros(400))).uniform_rows() is None
    )


def test_sparse_and_dense_storage_agree(random_form):
    form = random_form(50, 3)
    sparse = QuadraticForm(sp.csr_array(form.matrix), form.linear)
    replicas = Replicas.share(chosen("portfolio", form), 8)
    pump = whole_ramp(replicas)
    one, two = batch(replicas, 50, 4), batch(replicas, 50, 4)
    CompiledKernel(Forces.of(form)).advance(one, pump)
    CompiledKernel(Forces.of(sparse)).advance(two, pump)
    np.testing.assert_allclose(one.x, two.x, atol=2e-3)


@pytest.mark.parametrize("density", [0.1, 1.0])
@pytest.mark.parametrize("use_numba", [True, False])
def test_record_keeps_the_best_signs_and_their_energy(
    random_form, value, density, use_numba, request
):
    if not use_numba:
        request.getfixturevalue("without_numba")
    form = random_form(40, 5, density)
    kernel = make_kernel(Forces.of(form))
    assert kernel.name.startswith("numba" if use_numba else "numpy")
    replicas = Replicas.share((BSB,), 6)
    state = batch(replicas, 40, 6)
    seen = []
    rng = np.random.default_rng(7)
    for _ in range(5):
        state.x[:] = rng.normal(size=state.x.shape)
        seen.append(value(form, np.where(state.x > 0, 1.0, -1.0).T[:, np.argsort(kernel.order)]))
        kernel.record(state, 1, 4)
    assert np.isinf(state.best_energy[[0, 4, 5]]).all()
    best = np.min(seen, axis=0)[1:4]
    np.testing.assert_allclose(state.best_energy[1:4], best, rtol=1e-5, atol=1e-4)
    spins = np.empty((6, 40))
    spins[:, kernel.order] = state.best.T
    np.testing.assert_allclose(value(form, spins)[1:4], best, rtol=1e-9)


def test_too_many_replicas_for_the_compiled_kernel_are_never_asked_for():
    sizes = Cim()._batch_sizes(1000)
    assert sum(sizes) == 1000
    assert max(sizes) <= compiled.WIDTH
    assert Cim(coefficient_bits=8)._batch_sizes(3) == [3]
    assert Cim(coefficient_bits=8)._batch_sizes(25) == [8, 8, 9]
    assert Cim(coefficient_bits=8)._batch_sizes(100) == [20] * 5
    assert Cim(coefficient_bits=8, rounding="nearest")._batch_sizes(100) == [100]


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(0.0, 0.5))
def test_coupled_variables_differ_in_colour(random_form, seed, n, density):
    matrix = sp.csr_array(random_form(n, seed, density).matrix)
    colours = greedy_colours(matrix)
    rows, columns = matrix.nonzero()
    assert (colours >= 0).all()
    assert (colours[rows] != colours[columns]).all()
    degrees = np.diff(matrix.indptr)
    assert colours.max() <= degrees.max(initial=0)


@pytest.mark.parametrize("dynamics", ["portfolio", "dopo"])
def test_the_kernel_can_be_chosen(dynamics, monkeypatch):
    chain = sp.diags_array(np.ones(49), offsets=1, shape=(50, 50), format="csr")
    problem = qhal.Ising(chain, np.zeros(50))
    names = {}
    for kernel in ("auto", "numba", "numpy"):
        oracle = Cim(kernel=kernel, num_steps=50, dynamics=dynamics)
        names[kernel] = oracle.sample(problem, num_reads=3, seed=0).info["kernel"]
    if dynamics == "portfolio":
        assert names == {"auto": "numba-sparse", "numba": "numba-sparse", "numpy": "numpy-sparse"}
    else:
        assert set(names.values()) == {"numpy-dopo"}
    for name in ("advance_sparse", "record_sparse", "descend_sparse"):
        monkeypatch.setattr(compiled, name, None)  # "numpy" must call none of them
    Cim(kernel="numpy", num_steps=2, dynamics=dynamics).sample(problem, num_reads=3, seed=0)


def test_asking_for_numba_without_having_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(qhal_cim.oracle, "compiled", None)
    with pytest.raises(qhal.InputError, match=r"pip install 'qhal-cim\[fast\]'"):
        Cim(kernel="numba")


def test_without_numba_everything_still_imports():
    import subprocess

    code = (
        "import sys; sys.modules['numba'] = None;"
        "import qhal; import numpy as np;"
        "s = qhal.get_oracle('cim').sample(qhal.Qubo(-np.eye(3)), num_reads=2, seed=0);"
        "assert s.energies.tolist() == [-3.0, -3.0], s.energies;"
        "assert s.info['kernel'].startswith('numpy')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
