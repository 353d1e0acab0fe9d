"""One machine: given coefficients, it runs batches of replicas from noise to spins."""

from __future__ import annotations

import time

import numpy as np

from qhal_cim.forms import Forces, QuadraticForm, with_ancilla
from qhal_cim.kernels import Batch, make_kernel
from qhal_cim.schedules import Replicas, Schedule

FIELDS = ("target", "mean", "ancilla")

# Steps between two looks at the clock and at the signs of chaotic replicas.
_CHUNK = 10


class Machine:
    """A coherent Ising machine programmed with a form over spins.

    Parameters
    ----------
    form : over s in {-1, +1}^n
    fields : ``"target"``, ``"mean"`` or ``"ancilla"``; see `qhal_cim.oracle.Cim`
    """

    def __init__(self, form: QuadraticForm, fields: str) -> None:
        self._size = form.num_variables
        self._ancilla = fields == "ancilla" and form.has_linear
        self._mean = fields == "mean"
        self._step_s: float | None = None  # time of one step of the last batch
        self.kernel = make_kernel(Forces.of(with_ancilla(form) if self._ancilla else form))

    def run(
        self,
        schedules: tuple[Schedule, ...],
        num_replicas: int,
        rng: np.random.Generator,
        num_steps: int,
        end: float | None,
        given: np.ndarray,
    ) -> tuple[np.ndarray, int]:
        """Spins, (num_replicas, n) int8, and the number of steps taken.

        The run takes `num_steps`, or as many as are done at `end` (of `time.perf_counter`): then
        the ramps are shortened, not cut off. The replicas of the spin states `given` start from
        them with their pump half-way up, and never return anything worse.
        """
        replicas = Replicas.share(schedules, num_replicas, len(given))
        batch = self._begin(replicas, rng, given)
        done, progress, began = 0, 0.0, time.perf_counter()
        while progress < 1 - 1e-9:
            stride = 1 / num_steps
            chunk = 1 if self._step_s is None else _CHUNK
            if end is not None and self._step_s is not None:
                steps_left = max(1, int((end - time.perf_counter()) / self._step_s))
                stride = max(stride, (1 - progress) / steps_left)
            steps = max(1, min(chunk, round((1 - progress) / stride)))
            if self._mean:
                np.abs(batch.x).mean(axis=0, out=batch.amplitude)
            self.kernel.advance(batch, replicas.pump_at(progress + stride * np.arange(steps)))
            self.kernel.record(batch, 0, replicas.num_cac)
            done += steps
            progress += stride * steps
            self._step_s = (time.perf_counter() - began) / done
        self.kernel.record(batch, replicas.num_cac, num_replicas)
        return self._read(batch), done

    def _begin(self, replicas: Replicas, rng: np.random.Generator, given: np.ndarray) -> Batch:
        order = self.kernel.order
        x = replicas.start(order.size, rng)
        columns = np.flatnonzero(replicas.seeded).tolist()
        spins = np.ones((order.size, len(given)), dtype=np.float32)
        spins[: self._size] = given.T
        x[:, columns] = spins[order] * np.abs(x[:, columns])
        batch = Batch.begin(replicas, x)
        for column in columns:
            self.kernel.record(batch, column, column + 1)
        return batch

    def _read(self, batch: Batch) -> np.ndarray:
        spins = np.empty_like(batch.best)
        spins[self.kernel.order] = batch.best
        if self._ancilla:
            spins = spins[:-1] * spins[-1]
        return np.ascontiguousarray(spins.T)
