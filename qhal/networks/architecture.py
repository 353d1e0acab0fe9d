"""From sizes, functions and data to a `NetworkSpec` whose integer grids fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from qhal.errors import InputError
from qhal.functions import Activation, Loss
from qhal.networks.gridspline import GridSpline, hidden_spline, layer_reach
from qhal.networks.spec import (
    HiddenSpec,
    InputGrid,
    LayerSpec,
    NetworkSpec,
    SplineSpec,
    WeightBits,
    check_count,
)
from qhal.problems.arrays import FloatArray, as_scalar

GRID_TOLERANCE = 0.02
_MAX_REFINEMENT_BITS = 7


def make_spec(
    x: FloatArray,
    activation: Activation | Sequence[Activation],
    loss: Loss,
    *,
    hidden: int | Sequence[int] = 3,
    outputs: int = 1,
    weight_bits: WeightBits | Sequence[WeightBits] = 1,
    bias_bits: int = 4,
    input_bits: int = 3,
    gain: float = 1.0,
    spline: SplineSpec | None = None,
    regression: bool = False,
) -> NetworkSpec:
    """A spec whose units fit the inputs `x` (num_samples, num_features), float64.

    `hidden` are the sizes of the hidden layers (0 or () for none), `activation` one for all of
    them or one for each, `weight_bits` one for all layers of weights or one for each. Units are
    the powers of two nearest to the root mean square of z over random weights, so that
    pre-activations are of order one and pieces have few bits, over `gain` in hidden layers; biases
    reach about 2.5 of it. The last layer has biases, except for one output, no regression, after an
    activation that is odd about 0. With one output, weights of one bit are absorbed where the last
    activation is odd; a fixed bias takes off what it is odd about.
    """
    pieces = spline or SplineSpec()
    sizes = _sizes(hidden)
    bits = _for_each(weight_bits, len(sizes) + 1, "weight_bits", "layers of weights")
    activations = _for_each(activation, len(sizes), "activations", "hidden layers")
    check_count(bias_bits, "bias_bits", 0, 8)
    if not 0 < as_scalar(gain, "gain") < math.inf:
        raise InputError(f"gain must be positive, not {gain!r}.")
    grid = InputGrid.fit(x, input_bits)
    q, largest = grid(x), 2**grid.bits - 1
    rms = math.sqrt(float((q**2).mean()))
    if regression and not sizes:  # only differences between samples fit targets around 0
        rms = math.sqrt(float(q.var(axis=0).mean()))
    layers: list[LayerSpec] = []
    hiddens: list[HiddenSpec] = []
    scale, fan_in = 1, x.shape[1]
    for size, width, function in zip(sizes, bits, activations, strict=False):
        layer = LayerSpec(fan_in, size, width, bias_bits)
        spread = max(1.0, rms * math.sqrt(fan_in) * layer.weights.rms)
        unit = 2 ** max(0, round(math.log2(spread / gain)))
        layer = _with_bias_step(layer, unit)
        reach = layer_reach(layer, largest)
        made, values = _hidden(function, unit, pieces, reach)
        layers.append(layer)
        hiddens.append(made)
        rms, largest = _rms_after(values, reach, spread), max(1, values.largest(reach))
        scale, fan_in = made.resolution, size
    last, output_unit = _last_layer(
        fan_in, outputs, bits[-1], activations, scale, rms, bias_bits, regression
    )
    return NetworkSpec(grid, (*layers, last), tuple(hiddens), loss, output_unit, pieces, regression)


def _last_layer(
    fan_in: int,
    outputs: int,
    bits: WeightBits,
    activations: Sequence[Activation],
    scale: int,
    rms: float,
    bias_bits: int,
    regression: bool,
) -> tuple[LayerSpec, int]:
    """The last layer and the unit of its outputs."""
    layer = LayerSpec(fan_in, outputs, bits, 0)
    if not activations:
        spread = max(1.0, rms * math.sqrt(fan_in) * layer.weights.rms)
        unit = 2 ** round(math.log2(spread))
        return _with_bias_step(replace(layer, bias_bits=bias_bits), unit), unit
    function, alone = activations[-1], outputs == 1 and not regression
    if alone and function.odd and bits == 1:
        layer = replace(layer, fixed=True, fixed_bias=-round(function.centre * scale * fan_in))
    unit = scale * max(1, round(math.sqrt(fan_in) / 2 * layer.weights.rms))
    centred = function.odd and function.centre == 0
    if not layer.fixed and not (alone and centred):
        layer = _with_bias_step(replace(layer, bias_bits=bias_bits), unit)
    return layer, unit


def _with_bias_step(layer: LayerSpec, unit: int) -> LayerSpec:
    if not layer.bias_bits:
        return layer
    return replace(layer, bias_step=max(1, round(2.5 * unit / (2**layer.bias_bits - 1))))


def _hidden(
    function: Activation, unit: int, pieces: SplineSpec, reach: int
) -> tuple[HiddenSpec, GridSpline]:
    """The least resolution, `unit` times a power of two, that rounds finely enough.

    Rounding may move values as far as the spline is from the function, or by 0.02. `unit` itself is
    exact for slopes of 0 and 1. Finer grids need more bits in later layers, and more of a machine.
    """
    z = np.arange(-reach, reach + 1)
    for bits in range(_MAX_REFINEMENT_BITS + 1):
        made = HiddenSpec(function, unit, unit << bits)
        rounded = hidden_spline(made, pieces, reach)
        exact = rounded.spline(z / unit)
        tolerance = max(GRID_TOLERANCE, float(np.abs(exact - function(z / unit)).max()))
        if np.abs(rounded(z) / made.resolution - exact).max() <= tolerance:
            break
    return made, rounded


def _rms_after(values: GridSpline, reach: int, spread: float) -> float:
    """Root mean square of an activation whose argument is normal with deviation `spread`."""
    z = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (z / spread) ** 2)
    return math.sqrt(float((weights * values(z) ** 2).sum() / weights.sum()))


def _sizes(hidden: Any) -> tuple[int, ...]:
    if isinstance(hidden, Sequence) and not isinstance(hidden, str):
        return tuple(check_count(size, "the size of a hidden layer", 1) for size in hidden)
    count = check_count(hidden, "hidden", 0)
    return (count,) if count else ()


def _for_each(value: Any, count: int, name: str, what: str) -> tuple[Any, ...]:
    """`value` for each of `count` layers, or the values themselves."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return (value,) * count
    if len(value) != count:
        raise InputError(f"{name} must be one, or one for each of the {count} {what}.")
    return tuple(value)
