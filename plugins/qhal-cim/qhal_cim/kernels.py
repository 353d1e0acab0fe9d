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

SMALLEST_ERROR, LARGEST_ERROR = 1e-3, 1000.0


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
        x, y = _aligned(x), _aligned(np.zeros_like(x))
        y[:, : replicas.num_cac] = 1
        target = np.sqrt(replicas.constants[2])
        best = np.where(x > 0, np.int8(1), np.int8(-1))
        return cls(replicas, x, y, target, best, np.full(x.shape[1], np.inf))


def _aligned(array: np.ndarray) -> np.ndarray:
    """A copy from a cache line's beginning on, where compiled kernels are up to a third faster."""
    memory = np.empty(array.nbytes + 64, dtype=np.uint8)
    skip = -memory.ctypes.data % 64
    copy = memory[skip : skip + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


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


class CompiledKernel(Kernel):
    """By numba, see `qhal_cim.compiled`."""

    def __init__(self, forces: Forces) -> None:
        self.order = np.arange(forces.field.size)
        self._forces = forces
        matrix, uniform = forces.matrix, forces.uniform_rows()
        self._matrix: tuple[Any, ...]
        if forces.is_dense:
            kind, self._matrix = "dense", (np.ascontiguousarray(matrix),)
        elif uniform is not None:
            kind, self._matrix = "uniform", uniform
        else:
            kind, self._matrix = "sparse", (matrix.indptr, matrix.indices, matrix.data)
        self.name = f"numba-{kind}"
        self._advance = getattr(compiled, f"advance_{kind}")
        self._record = getattr(compiled, f"record_{kind}")

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
