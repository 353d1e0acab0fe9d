"""What replicas do over a run, and the quality that it is chosen for."""

import numpy as np
import pytest
import qhal_cim.schedules
import scipy.sparse as sp
from qhal_cim import Cim
from qhal_cim.forms import QuadraticForm, over_bits, over_spins
from qhal_cim.kernels import Batch
from qhal_cim.schedules import (
    BSB,
    BSB_EAGER,
    BSB_SELECTED,
    CAC,
    CAC_RESTLESS,
    CAC_SELECTED,
    RETURN_STEPS,
    SPREAD,
    TURN,
    Cycles,
    Replicas,
    chosen,
    default_steps,
)
from qhal_cim.simulation import Simulation

import qhal
import qhal.ocean


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


def as_form(problem):
    return over_spins(over_bits(qhal.Qubo.from_ising(problem))[0])


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
    for large in (graph(1000, 10, 0.0), graph(1000, 2, 0.0)):
        assert chosen("portfolio", large) == chosen("cac", large) == (CAC_SELECTED,)
        assert chosen("bsb", large) == (BSB_SELECTED,)
    dense = QuadraticForm(np.ones((1000, 1000)), np.zeros(1000))
    assert chosen("portfolio", dense) == (BSB_SELECTED,)
    assert CAC_SELECTED not in chosen("portfolio", graph(1000, 10, 1.0))
    assert [default_steps(graph(n, 8, 0.0)) for n in (20, 50, 900, 9000)] == [100, 312, 900, 2000]
    assert default_steps(fields) == default_steps(graph(9000, 2, 0.0)) == 500
    assert default_steps(QuadraticForm(np.ones((1500, 1500)), np.zeros(1500))) == 750


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


def random_graph(n, degree, seed):
    rng = np.random.default_rng(seed)
    upper = sp.csr_array(np.triu(1.0 * (rng.random((n, n)) < degree / n), 1))
    return qhal.Ising(upper, np.zeros(n))


def test_selection_lets_the_better_half_go_on_twice():
    machine = Simulation(as_form(random_graph(50, 10, 1)), "target", (CAC_SELECTED,), "auto")
    replicas = Replicas.share((CAC_SELECTED,), 9, num_seeded=2)
    batch = Batch.begin(replicas, replicas.start(50, np.random.default_rng(2)))
    machine.kernel.record(batch, 0, 9)
    before, x = batch.best_energy.copy(), batch.x.copy()
    machine._select(batch, np.random.default_rng(3))
    seeded, order = replicas.seeded, np.argsort(np.where(replicas.seeded, np.inf, before))
    ahead, between, behind = order[:3], order[3], order[4:7]
    assert (batch.best_energy[behind] == before[ahead]).all()
    assert (batch.best_energy <= before).all()
    assert (batch.x[:, behind] != x[:, ahead]).any()
    np.testing.assert_allclose(batch.x[:, behind], x[:, ahead], rtol=1.01 * SPREAD)
    kept = [*ahead, between, *np.flatnonzero(seeded)]
    assert (batch.x[:, kept] == x[:, kept]).all()


@pytest.mark.parametrize("dense", [False, True])
def test_selection_finds_lower_states_of_large_problems(dense, monkeypatch):
    problem = glass(1000, 4) if dense else random_graph(1000, 12, 4)
    selected = Cim(num_steps=100).sample(problem, num_reads=64, seed=0).energies
    monkeypatch.setattr(qhal_cim.schedules, "_MANY_VARIABLES", 10**9)
    independent = Cim(num_steps=100).sample(problem, num_reads=64, seed=0).energies
    assert selected.mean() < independent.mean() - 2
    assert selected[0] <= independent[0]
