"""Kernels against each other, and the quality they are chosen for."""

import sys

import numpy as np
import pytest
import qhal_cim.descent
import qhal_cim.kernels
import qhal_cim.oracle
import qhal_cim.schedules
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from qhal_cim import Cim, compiled
from qhal_cim.descent import descend
from qhal_cim.fallback import NumpyDenseKernel, NumpySparseKernel, greedy_colours
from qhal_cim.forms import Forces, QuadraticForm, over_bits, over_spins, with_ancilla
from qhal_cim.kernels import Batch, CompiledKernel
from qhal_cim.schedules import (
    BSB,
    BSB_EAGER,
    CAC,
    CAC_RESTLESS,
    RETURN_STEPS,
    TURN,
    Cycles,
    Replicas,
    chosen,
    default_steps,
)
from qhal_cim.simulation import make_kernel

import qhal
import qhal.ocean


def random_form(n, seed, density=1.0, fields=1.0):
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.normal(size=(n, n)) * (rng.random((n, n)) < density), 1)
    matrix = upper + upper.T
    linear = fields * rng.normal(size=n)
    return QuadraticForm(matrix if density > 0.3 else sp.csr_array(matrix), linear)


def value(form, z):
    return 0.5 * np.einsum("ri,ri->r", z, (form.matrix @ z.T).T) + z @ form.linear


def batch(replicas, n, seed):
    rng = np.random.default_rng(seed)
    result = Batch.begin(replicas, replicas.start(n, rng))
    result.y[:, replicas.num_cac :] = 0.1 * rng.normal(size=(n, 1))
    return result


def whole_ramp(replicas):
    return replicas.pump_at(np.linspace(0, 1, 12), np.linspace(0, 1, 12))


@pytest.fixture
def without_numba(monkeypatch):
    monkeypatch.setattr(qhal_cim.kernels, "compiled", None)
    monkeypatch.setattr(qhal_cim.descent, "compiled", None)


@pytest.mark.parametrize("dynamics", ["cac", "bsb", "portfolio"])
@pytest.mark.parametrize("n", [1, 4, 37, 64])
@pytest.mark.parametrize("columns", [1, 9])
def test_dense_kernels_agree(dynamics, n, columns):
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
def test_sparse_kernels_agree_in_the_same_order(n):
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
    one, two = batch(replicas, 150, 4), batch(replicas, 150, 4)
    pump = whole_ramp(replicas)[:1]
    for kernel, state in ((whole, one), (floating, two)):
        kernel.advance(state, pump)
    # Positions are seen to half of 1 / (32767 / 35 neighbours) of their range.
    np.testing.assert_allclose(one.x, two.x, atol=0.02)
    one.x[:] = two.x
    for kernel, state in ((whole, one), (floating, two)):
        kernel.record(state, 0, 20)
    np.testing.assert_allclose(one.best_energy, two.best_energy, rtol=1e-5)
    assert (one.best == two.best).all()


def test_whole_numbers_are_for_many_couplings_of_one_size_that_cannot_overflow():
    form = uniform_form(150, 16, 5)
    middles, indices, sizes, levels = Forces.of(form).uniform_rows()
    matrix = Forces.of(form).matrix
    degrees = np.diff(matrix.indptr)
    assert levels * degrees.max() <= 32767
    for i in range(150):
        signs = np.zeros(150)
        signs[indices[matrix.indptr[i] : middles[i]]] = 1
        signs[indices[middles[i] : matrix.indptr[i + 1]]] = -1
        np.testing.assert_allclose(sizes[i] * signs, matrix[[i]].toarray()[0], rtol=1e-6)
    for other in (uniform_form(150, 5, 5), random_form(150, 5, 0.2), random_form(20, 5)):
        assert Forces.of(other).uniform_rows() is None
    hubs = np.zeros((400, 400))
    hubs[:4, 4:] = 1  # 396 neighbours: no room for 256 levels
    assert (
        Forces.of(QuadraticForm(sp.csr_array(hubs + hubs.T), np.zeros(400))).uniform_rows() is None
    )


def test_sparse_and_dense_storage_agree():
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
def test_record_keeps_the_best_signs_and_their_energy(density, use_numba, request):
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
def test_coupled_variables_differ_in_colour(seed, n, density):
    matrix = sp.csr_array(random_form(n, seed, density).matrix)
    colours = greedy_colours(matrix)
    rows, columns = matrix.nonzero()
    assert (colours >= 0).all()
    assert (colours[rows] != colours[columns]).all()
    degrees = np.diff(matrix.indptr)
    assert colours.max() <= degrees.max(initial=0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([0.3, 1.0]))
def test_forces_are_scaled_gradients(seed, n, density):
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
def test_forms_keep_energies(seed, n):
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
def test_descent_ends_in_local_minima_below_its_start(density, use_numba, request):
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
def test_descent_ends_where_no_pair_of_flips_gains(density, use_numba, request):
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


def test_pumps_are_ramps_and_seeded_replicas_start_half_way():
    replicas = Replicas.share((CAC, BSB), 10, num_seeded=2)
    share = np.array([0.0, 0.5, 1.0])
    pump = replicas.pump_at(share, share)
    assert pump.dtype == np.float32
    assert replicas.num_cac == 5
    assert replicas.seeded.sum() == 2
    assert replicas.seeded[:5].sum() == 1
    fresh = ~replicas.seeded
    np.testing.assert_allclose(pump[0, fresh], [CAC.pump[0]] * 4 + [BSB.pump[0]] * 4)
    np.testing.assert_allclose(pump[2], [CAC.pump[1]] * 5 + [BSB.pump[1]] * 5, rtol=1e-6)
    np.testing.assert_allclose(pump[0, ~fresh], pump[1][[1, 6]], rtol=1e-6)


def test_only_ballistic_replicas_return():
    replicas = Replicas.share((CAC, BSB), 4)
    pump = replicas.pump_at(np.array([0.8]), np.array([0.1]))[0]
    np.testing.assert_allclose(pump[:2], CAC.pump_at(np.array(0.8)), rtol=1e-6)
    np.testing.assert_allclose(pump[2:], BSB.pump_at(np.array(0.1)), rtol=1e-6)


@pytest.mark.parametrize("num_steps", [1, 100, 500, 2000])
def test_a_run_is_a_ramp_and_as_many_returns_as_fit(num_steps):
    cycles = Cycles.of(num_steps)
    assert cycles.count == {1: 0, 100: 0, 500: 3, 2000: 4}[num_steps]
    numbers, shares = cycles.at(np.arange(num_steps) / num_steps)
    assert sorted(set(numbers)) == list(range(cycles.count + 1))
    assert (np.diff(numbers) >= 0).all()
    for number in range(cycles.count + 1):
        ramp = shares[numbers == number]
        assert ramp[0] == pytest.approx(TURN if number else 0.0, abs=2 / RETURN_STEPS)
        assert (np.diff(ramp) > 0).all()
        assert ramp[-1] < 1
        if num_steps > 1:
            assert ramp[-1] > 0.98


def test_returns_improve_on_one_long_ramp(monkeypatch):
    problem = glass(200, 3)
    oracle = Cim(dynamics="bsb", num_steps=1000)
    with_returns = oracle.sample(problem, num_reads=100, seed=0).energies.mean()
    monkeypatch.setattr(Cycles, "of", lambda num_steps: Cycles(1.0, 0))
    assert with_returns < oracle.sample(problem, num_reads=100, seed=0).energies.mean() - 1


def test_schedules_and_steps_follow_from_the_problem():
    def graph(n, degree, field):
        pairs = sp.diags_array(
            [np.ones(n - k) for k in range(1, degree + 1)], offsets=list(range(1, degree + 1))
        )
        return QuadraticForm(sp.csr_array(pairs + pairs.T), np.full(n, field))

    few, many, fields = graph(900, 2, 0.0), graph(900, 10, 0.0), graph(900, 10, 1.0)
    assert BSB_EAGER in chosen("portfolio", fields)
    assert BSB_EAGER not in chosen("portfolio", many) + chosen("portfolio", few)
    assert chosen("portfolio", few).count(CAC) / len(chosen("portfolio", few)) == 0.75
    assert chosen("portfolio", many).count(CAC) / len(chosen("portfolio", many)) == 0.25
    assert chosen("cac", many) == (CAC,)
    assert [default_steps(graph(n, 8, 0.0)) for n in (20, 50, 900, 9000)] == [100, 312, 900, 2000]
    assert default_steps(fields) == default_steps(graph(9000, 2, 0.0)) == 500
    assert default_steps(QuadraticForm(np.ones((1500, 1500)), np.zeros(1500))) == 750


def as_form(problem):
    return over_spins(over_bits(qhal.Qubo.from_ising(problem))[0])


def test_square_lattices_are_told_from_other_graphs_of_four_neighbours():
    torus_12 = as_form(torus(12, 1))
    assert chosen("portfolio", torus_12) == chosen("cac", torus_12) == (CAC_RESTLESS,)
    assert chosen("bsb", torus_12) == (BSB,)
    rng = np.random.default_rng(1)
    pairs = torus_12.matrix.tocoo()
    inside = abs(pairs.row - pairs.col) <= 12  # without the bonds that close one of the two ways
    bonds = (pairs.data[inside], (pairs.row[inside], pairs.col[inside]))
    grid = QuadraticForm(sp.csr_array(bonds, shape=(144, 144)), np.zeros(144))
    assert chosen("portfolio", grid) == (CAC_RESTLESS,)
    # Other weights, fields, and four neighbours in no lattice: a union of random cycles.
    weights = sp.csr_array(np.triu(rng.normal(size=(144, 144)))) * torus_12.matrix
    others = [
        QuadraticForm(sp.csr_array(weights + weights.T), np.zeros(144)),
        QuadraticForm(torus_12.matrix, np.ones(144)),
    ]
    ring = np.zeros((144, 144))
    for _ in range(2):
        order = rng.permutation(144)
        ring[order, np.roll(order, 1)] = 1
    others.append(QuadraticForm(sp.csr_array(np.maximum(ring, ring.T)), np.zeros(144)))
    for other in others:
        assert CAC_RESTLESS not in chosen("portfolio", other)


def test_restless_replicas_find_lower_states_on_lattices(monkeypatch):
    problem = torus(20, 3)
    restless = Cim(num_steps=300).sample(problem, num_reads=64, seed=0).energies.mean()
    monkeypatch.setattr(qhal_cim.schedules, "_is_square_lattice", lambda form: False)
    assert restless < Cim(num_steps=300).sample(problem, num_reads=64, seed=0).energies.mean() - 2


def test_a_lone_read_is_ballistic():
    assert Replicas.share((CAC, BSB, BSB, BSB), 1).num_cac == 0
    assert Replicas.share((CAC, BSB, BSB, BSB), 100).num_cac == 25


# Spin glasses with free choice of size; 600 reads of 1000 sweeps of simulated annealing gave the
# lowest energy known of each.
def torus(side, seed):
    rng = np.random.default_rng(seed)
    index = np.arange(side * side).reshape(side, side)
    i = np.concatenate([index.ravel()] * 2)
    j = np.concatenate([np.roll(index, -1, axis).ravel() for axis in (0, 1)])
    weights = rng.choice([-1.0, 1.0], i.size)
    upper = sp.csr_array((weights, (np.minimum(i, j), np.maximum(i, j))), shape=(side**2,) * 2)
    return qhal.Ising(upper, np.zeros(side**2))


def glass(n, seed):
    rng = np.random.default_rng(seed)
    return qhal.Ising(np.triu(rng.choice([-1.0, 1.0], (n, n)), 1), np.zeros(n))


@pytest.mark.parametrize("use_numba", [True, False])
@pytest.mark.parametrize(
    ("problem", "steps", "share"), [(torus(12, 1), 300, 0.98), (glass(60, 1), 300, 0.97)]
)
def test_quality_is_that_of_annealing_with_and_without_numba(
    problem, steps, share, use_numba, request
):
    if not use_numba:
        request.getfixturevalue("without_numba")
    from dwave.samplers import SimulatedAnnealingSampler

    samples = Cim(num_steps=steps).sample(problem, num_reads=60, seed=2)
    bqm = qhal.ocean.bqm_from_qubo(qhal.Qubo.from_ising(problem))
    annealed = SimulatedAnnealingSampler().sample(bqm, num_reads=60, num_sweeps=1000, seed=2)
    assert samples.energies[0] <= annealed.first.energy + 1e-6
    assert samples.energies.mean() <= share * annealed.first.energy


@pytest.mark.parametrize("dynamics", ["portfolio", "dopo"])
def test_the_kernel_can_be_chosen(dynamics, monkeypatch):
    problem = torus(6, 1)
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
