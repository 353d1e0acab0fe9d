"""What the oracle asks of whatever computes the dynamics."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Machine(Protocol):
    """Programmed with one problem over spins, it runs batches of replicas."""

    @property
    def kernel_name(self) -> str:
        """What computes the dynamics."""
        ...

    def run(
        self,
        num_replicas: int,
        rng: np.random.Generator,
        num_steps: int,
        end: float | None,
        given: np.ndarray,
    ) -> tuple[np.ndarray, int]:
        """Spins, (num_replicas, n) int8, and the number of steps taken.

        The run takes `num_steps`, or as many as are done at `end` (of `time.perf_counter`): then
        the ramps are shortened, not cut off. The replicas of the spin states `given` (at most
        `num_replicas`) start from them with their pump half-way up, and return nothing worse.
        """
        ...
