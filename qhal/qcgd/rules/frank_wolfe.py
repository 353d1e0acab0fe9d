"""The plain schedule: conditional gradient with an augmented Lagrangian.

Q-FW's FWAL (Yurtsever, Birdal, Golyanik, arXiv:2203.12633, algorithm 1) and CGAL (Yurtsever,
Fercoq, Cevher, ICML 2019): step eta_t = 2/(t+1), penalty beta_t = beta0 sqrt(t+1), and a dual step
gamma_t bounded so that gamma_t |r|^2 <= beta_t eta_t^2 D^2, which keeps the multipliers from
running away. Only the residual of the running average is kept: r <- (1 - eta) r + eta r(w).
Residuals are scaled to order one first, as CGAL asks of its constraint map.
"""

from __future__ import annotations

import math

import numpy as np

from qhal.problems.arrays import FloatArray
from qhal.qcgd.lifting import Atoms, Lifting
from qhal.qcgd.rules.rule import Rule

BETA0 = 3.0


class FrankWolfe(Rule):
    """Averages one atom a round; its multipliers are dual variable plus penalty gradient."""

    memory = ("_round", "_dual", "_mean", "_diameter")

    def __init__(self, lifting: Lifting, beta0: float = BETA0) -> None:
        self.multipliers: FloatArray = np.zeros(lifting.num_multipliers)
        self._beta0 = beta0
        self._scales = lifting.residual_scales
        self._round = 0
        self._dual = np.zeros(lifting.num_multipliers)
        self._mean = np.zeros(lifting.num_multipliers)
        self._diameter = 0.0

    def update(self, atoms: Atoms, upper: float | None) -> None:
        """Average in the lowest atom, then step the dual variable."""
        self._round += 1
        eta = 2.0 / (self._round + 1)
        beta = self._beta0 * math.sqrt(self._round + 1)
        step = atoms.residuals[0] / self._scales - self._mean
        self._diameter = max(self._diameter, float(step @ step))
        self._mean = self._mean + eta * step
        square = float(self._mean @ self._mean)
        bounded = beta * eta**2 * self._diameter / square if square > 0 else math.inf
        self._dual = self._dual + min(self._beta0, bounded) * self._mean
        self.multipliers = (self._dual + beta * self._mean) / self._scales
