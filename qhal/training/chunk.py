"""A few thousand samples with the state of a network that changes a block at a time.

Pre-activations are whole numbers small enough to be exact in float32, so that the state after any
chain of changes is that of a fresh forward pass, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from qhal.networks.gridspline import GridSpline, grid_splines, layer_reach
from qhal.networks.spec import HiddenSpec, Ints, NetworkSpec
from qhal.problems.arrays import FloatArray
from qhal.training.blocks import Block, Group, Parameters
from qhal.training.objective import Derivatives, Floats, Objective

# In pieces of slope 0 the slope is this share of the secant's over +-SURROGATE_REACH (in units of
# the pre-activation): else saturated units would never move.
SURROGATE_SHARE, SURROGATE_REACH = 0.3, 2.0
EXACT = 2**24


class Tables:
    """Activations and slopes of a network at whole pre-activations."""

    def __init__(self, spec: NetworkSpec) -> None:
        self.spec = spec
        splines = grid_splines(spec).hidden
        largest = 2**spec.grid.bits - 1
        self.reaches: list[int] = []
        self.kinks: list[Floats] = []  # where an activation jumps or its slope changes
        self._values: list[Floats] = []
        self._slopes: list[Floats] = []
        for layer, hidden, spline in zip(spec.layers, spec.hidden, splines, strict=False):
            reach = layer_reach(layer, largest)
            z = np.arange(-reach, reach + 1)
            self._values.append(spline(z).astype(np.float32))
            self._slopes.append(_slopes(hidden, spline, z).astype(np.float32))
            self.kinks.append(z[1:-1][np.diff(spline(z), 2) != 0].astype(np.float32))
            self.reaches.append(reach)
            largest = max(1, spline.largest(reach))
        exact = max([layer_reach(spec.layers[-1], largest), *self.reaches]) < EXACT
        self.dtype = np.float32 if exact else np.float64
        self.objective = Objective(spec, largest)

    def values(self, layer: int, z: Floats) -> Floats:
        """Activations of `layer` at `z`."""
        return self._values[layer].take(z.astype(np.int32) + self.reaches[layer])

    def slopes(self, layer: int, z: Floats) -> Floats:
        """Slopes of `layer` at `z`, surrogates where a piece is flat."""
        return self._slopes[layer].take(z.astype(np.int32) + self.reaches[layer])


def _slopes(hidden: HiddenSpec, spline: GridSpline, z: npt.NDArray[np.int64]) -> FloatArray:
    slopes = spline.slopes[np.searchsorted(spline.starts[1:], z, side="right")]
    width = max(1, round(SURROGATE_REACH * hidden.unit))
    secants = (spline(z + width) - spline(z - width)) / (2 * width)
    share = SURROGATE_SHARE if spline.slopes.any() else 1.0
    return np.where(slopes == 0, share * secants, slopes)


class Chunk:
    """Samples `q` (N, features) on the grid with labels `y`, and `parameters` that may change."""

    def __init__(
        self,
        tables: Tables,
        q: npt.NDArray[np.generic],
        y: npt.NDArray[np.generic],
        parameters: Parameters,
    ) -> None:
        self.tables, self.parameters, self.y = tables, parameters, y
        self.targets = tables.objective.targets(y)
        self.z: list[Floats] = []
        # The inputs of each layer, (inputs + 1, N); the last row is 1.
        self.values: list[Floats] = [_with_ones(q.T.astype(tables.dtype))]
        for layer, part in enumerate(parameters):
            weights: Floats = part.astype(tables.dtype)
            self.z.append(weights @ self.values[layer])
            if layer < len(parameters) - 1:
                self.values.append(_with_ones(tables.values(layer, self.z[layer])))
        self._derivatives: Derivatives | None = None

    @property
    def derivatives(self) -> Derivatives:
        """Of the loss by the outputs, at the present parameters."""
        if self._derivatives is None:
            self._derivatives = self.tables.objective.derivatives(self.z[-1], self.targets)
        return self._derivatives

    @cached_property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        return sum(part.nbytes for part in (*self.z, *self.values))

    def score(self) -> tuple[float, int]:
        """The sum of the samples' losses, and the number of errors."""
        return self._score_of(self.z[-1])

    def score_at(self, parameters: Parameters) -> tuple[float, int]:
        """The score if the parameters were these."""
        move = self._moves(parameters)[-1]
        z = self.z[-1]
        if len(move.rows):
            z = z.copy()
            z[move.rows] = move.z
        return self._score_of(z)

    def _score_of(self, z: Floats) -> tuple[float, int]:
        objective = self.tables.objective
        loss = objective.values(z, self.targets).sum(dtype=np.float64)
        return float(loss), objective.errors(z, self.y)

    def advance(self, parameters: Parameters) -> None:
        """Make these the present parameters."""
        for layer, move in enumerate(self._moves(parameters)):
            if len(move.rows):
                self.z[layer][move.rows] = move.z
                self._derivatives = None
                if layer < len(self.z) - 1:
                    self.values[layer + 1][move.rows] += move.step
        self.parameters = parameters

    def tangent(self, group: Group) -> Floats:
        """Derivatives (K, N) of the outputs by the pre-activation of the unit of `group`."""
        layer, last = group.layer, len(self.z) - 1
        if layer == last:
            tangent = np.zeros(self.z[last].shape, dtype=np.float32)
            tangent[group.unit] = 1 / self.tables.objective.unit
            return tangent
        slopes = self.tables.slopes(layer, self.z[layer][group.unit])
        tangent = np.multiply.outer(self._weights(layer + 1)[:, group.unit], slopes)
        for later in range(layer + 1, last):
            tangent *= self.tables.slopes(later, self.z[later])
            tangent = self._weights(later + 1) @ tangent
        return np.asarray(tangent / self.tables.objective.unit)

    def local_model(self, block: Block) -> tuple[FloatArray, FloatArray]:
        """Gradient (n,) and Hessian (n, n) of the sum of losses by the numbers of `block`.

        By secants for the parameters of one hidden unit, else by Gauss and Newton.
        """
        if len(block.groups) == 1 and block.groups[0].layer < len(self.z) - 1:
            return self._secant_model(block.groups[0])
        facts = self.derivatives
        tangents = [self.tangent(group) for group in block.groups]
        features = [self._features(group).astype(np.float32, copy=False) for group in block.groups]
        ends = np.cumsum([0, *map(len, features)])
        places = [slice(*pair) for pair in pairwise(ends)]
        gradient, hessian = np.zeros(ends[-1]), np.zeros((ends[-1], ends[-1]))
        for i, (left, at) in enumerate(zip(features, places, strict=True)):
            gradient[at] = left @ np.einsum("kn,kn->n", facts.gradient, tangents[i])
            root = left * np.sqrt(np.maximum(facts.curvature(tangents[i], tangents[i]), 0))
            hessian[at, at] = root @ root.T
            for j in range(i):
                weighted = left * facts.curvature(tangents[i], tangents[j])
                hessian[at, places[j]] = weighted @ features[j].T
                hessian[places[j], at] = hessian[at, places[j]].T
        return gradient, hessian

    def distances(self, block: Block) -> Floats:
        """How many flips the pre-activation of a hidden unit is from a kink, (N,), at the least.

        That is, of the bit of the unit's `block` that moves it furthest; inf if none does.
        """
        (group,) = block.groups
        z, kinks = self.z[group.layer][group.unit], self.tables.kinks[group.layer]
        far = np.full(z.shape, np.inf, dtype=np.float32)
        for kink in kinks:
            np.minimum(far, np.abs(z - kink), out=far)
        powers = np.abs(block.steps).max(axis=1, initial=0.0).astype(np.float32)
        moves = (np.abs(self._features(group)) * powers[:, np.newaxis]).max(axis=0, initial=0.0)
        return np.asarray(np.divide(far, moves, out=np.full_like(far, np.inf), where=moves > 0))

    def _secant_model(self, group: Group) -> tuple[FloatArray, FloatArray]:
        """The local model from each sample's loss at three values of the unit's pre-activation.

        A flip moves it by about `width`, often across a breakpoint, where a derivative tells little
        and a saturated unit has none.
        """
        width = self.tables.spec.hidden[group.layer].unit
        present = self.tables.objective.values(self.z[-1], self.targets)
        low, high = (self._shifted_losses(group, shift) for shift in (-width, width))
        features = self._features(group).astype(np.float32, copy=False)
        curvature = np.maximum(high - 2 * present + low, 0) / np.float32(width) ** 2
        gradient = features @ ((high - low) / np.float32(2 * width))
        root = features * np.sqrt(curvature)
        return gradient.astype(np.float64), (root @ root.T).astype(np.float64)

    def _shifted_losses(self, group: Group, shift: int) -> Floats:
        """The samples' losses (N,) if the unit's pre-activation were larger by `shift`."""
        rows, reach = np.array([group.unit]), self.tables.reaches[group.layer]
        z = np.clip(self.z[group.layer][rows] + shift, -reach, reach)
        step = self.tables.values(group.layer, z) - self.values[group.layer + 1][rows]
        move = _Move(rows, z, step)
        for layer in range(group.layer + 1, len(self.z)):
            held = self.parameters[layer]
            move = self._move(layer, held, held, move)
        return self.tables.objective.values(move.z, self.targets)

    def _features(self, group: Group) -> Floats:
        """What the parameters of `group` multiply, (columns, N)."""
        values = self.values[group.layer]
        whole = group.columns == tuple(range(len(values)))
        return values if whole else values[list(group.columns)]

    def _weights(self, layer: int) -> Floats:
        return self.parameters[layer][:, :-1].astype(np.float32)

    def _moves(self, parameters: Parameters) -> list[_Move]:
        """What `parameters` change, layer by layer."""
        moves: list[_Move] = []
        before: _Move | None = None
        for layer, (old, new) in enumerate(zip(self.parameters, parameters, strict=True)):
            before = self._move(layer, old, new, before)
            moves.append(before)
        return moves

    def _move(self, layer: int, old: Ints, new: Ints, before: _Move | None) -> _Move:
        differs = new != old
        rows = np.flatnonzero(differs.any(axis=1))
        columns = np.flatnonzero(differs.any(axis=0))
        moved = before is not None and len(before.rows) > 0
        if moved:
            rows = np.arange(len(new))
        if not len(rows):
            return _Move(rows, self.z[layer][:0], self.z[layer][:0])
        z = self.z[layer][rows]
        if len(columns):
            step = (new[np.ix_(rows, columns)] - old[np.ix_(rows, columns)]).astype(z.dtype)
            z += step @ self.values[layer][columns]
        if moved and before is not None:
            z += new[:, before.rows].astype(z.dtype) @ before.step
        if layer == len(self.z) - 1:
            return _Move(rows, z, z)
        return _Move(rows, z, self.tables.values(layer, z) - self.values[layer + 1][rows])


@dataclass(frozen=True)
class _Move:
    """New pre-activations `z` (rows, N) of some units, and the `step` of their activations."""

    rows: Ints
    z: Floats
    step: Floats


def _with_ones(values: Floats) -> Floats:
    return np.concatenate([values, np.ones((1, values.shape[1]), dtype=values.dtype)])
