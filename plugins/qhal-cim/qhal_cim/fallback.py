"""The kernels by numpy and scipy alone.

What costs here are passes over arrays: only those over contiguous arrays of one shape, or with one
number, are fast. So replicas that share a schedule stand together, and their constants are numbers
that are folded into the state wherever that saves a pass. Products, though, cost less for all
replicas at once, so that positions are held twice: by group, and together.
"""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise
from typing import Any

import numpy as np

from qhal_cim.forms import Forces
from qhal_cim.kernels import LARGEST_ERROR, LOOK, SMALLEST_ERROR, Batch, Kernel

_BLOCK = 32


class _Group:
    """Replicas of one schedule and one pump: positions x and y as in `Batch`, y in other units.

    `columns` are its replicas in the batch, `share` is where they stand among those of all groups.
    A step begins and ends with what depends on each row's own state alone, for all rows; only what
    is left, `update`, goes from rows to rows. `tile` gives arrays of one number each, the limits
    that values are clipped to: minima and maxima with a number, not an array, are slow in numpy.
    """

    def __init__(
        self, batch: Batch, columns: np.ndarray, first: int, rows: int, unit: float
    ) -> None:
        self.columns, self.share = columns, slice(first, first + columns.size)
        self._unit = unit
        self.x = np.ascontiguousarray(batch.x[:, columns])
        self.y = np.ascontiguousarray(batch.y[:, columns]) / np.float32(unit)
        self._shape = (rows, columns.size)
        self._work = np.empty_like(self.x)

    def tile(self, value: float) -> np.ndarray:
        return np.full(self._shape, value, dtype=np.float32)

    def store(self, batch: Batch) -> None:
        """Write the state back to `batch`."""
        batch.x[:, self.columns] = self.x
        batch.y[:, self.columns] = self.y * np.float32(self._unit)

    @abstractmethod
    def begin(self, decay: float) -> None:
        """Before a step; decay is p - 1."""

    @abstractmethod
    def update(self, rows: slice, force: np.ndarray) -> None:
        """New positions of rows that do not touch each other."""

    @abstractmethod
    def end(self) -> None:
        """After a step."""


class _Chaotic(_Group):
    """Replicas of ``"cac"``; y is e times gain and dt."""

    def __init__(self, batch: Batch, columns: np.ndarray, first: int, rows: int) -> None:
        gain, dt, target, beta, limit = batch.replicas.constants[:, columns[0]].tolist()
        super().__init__(batch, columns, first, rows, 1 / (gain * dt))
        self._dt, self._rate, self._growth = dt, beta * dt, 1 + beta * dt * target
        self._low, self._high = self.tile(-limit), self.tile(limit)
        self._least = np.full_like(self.x, SMALLEST_ERROR * gain * dt)
        self._most = np.full_like(self.x, LARGEST_ERROR * gain * dt)
        self._free = np.empty_like(self.x)

    def begin(self, decay: float) -> None:
        """See `_Group.begin`."""
        free = self._free
        np.multiply(self.x, self.x, out=free)
        free *= -self._dt
        free += 1 + self._dt * decay
        free *= self.x

    def update(self, rows: slice, force: np.ndarray) -> None:
        """See `_Group.update`."""
        count = len(force)
        x = self._work[:count]
        np.multiply(force, self.y[rows], out=x)
        x += self._free[rows]
        np.minimum(x, self._high[:count], out=x)
        np.maximum(x, self._low[:count], out=self.x[rows])

    def end(self) -> None:
        """See `_Group.end`."""
        error, factor = self.y, self._work
        np.multiply(self.x, self.x, out=factor)
        factor *= -self._rate
        factor += self._growth
        error *= factor
        np.minimum(error, self._most, out=error)
        np.maximum(error, self._least, out=error)


class _Ballistic(_Group):
    """Replicas of ``"bsb"``; y is the momentum divided by gain and dt."""

    def __init__(self, batch: Batch, columns: np.ndarray, first: int, rows: int) -> None:
        gain, dt = batch.replicas.constants[:2, columns[0]].tolist()
        super().__init__(batch, columns, first, rows, gain * dt)
        self._gain, self._push = gain, gain * dt * dt
        self._ones, self._low = self.tile(1), self.tile(-1)

    def begin(self, decay: float) -> None:
        """See `_Group.begin`."""
        np.multiply(self.x, decay / self._gain, out=self._work)
        self.y += self._work

    def update(self, rows: slice, force: np.ndarray) -> None:
        """See `_Group.update`."""
        x, momentum, count = self.x[rows], self.y[rows], len(force)
        work = self._work[:count]
        momentum += force
        np.multiply(momentum, self._push, out=work)
        x += work
        np.minimum(x, self._ones[:count], out=x)
        np.maximum(x, self._low[:count], out=x)

    def end(self) -> None:
        """See `_Group.end`."""
        # 0 at the walls, else 1, by passes that are faster than those over booleans.
        inside = self._work
        np.abs(self.x, out=inside)
        np.floor(inside, out=inside)
        np.subtract(1, inside, out=inside)
        self.y *= inside


class _NumpyKernel(Kernel):
    """What the two kernels without numba share; `_step` is what they do not."""

    rows: int

    def __init__(self, forces: Forces, order: np.ndarray) -> None:
        self.order = order
        self._matrix = forces.matrix
        self._field = forces.field[order, np.newaxis]
        self._has_field = bool(self._field.any())
        self._weight = forces.weight[order]

    def advance(self, batch: Batch, pump: np.ndarray, until_look: int = LOOK) -> None:
        """See `Kernel.advance`."""
        groups = self._groups(batch)
        columns = np.concatenate([group.columns for group in groups])
        chaotic = columns[: batch.replicas.num_cac]  # the first of the groups
        x = np.ascontiguousarray(batch.x[:, columns])  # columns by index come out transposed
        amplitude = batch.amplitude[columns]
        decays = [(pump[:, group.columns[0]] - 1).tolist() for group in groups]
        for t in range(len(pump)):
            for group, decay in zip(groups, decays, strict=True):
                group.begin(decay[t])
            self._step(x, amplitude, groups)
            for group in groups:
                group.end()
            if chaotic.size and (t + 1 - until_look) % LOOK == 0:
                self._keep(batch, x[:, : chaotic.size], chaotic)
        for group in groups:
            group.store(batch)

    def _groups(self, batch: Batch) -> list[_Group]:
        replicas = batch.replicas
        alike = np.array([replicas.schedules.index(s) for s in replicas.schedules])
        kinds = 2 * alike[replicas.kinds] + replicas.seeded
        groups: list[_Group] = []
        first = 0
        for kind in np.unique(kinds):
            columns = np.flatnonzero(kinds == kind)
            is_cac = columns[0] < replicas.num_cac
            make = _Chaotic if is_cac else _Ballistic
            groups.append(make(batch, columns, first, self.rows))
            first += columns.size
        return groups

    @abstractmethod
    def _step(self, x: np.ndarray, amplitude: np.ndarray, groups: list[_Group]) -> None:
        """The middle of a step, all rows; `x` are the positions of all groups."""

    def _force(self, rows: Any, block: slice, x: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
        """Those on the rows of `block`, of which `rows` is the matrix."""
        force: np.ndarray = rows @ x
        if self._has_field:
            force += self._field[block] * amplitude
        return force

    def record(self, batch: Batch, first: int, last: int) -> None:
        """See `Kernel.record`."""
        if first < last:
            self._keep(batch, batch.x[:, first:last], np.arange(first, last))

    def _keep(self, batch: Batch, x: np.ndarray, columns: np.ndarray) -> None:
        """Keep the signs of `x`, the positions of the replicas `columns`, where they are best."""
        signs = np.where(x > 0, np.float32(1), np.float32(-1))
        forces = self._matrix @ signs
        if self._has_field:
            forces += 2 * self._field
        energies = -0.5 * (self._weight @ np.multiply(signs, forces, dtype=np.float64))
        better = np.flatnonzero(energies < batch.best_energy[columns])
        batch.best_energy[columns[better]] = energies[better]
        batch.best[:, columns[better]] = signs[:, better]


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
        self.rows = int(np.diff(edges).max())

    def _step(self, x: np.ndarray, amplitude: np.ndarray, groups: list[_Group]) -> None:
        for rows, block in self._blocks:
            force = self._force(rows, block, x, amplitude)
            for group in groups:
                group.update(block, force[:, group.share])
                x[block, group.share] = group.x[block]


class NumpyDenseKernel(_NumpyKernel):
    """By BLAS, a block of rows at a time, with the changes inside the block added row by row."""

    name = "numpy-dense"
    rows = 1

    def __init__(self, forces: Forces) -> None:
        super().__init__(forces, np.arange(forces.field.size))

    def _step(self, x: np.ndarray, amplitude: np.ndarray, groups: list[_Group]) -> None:
        matrix = self._matrix
        change = np.empty((_BLOCK, x.shape[1]), dtype=np.float32)
        for start in range(0, len(x), _BLOCK):
            block = slice(start, min(start + _BLOCK, len(x)))
            forces = self._force(matrix[block], block, x, amplitude)
            for i in range(start, block.stop):
                row = i - start
                force = forces[row : row + 1]
                if row:
                    force += matrix[i, start:i] @ change[:row]
                change[row] = x[i]
                for group in groups:
                    group.update(slice(i, i + 1), force[:, group.share])
                    x[i, group.share] = group.x[i]
                np.subtract(x[i], change[row], out=change[row])


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
