"""Composites that change how a problem is solved."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import qhal
from qhal.composites import Decompose, Portfolio, Precision, Presolve
from qhal.composites.copies import spread
from qhal.composites.roof import persistent, substituted
from qhal.errors import TransientError
from qhal.testing import check_oracle
from qhal.testing.problems import all_states, tolerance
from tests.composites.problems import minimum, qubos, random_qubo

EXACT = qhal.get_oracle("exhaustive")


class Sized(qhal.Oracle):
    """An exact oracle of a small machine, which notes what it was asked."""

    def __init__(self, max_variables=None):
        self.asked = []
        self.info = qhal.OracleInfo(
            name="sized", summary="", factory="", exact=True, max_variables=max_variables
        )

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        self.asked.append(qubo)
        samples = EXACT.sample(qubo, num_reads=num_reads, seed=seed)
        return samples.states, {"proved": True, "lower_bound": samples.lower_bound}


# --- presolve -------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(qubos(most=8))
def test_persistent_values_are_those_of_every_minimum(qubo):
    values = persistent(qubo)
    states = all_states(qubo.num_variables)
    energies = qubo.energies(states)
    minima = states[energies <= energies.min() + tolerance(qubo) * 1e-3]
    known = values >= 0
    assert (minima[:, known] == values[known]).all() or len(minima) > 1
    assert (minima[:, known] == values[known]).all(axis=1).any()
    free, rest = substituted(qubo, values)
    assert minimum(rest) == pytest.approx(energies.min(), abs=tolerance(qubo))
    assert len(free) == rest.num_variables == (~known).sum()


def test_roof_duality_finds_what_no_single_variable_shows():
    # Of the two variables, neither has a sign that decides it, but together they do.
    qubo = qhal.Qubo([[-1.0, 2, -4], [0, -1, -4], [0, 0, 3.5]])
    assert persistent(qubo).tolist() != [-1, -1, -1]
    even = qhal.Qubo([[-1.0, 2], [0, -1]])
    assert persistent(even).tolist() == [-1, -1]


@given(qubos(most=8), st.integers(0, 99))
def test_presolve_keeps_minimum_and_proof(qubo, seed):
    samples = Presolve(EXACT).sample(qubo, num_reads=3, seed=seed)
    assert samples.first[1] == pytest.approx(minimum(qubo), abs=tolerance(qubo))
    assert samples.lower_bound == pytest.approx(minimum(qubo), abs=tolerance(qubo))


def test_presolve_asks_only_for_what_is_left():
    child = Sized()
    couplings = np.zeros((40, 40))
    for block in (slice(0, 14), slice(20, 34)):  # two glasses, and what hangs on nothing
        signs = np.random.default_rng(0).choice([-1.0, 1], (14, 14))
        couplings[block, block] = np.triu(signs, 1)
    ising = qhal.Ising(couplings, np.zeros(40))
    samples = Presolve(child).sample(ising, num_reads=4, seed=0)
    assert [qubo.num_variables for qubo in child.asked] == [14, 14]
    assert samples.info["presolve"]["components"][:3] == [14, 14, 1]
    parts = [EXACT.sample(qubo).first[1] for qubo in child.asked]
    assert samples.lower_bound == pytest.approx(samples.first[1])
    assert all(np.isfinite(parts))


def test_presolve_of_what_it_solves_alone_asks_nobody():
    child = Sized()
    samples = Presolve(child).sample(qhal.Qubo(np.diag(np.arange(-20.0, 20))), seed=0)
    assert child.asked == []
    assert samples.first[1] == samples.lower_bound == -210
    assert samples.info["presolve"]["fixed"] == 39


def test_presolve_never_proves_what_its_child_did_not():
    samples = qhal.get_oracle("sa|presolve").sample(random_qubo(30), seed=0)
    assert samples.lower_bound is None
    assert check_oracle("exhaustive|presolve").passed
    assert check_oracle("sa|presolve").passed


# --- precision ------------------------------------------------------------------------------------


@given(qubos(), st.sampled_from(["nearest", "clipped", "stochastic"]), st.integers(2, 9))
def test_the_machine_sees_integers_of_its_bits(qubo, rounding, bits):
    child = Sized()
    oracle = Precision(child, bits=bits, rounding=rounding)
    samples = oracle.sample(qubo, num_reads=4, seed=1)
    (seen,) = child.asked
    ising = seen.to_ising()
    values = np.concatenate([sp.coo_array(ising.J).data, ising.h])
    assert (values == np.rint(values)).all()
    assert np.abs(values).max() <= 2 ** (bits - 1) - 1
    assert (samples.energies == qubo.energies(samples.states)).all()
    assert samples.lower_bound is None
    assert not oracle.info.exact
    assert oracle.info.coefficient_bits == bits


@given(qubos(most=6), st.integers(2, 10))
def test_the_energy_error_is_what_it_says(qubo, bits):
    child = Sized()
    info = Precision(child, bits=bits).sample(qubo, seed=0).info["precision"]
    states = all_states(qubo.num_variables)
    exact = qubo.energies(states)
    seen = child.asked[0].energies(states)
    ising = qubo.to_ising()
    largest = np.abs(np.concatenate([sp.coo_array(ising.J).data, ising.h]))
    step = largest.max(initial=0) / (2 ** (bits - 1) - 1)
    errors = (seen * step) - exact
    assert np.std(errors) == pytest.approx(info["energy_error_rms"], abs=1e-9 + tolerance(qubo))


@settings(max_examples=60)
@given(st.integers(2, 4), st.integers(0, 2**32 - 1), st.integers(3, 4), st.integers(2, 4))
def test_ground_states_over_copies_are_those_of_the_problem(n, seed, bits, wider):
    rng = np.random.default_rng(seed)
    limit, most = 2 ** (bits - 1) - 1, 2 ** (bits + wider - 1) - 1
    couplings = np.triu(rng.integers(-most, most + 1, (n, n)) * (rng.random((n, n)) < 0.6), 1)
    fields = rng.integers(-most, most + 1, n) * (rng.random(n) < 0.5)
    ising = qhal.Ising(couplings, fields)
    copies = spread(sp.coo_array(couplings), fields.astype(np.int64), limit, 1.0)
    assert copies.chain_bound
    values = np.concatenate([sp.coo_array(copies.ising.J).data, copies.ising.h])
    assert np.abs(values).max(initial=0) <= limit
    # The energy of agreeing copies is that of the problem, but for a constant.
    states = all_states(n)
    whole = states
    if copies.has_reference:
        whole = np.hstack([states, np.ones((len(states), 1), dtype=np.int8)])
    spins = np.repeat(whole, np.diff(copies.first), axis=1)
    over = qhal.Qubo.from_ising(copies.ising).energies(spins)
    plain = qhal.Qubo.from_ising(ising).energies(states)
    assert over - plain == pytest.approx(np.full(len(states), over[0] - plain[0]), abs=1e-6)
    decoded, broken = copies.decode(spins)
    assert (decoded == states).all()
    assert broken == 0
    if copies.num_spins <= 16:
        found = qhal.get_oracle("exhaustive").sample(copies.ising, num_reads=1)
        decoded, broken = copies.decode(found.states)
        assert broken == 0
        assert qhal.Qubo.from_ising(ising).energies(decoded)[0] == plain.min()


def test_splitting_finds_what_rounding_loses():
    # Light fields beside couplings a hundred times as large: two bits see only the couplings.
    ising = qhal.Ising(np.triu([[0, 7, 0], [0, 0, 7], [0, 0, 0.0]]), [0, 0.25, 0])
    qubo = qhal.Qubo.from_ising(ising)
    plain = qhal.get_oracle("exhaustive|precision(bits=4)")
    assert plain.sample(qubo, num_reads=1).info["precision"]["energy_error_rms"] > 0
    split = qhal.get_oracle("exhaustive|precision(bits=4, split=on, max_spins=24)")
    samples = split.sample(qubo, num_reads=1)
    assert samples.first[1] == minimum(qubo)
    about = samples.info["precision"]
    assert about["chain_bound"]
    assert 3 < about["spins"] <= 24
    assert about["energy_error_rms"] == 0
    assert plain.sample(qubo, num_reads=2).first[1] == minimum(qubo)


def test_splitting_keeps_to_the_size_of_the_machine():
    child = Sized(max_variables=14)
    qubo = random_qubo(6)
    oracle = Precision(child, bits=6, split=True)
    about = oracle.sample(qubo, seed=0).info["precision"]
    assert max(asked.num_variables for asked in child.asked) <= 14
    assert 6 <= about["range_bits"] < 16


def test_what_fits_is_not_split():
    child = Sized()
    whole = qhal.Ising(np.triu(np.full((5, 5), 3.0), 1), [1.0, -2, 3, -4, 5])
    about = Precision(child, bits=8, split=True).sample(whole, seed=0).info["precision"]
    assert child.asked[0].num_variables == 5
    assert "spins" not in about


# --- decompose ------------------------------------------------------------------------------------


@given(qubos(most=8), st.integers(1, 8), st.sampled_from(["energy-impact", "connected"]))
def test_blocks_fit_the_machine_and_energies_are_right(qubo, size, method):
    child = Sized(max_variables=size)
    samples = Decompose(child, method=method).sample(qubo, num_reads=5, seed=2)
    assert max((asked.num_variables for asked in child.asked), default=0) <= size
    assert (samples.energies == qubo.energies(samples.states)).all()
    assert 1 <= len(samples) <= max(5, 1)
    assert samples.lower_bound is None
    if size >= qubo.num_variables:
        assert samples.first[1] == pytest.approx(minimum(qubo), abs=tolerance(qubo))
    for asked, step in zip(child.asked, child.asked[1:], strict=False):
        # Each block starts from what the one before reached.
        assert minimum(step) <= minimum(asked) + tolerance(qubo)


@pytest.mark.parametrize("method", ["energy-impact", "connected"])
def test_a_problem_larger_than_the_machine(method):
    qubo = random_qubo(60, seed=3, density=0.2)
    child = Sized(max_variables=12)
    oracle = Decompose(child, method=method, passes=30)
    best = min(qhal.get_oracle("sa").sample(qubo, seed=s, num_reads=50).first[1] for s in range(3))
    found = min(oracle.sample(qubo, num_reads=10, seed=seed).first[1] for seed in range(6))
    assert found <= 0.97 * best
    start = qhal.get_oracle("random").sample(qubo, num_reads=1, seed=0).states
    from_start = oracle.sample(qubo, seed=1, initial_states=start)
    assert from_start.first[1] <= qubo.energies(start)[0]


def test_decompose_needs_a_size():
    with pytest.raises(qhal.InputError, match=r"say how large a block is .* decompose\(size=100\)"):
        qhal.get_oracle("sa|decompose")
    with pytest.raises(qhal.InputError, match="size must be at most 24"):
        Decompose(Sized(max_variables=24), size=25)
    with pytest.raises(qhal.InputError, match="method must be one of energy-impact, connected"):
        qhal.get_oracle("sa|decompose(size=3, method=random)")


# --- portfolio ------------------------------------------------------------------------------------


@given(qubos(), st.integers(0, 99))
def test_the_best_of_all(qubo, seed):
    samples = qhal.get_oracle("portfolio(random, exhaustive)").sample(qubo, num_reads=4, seed=seed)
    assert len(samples) == 4
    assert samples.first[1] == samples.lower_bound == pytest.approx(minimum(qubo))


def test_one_that_fails_costs_the_others_nothing():
    oracle = qhal.get_oracle("portfolio(random|noisy(errors=1), sa, exhaustive)")
    samples = oracle.sample(random_qubo(30), num_reads=3, seed=0)  # too large for exhaustive
    errors = ["error" in each for each in samples.info["portfolio"]["answers"]]
    assert errors == [True, False, True]
    assert samples.lower_bound is None
    with pytest.raises(TransientError, match="injected"):
        qhal.get_oracle("portfolio(random|noisy(errors=1))").sample(random_qubo(3), seed=0)


def test_what_a_portfolio_claims():
    info = Portfolio(Sized(5), qhal.get_oracle("sa"), qhal.get_oracle("random")).info
    assert info.exact
    assert not info.seeded
    assert info.accepts_initial_states
    assert info.max_variables is None
    assert qhal.get_oracle("sa|portfolio(random)").info.name == "portfolio(sa, random)"
    assert check_oracle("portfolio(steepest-descent, random)").passed
    with pytest.raises(qhal.InputError, match="needs oracles"):
        Portfolio()
