"""The fast machine: given coefficients, it runs batches of replicas from noise to spins."""

from __future__ import annotations

import numpy as np

from qhal_cim.fallback import NumpyDenseKernel, NumpySparseKernel
from qhal_cim.forms import Forces, QuadraticForm, with_ancilla
from qhal_cim.kernels import LOOK, Batch, CompiledKernel, Kernel, with_numba
from qhal_cim.ramp import Ramp
from qhal_cim.schedules import RETURN_SIZE, SPREAD, Cycles, Replicas, Schedule

FIELDS = ("target", "mean", "ancilla")


def make_kernel(forces: Forces, kernel: str = "auto") -> Kernel:
    """What advances batches under `forces`."""
    if with_numba(kernel):
        return CompiledKernel(forces)
    return NumpyDenseKernel(forces) if forces.is_dense else NumpySparseKernel(forces)


class Simulation:
    """The `Machine` of ``"cac"`` and ``"bsb"``.

    Parameters
    ----------
    form : over s in {-1, +1}^n
    fields : ``"target"``, ``"mean"`` or ``"ancilla"``; see `qhal_cim.oracle.Cim`
    schedules : shared out over the replicas
    kernel : ``"auto"``, ``"numba"`` or ``"numpy"``
    """

    def __init__(
        self, form: QuadraticForm, fields: str, schedules: tuple[Schedule, ...], kernel: str
    ) -> None:
        self._size = form.num_variables
        self._ancilla = fields == "ancilla" and form.has_linear
        self._mean = fields == "mean"
        self._schedules = schedules
        self._selections = np.array(schedules[0].selections)
        self._ramp = Ramp()
        self.kernel = make_kernel(Forces.of(with_ancilla(form) if self._ancilla else form), kernel)

    def run(
        self,
        num_replicas: int,
        rng: np.random.Generator,
        num_steps: int,
        end: float | None,
        given: np.ndarray,
    ) -> tuple[np.ndarray, int]:
        """See `Machine.run`."""
        replicas = Replicas.share(self._schedules, num_replicas, len(given))
        batch = self._begin(replicas, rng, given)
        ramp = selection = done = 0
        for progress in self._ramp.chunks(num_steps, end):
            if done <= 1:  # by then the time of a step is known
                cycles = self._cycles(self._ramp.steps(num_steps, end))
            ramps, shares = cycles.at(progress)
            selections = np.searchsorted(self._selections, progress + 1e-9, side="right")
            pump = replicas.pump_at(progress, shares)
            at = 0
            for step in np.flatnonzero(np.diff(ramps + selections, prepend=ramp + selection)):
                self._advance(batch, pump[at:step], done + at)
                at = int(step)
                if ramps[at] > ramp:
                    self._return(batch, rng)
                if selections[at] > selection:
                    self._select(batch, rng)
                ramp, selection = int(ramps[at]), int(selections[at])
            self._advance(batch, pump[at:], done + at)
            done += progress.size
        self.kernel.record(batch, 0, num_replicas)
        return self._read(batch), done

    def _cycles(self, num_steps: int) -> Cycles:
        return Cycles(1.0, 0) if self._selections.size else Cycles.of(num_steps)

    def _advance(self, batch: Batch, pump: np.ndarray, done: int) -> None:
        """Advance by the steps of `pump`, after `done` steps of the run."""
        until_look = LOOK - done % LOOK
        while self._mean and len(pump):
            if until_look == LOOK:
                np.abs(batch.x).mean(axis=0, out=batch.amplitude)
            self.kernel.advance(batch, pump[:until_look], until_look)
            pump, until_look = pump[until_look:], LOOK
        if len(pump):
            self.kernel.advance(batch, pump, until_look)

    def _return(self, batch: Batch, rng: np.random.Generator) -> None:
        """Take the replicas of ``"bsb"`` back to the best of their states so far."""
        first, last = batch.replicas.num_cac, batch.replicas.kinds.size
        if first == last:
            return
        self.kernel.record(batch, first, last)
        sizes = rng.random((len(batch.x), last - first), dtype=np.float32)
        batch.x[:, first:] = batch.best[:, first:] * (np.float32(RETURN_SIZE) * sizes)
        batch.y[:, first:] = 0

    def _select(self, batch: Batch, rng: np.random.Generator) -> None:
        """Let the worse half of the replicas go on as copies of the better half.

        Replicas that are behind half-way seldom catch up. Copies are displaced a little, and chaos
        does the rest. Replicas of given states are left alone.
        """
        self.kernel.record(batch, 0, batch.replicas.kinds.size)
        own = np.flatnonzero(~batch.replicas.seeded)
        own = own[np.argsort(batch.best_energy[own], kind="stable")]
        half = own.size // 2
        ahead, behind = own[:half], own[own.size - half :]
        spread = 2 * rng.random((len(batch.x), half), dtype=np.float32) - 1
        batch.x[:, behind] = batch.x[:, ahead] * (1 + np.float32(SPREAD) * spread)
        for state in (batch.y, batch.best):
            state[:, behind] = state[:, ahead]
        batch.best_energy[behind] = batch.best_energy[ahead]

    @property
    def kernel_name(self) -> str:
        """See `Machine.kernel_name`."""
        return self.kernel.name

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
