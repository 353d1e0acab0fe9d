"""The two oracles of the core: the truth, and chance."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qhal
from qhal.samples import Status

EXHAUSTIVE = qhal.get_oracle("exhaustive")
RANDOM = qhal.get_oracle("random")


@given(st.integers(1, 14), st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_exhaustive_returns_the_lowest_states(n, seed, num_reads):
    matrix = np.triu(np.random.default_rng(seed).integers(-5, 6, (n, n)))
    samples = EXHAUSTIVE.sample(qhal.Qubo(matrix), num_reads=num_reads)
    states = np.array(list(itertools.product((0, 1), repeat=n)))
    energies = np.sort(np.einsum("ki,ij,kj->k", states, matrix, states))
    assert samples.energies.tolist() == energies[: len(samples)].tolist()
    assert len(samples) == min(num_reads, 2**n)
    assert len(np.unique(samples.states, axis=0)) == len(samples)
    assert samples.lower_bound == energies[0]


def test_exhaustive_out_of_time_proves_nothing():
    qubo = qhal.Qubo(np.triu(np.random.default_rng(0).normal(size=(20, 20))))
    samples = EXHAUSTIVE.sample(qubo, time_limit=1e-9)
    assert samples.info["proved"] is False
    assert samples.lower_bound is None
    # One block of states is the whole problem: there is nothing left to prove.
    small = EXHAUSTIVE.sample(qhal.Qubo(qubo.matrix[:8, :8]), time_limit=1e-9)
    assert small.info["proved"] is True


@given(st.integers(0, 2**32 - 1))
def test_exhaustive_solves_whole_problems(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    lower = rng.integers(-3, 1, n)
    upper = lower + rng.integers(0, 4, n)
    problem = qhal.Qcbo.from_arrays(
        np.triu(rng.integers(-3, 4, (n, n))),
        rng.integers(-3, 4, n),
        A_le=[rng.integers(-2, 3, n)],
        b_le=[int(rng.integers(-4, 4))],
        lower=lower,
        upper=upper,
    )
    answer = EXHAUSTIVE.solve_exactly(problem)
    ranges = (range(low, high + 1) for low, high in zip(lower, upper, strict=True))
    feasible = [x for x in itertools.product(*ranges) if problem.feasible(x)[0]]
    if not feasible:
        assert answer.status is Status.INFEASIBLE
        assert answer.values is answer.objective is answer.lower_bound is None
        return
    least = min(float(problem.objectives(x)[0]) for x in feasible)
    assert answer.status is Status.OPTIMAL
    assert answer.objective == answer.lower_bound == least
    assert tuple(answer.values) in feasible
    assert problem.objectives(answer.values)[0] == least


def test_exhaustive_declines_whole_problems_beyond_its_reach():
    assert EXHAUSTIVE.solve_exactly(qhal.Qcbo.from_arrays(linear=np.ones(21))) is None
    wide = qhal.Qcbo.from_arrays(linear=[1.0], upper=[2**20])
    assert EXHAUSTIVE.solve_exactly(wide) is None
    assert RANDOM.solve_exactly(qhal.Qcbo.from_arrays(linear=[1.0])) is None


def test_exhaustive_out_of_time_on_a_whole_problem():
    problem = qhal.Qcbo.from_arrays(linear=-np.ones(20))
    answer = EXHAUSTIVE.solve_exactly(problem, time_limit=1e-3)
    assert answer.lower_bound is None
    if answer.values is None:
        assert answer.status is Status.NO_FEASIBLE_SOLUTION_FOUND
    else:
        assert answer.status is Status.FEASIBLE
        assert problem.objectives(answer.values)[0] == answer.objective


def test_random_is_fair():
    states = RANDOM.sample(qhal.Qubo(np.zeros((10, 10))), num_reads=4000, seed=1).states
    assert states.mean(axis=0) == pytest.approx(0.5, abs=0.05)
    assert abs(np.corrcoef(states.T) - np.eye(10)).max() < 0.1
