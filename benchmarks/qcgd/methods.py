"""What is compared: QCGD's rules and the methods people use instead, all with the same reads.

Every method but CP-SAT makes the same calls to the same oracle, and every sample of every call is
harvested alike: slack bits recomputed, feasibility and objective exact, best kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qhal import Qcbo
from qhal.oracle import Oracle
from qhal.problems.arrays import FloatArray
from qhal.qcgd.direct import solve_directly
from qhal.qcgd.lifting import Atoms, Lifting
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import Run
from qhal.qcgd.rules import METHODS as OWN
from qhal.qcgd.rules import Rule
from qhal.qcgd.rules.frank_wolfe import FrankWolfe
from qhal.qcgd.rules.level import WARM_SHARE, Level
from qhal.registry import get_oracle

WEIGHTS = 2.0 ** np.arange(-4, 8)
BETAS = (0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True)
class Outcome:
    """One run. `raw_path` is the best raw objective after each call; None: nothing feasible."""

    raw: float | None
    polished: float | None
    time_s: float
    oracle_time_s: float = 0.0
    calls: int = 0
    certified: bool = False
    range_bits: float = 0.0
    feasible_share: float = 0.0
    raw_path: list[float | None] = field(default_factory=list)


class Penalty(Rule):
    """Fixed weights on the squared rows, one after the other, in units of a typical flip."""

    def __init__(self, lifting: Lifting, weights: FloatArray) -> None:
        self._signed, self._weights, self._round = lifting.signed, weights, 0
        self.multipliers = weights[0] * self._signed

    def update(self, atoms: Atoms, upper: float | None) -> None:
        """The next weight."""
        self._round += 1
        self.multipliers = self._weights[self._round % len(self._weights)] * self._signed


class WarmPenalty(Penalty):
    """The same with the warm starts of `level`, to tell what these do from what the rule does."""

    warm_share = WARM_SHARE


class ColdLevel(Level):
    """The default rule without its warm starts."""

    warm_share = 0.0


class WholeLevel(Level):
    """The default rule with every call about the whole problem."""

    reduces = False


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


def solve(
    method: str,
    problem: Qcbo,
    oracle: Oracle,
    limits: Limits,
    num_reads: int,
    seed: int,
) -> Outcome:
    """One run of `method` (see `METHODS`, and `solve_cpsat`)."""
    start = time.perf_counter()
    if method == "random-polish":
        oracle = get_oracle("random")
    own = method if method in OWN else "level"
    run = Run(problem, oracle, own, num_reads, limits, True, seed)
    if method in RULES:
        run.rule = RULES[method](run.lifting)
        run.rule.multipliers = run.lifting.on_grid(run.rule.multipliers)
    solution = run.run(None, None)
    history = solution.history
    return Outcome(
        solution.raw_objective,
        solution.objective,
        time.perf_counter() - start,
        solution.oracle_time_s,
        solution.oracle_calls,
        solution.certified,
        float(np.mean([state["range_bits"] for state in history])),
        float(np.mean([state["feasible_share"] for state in history])),
        [state["raw_incumbent"] for state in history],
    )


def solve_cpsat(problem: Qcbo, seconds: float, seed: int) -> Outcome:
    """CP-SAT on the whole problem with `seconds` of wall time and one worker."""
    limits = Limits(time_limit=max(seconds, 0.05))
    solution = solve_directly(problem, get_oracle("cpsat"), limits, seed)
    return Outcome(
        solution.objective,
        solution.objective,
        solution.total_time_s,
        calls=1,
        certified=solution.certified,
    )


RULES: Mapping[str, Callable[[Lifting], Any]] = {
    "level, cold": lambda lifting: ColdLevel(lifting, False),
    "level, whole": lambda lifting: WholeLevel(lifting, False),
    "penalty-sweep": lambda lifting: Penalty(lifting, WEIGHTS),
    "penalty-sweep, warm": lambda lifting: WarmPenalty(lifting, WEIGHTS),
    "penalty-safe": lambda lifting: Penalty(lifting, np.array([safe_weight(lifting)])),
    "augmented-lagrangian": AugmentedLagrangian,
    **{
        f"published {b:g}": lambda lifting, b=b: FrankWolfe(lifting, b, line_search=False)
        for b in BETAS
    },
    "frank-wolfe, no dual": lambda lifting: FrankWolfe(lifting, dual=False),
}
# Q-FW's own steps, 2 / (t + 1), with each beta0.
PUBLISHED = tuple(f"published {b:g}" for b in BETAS)
PARTS = ("level", "level, cold", "penalty-sweep, warm", "frank-wolfe", "frank-wolfe, no dual")
COMPARED = (*OWN, "penalty-sweep", "augmented-lagrangian")
# CP-SAT comes last, as its time is that of `level`.
METHODS = (*COMPARED, "penalty-safe", "random-polish", "cpsat")
