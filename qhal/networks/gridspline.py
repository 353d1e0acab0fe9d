"""Splines on whole-number grids: the exact arithmetic that network and encoder share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qhal.functions import Activation, Loss
from qhal.networks.spec import NetworkSpec
from qhal.networks.splines import Spline, fit_spline, uniform_knots
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


def first_reach(spec: NetworkSpec) -> int:
    """The largest |pre-activation| of the first layer."""
    layer = spec.layers[0]
    return int(layer.inputs * layer.max_weight * (2**spec.grid.bits - 1) + layer.max_bias)


def activation_spline(spec: NetworkSpec) -> GridSpline:
    """The activation over every pre-activation that the first layer can reach."""
    reach = first_reach(spec)
    return _on_grid(spec.activation, spec, reach, spec.unit, spec.resolution)


def loss_spline(spec: NetworkSpec, reach: int) -> GridSpline:
    """The loss over whole margins -reach .. reach, in units of 1 / `spec.output_unit`."""
    return _on_grid(spec.loss, spec, reach, spec.output_unit, None)


def output_reach(spec: NetworkSpec) -> int:
    """The largest |output| in units of 1 / `spec.output_unit`."""
    reach = first_reach(spec)
    if len(spec.layers) == 1:
        return reach
    activation = activation_spline(spec)
    ends = np.concatenate([activation.starts, activation.starts[1:] - 1, [-reach, reach]])
    largest = int(np.abs(activation(ends)).max())
    output = spec.layers[1]
    return int(output.inputs * output.max_weight * largest + output.max_bias)


def _on_grid(
    function: Activation | Loss, spec: NetworkSpec, reach: int, unit: int, resolution: int | None
) -> GridSpline:
    """The spline of `function` over [-reach, reach] / unit with pieces that start at whole z."""
    low, high = -reach / unit, reach / unit
    knots = uniform_knots(
        function, low, max(high, low + 1 / unit), spec.spline_pieces, order=spec.spline_order
    )
    spline = fit_spline(function, spec.spline_order, knots)
    starts = np.array([math.ceil(knot * unit - 1e-9) for knot in knots[:-1]], dtype=np.int64)
    kept = np.append(np.diff(starts) > 0, True)  # a piece between two whole numbers has no z
    starts = starts[kept]
    # Not spline(starts / unit): rounding may put a start just below the knot it stands for.
    values = spline.values[kept] + spline.slopes[kept] * (starts / unit - spline.knots[:-1][kept])
    slopes = spline.slopes[kept] / unit
    if resolution is not None:
        values, slopes = np.rint(values * resolution), np.rint(slopes * resolution)
    return GridSpline(starts, values, slopes, spline)
