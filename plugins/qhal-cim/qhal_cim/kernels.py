"""The dynamics: updates in place, one row after the other, for all replicas at once.

With f = −∂E/∂s at the current positions x (rows of unit norm, `qhal_cim.forms.Forces`), p the
pump, ξ the gain, every row takes, on the newest values of all others,

- ``"cac"``, chaotic amplitude control: x += dt [x (p − 1 − x²) + ξ e f], |x| <= 1.5 √a, then
  e −= β dt e (x² − a), e in [1e-3, 1000]. The error variables e correct the amplitude heterogeneity
  that makes a plain coherent Ising machine solve another problem (T. Leleu, Y. Yamamoto,
  P. L. McMahon, K. Aihara, Phys. Rev. Lett. 122, 040607, 2019; T. Leleu et al., Commun. Phys. 4,
  266, 2021).
- ``"bsb"``, ballistic simulated bifurcation: y += dt [(p − 1) x + ξ f], x += dt y, and inelastic
  walls, x = ±1 and y = 0, where |x| would exceed 1 (H. Goto et al., Sci. Adv. 7, eabe7953, 2021).

Both were published with all rows updated at once. Row by row (Gauss-Seidel) the dynamics remain
stable when a penalty couples many variables strongly, and converge in fewer steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from qhal_cim.forms import Forces
from qhal_cim.schedules import Replicas

compiled: Any
try:
    from qhal_cim import compiled
except ImportError:  # numba is the extra "fast"
    compiled = None

# Steps between two looks at the signs of the replicas of "cac".
LOOK = 10

_BLOCK = 32
_ONE, _SMALLEST_ERROR, _LARGEST_ERROR = np.float32(1), np.float32(1e-3), np.float32(1000)


@dataclass
class Batch:
    """State of R replicas: positions x, errors or momenta y, (n, R) float32; best signs so far.

    `amplitude`, (R,) float32, is what fields are multiplied with: they act on spins of unit size.
    """

    replicas: Replicas
    x: np.ndarray
    y: np.ndarray
    amplitude: np.ndarray
    best: np.ndarray
    best_energy: np.ndarray

    @classmethod
    def begin(cls, replicas: Replicas, x: np.ndarray) -> Batch:
        """A batch at positions `x`, with e = 1 and momenta 0."""
        y = np.zeros_like(x)
        y[:, : replicas.num_cac] = 1
        target = np.sqrt(replicas.constants[2])
        best = np.where(x > 0, np.int8(1), np.int8(-1))
        return cls(replicas, x, y, target, best, np.full(x.shape[1], np.inf))


class Kernel(ABC):
    """Forces, and how to advance a batch under them.

    `order` is the order in which the kernel holds the variables: row i is variable ``order[i]``.
    """

    name: str
    order: np.ndarray

    @abstractmethod
    def advance(self, batch: Batch, pump: np.ndarray, until_look: int = LOOK) -> None:
        """Advance by one step for each row of `pump`, (steps, R) float32.

        The replicas of "cac" wander: after `until_look` steps, at least 1, and every `LOOK` from
        there on, the best of their signs are kept.
        """

    @abstractmethod
    def record(self, batch: Batch, first: int, last: int) -> None:
        """Keep the signs of replicas `first` to `last` - 1 that are their best so far."""


KERNELS = ("auto", "numba", "numpy")


def with_numba(kernel: str) -> bool:
    """Whether `kernel`, one of `KERNELS`, is to be compiled code: ``"auto"``, if there is any."""
    return compiled is not None and kernel != "numpy"


def make_kernel(forces: Forces, kernel: str = "auto") -> Kernel:
    """What advances batches under `forces`."""
    if with_numba(kernel):
        return CompiledKernel(forces)
    return NumpyDenseKernel(forces) if forces.is_dense else NumpySparseKernel(forces)


class CompiledKernel(Kernel):
    """By numba, see `qhal_cim.compiled`."""

    def __init__(self, forces: Forces) -> None:
        self.name = "numba-dense" if forces.is_dense else "numba-sparse"
        self.order = np.arange(forces.field.size)
        self._forces = forces
        matrix = forces.matrix
        if forces.is_dense:
            self._matrix: tuple[Any, ...] = (np.ascontiguousarray(matrix),)
            self._advance, self._record = compiled.advance_dense, compiled.record_dense
        else:
            self._matrix = (matrix.indptr, matrix.indices, matrix.data)
            self._advance, self._record = compiled.advance_sparse, compiled.record_sparse

    def advance(self, batch: Batch, pump: np.ndarray, until_look: int = LOOK) -> None:
        """See `Kernel.advance`."""
        replicas = batch.replicas
        self._advance(
            *self._matrix,
            self._forces.field,
            batch.amplitude,
            batch.x,
            batch.y,
            replicas.num_cac,
            pump,
            replicas.constants,
            until_look,
            LOOK,
            self._forces.weight,
            batch.best,
            batch.best_energy,
        )

    def record(self, batch: Batch, first: int, last: int) -> None:
        """See `Kernel.record`."""
        if first == last:
            return
        forces = self._forces
        self._record(
            *self._matrix,
            forces.field,
            forces.weight,
            batch.x,
            first,
            last,
            batch.best,
            batch.best_energy,
        )


class _NumpyKernel(Kernel):
    """What the two kernels without numba share; `_step` is what they do not."""

    def __init__(self, forces: Forces, order: np.ndarray) -> None:
        self.order = order
        self._matrix = forces.matrix
        self._field = forces.field[order, np.newaxis]
        self._weight = forces.weight[order]

    def advance(self, batch: Batch, pump: np.ndarray, until_look: int = LOOK) -> None:
        """See `Kernel.advance`."""
        constants = _update_constants(batch.replicas)
        for t, decay in enumerate(pump - np.float32(1), 1):
            self._step(batch, decay, *constants)
            if (t - until_look) % LOOK == 0:
                self.record(batch, 0, batch.replicas.num_cac)

    @abstractmethod
    def _step(
        self,
        batch: Batch,
        decay: np.ndarray,
        cac: tuple[np.ndarray, ...],
        bsb: tuple[np.ndarray, ...],
    ) -> None: ...

    def record(self, batch: Batch, first: int, last: int) -> None:
        """See `Kernel.record`."""
        if first == last:
            return
        signs = np.where(batch.x[:, first:last] > 0, np.float32(1), np.float32(-1))
        forces = self._matrix @ signs + 2 * self._field
        energies = -0.5 * np.einsum("i,ir,ir->r", self._weight, signs, forces)
        better = np.flatnonzero(energies < batch.best_energy[first:last])
        batch.best_energy[first + better] = energies[better]
        batch.best[:, first + better] = signs[:, better]


class NumpySparseKernel(_NumpyKernel):
    """By scipy's sparse products: rows that do not touch each other are taken together.

    Variables are sorted by colour; the rows of one colour, updated at once, are the same as row
    by row.
    """

    name = "numpy-sparse"

    def __init__(self, forces: Forces) -> None:
        colours = greedy_colours(forces.matrix)
        order = np.argsort(colours, kind="stable")
        super().__init__(forces, order)
        self._matrix = forces.matrix[order][:, order].tocsr()
        edges = np.searchsorted(colours[order], np.arange(colours.max(initial=0) + 2))
        self._blocks = [
            (self._matrix[first:last], slice(first, last)) for first, last in pairwise(edges)
        ]

    def _step(
        self,
        batch: Batch,
        decay: np.ndarray,
        cac: tuple[np.ndarray, ...],
        bsb: tuple[np.ndarray, ...],
    ) -> None:
        for rows, block in self._blocks:
            force = rows @ batch.x
            force += self._field[block] * batch.amplitude
            update(batch.x[block], batch.y[block], force, decay, cac, bsb)


class NumpyDenseKernel(_NumpyKernel):
    """By BLAS, a block of rows at a time, with the changes inside the block added row by row."""

    name = "numpy-dense"

    def __init__(self, forces: Forces) -> None:
        super().__init__(forces, np.arange(forces.field.size))

    def _step(
        self,
        batch: Batch,
        decay: np.ndarray,
        cac: tuple[np.ndarray, ...],
        bsb: tuple[np.ndarray, ...],
    ) -> None:
        x, y, matrix = batch.x, batch.y, self._matrix
        change = np.empty((_BLOCK, x.shape[1]), dtype=np.float32)
        for start in range(0, len(x), _BLOCK):
            stop = min(start + _BLOCK, len(x))
            forces = matrix[start:stop] @ x
            forces += self._field[start:stop] * batch.amplitude
            for i in range(start, stop):
                force = forces[i - start]
                if i > start:
                    force += matrix[i, start:i] @ change[: i - start]
                change[i - start] = x[i]
                update(x[i], y[i], force, decay, cac, bsb)
                np.subtract(x[i], change[i - start], out=change[i - start])


def _update_constants(replicas: Replicas) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    k = replicas.num_cac
    gain, dt, target, beta, limit = replicas.constants
    cac = (gain[:k], dt[:k], target[:k], beta[:k] * dt[:k], limit[:k], -limit[:k])
    return cac, (gain[k:], dt[k:])


def update(
    x: np.ndarray,
    y: np.ndarray,
    force: np.ndarray,
    decay: np.ndarray,
    cac: tuple[np.ndarray, ...],
    bsb: tuple[np.ndarray, ...],
) -> None:
    """One step of rows that do not touch each other, in place; `force` is used up, decay is p - 1.

    In-place ufuncs on views, because calls and temporaries are what this costs.
    """
    k = cac[0].size
    if k:
        gain, dt, target, rate, limit, lower = cac
        v, error, f = x[..., :k], y[..., :k], force[..., :k]
        f *= error
        f *= gain
        change = v * v
        np.subtract(decay[:k], change, out=change)
        change *= v
        change += f
        change *= dt
        v += change
        np.minimum(v, limit, out=v)
        np.maximum(v, lower, out=v)
        np.multiply(v, v, out=change)
        change -= target
        change *= rate
        np.subtract(1, change, out=change)
        error *= change
        np.minimum(error, _LARGEST_ERROR, out=error)
        np.maximum(error, _SMALLEST_ERROR, out=error)
    if k < x.shape[-1]:
        gain, dt = bsb
        v, momentum, f = x[..., k:], y[..., k:], force[..., k:]
        f *= gain
        change = decay[k:] * v
        f += change
        f *= dt
        momentum += f
        np.multiply(dt, momentum, out=change)
        v += change
        momentum *= np.abs(v) <= 1
        np.minimum(v, _ONE, out=v)
        np.maximum(v, -_ONE, out=v)


def greedy_colours(matrix: Any) -> np.ndarray:
    """A colour for every variable, different from those of all it is coupled with.

    Welsh-Powell: greedily, the variables of most couplings first.
    """
    indptr, indices = matrix.indptr, matrix.indices
    degrees = np.diff(indptr)
    colours = np.full(degrees.size, -1)
    taken = np.zeros(int(degrees.max(initial=0)) + 2, dtype=bool)
    for i in np.argsort(-degrees, kind="stable"):
        neighbours = colours[indices[indptr[i] : indptr[i + 1]]]
        taken[neighbours] = True  # uncoloured ones mark the last entry, which is never free
        colours[i] = taken[:-1].argmin()
        taken[neighbours] = False
    return colours
