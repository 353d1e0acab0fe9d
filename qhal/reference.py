"""Two oracles that need nothing: the truth for small problems, and chance."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from qhal.hookspecs import hookimpl
from qhal.oracle import Answer, ExactAnswer, Oracle, OracleInfo
from qhal.problems.arrays import States
from qhal.problems.qcbo import Qcbo, Values
from qhal.problems.qubo import Qubo
from qhal.samples import Status

MAX_EXHAUSTIVE_VARIABLES = 24
MAX_EXHAUSTIVE_ASSIGNMENTS = 2**20
_BLOCK_BITS = 12
_BLOCK_READS = 1024


class Exhaustive(Oracle):
    """Looks at every state, at most 2^24 of them, and returns the `num_reads` lowest.

    Ties are broken by the state read as a binary number, so the seed plays no part.
    """

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        n = qubo.num_variables
        deadline = math.inf if time_limit is None else time.perf_counter() + time_limit
        low = _all_states(min(n, _BLOCK_BITS))
        high = _all_states(n - low.shape[1])
        best, energies = np.empty((0, n), dtype=np.int8), np.empty(0)
        for done, head in enumerate(high, start=1):
            block = np.hstack([np.broadcast_to(head, (len(low), len(head))), low])
            merged = np.concatenate([energies, qubo.energies(block)])
            keep = np.argsort(merged, kind="stable")[:num_reads]
            best, energies = np.concatenate([best, block])[keep], merged[keep]
            if done < len(high) and time.perf_counter() > deadline:
                return best, {"proved": False}
        return best, {"proved": True, "lower_bound": float(energies[0])}

    def solve_exactly(
        self, problem: Qcbo, *, time_limit: float | None = None, seed: int = 0
    ) -> ExactAnswer | None:
        """Look at every assignment of `problem`; None if there are more than 2^20."""
        counts = [int(n) for n in (problem.upper - problem.lower) // problem.steps + 1]
        total = math.prod(counts)
        if total > MAX_EXHAUSTIVE_ASSIGNMENTS:
            return None
        deadline = math.inf if time_limit is None else time.perf_counter() + time_limit
        values: Values | None = None
        objective: float | None = None
        stop = 0
        while stop < total and time.perf_counter() <= deadline:
            start, stop = stop, min(stop + 2**_BLOCK_BITS, total)
            block = _assignments(problem, counts, start, stop)
            block = block[problem.feasible(block)]
            found = problem.objectives(block)
            if len(found) and (objective is None or found.min() < objective):
                values = block[found.argmin()]
                objective = float(problem.objectives(values)[0])
        if stop == total:
            status = Status.INFEASIBLE if values is None else Status.OPTIMAL
            return ExactAnswer(
                status=status, values=values, objective=objective, lower_bound=objective
            )
        status = Status.NO_FEASIBLE_SOLUTION_FOUND if values is None else Status.FEASIBLE
        return ExactAnswer(status=status, values=values, objective=objective)


class Random(Oracle):
    """Independent fair coins: the baseline that every oracle must beat."""

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        rng = np.random.default_rng(seed)
        deadline = math.inf if time_limit is None else time.perf_counter() + time_limit
        blocks: list[States] = []
        done = 0
        while done < num_reads and (not blocks or time.perf_counter() < deadline):
            count = min(num_reads - done, _BLOCK_READS)
            blocks.append(rng.integers(0, 2, (count, qubo.num_variables), dtype=np.int8))
            done += count
        return np.concatenate(blocks)


class ExhaustivePlugin:
    """Registers `Exhaustive` as ``exhaustive``."""

    @staticmethod
    @hookimpl
    def qhal_oracle() -> OracleInfo:
        """See `qhal.hookspecs.qhal_oracle`."""
        return OracleInfo(
            name="exhaustive",
            summary="every state of a small problem: the truth to test against",
            factory="qhal.reference:Exhaustive",
            exact=True,
            seeded=True,
            honours_time_limit=True,
            max_variables=MAX_EXHAUSTIVE_VARIABLES,
        )


class RandomPlugin:
    """Registers `Random` as ``random``."""

    @staticmethod
    @hookimpl
    def qhal_oracle() -> OracleInfo:
        """See `qhal.hookspecs.qhal_oracle`."""
        return OracleInfo(
            name="random",
            summary="uniformly random states: the baseline",
            factory="qhal.reference:Random",
            seeded=True,
            honours_time_limit=True,
        )


def _assignments(problem: Qcbo, counts: list[int], start: int, stop: int) -> Values:
    """The assignments with numbers `start` to `stop`, the last variable counting fastest."""
    values = np.empty((stop - start, len(counts)), dtype=np.int64)
    number = np.arange(start, stop)
    for column in range(len(counts) - 1, -1, -1):
        number, digit = np.divmod(number, counts[column])
        values[:, column] = problem.lower[column] + digit * problem.steps[column]
    return values


def _all_states(num_bits: int) -> np.ndarray[Any, np.dtype[np.int8]]:
    codes = np.arange(2**num_bits, dtype=np.int64)
    return ((codes[:, None] >> np.arange(num_bits - 1, -1, -1)) & 1).astype(np.int8)
