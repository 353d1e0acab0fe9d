"""Conditional gradient with an augmented Lagrangian: the published line.

Q-FW's FWAL (Yurtsever, Birdal, Golyanik, arXiv:2203.12633, algorithm 1) and CGAL (Yurtsever,
Fercoq, Cevher, ICML 2019): penalty beta_t = beta0 sqrt(t+1), and a dual step gamma_t bounded so
that gamma_t |r|^2 <= beta_t eta_t^2 D^2, which keeps the multipliers from running away. Without
the dual variable it is Q-FW's other algorithm, HCGM (Yurtsever, Fercoq, Locatello, Cevher, ICML
2018). Only objective and residual of the running average are kept: r <- (1 - eta) r + eta r(w).
Residuals are scaled to order one first, as CGAL asks of its constraint map.

The step eta_t is 2/(t+1), or by line search: the augmented Lagrangian is a parabola along any
direction, so its least point in [0, 1] is known (CGAL, section 3.2). The bounds in T hold for both;
the line search finds better samples. Away and pairwise steps (Lacoste-Julien, Jaggi, NeurIPS 2015)
gained nothing beyond it, see benchmarks/qcgd/RESULTS.md.
"""

from __future__ import annotations

import math

import numpy as np

from qhal.problems.arrays import FloatArray
from qhal.qcgd.lifting import Atoms, Lifting
from qhal.qcgd.rules.rule import Rule

BETA0 = 3.0


class FrankWolfe(Rule):
    """Averages one atom a round; its multipliers are dual variable plus penalty gradient.

    Parameters
    ----------
    beta0 : penalty of the first round, > 0, in units of a typical flip
    line_search : whether steps are by line search, or 2 / (t + 1)
    dual : whether there is a dual variable (FWAL, CGAL) or the penalty alone (HCGM)
    """

    memory = ("_round", "_dual", "_mean", "_objective", "_diameter")

    def __init__(
        self,
        lifting: Lifting,
        beta0: float = BETA0,
        *,
        line_search: bool = True,
        dual: bool = True,
    ) -> None:
        self.multipliers: FloatArray = np.zeros(lifting.num_multipliers)
        self._beta0, self._line_search, self._with_dual = beta0, line_search, dual
        self._scales = lifting.residual_scales
        self._round = 0
        self._dual = np.zeros(lifting.num_multipliers)
        self._mean = np.zeros(lifting.num_multipliers)
        self._objective = 0.0
        self._diameter = 0.0

    def update(self, atoms: Atoms, upper: float | None) -> None:
        """Average in the lowest atom, then step the dual variable."""
        self._round += 1
        eta = 2.0 / (self._round + 1)
        beta = self._beta0 * math.sqrt(self._round + 1)
        step = atoms.residuals[0] / self._scales - self._mean
        change = float(atoms.objectives[0]) - self._objective
        length = self._step(step, change, beta) if self._line_search and self._round > 1 else eta
        self._diameter = max(self._diameter, float(step @ step))
        self._mean = self._mean + length * step
        self._objective += length * change
        square = float(self._mean @ self._mean)
        if self._with_dual and square > 0:
            bounded = beta * eta**2 * self._diameter / square
            self._dual = self._dual + min(self._beta0, bounded) * self._mean
        self.multipliers = (self._dual + beta * self._mean) / self._scales

    def _step(self, step: FloatArray, change: float, beta: float) -> float:
        """argmin over [0, 1] of the augmented Lagrangian from the average towards the atom."""
        slope = change + float((self._dual + beta * self._mean) @ step)
        curvature = beta * float(step @ step)
        if slope >= 0:
            return 0.0
        return min(1.0, -slope / curvature) if curvature > 0 else 1.0
