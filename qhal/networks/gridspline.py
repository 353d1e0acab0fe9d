"""Splines on whole-number grids: the exact arithmetic that network and encoder share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qhal.functions import Activation, Loss
from qhal.networks.spec import HiddenSpec, LayerSpec, NetworkSpec, SplineSpec
from qhal.networks.splines import Spline, adaptive_knots, fit_spline, uniform_knots
from qhal.problems.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class GridSpline:
    """A spline of whole z: ``values[i] + slopes[i] * (z - starts[i])`` for starts[i] <= z.

    `starts` (k,) are whole and increasing; the last start not above z says the piece, and the
    first piece also holds below its start. `values` and `slopes` (for one step of z) are whole for
    an activation (in units of 1 / resolution), real for a loss.
    """

    starts: npt.NDArray[np.int64]
    values: FloatArray
    slopes: FloatArray
    spline: Spline

    def __call__(self, z: npt.ArrayLike) -> FloatArray:
        """The spline at whole numbers `z`, float64, same shape."""
        points = np.asarray(z)
        piece = np.searchsorted(self.starts[1:], points, side="right")
        return np.asarray(
            self.values[piece] + self.slopes[piece] * (points - self.starts[piece]),
            dtype=np.float64,
        )

    def largest(self, reach: int) -> int:
        """The largest |value| over -reach .. reach, rounded up."""
        ends = np.concatenate([self.starts, self.starts[1:] - 1, [-reach, reach]])
        return math.ceil(float(np.abs(self(np.clip(ends, -reach, reach))).max()))


@dataclass(frozen=True, eq=False)
class GridSplines:
    """The splines of a network: one for each hidden layer, and the loss's."""

    hidden: tuple[GridSpline, ...]
    loss: GridSpline


def grid_splines(spec: NetworkSpec) -> GridSplines:
    """The splines of `spec`, each over all whole numbers that weights and inputs can make of it."""
    splines, largest = [], 2**spec.grid.bits - 1
    for layer, hidden in zip(spec.layers, spec.hidden, strict=False):
        reach = layer_reach(layer, largest)
        splines.append(hidden_spline(hidden, spec.spline, reach))
        largest = max(1, splines[-1].largest(reach))
    reach = layer_reach(spec.layers[-1], largest) + 2 * spec.output_unit
    return GridSplines(tuple(splines), _on_grid(spec.loss, spec.spline, reach, spec.output_unit))


def layer_reach(layer: LayerSpec, largest: int) -> int:
    """The largest |z| of a layer whose inputs are at most `largest` in size."""
    return layer.inputs * layer.max_weight * largest + layer.max_bias


def hidden_spline(hidden: HiddenSpec, pieces: SplineSpec, reach: int) -> GridSpline:
    """The spline of a hidden layer's activation over -reach .. reach, with whole values."""
    exact = _on_grid(hidden.activation, pieces, reach, hidden.unit)
    values, slopes = (np.rint(part * hidden.resolution) for part in (exact.values, exact.slopes))
    return GridSpline(exact.starts, values, slopes, exact.spline)


def _on_grid(function: Activation | Loss, pieces: SplineSpec, reach: int, unit: int) -> GridSpline:
    """The spline of `function` over [-reach, reach] / unit with pieces that start at whole z."""
    low = -reach / unit
    high = max(reach / unit, low + 1 / unit)
    make_knots = uniform_knots if pieces.knots == "uniform" else adaptive_knots
    knots = make_knots(function, low, high, pieces.pieces, order=pieces.order)
    spline = fit_spline(function, pieces.order, knots)
    starts = np.array([math.ceil(knot * unit - 1e-9) for knot in knots[:-1]], dtype=np.int64)
    kept = np.append(np.diff(starts) > 0, True)  # a piece between two whole numbers has no z
    starts = starts[kept]
    # Not spline(starts / unit): rounding may put a start just below the knot it stands for.
    values = spline.values[kept] + spline.slopes[kept] * (starts / unit - spline.knots[:-1][kept])
    return GridSpline(starts, values, spline.slopes[kept] / unit, spline)
