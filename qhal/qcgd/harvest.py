"""Looking at every sample: complete it, check it exactly, keep the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from qhal.problems.arrays import FloatArray, States, distinct_rows
from qhal.problems.program import BinaryProgram
from qhal.problems.qcbo import Qcbo, Values
from qhal.problems.qubo import Qubo
from qhal.qcgd.lifting import Atoms, Lifting
from qhal.qcgd.parts import Parts
from qhal.qcgd.polish import Polish
from qhal.qcgd.starts import KEPT, Starts
from qhal.tracing import span

MAX_ATOMS = 4000
BLOCK = 4096
Observer: TypeAlias = Callable[[Values, FloatArray], None]


@dataclass
class Incumbent:
    """The best feasible values of `problem` so far; `objective` is None while there are none."""

    problem: Qcbo
    objective: float | None = None
    values: Values | None = None

    def offer(self, objectives: FloatArray, values: Values) -> bool:
        """Take the best of feasible `values` (k, n) if it is better; whether it was."""
        if not len(objectives):
            return False
        k = int(np.argmin(objectives))
        # Alone: batches may round the last digit apart.
        objective = float(self.problem.objectives(values[k])[0])
        if self.objective is not None and objective >= self.objective:
            return False
        self.objective, self.values = objective, values[k].copy()
        return True


class Harvest:
    """The incumbents of a run; `halted` says whether polishing must end.

    `raw` counts only samples whose primary bits the oracle itself returned feasible (parts that
    nothing connects may come from several samples); `best` also those made feasible by the
    problem's completion, and the polished ones. `nearest` is the least violated sample, for a run
    that finds nothing feasible. `starts` keeps where calls may begin.
    """

    def __init__(
        self, lifting: Lifting, polish: bool, halted: Callable[[], bool] = lambda: False
    ) -> None:
        self.lifting = lifting
        self._halted = halted
        source = self._source = lifting.program.source
        self.raw = Incumbent(source)
        self.best = Incumbent(source)
        self.nearest: tuple[float, Values] | None = None
        self.starts = Starts(lifting.program.num_bits)
        self._feasible: list[tuple[FloatArray, Values]] = []
        self._parts = Parts(lifting.program) if source.completion is None else None
        self._polish = Polish(source) if polish and source.completion is None else None

    @property
    def program(self) -> BinaryProgram:
        """The program that the samples are states of."""
        return self.lifting.program

    @property
    def nearest_state(self) -> npt.NDArray[np.int8] | None:
        """The bits (N,) of the least violated sample, None before the first."""
        if self.nearest is None:
            return None
        state: npt.NDArray[np.int8] = self.program.complete(self.nearest[1][np.newaxis, :])[0]
        return state

    @span("harvest")
    def take(self, states: States, qubo: Qubo, observer: Observer | None = None) -> Atoms:
        """Keep what is best in `states` (num_reads, N) of `qubo` and return their atoms.

        Every sample gives two: as it is (only its own bits say what the multipliers must still
        lift) and with helper and slack bits recomputed (only those say whether it is feasible); of
        more than `MAX_ATOMS` those of lowest energy. `observer` sees the feasible values, after the
        problem's own completion if it has one, with their objectives.
        """
        values = self.program.values(states)
        first, counts = distinct_rows(values)
        values = values[first]
        before = self.best.objective
        feasible_reads = 0
        for start in range(0, len(values), BLOCK):
            block = slice(start, start + BLOCK)
            feasible = self._look(values[block], observer)
            feasible_reads += int(counts[block][feasible].sum())
        if self._parts is not None and self._parts.count > 1:
            self._combine(values[:BLOCK])
        if self.best.objective != before:
            self._polish_best()
        bits = np.vstack([self.program.complete(values), states])
        bits = bits[distinct_rows(bits)[0]]
        bits = bits[np.argsort(qubo.energies(bits), kind="stable")[:MAX_ATOMS]]
        self._keep_starts(bits)
        return self.lifting.atoms(bits, feasible_reads / int(counts.sum()))

    def _combine(self, values: Values) -> None:
        """Offer the best of each part in `values` (k, n) and in what was found before."""
        assert self._parts is not None
        earlier = [self.best.values, None if self.nearest is None else self.nearest[1]]
        values = np.vstack([values, *(found for found in earlier if found is not None)])
        combined = self._parts.combined(self.program.complete(values))
        self._look(self.program.values(combined), None)

    def _keep_starts(self, recent: States) -> None:
        objectives = np.concatenate([np.zeros(0), *(found for found, _ in self._feasible)])
        values = [np.zeros((0, self._source.num_variables), dtype=np.int64)]
        values += [found for _, found in self._feasible]
        self.starts.take(self.program.complete(np.vstack(values)), objectives, recent)
        self._feasible = []

    def _offer(
        self, incumbents: tuple[Incumbent, ...], objectives: FloatArray, values: Values
    ) -> None:
        """Let `incumbents` and the starting states have feasible `values` (k, n)."""
        for incumbent in incumbents:
            incumbent.offer(objectives, values)
        best = np.argsort(objectives, kind="stable")[:KEPT]
        self._feasible.append((objectives[best], values[best]))

    def _polish_best(self) -> None:
        if self._polish is not None and self.best.values is not None:
            with span("polish"):
                polished = self._polish(self.best.values, self._halted)[np.newaxis, :]
            self.best.offer(self._source.objectives(polished), polished)

    def _look(self, values: Values, observer: Observer | None) -> npt.NDArray[np.bool_]:
        """Offer `values` (k, n) and what completion makes of them; which are feasible."""
        source = self._source
        violations = source.max_violations(values)
        k = int(np.argmin(violations))
        if self.nearest is None or violations[k] < self.nearest[0]:
            self.nearest = (float(violations[k]), values[k].copy())
        feasible = source.feasible(values)
        objectives = source.objectives(values[feasible])
        self._offer((self.raw, self.best), objectives, values[feasible])
        if source.completion is not None:
            completed = source.completion(values)
            completed = completed[source.feasible(completed)]
            objectives = source.objectives(completed)
            self._offer((self.best,), objectives, completed)
            if observer is not None:
                observer(completed, objectives)
        elif observer is not None:
            observer(values[feasible], objectives)
        return feasible

    def state(self) -> tuple[dict[str, Any], dict[str, Values]]:
        """Everything kept, as JSON facts and arrays; `restore` takes both back."""
        facts = {"best": self.best.objective, "raw": self.raw.objective}
        kept = {"best": self.best.values, "raw": self.raw.values}
        if self.nearest is not None:
            facts["nearest"], kept["nearest"] = self.nearest
        arrays = {name: values for name, values in kept.items() if values is not None}
        return facts, arrays | self.starts.state()

    def restore(self, facts: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what `state` returned; trusts no figure that it can compute again."""
        n = self._source.num_variables
        for incumbent, name in ((self.best, "best"), (self.raw, "raw")):
            if facts[name] is not None:
                values = arrays[name].astype(np.int64).reshape(1, n)
                if not self._source.feasible(values)[0]:
                    raise ValueError(f"its {name} assignment is not feasible")
                incumbent.offer(self._source.objectives(values), values)
        if "nearest" in facts:
            self.nearest = (float(facts["nearest"]), arrays["nearest"].astype(np.int64).reshape(n))
        self.starts.restore(arrays)
