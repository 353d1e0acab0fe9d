"""From sizes, functions and data to a `NetworkSpec` whose integer grids fit."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from qhal.functions import Activation, Loss
from qhal.networks.gridspline import activation_spline, first_reach
from qhal.networks.spec import InputGrid, LayerSpec, NetworkSpec, check_count
from qhal.problems.arrays import FloatArray

GRID_TOLERANCE = 0.02
_MAX_REFINEMENT_BITS = 7


def make_spec(
    x: FloatArray,
    activation: Activation,
    loss: Loss,
    *,
    hidden: int = 3,
    weight_bits: int = 1,
    bias_bits: int = 4,
    input_bits: int = 2,
    spline_order: int = 1,
    spline_pieces: int = 4,
) -> NetworkSpec:
    """A spec whose units fit the inputs `x` (num_samples, num_features), float64.

    `unit` is the power of two nearest to the root mean square of w'q over random weights, so that
    pre-activations are of order one and pieces have few bits; the biases reach about 2.5 of it.
    """
    check_count(hidden, "hidden", 0)
    grid = InputGrid.fit(x, input_bits)
    spread = math.sqrt(float((grid(x) ** 2).sum(axis=1).mean()))
    unit = 2 ** max(0, round(math.log2(max(1.0, spread * _rms_level(weight_bits)))))
    bias_step = max(1, round(2.5 * unit / (2**bias_bits - 1))) if bias_bits else 1
    first = LayerSpec(x.shape[1], max(hidden, 1), weight_bits, bias_bits, bias_step)
    spec = NetworkSpec(
        grid, (first,), activation, loss, unit, unit, unit, spline_order, spline_pieces
    )
    if hidden == 0:
        return spec
    absorbed = activation.odd and weight_bits == 1
    second = LayerSpec(hidden, 1, weight_bits, 0, fixed=absorbed)
    gain = max(1, round(math.sqrt(hidden) / 2 * _rms_level(1 if absorbed else weight_bits)))
    resolution = _resolution(spec)
    return replace(
        spec, layers=(first, second), resolution=resolution, output_unit=resolution * gain
    )


def _resolution(spec: NetworkSpec) -> int:
    """The least multiple of `unit` by powers of two whose rounding moves the spline by <= 0.02.

    `unit` itself is exact for slopes of 0 and 1. Finer grids need more offset bits in the loss.
    """
    reach = first_reach(spec)
    z = np.arange(-reach, reach + 1)
    for bits in range(_MAX_REFINEMENT_BITS + 1):
        resolution = spec.unit << bits
        rounded = activation_spline(replace(spec, resolution=resolution))
        exact = rounded.spline(z / spec.unit)
        if np.abs(rounded(z) / resolution - exact).max() <= GRID_TOLERANCE:
            break
    return resolution


def _rms_level(bits: int) -> float:
    levels = np.arange(-(2**bits) + 1, 2**bits, 2)
    return math.sqrt(float((levels**2).mean()))
