"""QCGD on oracles that err: it needs more calls, and loses nothing that it had."""

from __future__ import annotations

import numpy as np
import pytest

from qhal.oracle import Oracle, OracleInfo
from qhal.problems import Qcbo, Qubo
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import run
from qhal.registry import get_oracle
from tests.problems.strategies import all_values


def assignment(seed: int) -> Qcbo:
    rng = np.random.default_rng(seed)
    rows = np.vstack([np.kron(np.eye(3), np.ones(3)), np.kron(np.ones(3), np.eye(3))])
    return Qcbo.from_arrays(np.triu(rng.integers(0, 9, (9, 9))), A_eq=rows, b_eq=np.ones(6))


def knapsack(seed: int) -> Qcbo:
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 20, 9)
    profits = np.triu(rng.integers(0, 20, (9, 9)))
    return Qcbo.from_arrays(-profits, A_le=[weights], b_le=[int(weights.sum() // 2)])


def optimum(problem: Qcbo) -> float:
    values = all_values(problem)
    return float(problem.objectives(values)[problem.feasible(values)].min())


class Disturbed(Oracle):
    """The minimum of coefficients with errors of `sigma` times the largest, new at each read."""

    def __init__(self, sigma: float) -> None:
        self._sigma = sigma
        self.info = OracleInfo(name="disturbed", summary="", factory="", seeded=True)

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        rng = np.random.default_rng(seed)
        dense = qubo.matrix.toarray() if qubo.is_sparse else qubo.matrix
        n = qubo.num_variables
        states = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.int8)
        scale = self._sigma * np.abs(dense).max()
        found = []
        for _ in range(num_reads):
            seen = Qubo(dense + np.triu(rng.normal(scale=scale, size=dense.shape)))
            found.append(states[seen.energies(states).argmin()])
        return np.array(found)


def check(solution, problem: Qcbo) -> None:
    """What no noise may break: the best is kept, it is feasible, and nothing is called proved."""
    assert not solution.certified
    for key in ("incumbent", "raw_incumbent"):
        kept = [state[key] for state in solution.history if state[key] is not None]
        assert (np.diff(kept) <= 0).all()
    assert problem.feasible(solution.values()).all()
    assert problem.objectives(solution.values())[0] == solution.objective


@pytest.mark.parametrize("make", [assignment, knapsack])
@pytest.mark.parametrize("fault", ["wrong=0.3", "wrong=0.7", "bit_errors=0.05"])
def test_wrong_answers_cost_calls_not_results(make, fault: str) -> None:
    for seed in range(3):
        problem = make(seed)
        oracle = get_oracle(f"exhaustive|noisy({fault}, seed={seed})")
        solution = run(problem, oracle, num_reads=20, seed=seed, limits=Limits(iterations=60))
        check(solution, problem)
        assert solution.objective == optimum(problem)


def test_more_noise_needs_more_calls() -> None:
    """Means over problems; a wrong call in two takes about twice as many."""
    calls = []
    for wrong in (0.0, 0.5, 0.8):
        total = 0
        for seed in range(12):
            problem = knapsack(seed)
            oracle = get_oracle(f"exhaustive|noisy(wrong={wrong}, seed={seed})")
            limits = Limits(iterations=200, target=optimum(problem))
            solution = run(problem, oracle, num_reads=4, seed=seed, limits=limits, polish=False)
            assert solution.objective == optimum(problem)
            total += solution.oracle_calls
        calls.append(total)
    assert calls[0] < calls[1] < calls[2]
    assert calls[1] < 6 * calls[0]


@pytest.mark.parametrize("sigma", [0.01, 0.1])
def test_energies_with_a_variance_leave_feasible_solutions(sigma: float) -> None:
    for seed in range(3):
        problem = assignment(seed)
        solution = run(problem, Disturbed(sigma), num_reads=10, seed=seed)
        check(solution, problem)
        assert solution.objective == optimum(problem)


@pytest.mark.parametrize("bits", [4, 6, 8, 10])
@pytest.mark.parametrize("make", [assignment, knapsack])
def test_machines_of_few_bits_find_feasible_samples(make, bits: int) -> None:
    problem = make(bits)
    oracle = get_oracle("cim", coefficient_bits=bits, num_steps=60)
    solution = run(problem, oracle, num_reads=20, seed=0, limits=Limits(iterations=25))
    check(solution, problem)
    assert solution.raw_objective is not None
    assert solution.objective == optimum(problem)
