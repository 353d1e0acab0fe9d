"""What a network looks like before it is trained: sizes, bits, functions and integer grids."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError
from qhal.functions import Activation, Loss
from qhal.problems.arrays import FloatArray

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LayerSpec:
    """One layer of weights: `outputs` units over `inputs` values.

    A weight of k bits is one of the odd numbers -(2^k - 1) .. 2^k - 1, ``sum 2^j (2 b_j - 1)``, so
    one bit is a sign. A bias is such a number of `bias_bits` bits times `bias_step`. `fixed` means
    all weights are +1 and there is no bias: no parameters.
    """

    inputs: int
    outputs: int
    weight_bits: int
    bias_bits: int
    bias_step: int = 1
    fixed: bool = False

    def __post_init__(self) -> None:
        for name, least in (("inputs", 1), ("outputs", 1), ("weight_bits", 1), ("bias_bits", 0)):
            value = getattr(self, name)
            if value < least:
                raise InputError(f"{name} must be at least {least}, not {value}.")
        if max(self.weight_bits, self.bias_bits) > 8:
            raise InputError("weights and biases have at most 8 bits each.")

    @property
    def num_bits(self) -> int:
        """Binary variables for the parameters of this layer."""
        if self.fixed:
            return 0
        return self.outputs * (self.inputs * self.weight_bits + self.bias_bits)

    @property
    def num_parameters(self) -> int:
        """Weights and biases that are learned."""
        if self.fixed:
            return 0
        return self.outputs * (self.inputs + (self.bias_bits > 0))

    @property
    def max_weight(self) -> int:
        """The largest |weight|."""
        return 1 if self.fixed else 2**self.weight_bits - 1

    @property
    def max_bias(self) -> int:
        """The largest |bias|, in units of the pre-activation."""
        return 0 if self.fixed else (2**self.bias_bits - 1) * self.bias_step


def odd_levels(bits: npt.NDArray[np.int8]) -> Ints:
    """``sum 2^j (2 b_j - 1)`` over the last axis of `bits`; 0 for an axis of length 0."""
    powers = 2 ** np.arange(bits.shape[-1], dtype=np.int64)
    return np.asarray((2 * bits.astype(np.int64) - 1) @ powers, dtype=np.int64)


def odd_bits(levels: Ints, count: int) -> npt.NDArray[np.int8]:
    """The bits of odd `levels`, shape (*levels.shape, count); inverse of `odd_levels`."""
    shifted = (levels + 2**count - 1) // 2
    return np.asarray((shifted[..., np.newaxis] >> np.arange(count)) & 1, dtype=np.int8)


@dataclass(frozen=True, eq=False)
class InputGrid:
    """Inputs as whole numbers 0 .. 2^bits - 1: ``round((x - low) / (high - low) * (2^bits - 1))``.

    `low` and `high` are (num_features,) arrays; values outside are clipped.
    """

    low: FloatArray
    high: FloatArray
    bits: int

    def __call__(self, x: npt.ArrayLike) -> Ints:
        """Whole numbers (num_samples, num_features) for `x` of the same shape."""
        values = np.asarray(x, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.low):
            raise InputError(
                f"inputs must have shape (num_samples, {len(self.low)}), not {values.shape}."
            )
        if not np.isfinite(values).all():
            raise InputError("inputs contain NaN or infinite values.")
        span = np.where(self.high > self.low, self.high - self.low, 1.0)
        scaled = np.clip((values - self.low) / span, 0.0, 1.0)
        return np.asarray(np.rint(scaled * (2**self.bits - 1)), dtype=np.int64)

    @classmethod
    def fit(cls, x: FloatArray, bits: int) -> InputGrid:
        """The grid over [0, 1] if all of `x` lies there, else over each feature's range."""
        if not 1 <= bits <= 8:
            raise InputError(f"input_bits must be from 1 to 8, not {bits}.")
        if x.min() >= 0.0 and x.max() <= 1.0:
            return cls(np.zeros(x.shape[1]), np.ones(x.shape[1]), bits)
        return cls(x.min(axis=0), x.max(axis=0), bits)


@dataclass(frozen=True, eq=False)
class NetworkSpec:
    """Architecture and grids of a network with one output and at most one hidden layer.

    A hidden unit sees the whole number z = w'q + bias and gives ``activation(z / unit)``, on the
    grid of multiples of 1 / `resolution`; the output is the sum of weighted activations over
    `output_unit`, and its sign is the class. Without a hidden layer the output is z / unit.
    """

    grid: InputGrid
    layers: tuple[LayerSpec, ...]
    activation: Activation
    loss: Loss
    unit: int
    resolution: int
    output_unit: int
    spline_order: int = 1
    spline_pieces: int = 4

    @property
    def bits_per_parameter(self) -> float:
        """Mean of log2(levels) over all parameters."""
        bits = sum(layer.num_bits for layer in self.layers)
        return bits / sum(layer.num_parameters for layer in self.layers)

    @property
    def num_parameters(self) -> int:
        """Learned weights and biases."""
        return sum(layer.num_parameters for layer in self.layers)

    @property
    def num_weight_bits(self) -> int:
        """Binary variables for all parameters."""
        return sum(layer.num_bits for layer in self.layers)


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
    if hidden < 0:
        raise InputError(f"hidden must be at least 0, not {hidden}.")
    grid = InputGrid.fit(x, input_bits)
    spread = math.sqrt(float((grid(x) ** 2).sum(axis=1).mean()))
    unit = 2 ** max(0, round(math.log2(max(1.0, spread * _rms_level(weight_bits)))))
    bias_step = max(1, round(2.5 * unit / (2**bias_bits - 1))) if bias_bits else 1
    num_features = x.shape[1]
    if hidden == 0:
        layers = (LayerSpec(num_features, 1, weight_bits, bias_bits, bias_step),)
        return NetworkSpec(
            grid, layers, activation, loss, unit, unit, unit, spline_order, spline_pieces
        )
    first = LayerSpec(num_features, hidden, weight_bits, bias_bits, bias_step)
    absorbed = activation.odd and weight_bits == 1
    second = LayerSpec(hidden, 1, weight_bits, 0, fixed=absorbed)
    piecewise_linear = activation.curvature == 0.0
    resolution = unit if piecewise_linear else 8 * unit
    gain = max(1, round(math.sqrt(hidden) / 2 * _rms_level(second.weight_bits)))
    return NetworkSpec(
        grid,
        (first, second),
        activation,
        loss,
        unit,
        resolution,
        resolution * gain,
        spline_order,
        spline_pieces,
    )


def _rms_level(bits: int) -> float:
    levels = np.arange(-(2**bits) + 1, 2**bits, 2)
    return math.sqrt(float((levels**2).mean()))
