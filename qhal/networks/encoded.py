"""An encoded network: linear forms over bits, the units made of them, and the way back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qhal.networks.network import Network
from qhal.networks.spec import Ints, NetworkSpec, odd_bits, odd_levels
from qhal.problems.arrays import FloatArray
from qhal.problems.qcbo import Qcbo, Values


@dataclass(frozen=True)
class Linear:
    """``constant + coefficients @ bits[columns]``, known to be one of low, low + step, .., high."""

    columns: Ints
    coefficients: FloatArray
    constant: float
    low: float
    high: float
    step: int = 1

    def at(self, bits: Values) -> FloatArray:
        """Values (num_states,) at `bits` (num_states, num_bits)."""
        return np.asarray(bits[:, self.columns] @ self.coefficients + self.constant)

    def times(self, factor: float) -> Linear:
        """`factor` times this."""
        ends = sorted((factor * self.low, factor * self.high))
        return Linear(
            self.columns,
            factor * self.coefficients,
            factor * self.constant,
            ends[0],
            ends[1],
            int(abs(factor) * self.step) or 1,
        )


def add_up(terms: list[Linear], constant: float = 0.0) -> Linear:
    """The sum of `terms` (over disjoint columns) and `constant`."""
    return Linear(
        np.concatenate([term.columns for term in terms]),
        np.concatenate([term.coefficients for term in terms]),
        constant + sum(term.constant for term in terms),
        constant + sum(term.low for term in terms),
        constant + sum(term.high for term in terms),
        math.gcd(*(term.step for term in terms)),
    )


@dataclass(frozen=True)
class Unit:
    """One encoded unit: where its indicator and offset bits are, and what they mean.

    Piece i covers t = first[i] .. first[i+1] - 1, where z = low + step t, as
    ``t = base[i] + sign[i] * delta`` with delta in plain binary.
    """

    z: Linear
    first: Ints
    base: Ints
    sign: Ints
    indicators: Ints
    offsets: tuple[Ints, ...]

    def complete(self, bits: Values) -> None:
        """Set this unit's bits in `bits` (num_states, num_bits) from the bits that z depends on."""
        t = np.rint((self.z.at(bits) - self.z.low) / self.z.step).astype(np.int64)
        piece = np.searchsorted(self.first[1:], t, side="right")
        for i, columns in enumerate(self.offsets):
            inside = piece == i
            bits[:, self.indicators[i]] = inside
            delta = np.where(inside, self.sign[i] * (t - self.base[i]), 0)
            bits[:, columns] = (delta[:, np.newaxis] >> np.arange(len(columns))) & 1


@dataclass(frozen=True)
class Products:
    """Helper bits u = x y."""

    left: Ints
    right: Ints
    columns: Ints

    def complete(self, bits: Values) -> None:
        """Set the helper bits in `bits` (num_states, num_bits)."""
        bits[:, self.columns] = bits[:, self.left] * bits[:, self.right]


@dataclass(frozen=True)
class Completion:
    """The forward pass: sets every auxiliary variable from the parameter bits, unit by unit."""

    steps: tuple[Unit | Products, ...]

    def __call__(self, values: Values) -> Values:
        """Completed copies of `values` (num_states, num_variables)."""
        bits = values.copy()
        for step in self.steps:
            step.complete(bits)
        return bits


@dataclass(frozen=True, eq=False)
class EncodedNetwork:
    """A network over given samples as a `Qcbo`, and the way back.

    `problem` minimises the mean spline loss over the samples; its first
    `spec.num_weight_bits` variables are the parameters, the others follow from them
    (`problem.completion`). `num_spins` counts variables by part.
    """

    spec: NetworkSpec
    problem: Qcbo
    num_spins: dict[str, int]

    def network(self, values: Values, class_names: tuple[str, ...] = ("0", "1")) -> Network:
        """The network whose parameter bits lead `values` (num_variables,)."""
        bits, weights, biases = values.astype(np.int8), [], []
        start = 0
        for layer in self.spec.layers:
            if layer.fixed:
                weights.append(np.ones((layer.outputs, layer.inputs), dtype=np.int64))
                biases.append(np.zeros(layer.outputs, dtype=np.int64))
                continue
            shape = (layer.outputs, layer.inputs, layer.weight_bits)
            stop = start + math.prod(shape)
            weights.append(odd_levels(bits[start:stop].reshape(shape)))
            start, stop = stop, stop + layer.outputs * layer.bias_bits
            levels = odd_levels(bits[start:stop].reshape(layer.outputs, layer.bias_bits))
            biases.append(levels * layer.bias_step)
            start = stop
        return Network(self.spec, tuple(weights), tuple(biases), class_names)

    def values(self, network: Network) -> Values:
        """The completed variables (num_variables,) of `network`; inverse of `network()`."""
        parts = []
        for layer, weights, biases in zip(
            self.spec.layers, network.weights, network.biases, strict=True
        ):
            if not layer.fixed:
                parts.append(odd_bits(weights, layer.weight_bits).ravel())
                parts.append(odd_bits(biases // layer.bias_step, layer.bias_bits).ravel())
        values = np.zeros((1, self.problem.num_variables), dtype=np.int64)
        values[0, : self.spec.num_weight_bits] = np.concatenate(parts)
        assert self.problem.completion is not None
        return np.asarray(self.problem.completion(values)[0])
