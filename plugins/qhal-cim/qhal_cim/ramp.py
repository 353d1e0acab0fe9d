"""The clocks: of a run, shortened to fit the time it has, and of a call, shared out over runs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

# Steps between two looks at the clock.
_CHUNK = 10

# Seconds per read and coefficient, of the descent (until it has been measured) and of the exact
# energies; and the share of the time limit that is planned with.
_DESCENT_S, _ENERGIES_S, _SHARE = 3e-10, 1.5e-10, 0.97


class Ramp:
    """Runs of one machine; what a step costs is remembered from run to run."""

    def __init__(self) -> None:
        self._step_s: float | None = None

    def chunks(self, num_steps: int, end: float | None) -> Iterator[np.ndarray]:
        """The share of the run done, in [0, 1), before each step, a few steps at a time.

        The run has `num_steps` steps, or as many as are done at `end` (of `time.perf_counter`):
        then steps are larger shares, so that the ramp is shortened, not cut off. At least one
        step is taken.
        """
        done, progress, began = 0, 0.0, time.perf_counter()
        while progress < 1 - 1e-9:
            stride = 1 / num_steps
            chunk = 1 if self._step_s is None else _CHUNK
            if end is not None and self._step_s is not None:
                steps_left = max(1, int((end - time.perf_counter()) / self._step_s))
                stride = max(stride, (1 - progress) / steps_left)
            steps = max(1, min(chunk, round((1 - progress) / stride)))
            yield progress + stride * np.arange(steps)
            done += steps
            progress += stride * steps
            self._step_s = (time.perf_counter() - began) / done


class Deadline:
    """A time limit, in seconds from `start`, shared out over the batches of a call.

    Parameters
    ----------
    start : of `time.perf_counter`
    time_limit : or None
    num_reads : of the whole call
    num_entries : coefficients of the problem
    """

    def __init__(
        self, start: float, time_limit: float | None, num_reads: int, num_entries: int
    ) -> None:
        self._descent_s = _DESCENT_S * num_entries
        energies_s = _ENERGIES_S * num_entries * num_reads
        self._end = None if time_limit is None else start + _SHARE * time_limit - energies_s

    @property
    def passed(self) -> bool:
        """Whether there is no time left."""
        return self._end is not None and time.perf_counter() >= self._end

    def share(self, batches: int, reads: int, setup_s: float) -> float | None:
        """When the run of the first of `batches` batches should end, with `reads` to come in all.

        `setup_s` is the time that each further batch takes before its run.
        """
        if self._end is None:
            return None
        now = time.perf_counter()
        others = reads * self._descent_s + (batches - 1) * setup_s
        return now + max(self._end - now - others, 0.0) / batches

    def descended(self, reads: int, elapsed_s: float) -> None:
        """Take note of how long the descent of `reads` reads took."""
        self._descent_s = elapsed_s / reads
