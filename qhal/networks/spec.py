"""What a network looks like before it is trained: sizes, bits, functions and integer grids."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError
from qhal.functions import Activation, Loss
from qhal.problems.arrays import FloatArray

Ints: TypeAlias = npt.NDArray[np.int64]
WeightBits: TypeAlias = int | Literal["ternary"]
MAX_BITS = 8


def check_count(value: Any, name: str, least: int, most: int | None = None) -> int:
    """`value` as an int from `least` to `most`; `InputError` for anything else."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise InputError(f"{name} must be a whole number {span}, not {value!r}.")
    return int(value)


@dataclass(frozen=True)
class Code:
    """Whole numbers as bits: ``base + powers @ bits``, symmetric around 0."""

    powers: tuple[int, ...]
    base: int

    @classmethod
    def odd(cls, bits: int, step: int = 1) -> Code:
        """`step` times the odd numbers -(2^bits - 1) .. 2^bits - 1; 0 alone for no bits."""
        return cls(tuple(2 * step << k for k in range(bits)), -step * (2**bits - 1))

    @classmethod
    def of_weights(cls, bits: WeightBits) -> Code:
        """One bit is a sign, "ternary" -1, 0 and +1 (0 has two codes), k bits the odd numbers."""
        return cls((1, 1), -1) if bits == "ternary" else cls.odd(bits)

    @property
    def num_bits(self) -> int:
        """Bits for one number."""
        return len(self.powers)

    @property
    def levels(self) -> Ints:
        """The numbers that have a code, increasing."""
        patterns = (np.arange(2**self.num_bits)[:, np.newaxis] >> np.arange(self.num_bits)) & 1
        return np.unique(self.decode(patterns))

    @property
    def largest(self) -> int:
        """The largest number, minus the smallest."""
        return -self.base

    @property
    def step(self) -> int:
        """What differences between numbers are multiples of; 0 if there is one number only."""
        return math.gcd(*self.powers)

    @property
    def rms(self) -> float:
        """Root mean square over all levels."""
        return math.sqrt(float((self.levels**2).mean()))

    def decode(self, bits: npt.NDArray[Any]) -> Ints:
        """Numbers of `bits` (..., num_bits), shape (...)."""
        powers = np.array(self.powers, dtype=np.int64)
        return np.asarray(bits.astype(np.int64) @ powers + self.base)

    def encode(self, numbers: Ints) -> npt.NDArray[np.int8]:
        """Bits (..., num_bits) of `numbers` (...); of two codes the one with low bits first."""
        bits = np.zeros((*numbers.shape, self.num_bits), dtype=np.int8)
        rest = numbers - self.base
        for k in reversed(range(self.num_bits)):
            on = rest > sum(self.powers[:k])
            bits[..., k] = on
            rest = np.where(on, rest - self.powers[k], rest)
        return bits

    @property
    def max_moves(self) -> int:
        """The length of `moves` at most."""
        return self.num_bits if self.num_bits <= 3 else 6

    def moves(self, number: int) -> list[int]:
        """What can be added to `number`, any of them together, without leaving the levels.

        A change of each bit, for codes of up to three; else 1, 2 and 4 steps up and as many down,
        as far as there is room: a change of the highest bit would be larger than a search wants.
        """
        if self.num_bits <= 3:
            bits = self.encode(np.array(number))
            return [
                power * (1 - 2 * int(bit)) for power, bit in zip(self.powers, bits, strict=True)
            ]
        room_up, room_down = self.largest - number, number - self.base
        up, down = (_shares(room // self.step) for room in (room_up, room_down))
        return [self.step * size for size in up] + [-self.step * size for size in down]


def _shares(room: int) -> list[int]:
    """1, 2 and 4, or less where their sum would exceed `room`."""
    shares: list[int] = []
    for size in (1, 2, 4):
        shares.append(min(size, room - sum(shares)))
    return [share for share in shares if share]


@dataclass(frozen=True)
class LayerSpec:
    """One layer of weights: `outputs` units over `inputs` values.

    A weight of k bits is one of the odd numbers -(2^k - 1) .. 2^k - 1, so one bit is a sign;
    `weight_bits="ternary"` means -1, 0 or +1. A bias is an odd number of `bias_bits` bits times
    `bias_step`. `fixed` means that all weights are +1 and all biases `fixed_bias`: no parameters.
    """

    inputs: int
    outputs: int
    weight_bits: WeightBits
    bias_bits: int
    bias_step: int = 1
    fixed: bool = False
    fixed_bias: int = 0

    def __post_init__(self) -> None:
        check_count(self.inputs, "inputs", 1)
        check_count(self.outputs, "outputs", 1)
        check_count(self.bias_step, "bias_step", 1)
        check_count(self.bias_bits, "bias_bits", 0, MAX_BITS)
        check_count(self.fixed_bias, "fixed_bias", -(2**62))
        if self.weight_bits != "ternary":
            check_count(self.weight_bits, "weight_bits (if not 'ternary')", 1, MAX_BITS)

    @property
    def weights(self) -> Code:
        """How one weight is coded; a fixed one has no bits."""
        return Code((), 1) if self.fixed else Code.of_weights(self.weight_bits)

    @property
    def biases(self) -> Code:
        """How one bias is coded."""
        return Code((), self.fixed_bias) if self.fixed else Code.odd(self.bias_bits, self.bias_step)

    @property
    def num_bits(self) -> int:
        """Binary variables for the parameters of this layer."""
        return self.outputs * (self.inputs * self.weights.num_bits + self.biases.num_bits)

    @property
    def num_parameters(self) -> int:
        """Weights and biases that are learned."""
        return 0 if self.fixed else self.outputs * (self.inputs + (self.bias_bits > 0))

    @property
    def entropy_bits(self) -> float:
        """The sum of log2(levels) over the parameters."""
        codes = ((self.inputs, self.weights), (1, self.biases))
        return self.outputs * sum(count * math.log2(len(code.levels)) for count, code in codes)

    @property
    def max_weight(self) -> int:
        """The largest |weight|."""
        return 1 if self.fixed else self.weights.largest

    @property
    def max_bias(self) -> int:
        """The largest |bias|, in units of the pre-activation."""
        return abs(self.fixed_bias) if self.fixed else self.biases.largest


@dataclass(frozen=True)
class SplineSpec:
    """How functions become splines: order 0 or 1, pieces, knots "uniform" or "adaptive"."""

    order: int = 1
    pieces: int = 4
    knots: str = "uniform"

    def __post_init__(self) -> None:
        check_count(self.order, "the spline order", 0, 1)
        check_count(self.pieces, "the number of spline pieces", 1)
        if self.knots not in ("uniform", "adaptive"):
            raise InputError(f"spline knots must be 'uniform' or 'adaptive', not {self.knots!r}.")


@dataclass(frozen=True, eq=False)
class HiddenSpec:
    """What units do to the whole number z: ``activation(z / unit)``, in steps of 1 / resolution."""

    activation: Activation
    unit: int
    resolution: int


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
        scaled = np.clip((values - self.low) / self.span, 0.0, 1.0)
        return np.asarray(np.rint(scaled * (2**self.bits - 1)), dtype=np.int64)

    @property
    def span(self) -> FloatArray:
        """high - low, 1 where that is 0: (num_features,)."""
        return np.where(self.high > self.low, self.high - self.low, 1.0)

    @classmethod
    def fit(cls, x: FloatArray, bits: int) -> InputGrid:
        """The grid over [0, 1] if all of `x` lies there, else over each feature's range."""
        check_count(bits, "input_bits", 1, MAX_BITS)
        if x.ndim != 2 or x.size == 0:
            raise InputError(
                f"inputs must have shape (num_samples, num_features), not empty, got {x.shape}."
            )
        if x.min() >= 0.0 and x.max() <= 1.0:
            return cls(np.zeros(x.shape[1]), np.ones(x.shape[1]), bits)
        return cls(x.min(axis=0), x.max(axis=0), bits)


@dataclass(frozen=True, eq=False)
class NetworkSpec:
    """Architecture and grids of a feed-forward network.

    Layer k sees whole numbers a (the quantised inputs first) and forms z = W a + bias; between two
    layers stands ``hidden[k]``. The outputs are the last z over `output_unit`. The loss is the mean
    over samples of the sum over outputs of ``loss(margin)`` (`qhal.Loss.softmax` tells of the
    exception): for classes, margin = +-output (one output for two classes, else one for each class
    against the rest); for a `regression`, margin = 1 - target + output, so that losses of
    1 - margin are losses of the error.
    """

    grid: InputGrid
    layers: tuple[LayerSpec, ...]
    hidden: tuple[HiddenSpec, ...]
    loss: Loss
    output_unit: int
    spline: SplineSpec = SplineSpec()
    regression: bool = False

    def __post_init__(self) -> None:
        if len(self.layers) != len(self.hidden) + 1:
            raise InputError("a network has one layer of weights more than hidden layers.")
        sizes = [len(self.grid.low)] + [layer.outputs for layer in self.layers]
        if [layer.inputs for layer in self.layers] != sizes[:-1]:
            raise InputError("each layer must take as many inputs as the one before has outputs.")
        if self.regression and not _symmetric(self.loss):
            raise InputError(
                f"loss {self.loss.name!r} is no loss of an error: a regression takes 'squared', "
                "'absolute', 'huber' or another with loss(1 - e) = loss(1 + e)."
            )

    @property
    def num_outputs(self) -> int:
        """Outputs of the last layer."""
        return self.layers[-1].outputs

    @property
    def num_classes(self) -> int:
        """Classes that the outputs tell apart."""
        return max(2, self.num_outputs)

    @property
    def bits_per_parameter(self) -> float:
        """Mean of log2(levels) over all parameters."""
        return sum(layer.entropy_bits for layer in self.layers) / self.num_parameters

    @property
    def num_parameters(self) -> int:
        """Learned weights and biases."""
        return sum(layer.num_parameters for layer in self.layers)

    @property
    def num_weight_bits(self) -> int:
        """Binary variables for all parameters."""
        return sum(layer.num_bits for layer in self.layers)

    def margins(self, y: npt.ArrayLike) -> tuple[Ints, Ints]:
        """Signs and shifts, (num_samples, num_outputs) each: margin = sign * output + shift.

        Shifts are in units of 1 / output_unit. `y` (num_samples,) are classes 0, 1, ..., or the
        targets of a regression, (num_samples,) or (num_samples, num_outputs). Raises `InputError`.
        """
        targets = np.asarray(y)
        if self.regression:
            wanted = targets.reshape(len(targets), -1) if targets.ndim else targets
            if wanted.ndim != 2 or wanted.shape[1] != self.num_outputs:
                raise InputError(f"targets must be {self.num_outputs} numbers for each sample.")
            if wanted.dtype.kind not in "iuf" or not np.isfinite(wanted).all():
                raise InputError("targets must be finite numbers.")
            shifts = np.rint((1.0 - wanted) * self.output_unit).astype(np.int64)
            return np.ones_like(shifts), shifts
        classes = np.arange(self.num_classes)
        if targets.ndim != 1 or not np.isin(targets, classes).all():
            names = "0 or 1" if self.num_classes == 2 else f"0 to {classes[-1]}"
            raise InputError(f"y must hold a class, {names}, for each sample.")
        wanted = targets[:, np.newaxis] == (classes if self.num_outputs > 1 else 1)
        signs = np.where(wanted, 1, -1).astype(np.int64)
        return signs, np.zeros_like(signs)

    def losses(self, outputs: FloatArray, y: npt.ArrayLike) -> FloatArray:
        """The exact loss of each sample; `outputs` is (num_samples, num_outputs)."""
        signs, shifts = self.margins(y)
        if self.loss.softmax and self.num_outputs > 1:
            from scipy.special import logsumexp  # takes long to import

            true = outputs[signs > 0]
            return np.asarray(logsumexp(outputs, axis=1) - true)
        return np.asarray(self.loss(signs * outputs + shifts / self.output_unit).sum(axis=1))


def _symmetric(loss: Loss) -> bool:
    errors = np.linspace(0.0, 4.0, 65)
    return bool(np.allclose(loss(1.0 - errors), loss(1.0 + errors), rtol=1e-9, atol=1e-12))
