"""Looking at every sample: complete it, check it exactly, keep the best."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from qhal.problems.arrays import FloatArray, States, distinct_rows
from qhal.problems.program import BinaryProgram
from qhal.problems.qcbo import Values
from qhal.qcgd.lifting import Atoms, Lifting
from qhal.qcgd.polish import Polish

Observer: TypeAlias = Callable[[Values, FloatArray], None]


@dataclass
class Incumbent:
    """The best feasible values found so far; `objective` is None while there are none."""

    objective: float | None = None
    values: Values | None = None

    def offer(self, objectives: FloatArray, values: Values) -> bool:
        """Take the best of feasible `values` (k, n) if it is better; whether it was."""
        if not len(objectives):
            return False
        k = int(np.argmin(objectives))
        if self.objective is not None and objectives[k] >= self.objective:
            return False
        self.objective, self.values = float(objectives[k]), values[k].copy()
        return True


class Harvest:
    """The incumbents of a run; an observer sees every round's completed values and objectives.

    `raw` counts only samples whose primary bits the oracle itself returned feasible; `best` also
    those made feasible by the problem's completion, and the polished ones. `nearest` is the least
    violated sample, for a run that finds nothing feasible.
    """

    def __init__(
        self,
        lifting: Lifting,
        polish: bool,
        observer: Observer | None = None,
        deadline: float = math.inf,
    ) -> None:
        self.lifting = lifting
        self._observer, self._deadline = observer, deadline
        self.raw = Incumbent()
        self.best = Incumbent()
        self.nearest: tuple[float, Values] | None = None
        source = self._source = lifting.program.source
        binary = bool(((source.lower >= 0) & (source.upper <= 1)).all())
        self._polish = Polish(source) if polish and binary and source.completion is None else None

    @property
    def program(self) -> BinaryProgram:
        """The program that the samples are states of."""
        return self.lifting.program

    def take(self, states: States) -> Atoms:
        """Keep what is best in `states` (num_reads, N) and return their atoms.

        Every sample gives two: as it is (only its own bits say what the multipliers must still
        lift) and with helper and slack bits recomputed (only those say whether it is feasible).
        """
        source = self._source
        values = self.program.values(states)
        first, counts = distinct_rows(values)
        values = values[first]
        violations = source.max_violations(values)
        feasible = source.feasible(values)
        if self.nearest is None or violations.min() < self.nearest[0]:
            k = int(np.argmin(violations))
            self.nearest = (float(violations[k]), values[k].copy())
        objectives = source.objectives(values)
        self.raw.offer(objectives[feasible], values[feasible])
        improved = self.best.offer(objectives[feasible], values[feasible])
        if source.completion is not None:
            self._offer_completed(source.completion(values))
        elif improved and self._polish is not None and self.best.values is not None:
            polished = self._polish(self.best.values, self._deadline)[np.newaxis, :]
            self.best.offer(source.objectives(polished), polished)
        bits = np.vstack([self.program.complete(values), states])
        bits = bits[distinct_rows(bits)[0]]
        return self.lifting.atoms(bits, float(counts[feasible].sum() / counts.sum()))

    def _offer_completed(self, values: Values) -> None:
        """Offer values whose dependent variables the problem's own completion has set."""
        values = values[self._source.feasible(values)]
        objectives = self._source.objectives(values)
        self.best.offer(objectives, values)
        if self._observer is not None:
            self._observer(values, objectives)
