"""What a network looks like before it is trained: sizes, bits, functions and integer grids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError
from qhal.functions import Activation, Loss
from qhal.problems.arrays import FloatArray

Ints = npt.NDArray[np.int64]


def check_count(value: Any, name: str, least: int, most: int | None = None) -> int:
    """`value` as an int from `least` to `most`; `InputError` for anything else."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise InputError(f"{name} must be a whole number {span}, not {value!r}.")
    return int(value)


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
        check_count(self.inputs, "inputs", 1)
        check_count(self.outputs, "outputs", 1)
        check_count(self.weight_bits, "weight_bits", 1, 8)
        check_count(self.bias_bits, "bias_bits", 0, 8)

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
        check_count(bits, "input_bits", 1, 8)
        if x.ndim != 2 or x.size == 0:
            raise InputError(
                f"inputs must have shape (num_samples, num_features), not empty, got {x.shape}."
            )
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
