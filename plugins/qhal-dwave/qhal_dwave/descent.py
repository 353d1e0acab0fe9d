"""Local search: steepest descent and tabu search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dimod
from dwave.samplers import SteepestDescentSampler, TabuSampler

from qhal_dwave.reads import ReadByRead, Search, whole_option


class SteepestDescent(ReadByRead):
    """Flip the best bit until none improves (dwave-samplers): the baseline of local search."""

    def _prepare(
        self, bqm: dimod.BQM, exponent: int, time_limit: float | None
    ) -> tuple[Search, Mapping[str, Any]]:
        def search(left_s: float | None, given: int, **parameters: Any) -> dimod.SampleSet:
            return SteepestDescentSampler().sample(bqm, **parameters)

        return search, {}


class TabuSearch(ReadByRead):
    """Multistart tabu search (Palubeckis 2004, algorithm MST2; dwave-samplers).

    Bounded by moves, not by Ocean's 20 ms for each read, and so the same on every machine.

    Parameters
    ----------
    tenure : int >= 0 or None
        For how many moves a flipped bit stays as it is; default min(20, n / 4).
    num_restarts : int >= 0
        Restarts of each read, from the best state with some bits changed.
    num_moves : int >= 1 or None
        Moves of each start, not counting descents; default max(1000, 2 n).
    """

    default_num_reads = 20

    def __init__(
        self, *, tenure: int | None = None, num_restarts: int = 3, num_moves: int | None = None
    ) -> None:
        self.tenure = None if tenure is None else whole_option("tenure", tenure, 0)
        self.num_restarts = whole_option("num_restarts", num_restarts, 0)
        self.num_moves = None if num_moves is None else whole_option("num_moves", num_moves, 1)

    def _prepare(
        self, bqm: dimod.BQM, exponent: int, time_limit: float | None
    ) -> tuple[Search, Mapping[str, Any]]:
        n = bqm.num_variables
        moves = max(1000, 2 * n) if self.num_moves is None else self.num_moves
        tenure = None if self.tenure is None else min(self.tenure, n - 1)

        def search(left_s: float | None, given: int, **parameters: Any) -> dimod.SampleSet:
            timeout_ms: Any = None  # Ocean's annotation forgets that None is allowed
            if left_s is not None:
                timeout_ms = max(1, int(1000 * left_s / parameters["num_reads"]))
            return TabuSampler().sample(
                bqm,
                tenure=tenure,
                num_restarts=self.num_restarts,
                coefficient_z_first=moves,
                coefficient_z_restart=moves,
                lower_bound_z=0,
                timeout=timeout_ms,
                **parameters,
            )

        return search, {"num_moves": moves}
