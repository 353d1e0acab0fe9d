"""The default rule: a level cutting-plane method on the multipliers.

Each infeasible state of low energy is a cut that the next multipliers must lift to the level
U + DELTA, at the least change of the multipliers (level bundle methods: Lemarechal, Nemirovskii,
Nesterov, Math. Program. 69, 1995; the rules for U, the margin and the decay are ours).
"""

from __future__ import annotations

import math

import numpy as np

from qhal.problems.arrays import FloatArray, distinct_rows
from qhal.qcgd.lifting import Atoms, Lifting
from qhal.qcgd.rules.rule import Rule

START = 3.0
LEAST_START = 0.25
DELTA = 0.3
DECAY = 0.97
STEP, LEAST_STEP = 0.4, 0.05
RARE, PLENTY = 0.05, 0.9
MARGIN = 20.0
THETA = 0.5
MAX_CUTS = 500
CUTS_A_ROUND = 10
RAMP = 1.5
WARM_SHARE = 0.3
_ASCENT_PASSES = 60
_ASCENT_TOLERANCE = 1e-3


class Level(Rule):
    """Multipliers as the projection of the last ones on the cuts' half-spaces.

    With an exact oracle every cut is lifted all the way and nothing decays, so the minimum energy
    climbs to the optimum; with a heuristic one, half the way, and unneeded multipliers shrink.
    It starts from a penalty: each squared row, at its typical size, weighs three objective flips,
    and at one bit's coefficient at least a quarter, as long rows would begin far too weak.
    """

    warm_share = WARM_SHARE
    reduces = True
    memory = (
        "_margin",
        "_round",
        "_stalled",
        "_step",
        "_best_upper",
        "_objectives",
        "_residuals",
    )
    growing = ("_objectives", "_residuals")

    def __init__(self, lifting: Lifting, exact: bool) -> None:
        self._signed = lifting.signed
        self._units = lifting.residual_units
        self._misses = lifting.misses
        scales = np.minimum(lifting.residual_scales, START / LEAST_START * self._units)
        self.multipliers: FloatArray = START * lifting.signed / scales
        self._theta = 1.0 if exact else THETA
        self._exact = exact
        self._margin = MARGIN
        self._round = 0
        self._stalled = 0
        self._step = 0.0
        self._best_upper = np.inf
        self._objectives = np.zeros(0)
        self._residuals = np.zeros((0, lifting.num_multipliers))

    def update(self, atoms: Atoms, upper: float | None) -> None:
        """Add cuts, adapt the penalty, project."""
        self._round += 1
        energies = atoms.energies(self.multipliers)
        level = self._upper(energies, upper, self._flips_missing(atoms))
        self._stalled = 0 if level < self._best_upper and upper is not None else self._stalled + 1
        if upper is not None:
            self._best_upper = min(self._best_upper, upper)
        start, share = self.multipliers, atoms.feasible_share
        near = ~atoms.feasible & (energies < level + self._margin)
        weak = self.insists and upper is not None and share < RARE and bool(near.any())
        if not self._exact and upper is not None and (self._stalled >= 2 or share > PLENTY):
            start = self._adapt(share, atoms.residuals[near] if weak else None)
        if not self._exact and not weak:
            start = DECAY * start
        self._add_cuts(atoms, energies, level + DELTA)
        self.multipliers = self._project(start, level + DELTA)

    def _flips_missing(self, atoms: Atoms) -> float:
        """About how many bits the lowest sample is from meeting its worst row; at least 1."""
        m = int((~self._signed).sum())
        off = np.abs(atoms.residuals[0, :m]) / self._units[:m]
        return max(1.0, float(off.max(initial=0.0)))

    def _upper(self, energies: FloatArray, upper: float | None, flips: float) -> float:
        """The best feasible objective, or a ramp above the lowest energy while there is none.

        Each of the `flips` to a feasible state is worth about one unit. The lowest energy is that
        of the cuts, if there are any: a round of poor samples must not lift the level to theirs.
        """
        if upper is not None:
            return upper
        cuts = self._objectives + self._residuals @ self.multipliers
        lowest = float(cuts.min() if len(cuts) else energies.min())
        return lowest + flips * RAMP ** min(self._round, 20)

    def _adapt(self, feasible_share: float, near: FloatArray | None) -> FloatArray:
        """Stronger multipliers if feasible states are rare, else weaker ones.

        `near` are residuals of infeasible samples that lie less than the margin above the level,
        None unless they matter: an oracle that errs may prefer them. Then lambda and nu grow
        together, of all that these samples violate. Cuts alone lift what was seen by moving mu as
        well, which lowers states on the other side of the row that nobody has seen, and with
        hundreds of rows there is no end to it. What nobody violates need not grow: it would only
        stand in the oracle's way.
        """
        self._stalled = 0
        if feasible_share < RARE:
            if near is None:
                return self.multipliers
            violated = self._signed & (np.abs(near) > self._misses).any(axis=0)
            return self.multipliers * np.where(violated, self._factor(+1), 1.0)
        self._margin /= 2.0
        # What an earlier, weaker penalty let through would undo the relaxation.
        self._objectives, self._residuals = self._objectives[:0], self._residuals[:0]
        return self._factor(-1) * self.multipliers

    def _factor(self, direction: int) -> float:
        """exp of a step that halves whenever it turns round.

        The best states are found where the penalty has just ceased to be too weak: steps of one
        size would jump over that point for ever.
        """
        if self._step * direction < 0:
            self._step = direction * max(abs(self._step) / 2.0, LEAST_STEP)
        elif not self._step:
            self._step = direction * STEP
        return math.exp(self._step)

    def _add_cuts(self, atoms: Atoms, energies: FloatArray, level: float) -> None:
        wanted = np.flatnonzero(~atoms.feasible & (energies < level))
        wanted = wanted[np.argsort(energies[wanted], kind="stable")]
        first, _ = distinct_rows(atoms.residuals[wanted])
        lowest = wanted[np.sort(first)][:CUTS_A_ROUND]
        self._objectives = np.concatenate([self._objectives, atoms.objectives[lowest]])[-MAX_CUTS:]
        self._residuals = np.vstack([self._residuals, atoms.residuals[lowest]])[-MAX_CUTS:]

    def _project(self, start: FloatArray, level: float) -> FloatArray:
        """argmin |y - start|^2 / 2 with every cut lifted and lambda, nu >= 0."""
        if not len(self._objectives):
            return start
        present = self._objectives + self._residuals @ self.multipliers
        goals = np.where(present < level, present + self._theta * (level - present), level)
        sides = goals - self._objectives
        scaled = self._residuals / self._units
        moved = project(start * self._units, scaled, sides, self._signed)
        return moved / self._units


def project(
    start: FloatArray,
    normals: FloatArray,
    sides: FloatArray,
    signed: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> FloatArray:
    """argmin |y - start|^2 / 2 subject to ``normals @ y >= sides`` and y >= 0 where `signed`.

    Dual coordinate ascent (Hildreth, Naval Res. Logist. Q. 4, 1957) with the sign constraints kept
    by clipping; passes look only at cuts that are violated or active. Stops after 60 passes or when
    no cut is violated by more than a thousandth, which is as exact as the method needs.
    """
    squares = np.einsum("ij,ij->i", normals, normals)
    duals = np.zeros(len(sides))
    free = start.copy()

    def clipped() -> FloatArray:
        return np.where(signed, np.maximum(free, 0.0), free)

    for _ in range(_ASCENT_PASSES):
        missing = sides - normals @ clipped()
        visit = np.flatnonzero((squares > 0) & ((missing > 0) | (duals > 0)))
        if not len(visit) or missing[squares > 0].max() <= _ASCENT_TOLERANCE:
            break
        for k in visit[np.argsort(-missing[visit], kind="stable")]:
            gain = (sides[k] - normals[k] @ clipped()) / squares[k]
            change = max(gain, -duals[k])
            duals[k] += change
            free += change * normals[k]
    return clipped()
