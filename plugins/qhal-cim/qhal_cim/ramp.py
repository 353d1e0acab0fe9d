"""The clocks: of a run, shortened to fit the time it has, and of a call, shared out over runs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from qhal_cim.forms import QuadraticForm

# Steps between two looks at the clock, at least, the time between them if steps are short, and the
# most steps that are planned at a time.
_CHUNK, _LOOK_S, _MOST = 10, 1e-3, 500

# Seconds per read: of the descent for each coefficient (until it has been measured), and of what
# core does with the answer for each coefficient, dense or sparse, and for each variable.
_DESCENT_S, _DENSE_S, _SPARSE_S, _STATES_S = 3e-10, 6e-11, 1e-9, 5e-9

# The share of the time limit that is planned with, and the shortest run of a batch as a share of
# it: rather than shorten its runs further, a call leaves out reads.
_SHARE, _SHORTEST = 0.97, 1 / 16


class Ramp:
    """Runs of one machine; what a step costs is remembered from run to run."""

    def __init__(self) -> None:
        self._step_s: float | None = None

    def steps(self, num_steps: int, end: float | None) -> int:
        """How many steps a run that begins now will have, as far as is known."""
        if end is None or self._step_s is None:
            return num_steps
        return max(1, min(num_steps, int((end - time.perf_counter()) / self._step_s)))

    def _chunk(self) -> int:
        if self._step_s is None:
            return 1
        return min(max(_CHUNK, int(_LOOK_S / self._step_s)), _MOST)

    def chunks(self, num_steps: int, end: float | None) -> Iterator[np.ndarray]:
        """The share of the run done, in [0, 1), before each step, a few steps at a time.

        The run has `num_steps` steps, or as many as are done at `end` (of `time.perf_counter`):
        then steps are larger shares, so that the ramp is shortened, not cut off. At least one
        step is taken.
        """
        done, progress, began = 0, 0.0, time.perf_counter()
        while progress < 1 - 1e-9:
            stride = 1 / num_steps
            chunk = _MOST if end is None else self._chunk()
            if end is not None and self._step_s is not None:
                steps_left = self.steps(num_steps, end)
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
    form : the problem
    """

    def __init__(
        self, start: float, time_limit: float | None, num_reads: int, form: QuadraticForm
    ) -> None:
        energy_s = (_DENSE_S if form.is_dense else _SPARSE_S) * form.num_entries
        self._answer_s = energy_s + _STATES_S * form.num_variables
        self._descent_s = _DESCENT_S * form.num_entries
        self._reads, self._made = num_reads, 0
        self._shortest_s = _SHORTEST * (time_limit or 0.0)
        self._end = None if time_limit is None else start + _SHARE * time_limit

    def share(self, size: int, batches: int, setup_s: float) -> float | None:
        """When the run of the next batch, of `size` reads, should end; None if whenever it likes.

        It is the first of `batches` to come; each further one takes `setup_s` before its run.
        """
        if self._end is None:
            return None
        now = time.perf_counter()
        read_s = self._descent_s + self._answer_s
        left = self._end - now - self._made * self._answer_s
        others = (self._reads - self._made) * read_s + (batches - 1) * setup_s
        run_s = max((left - others) / batches, self._shortest_s)
        return now + max(min(run_s, left - size * read_s), 0.0)

    def allows(self, size: int, setup_s: float) -> bool:
        """Whether there is time for a batch of `size` reads: the first is made in any case."""
        if self._end is None or self._made == 0:
            return True
        after_s = (self._made + size) * self._answer_s + size * self._descent_s
        return self._end - time.perf_counter() - after_s - setup_s > self._shortest_s / 4

    def finished(self, size: int, descent_s: float) -> None:
        """Take note of a batch of `size` reads, and of how long its descent took."""
        self._made += size
        self._descent_s = descent_s / size
