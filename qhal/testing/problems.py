"""Small QUBOs whose every energy is known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from qhal.problems import Qubo
from qhal.problems.arrays import FloatArray, States


def all_states(n: int) -> States:
    """Every state of `n` bits, (2^n, n), the first bit counting most."""
    codes = np.arange(2**n, dtype=np.int64)
    return ((codes[:, np.newaxis] >> np.arange(n - 1, -1, -1)) & 1).astype(np.int8)


def magnitude(qubo: Qubo) -> float:
    """The sum of all magnitudes: what rounding errors of energies are relative to."""
    return float(abs(qubo.matrix).sum()) + abs(qubo.offset)


def tolerance(qubo: Qubo) -> float:
    """By how much energies of `qubo` that are equal may differ."""
    return 1e-9 * magnitude(qubo)


def dense(n: int, seed: int) -> Qubo:
    """Normally distributed coefficients, fields and couplings of like weight."""
    rng = np.random.default_rng(seed)
    return Qubo(np.triu(rng.normal(size=(n, n))), float(rng.normal()))


def corners() -> Iterator[tuple[str, Qubo]]:
    """The cases at which conversions break, each with its name."""
    isolated = np.zeros((4, 4))
    isolated[0, 2] = -1.0
    yield "no variables", Qubo(np.zeros((0, 0)), 1.5)
    yield "one variable that should be 0", Qubo(np.array([[2.0]]), -1.0)
    yield "one variable that should be 1", Qubo(np.array([[-2.0]]))
    yield "all coefficients zero", Qubo(np.zeros((3, 3)))
    yield "nothing but an offset", Qubo(np.zeros((3, 3)), -7.25)
    yield "isolated variables", Qubo(isolated)
    yield "coefficients of 1e-300", Qubo(1e-300 * np.array([[1.0, -3.0], [0.0, 1.0]]))
    yield "coefficients of 1e300", Qubo(1e300 * np.array([[1.0, -3.0], [0.0, 1.0]]))
    yield "1e300 beside 1e-300", Qubo(np.array([[1e300, 1e-300], [0.0, -1e-300]]))


def structured(n: int) -> Iterator[tuple[str, Qubo]]:
    """One problem of each structure that users bring, n >= 3, each with its name."""
    rng = np.random.default_rng(n)
    whole = np.triu(rng.integers(-5, 6, (n, n))).astype(float)
    yield "whole numbers", Qubo(whole, 3.0)
    yield "real numbers", dense(n, seed=1)
    yield "sparse", Qubo(whole * (rng.random((n, n)) < 0.3))
    one_hot = 40.0 * (np.triu(np.ones((n, n)), 1) - np.eye(n) / 2)
    yield "one-hot penalty", Qubo(one_hot + np.diag(rng.normal(size=n)), 20.0)
    signs = np.triu(rng.choice([-1.0, 1.0], size=(n, n)), 1)
    degrees = signs.sum(axis=0) + signs.sum(axis=1)
    yield "spin glass", Qubo(4 * signs - 2 * np.diag(degrees))


def revealing(n: int, seed: int) -> tuple[Qubo, FloatArray]:
    """A QUBO on which all usual wrong answers are worse than the median, with its energies sorted.

    Wrong answers: all zeros, all ones, every bit of the optimum flipped (the other sign of spins),
    the optimum's variables in reverse order, and the optimum without couplings.
    """
    matrix, energies = _revealing(n, seed)
    return Qubo(matrix), energies


@lru_cache(maxsize=32)
def _revealing(n: int, seed: int) -> tuple[FloatArray, FloatArray]:
    states = all_states(n)
    rng = np.random.default_rng(seed)
    while True:
        qubo = Qubo(np.triu(rng.normal(size=(n, n))))
        energies = qubo.energies(states)
        best = states[np.argmin(energies)]
        no_couplings = (qubo.linear < 0).astype(np.int8)
        wrong = np.array([0 * best, 0 * best + 1, 1 - best, best[::-1], no_couplings])
        if (qubo.energies(wrong) > np.median(energies)).all():
            return np.array(qubo.matrix), np.sort(energies)


def rank(energy: float, sorted_energies: npt.NDArray[np.float64]) -> float:
    """The share of states with lower energy: 0 for the minimum, towards 1 for the maximum."""
    slack = 1e-9 * float(np.abs(sorted_energies).max())
    return float(np.searchsorted(sorted_energies, energy - slack)) / len(sorted_energies)
