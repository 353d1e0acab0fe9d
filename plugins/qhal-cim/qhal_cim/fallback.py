"""The kernels by numpy and scipy alone.

What costs here are passes over arrays: only those over contiguous arrays of one shape, or with one
number, are fast. So replicas that share a schedule stand together, and their constants are numbers
that are folded into the state wherever that saves a pass.
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

    `tiles` are arrays of one number each, the limits that values are clipped to: minima and maxima
    with a number, not an array, are slow in numpy.
    """

    def __init__(self, batch: Batch, columns: np.ndarray, rows: int, unit: float) -> None:
        self.columns = columns
        self._unit = unit
        self.x = np.ascontiguousarray(batch.x[:, columns])
        self.y = np.ascontiguousarray(batch.y[:, columns]) / np.float32(unit)
        self.amplitude = batch.amplitude[columns]
        self._shape = (rows, columns.size)
        self._work = np.empty(self._shape, dtype=np.float32)

    def tile(self, value: float) -> np.ndarray:
        return np.full(self._shape, value, dtype=np.float32)

    def store(self, batch: Batch) -> None:
        """Write the state back to `batch`."""
        batch.x[:, self.columns] = self.x
        batch.y[:, self.columns] = self.y * np.float32(self._unit)

    @abstractmethod
    def update(self, rows: slice, force: np.ndarray, decay: float) -> None:
        """One step of rows that do not touch each other; `force` is used up, decay is p - 1."""


class _Chaotic(_Group):
    """Replicas of ``"cac"``; y is e times gain and dt."""

    def __init__(self, batch: Batch, columns: np.ndarray, rows: int) -> None:
        gain, dt, target, beta, limit = batch.replicas.constants[:, columns[0]].tolist()
        super().__init__(batch, columns, rows, 1 / (gain * dt))
        self._dt, self._rate, self._growth = dt, beta * dt, 1 + beta * dt * target
        self._low, self._high = self.tile(-limit), self.tile(limit)
        self._least = self.tile(SMALLEST_ERROR * gain * dt)
        self._most = self.tile(LARGEST_ERROR * gain * dt)

    def update(self, rows: slice, force: np.ndarray, decay: float) -> None:
        """See `_Group.update`."""
        x, error, count = self.x[rows], self.y[rows], len(force)
        work = self._work[:count]
        force *= error
        np.multiply(x, x, out=work)
        work *= -self._dt
        work += 1 + self._dt * decay
        work *= x
        force += work
        np.minimum(force, self._high[:count], out=force)
        np.maximum(force, self._low[:count], out=x)
        np.multiply(x, x, out=work)
        work *= -self._rate
        work += self._growth
        error *= work
        np.minimum(error, self._most[:count], out=error)
        np.maximum(error, self._least[:count], out=error)


class _Ballistic(_Group):
    """Replicas of ``"bsb"``; y is the momentum divided by gain and dt."""

    def __init__(self, batch: Batch, columns: np.ndarray, rows: int) -> None:
        gain, dt = batch.replicas.constants[:2, columns[0]].tolist()
        super().__init__(batch, columns, rows, gain * dt)
        self._gain, self._push = gain, gain * dt * dt
        self._ones, self._low = self.tile(1), self.tile(-1)

    def update(self, rows: slice, force: np.ndarray, decay: float) -> None:
        """See `_Group.update`."""
        x, momentum, count = self.x[rows], self.y[rows], len(force)
        work, ones = self._work[:count], self._ones[:count]
        np.multiply(x, decay / self._gain, out=work)
        force += work
        momentum += force
        np.multiply(momentum, self._push, out=work)
        x += work
        # 0 beyond the walls, else 1, by passes that are faster than those over booleans.
        np.abs(x, out=work)
        np.floor(work, out=work)
        np.minimum(work, ones, out=work)
        np.subtract(1, work, out=work)
        momentum *= work
        np.minimum(x, ones, out=x)
        np.maximum(x, self._low[:count], out=x)


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
        chaotic = [group for group in groups if isinstance(group, _Chaotic)]
        decays = [(pump[:, group.columns[0]] - 1).tolist() for group in groups]
        for t in range(len(pump)):
            for group, decay in zip(groups, decays, strict=True):
                self._step(group, decay[t])
            if chaotic and (t + 1 - until_look) % LOOK == 0:
                for group in chaotic:
                    group.store(batch)
                self.record(batch, 0, batch.replicas.num_cac)
        for group in groups:
            group.store(batch)

    def _groups(self, batch: Batch) -> list[_Group]:
        replicas = batch.replicas
        alike = np.array([replicas.schedules.index(s) for s in replicas.schedules])
        kinds = 2 * alike[replicas.kinds] + replicas.seeded
        groups: list[_Group] = []
        for kind in np.unique(kinds):
            columns = np.flatnonzero(kinds == kind)
            is_cac = columns[0] < replicas.num_cac
            groups.append((_Chaotic if is_cac else _Ballistic)(batch, columns, self.rows))
        return groups

    @abstractmethod
    def _step(self, group: _Group, decay: float) -> None:
        """One step of all rows of a group."""

    def _force(self, rows: Any, block: slice, group: _Group) -> np.ndarray:
        """Those on the rows of `block`, of which `rows` is the matrix."""
        force: np.ndarray = rows @ group.x
        if self._has_field:
            force += self._field[block] * group.amplitude
        return force

    def record(self, batch: Batch, first: int, last: int) -> None:
        """See `Kernel.record`."""
        if first == last:
            return
        signs = np.where(batch.x[:, first:last] > 0, np.float32(1), np.float32(-1))
        forces = self._matrix @ signs
        if self._has_field:
            forces += 2 * self._field
        energies = -0.5 * (self._weight @ np.multiply(signs, forces, dtype=np.float64))
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
        self.rows = int(np.diff(edges).max())

    def _step(self, group: _Group, decay: float) -> None:
        for rows, block in self._blocks:
            group.update(block, self._force(rows, block, group), decay)


class NumpyDenseKernel(_NumpyKernel):
    """By BLAS, a block of rows at a time, with the changes inside the block added row by row."""

    name = "numpy-dense"
    rows = 1

    def __init__(self, forces: Forces) -> None:
        super().__init__(forces, np.arange(forces.field.size))

    def _step(self, group: _Group, decay: float) -> None:
        x, matrix = group.x, self._matrix
        change = np.empty((_BLOCK, x.shape[1]), dtype=np.float32)
        for start in range(0, len(x), _BLOCK):
            block = slice(start, min(start + _BLOCK, len(x)))
            forces = self._force(matrix[block], block, group)
            for i in range(start, block.stop):
                row = i - start
                force = forces[row : row + 1]
                if row:
                    force += matrix[i, start:i] @ change[:row]
                change[row] = x[i]
                group.update(slice(i, i + 1), force, decay)
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
