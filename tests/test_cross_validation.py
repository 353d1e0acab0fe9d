"""Every oracle on one family of problems: exact ones agree, heuristics are never below them.

``--oracle NAME`` (repeatable) narrows the run; a named oracle that is not installed fails.
"""

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import qhal
from qhal.reference import Exhaustive
from qhal.testing.problems import corners, magnitude

MAX_VARIABLES = 16


def random_dense(n, seed):
    rng = np.random.default_rng(seed)
    return qhal.Qubo(np.triu(rng.normal(size=(n, n))), float(rng.normal()))


def sherrington_kirkpatrick(n, seed):
    rng = np.random.default_rng(seed)
    couplings = np.triu(rng.choice([-1.0, 1.0], size=(n, n)), 1)
    return qhal.Qubo.from_ising(qhal.Ising(couplings, np.zeros(n)))


def max_cut(n, seed):
    """A random graph: minimise minus the number of edges cut."""
    rng = np.random.default_rng(seed)
    edges = np.triu(rng.random((n, n)) < 0.4, 1).astype(float)
    degrees = edges.sum(axis=0) + edges.sum(axis=1)
    return qhal.Qubo(2 * edges - np.diag(degrees))


def one_hot_groups(n, seed):
    """One bit of every four is to be set, at a cost, and that by a penalty."""
    groups = np.kron(np.eye(n // 4), np.ones((4, 4)))
    costs = np.random.default_rng(seed).integers(1, 10, n)
    return qhal.Qubo(25.0 * (np.triu(2 * groups, 1) - np.eye(n)) + np.diag(costs), 25.0 * (n // 4))


def sparse(n, seed):
    rng = np.random.default_rng(seed)
    keep = rng.random((n, n)) < 0.15
    return qhal.Qubo(np.triu(rng.integers(-9, 10, (n, n)) * keep).astype(float), 3.0)


def decimals(n, seed):
    rng = np.random.default_rng(seed)
    return qhal.Qubo(np.triu(np.round(rng.normal(size=(n, n)), 2)))


FAMILY = {
    f"{make.__name__} n={n} seed={seed}": make(n, seed)
    for make in (
        random_dense,
        sherrington_kirkpatrick,
        max_cut,
        one_hot_groups,
        sparse,
        decimals,
    )
    for n, seed in ((8, 0), (12, 1), (MAX_VARIABLES, 2))
} | dict(corners())

# Solved by any optimiser worth its name: few variables, or no frustration to speak of.
EASY = {name for name, qubo in FAMILY.items() if qubo.num_variables <= 8 or "sparse" in name}


@lru_cache(maxsize=len(FAMILY))
def minimum(name):
    return Exhaustive().sample(FAMILY[name], num_reads=1).first[1]


@pytest.mark.parametrize("problem", FAMILY)
def test_minimum(oracle_name, problem):
    oracle, qubo, least = qhal.get_oracle(oracle_name), FAMILY[problem], minimum(problem)
    tolerance = 1e-9 * magnitude(qubo)
    samples = oracle.sample(qubo, seed=1, num_reads=50)
    assert samples.energies.min() >= least - tolerance
    assert samples.energies == pytest.approx(qubo.energies(samples.states))
    if oracle.info.exact:
        assert samples.first[1] <= least + tolerance
        assert samples.lower_bound == pytest.approx(least, abs=tolerance)
    elif problem in EASY and oracle_name != "random":
        assert samples.first[1] <= least + tolerance


def test_spins_and_bits_have_the_same_minimum(oracle_name):
    qubo = random_dense(8, seed=5)
    oracle = qhal.get_oracle(oracle_name)
    bits, spins = (oracle.sample(p, seed=1, num_reads=200) for p in (qubo, qubo.to_ising()))
    least = Exhaustive().sample(qubo).first[1]
    if oracle_name != "random":
        assert bits.first[1] == pytest.approx(least)
        assert spins.first[1] == pytest.approx(least)
    assert spins.energies == pytest.approx(qubo.to_ising().energies(2 * spins.states - 1))


def whole_problem(seed):
    """Bits and an integer, a linear and a quadratic row; about every third has no solution."""
    rng = np.random.default_rng(seed)
    n = 7
    return qhal.Qcbo.from_arrays(
        np.triu(rng.integers(-4, 5, (n, n))),
        A_eq=[rng.integers(-2, 4, n)],
        b_eq=[int(rng.integers(-4, 9))],
        quadratic_constraints=[
            (np.triu(rng.integers(-1, 3, (n, n)), 1), None, "<=", int(rng.integers(-2, 4)))
        ],
        lower=[0] * (n - 1) + [-1],
        upper=[1] * (n - 1) + [2],
    )


@pytest.mark.parametrize("seed", range(12))
def test_exact_oracles_agree_on_constrained_problems(oracle_name, seed):
    oracle, problem = qhal.get_oracle(oracle_name), whole_problem(seed)
    answer, truth = oracle.solve_exactly(problem), Exhaustive().solve_exactly(problem)
    if answer is None:
        assert not oracle.info.exact
        return
    assert answer.status is truth.status
    assert answer.objective == truth.objective


def test_the_constrained_problems_are_of_both_kinds():
    statuses = {str(Exhaustive().solve_exactly(whole_problem(seed)).status) for seed in range(12)}
    assert statuses == {"optimal", "infeasible"}


def run_with_oracle(name):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    here = f"{Path(__file__)}::test_spins_and_bits_have_the_same_minimum"
    root = Path(__file__).parents[1]
    return subprocess.run(
        [*command, here, "--qhal-oracle", name],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_named_oracle_that_is_absent_fails():
    absent = run_with_oracle("nonesuch")
    assert absent.returncode == 1
    assert "no oracle 'nonesuch'" in absent.stdout
    present = run_with_oracle("exhaustive")
    assert present.returncode == 0
    assert "1 passed" in present.stdout
