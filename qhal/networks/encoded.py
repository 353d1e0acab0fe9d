"""An encoded network: the problem, the forward pass that completes its bits, the way back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qhal.networks.network import Network
from qhal.networks.spec import Ints, NetworkSpec
from qhal.networks.units import Units
from qhal.problems.qcbo import Qcbo, Values


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

    steps: tuple[Units | Products, ...]

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
        weights: list[Ints] = []
        biases: list[Ints] = []
        start = 0
        for layer in self.spec.layers:
            for code, shape, into in (
                (layer.weights, (layer.outputs, layer.inputs), weights),
                (layer.biases, (layer.outputs,), biases),
            ):
                stop = start + math.prod(shape) * code.num_bits
                into.append(code.decode(values[start:stop].reshape(*shape, code.num_bits)))
                start = stop
        return Network(self.spec, tuple(weights), tuple(biases), class_names)

    def values(self, network: Network) -> Values:
        """The completed variables (num_variables,) of `network`; inverse of `network()`.

        (Of the two codes of a ternary 0 it gives one.)
        """
        parts = []
        for layer, weights, biases in zip(
            self.spec.layers, network.weights, network.biases, strict=True
        ):
            parts += [layer.weights.encode(weights).ravel(), layer.biases.encode(biases).ravel()]
        values = np.zeros((1, self.problem.num_variables), dtype=np.int64)
        values[0, : self.spec.num_weight_bits] = np.concatenate(parts)
        assert self.problem.completion is not None
        return np.asarray(self.problem.completion(values)[0])
