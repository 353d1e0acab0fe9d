"""Asking the oracle: seeds, shares of the time, Ctrl-C, and the books on all of that."""

from __future__ import annotations

import math
import time

import numpy as np

from qhal.oracle import Oracle
from qhal.problems.arrays import States
from qhal.problems.qubo import Qubo
from qhal.qcgd.interrupt import Interrupt
from qhal.samples import Samples

SHARES = 10


class Caller:
    """Calls `oracle` with seeds that follow from `seed`, until `deadline` (s, of perf_counter).

    `calls`, `reads` and `time_s` count the calls that were answered.
    """

    def __init__(self, oracle: Oracle, seed: int, deadline: float, interrupt: Interrupt) -> None:
        self._oracle, self._seed, self._deadline = oracle, seed, deadline
        self._interrupt = interrupt
        self.calls, self.reads, self.time_s = 0, 0, 0.0

    def ask(
        self,
        qubo: Qubo,
        *,
        num_reads: int | None = None,
        rounds_left: int = 1,
        starts: States | None = None,
    ) -> Samples:
        """Samples of `qubo`, in an equal share of the time that is left for `rounds_left`.

        At least a tenth of it, as an exact oracle often needs few rounds, but long ones. `starts`
        are initial states, for an oracle that accepts them.
        """
        seed = int(np.random.SeedSequence([self._seed, self.calls]).generate_state(1)[0])
        limit = None
        if math.isfinite(self._deadline):
            shares = min(SHARES, max(1, rounds_left))
            limit = max(1e-3, (self._deadline - time.perf_counter()) / shares)
        samples = self._interrupt.call(
            lambda: self._oracle.sample(
                qubo, num_reads=num_reads, seed=seed, time_limit=limit, initial_states=starts
            ),
            self._oracle.stop,
        )
        self.calls += 1
        self.reads += len(samples)
        self.time_s += samples.time_s
        return samples
