"""The four oracles over dwave-samplers: quality, scaling, options, seeds, limits."""

import math
import subprocess
import sys

import dimod
import numpy as np
import pytest
from dwave.samplers.sa.sampler import default_beta_range as beta_range_of_ocean
from hypothesis import given
from hypothesis import strategies as st
from qhal_dwave.annealing import default_beta_range
from qhal_dwave.reads import on_grid, starting_states

import qhal
from qhal.ocean import bqm_from_qubo

NAMES = ["path-integral", "sa", "steepest-descent", "tabu"]
EXHAUSTIVE = qhal.get_oracle("exhaustive")


def random_qubo(n, seed=0, density=1.0, scale=1.0):
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.normal(size=(n, n)) * (rng.random((n, n)) < density))
    return qhal.Qubo(matrix * scale)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1.0, 1e300, 1e-300])
@pytest.mark.parametrize("density", [0.2, 1.0])
def test_reaches_the_minimum_of_small_problems_of_any_scale(name, scale, density):
    qubo = random_qubo(12, 3, density, scale)
    samples = qhal.get_oracle(name).sample(qubo, seed=1, num_reads=30)
    assert len(samples) == 30
    assert samples.first[1] == EXHAUSTIVE.sample(qubo).first[1]


@pytest.mark.parametrize("name", NAMES)
def test_coefficients_of_very_different_size_do_not_trap_the_search(name):
    rng = np.random.default_rng(0)
    matrix = np.triu(rng.normal(size=(10, 10))) * 10.0 ** rng.integers(-300, 300, (10, 10))
    qubo = qhal.Qubo(matrix)
    samples = qhal.get_oracle(name).sample(qubo, seed=1, num_reads=20)
    assert samples.first[1] == pytest.approx(EXHAUSTIVE.sample(qubo).first[1], rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_isolated_variables_and_flat_problems(name):
    matrix = np.zeros((5, 5))
    matrix[1, 3] = -1.0
    samples = qhal.get_oracle(name).sample(qhal.Qubo(matrix), seed=2, num_reads=10)
    assert samples.first[1] == -1.0
    flat = qhal.get_oracle(name).sample(qhal.Qubo(np.zeros((5, 5)), 4.0), seed=2, num_reads=10)
    assert (flat.energies == 4.0).all()
    assert len(np.unique(flat.states, axis=0)) > 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_a_seed_fixes_the_samples_and_another_changes_them(name, seed):
    qubo = random_qubo(60)
    oracle = qhal.get_oracle(name)
    one, two = (oracle.sample(qubo, seed=seed, num_reads=4) for _ in range(2))
    assert (one.states == two.states).all()
    flat = qhal.Qubo(np.zeros((60, 60)))
    assert (oracle.sample(flat, seed=seed).states != oracle.sample(flat, seed=99).states).any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [100, 400])
def test_time_limit(name, size):
    qubo = random_qubo(size)
    oracle = qhal.get_oracle(name)
    samples = oracle.sample(qubo, seed=1, num_reads=20_000, time_limit=0.2)
    assert 1 <= len(samples) < 20_000  # how good they are depends on the machine's load


@pytest.mark.parametrize("name", NAMES)
def test_an_ample_limit_gives_every_read(name):
    samples = qhal.get_oracle(name).sample(random_qubo(10), seed=1, num_reads=9, time_limit=20)
    assert len(samples) == 9


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("given_reads", [1, 3, 8])
def test_any_number_of_initial_states(name, given_reads):
    qubo = random_qubo(15)
    states = np.ones((given_reads, 15), dtype=np.int8)
    samples = qhal.get_oracle(name).sample(qubo, seed=1, num_reads=5, initial_states=states)
    assert len(samples) == 5
    assert (states == 1).all()


def test_descent_starts_at_the_given_states():
    qubo = random_qubo(60, seed=5)
    best = qhal.get_oracle("tabu").sample(qubo, seed=1).states[:1]
    again = qhal.get_oracle("steepest-descent").sample(
        qubo, seed=1, num_reads=3, initial_states=best
    )
    assert (again.states[0] == best[0]).all()


@pytest.mark.parametrize("name", ["path-integral", "sa"])
def test_reads_from_given_states_search_near_them(name):
    """All spins alike is best, up or down: an anneal from the start would forget which."""
    couplings = np.triu(np.full((30, 30), -1.0), k=1)
    fields = -(couplings + couplings.T).sum(axis=0) / 2
    qubo = qhal.Qubo(couplings + np.diag(fields))
    ones = np.ones((12, 30), dtype=np.int8)
    for limit in (None, 20.0):
        samples = qhal.get_oracle(name, num_sweeps=50).sample(
            qubo, seed=3, num_reads=24, initial_states=ones, time_limit=limit
        )
        assert samples.states[:12].all()
        assert 0 < samples.states[12:].mean() < 1


def test_starting_states_are_the_given_ones_then_random_ones():
    rng = np.random.default_rng(0)
    states = starting_states(np.ones((2, 30), dtype=np.int8), 4, 30, rng)
    assert states.shape == (4, 30)
    assert (states[:2] == 1).all()
    assert 0 < states[2:].mean() < 1


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.sampled_from([0.0, 0.3, 1.0]))
def test_beta_range_is_oceans(seed, n, density):
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.integers(-3, 4, (n, n)) * (rng.random((n, n)) < density))
    spins = bqm_from_qubo(qhal.Qubo(matrix)).change_vartype(dimod.SPIN, inplace=False)
    if not matrix.any():
        assert default_beta_range(spins) == (0.1, 1.0)
        return
    assert default_beta_range(spins) == pytest.approx(beta_range_of_ocean(spins))


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(0, 300))
def test_the_grid_is_exact_and_near(seed, n, spread):
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.normal(size=(n, n)))
    matrix *= 10.0 ** rng.integers(-spread, spread + 1, (n, n))
    qubo = qhal.Qubo(matrix)
    rounded, exponent = on_grid(qubo)
    dense = rounded.matrix.toarray() if rounded.is_sparse else rounded.matrix
    unit = np.ldexp(matrix, -exponent)
    assert abs(dense).max() <= 1.0
    assert abs(dense - unit).max() <= 2.0**-50 * abs(unit).sum()
    # Exact: adding up forwards, backwards and without any rounding is all the same.
    terms = dense[dense != 0].tolist()
    assert sum(terms) == sum(reversed(terms)) == math.fsum(terms)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sa", {"num_sweeps": 0}, "num_sweeps must be a whole number of at least 1"),
        ("sa", {"num_sweeps": 2.5}, "num_sweeps"),
        ("sa", {"beta_range": (2, 1)}, "beta_range must be two numbers"),
        ("sa", {"beta_range": 3}, "beta_range"),
        ("path-integral", {"transverse_field": -1}, "transverse_field"),
        ("path-integral", {"transverse_field": math.nan}, "transverse_field"),
        ("tabu", {"tenure": -1}, "tenure"),
        ("tabu", {"num_restarts": True}, "num_restarts"),
        ("tabu", {"num_moves": 0}, "num_moves"),
        ("steepest-descent", {"num_sweeps": 5}, "no option 'num_sweeps'"),
    ],
)
def test_bad_options_are_named(name, options, message):
    with pytest.raises(qhal.InputError, match=message):
        qhal.get_oracle(name, **options)


def test_beta_range_is_in_units_of_the_problem():
    cold = qhal.get_oracle("sa", num_sweeps=50, beta_range=(1e4, 1e4))
    hot = qhal.get_oracle("sa", num_sweeps=50, beta_range=(1e-6, 1e-6))
    qubo = random_qubo(40, scale=1e-2)
    assert cold.sample(qubo, seed=1).energies.mean() < hot.sample(qubo, seed=1).energies.mean()
    scaled = qhal.Qubo(qubo.matrix * 2.0**30)
    warm = qhal.get_oracle("sa", num_sweeps=50, beta_range=(1.0, 100.0))
    same = qhal.get_oracle("sa", num_sweeps=50, beta_range=(2.0**-30, 100 * 2.0**-30))
    assert (warm.sample(qubo, seed=1).states == same.sample(scaled, seed=1).states).all()


def test_more_effort_is_better():
    qubo = random_qubo(120, seed=8)
    efforts = [
        (qhal.get_oracle("sa", num_sweeps=2), qhal.get_oracle("sa", num_sweeps=500)),
        (qhal.get_oracle("tabu", num_moves=5, num_restarts=0), qhal.get_oracle("tabu")),
        (
            qhal.get_oracle("path-integral", num_sweeps=2),
            qhal.get_oracle("path-integral", num_sweeps=50),
        ),
    ]
    for less, more in efforts:
        means = [
            oracle.sample(qubo, seed=1, num_reads=10).energies.mean() for oracle in (less, more)
        ]
        assert means[1] < means[0]


def test_the_transverse_field_changes_the_anneal():
    qubo = random_qubo(30, seed=9)
    thermal = qhal.get_oracle("path-integral", transverse_field=0.0, num_sweeps=20)
    quantum = qhal.get_oracle("path-integral", transverse_field=3.0, num_sweeps=20)
    states = [oracle.sample(qubo, seed=1, num_reads=10).states for oracle in (thermal, quantum)]
    assert (states[0] != states[1]).any()


def test_plugin_module_is_light():
    code = (
        "import sys, qhal_dwave.plugin as p; p.SA.qhal_oracle(); sys.exit('dwave' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
