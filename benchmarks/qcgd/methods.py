"""What is compared: QCGD's rules and the methods people use instead, all with the same reads.

Every method but CP-SAT makes `CALLS` calls of `READS` reads to the same oracle, and every sample of
every call is harvested alike: slack bits recomputed, feasibility and objective exact, best kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qhal import Qcbo
from qhal.problems.arrays import FloatArray
from qhal.qcgd.direct import solve_directly
from qhal.qcgd.lifting import Atoms, Lifting
from qhal.qcgd.loop import Limits, Run
from qhal.qcgd.rules import Rule
from qhal.qcgd.rules.frank_wolfe import FrankWolfe
from qhal.registry import get_oracle

CALLS, READS = 24, 50
WEIGHTS = 2.0 ** np.arange(-4, 8)
BETAS = (0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True)
class Outcome:
    """One run: objectives (None: nothing feasible), calls until the first feasible sample, time."""

    raw: float | None
    polished: float | None
    first_feasible_call: int | None
    time_s: float
    oracle_time_s: float = 0.0


class Penalty(Rule):
    """Fixed weights on the squared rows, one after the other, in units of a typical flip."""

    def __init__(self, lifting: Lifting, weights: FloatArray) -> None:
        self._signed, self._weights, self._round = lifting.signed, weights, 0
        self.multipliers = weights[0] * self._signed

    def update(self, atoms: Atoms, upper: float | None) -> None:
        """The next weight."""
        self._round += 1
        self.multipliers = self._weights[self._round % len(self._weights)] * self._signed


class AugmentedLagrangian(Rule):
    """Hestenes and Powell's method on the bits themselves: no lift, one point for each update."""

    def __init__(self, lifting: Lifting, start: float = 0.5, growth: float = 1.2) -> None:
        self._rows = int((~lifting.signed).sum())
        self._signed, self._growth = lifting.signed, growth
        self._penalty = start
        self.multipliers = start * self._signed

    def update(self, atoms: Atoms, upper: float | None) -> None:
        """mu += 2 rho r at the lowest sample, and rho grows while that is infeasible."""
        residuals = atoms.residuals[0][: self._rows]
        step = np.zeros(len(self.multipliers))
        step[: self._rows] = 2 * self._penalty * residuals
        if not atoms.feasible[0]:
            self._penalty *= self._growth
        mu = self.multipliers * ~self._signed
        self.multipliers = mu + step + self._penalty * self._signed


def safe_weight(lifting: Lifting) -> float:
    """A penalty that no infeasible state can beat: the objective's whole range."""
    matrix = abs(lifting.program.objective.matrix)
    return float(matrix.sum()) / lifting.scale + 1.0


def solve(method: str, problem: Qcbo, oracle: str, options: dict, seed: int) -> Outcome:
    """One run of `method` (see `METHODS`)."""
    start = time.perf_counter()
    if method == "random-polish":
        oracle, options = "random", {}
    limits = Limits(iterations=CALLS)
    rule = "level" if method == "random-polish" else method
    name = rule if rule in ("level", "fully-corrective", "frank-wolfe") else "level"
    run = Run(problem, get_oracle(oracle, **options), name, READS, limits, True, seed)
    if method in RULES:
        run.rule = RULES[method](run.lifting)
    solution = run.run(None, None)
    first = next((s["iteration"] for s in solution.history if s["feasible_share"] > 0), None)
    return Outcome(
        solution.raw_objective,
        solution.objective,
        first,
        time.perf_counter() - start,
        solution.oracle_time_s,
    )


def solve_cpsat(problem: Qcbo, seconds: float, seed: int) -> Outcome:
    """CP-SAT on the whole problem with `seconds` of wall time and one worker."""
    limits = Limits(time_limit=max(seconds, 0.05))
    solution = solve_directly(problem, get_oracle("cpsat"), limits, seed)
    return Outcome(solution.objective, solution.objective, None, solution.total_time_s)


RULES: dict[str, Callable[[Lifting], Rule]] = {
    "penalty-safe": lambda lifting: Penalty(lifting, np.array([safe_weight(lifting)])),
    "penalty-sweep": lambda lifting: Penalty(lifting, WEIGHTS),
    "augmented-lagrangian": AugmentedLagrangian,
    **{f"frank-wolfe {b:g}": lambda lifting, b=b: FrankWolfe(lifting, b) for b in BETAS},
}
METHODS = ("level", "fully-corrective", *RULES, "random-polish")
