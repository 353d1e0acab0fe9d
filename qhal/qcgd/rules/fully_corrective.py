"""Fully corrective steps: re-weight every atom kept before asking for the next.

Holloway's extension of Frank-Wolfe (Math. Program. 6, 1974) on the quadratic penalty: over the
active set, minimise F'w + (beta/2) |R'w|^2 for w in the simplex; the multipliers are beta R'w.
They are the ones of least norm that lift every atom kept to one level, so a larger beta costs no
more penalty than the atoms ask for: beta doubles where it is what keeps answers infeasible.
"""

from __future__ import annotations

import math

import numpy as np

from qhal.problems.arrays import FloatArray
from qhal.qcgd.lifting import Atoms, Lifting
from qhal.qcgd.rules.rule import Rule

BETA0 = 3.0
MAX_BETA = 2.0**30
MAX_ATOMS = 200
RARE = 0.05
_ATOMS_A_ROUND = 10
_DESCENT_STEPS = 300


class FullyCorrective(Rule):
    """Keeps up to `MAX_ATOMS` atoms and their optimal weights.

    Beta doubles when an exact oracle answers with an infeasible atom that is kept already, and when
    fewer than `RARE` of a heuristic's samples are feasible.
    """

    memory = ("_beta", "_objectives", "_residuals", "_weights")
    growing = ("_objectives", "_residuals", "_weights")

    def __init__(self, lifting: Lifting, exact: bool, beta0: float = BETA0) -> None:
        self.multipliers: FloatArray = np.zeros(lifting.num_multipliers)
        self._exact = exact
        self._beta = beta0
        self._scales = lifting.residual_scales
        self._objectives = np.zeros(0)
        self._residuals = np.zeros((0, lifting.num_multipliers))
        self._weights = np.zeros(0)

    def update(self, atoms: Atoms, upper: float | None) -> None:
        """Add the round's lowest atoms, re-weight, drop what weighs least."""
        first = len(self._weights) == 0
        fresh = min(_ATOMS_A_ROUND, len(atoms.objectives))
        self._objectives = np.concatenate([self._objectives, atoms.objectives[:fresh]])
        self._residuals = np.vstack([self._residuals, atoms.residuals[:fresh] / self._scales])
        start = np.concatenate([self._weights, np.zeros(fresh)])
        if first:
            start[0] = 1.0
        elif self._known(atoms) if self._exact else atoms.feasible_share < RARE:
            self._beta = min(2.0 * self._beta, MAX_BETA)
        self._weights = _simplex_minimum(
            self._objectives, self._beta * (self._residuals @ self._residuals.T), start
        )
        keep = np.sort(np.argsort(-self._weights, kind="stable")[:MAX_ATOMS])
        self._objectives, self._residuals = self._objectives[keep], self._residuals[keep]
        self._weights = self._weights[keep] / self._weights[keep].sum()
        self.multipliers = self._beta * (self._weights @ self._residuals) / self._scales

    def _known(self, atoms: Atoms) -> bool:
        """Whether the lowest atom is infeasible and was there before this round."""
        same = (self._residuals == atoms.residuals[0] / self._scales).all(axis=1)
        same &= self._objectives == atoms.objectives[0]
        return not atoms.feasible[0] and int(same.sum()) > 1


def _simplex_minimum(linear: FloatArray, gram: FloatArray, start: FloatArray) -> FloatArray:
    """argmin linear'w + w'gram w / 2 over the simplex, by accelerated projected gradient."""
    step = 1.0 / max(float(np.linalg.eigvalsh(gram)[-1]), 1e-12)
    weights, point, momentum = start, start, 1.0
    for _ in range(_DESCENT_STEPS):
        moved = _project_to_simplex(point - step * (linear + gram @ point))
        following = (1.0 + math.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        point = moved + (momentum - 1.0) / following * (moved - weights)
        weights, momentum = moved, following
    return weights


def _project_to_simplex(point: FloatArray) -> FloatArray:
    """The nearest point with non-negative entries that add up to 1 (Held, Wolfe, Crowder 1974)."""
    descending = np.sort(point)[::-1]
    excess = (np.cumsum(descending) - 1.0) / np.arange(1, len(point) + 1)
    last = np.flatnonzero(descending > excess)[-1]
    return np.asarray(np.maximum(point - excess[last], 0.0))
