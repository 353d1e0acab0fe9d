"""Blocks of parameters that one QUBO is solved for, and their bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError
from qhal.networks.network import Network
from qhal.networks.spec import Code, Ints, LayerSpec, NetworkSpec
from qhal.problems.arrays import FloatArray

# One (outputs, inputs + 1) array for each layer: the weights, and the biases in the last column.
Parameters: TypeAlias = tuple[Ints, ...]


def parameters_of(network: Network) -> Parameters:
    """Weights and biases of `network`."""
    return tuple(
        np.column_stack([weights, biases])
        for weights, biases in zip(network.weights, network.biases, strict=True)
    )


def network_of(
    spec: NetworkSpec, parameters: Parameters, class_names: tuple[str, ...] = ("0", "1")
) -> Network:
    """The network of `spec` with these weights and biases."""
    weights = tuple(part[:, :-1].copy() for part in parameters)
    return Network(spec, weights, tuple(part[:, -1].copy() for part in parameters), class_names)


@dataclass(frozen=True)
class Group:
    """Parameters of one unit: `columns` of its row in the layer; the last column is the bias."""

    layer: int
    unit: int
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Block:
    """Parameters that are optimised together, the others being held.

    Numbers (n,) are the parameters in the order of `groups`; bits are those of their codes, number
    by number.
    """

    groups: tuple[Group, ...]
    codes: tuple[Code, ...]

    @classmethod
    def of(cls, spec: NetworkSpec, groups: tuple[Group, ...]) -> Block:
        """The block of `groups`, with the codes that `spec` gives them."""
        codes = [
            code_of(spec.layers[group.layer], column)
            for group in groups
            for column in group.columns
        ]
        # Equal codes are one object, so that pickles are small.
        same = {code: code for code in codes}
        return cls(groups, tuple(same[code] for code in codes))

    def __reduce__(self) -> tuple[type[Block], tuple[Any, ...]]:
        return Block, (self.groups, self.codes)  # without what can be computed

    @cached_property
    def num_bits(self) -> int:
        """Binary variables of its QUBO."""
        return sum(code.num_bits for code in self.codes)

    @cached_property
    def steps(self) -> FloatArray:
        """What each bit adds to each number, (n, num_bits)."""
        steps = np.zeros((len(self.codes), self.num_bits))
        start = 0
        for row, code in enumerate(self.codes):
            steps[row, start : start + code.num_bits] = code.powers
            start += code.num_bits
        return steps

    @cached_property
    def _places(self) -> dict[Code, tuple[Ints, Ints]]:
        """For each code its numbers (k,), and the places of their bits (k, code.num_bits)."""
        starts = np.cumsum([0, *(code.num_bits for code in self.codes)])[:-1]
        places = {}
        for code in dict.fromkeys(self.codes):
            rows = np.array([k for k, own in enumerate(self.codes) if own == code])
            places[code] = (rows, starts[rows][:, np.newaxis] + np.arange(code.num_bits))
        return places

    @cached_property
    def _bases(self) -> Ints:
        return np.array([code.base for code in self.codes], dtype=np.int64)

    def numbers(self, parameters: Parameters) -> Ints:
        """Its numbers in `parameters`."""
        parts = [parameters[g.layer][g.unit, list(g.columns)] for g in self.groups]
        return np.concatenate(parts)

    def encode(self, numbers: Ints) -> npt.NDArray[np.int8]:
        """Bits (num_bits,) of `numbers` (n,)."""
        bits = np.zeros(self.num_bits, dtype=np.int8)
        for code, (rows, places) in self._places.items():
            bits[places] = code.encode(numbers[rows])
        return bits

    def moves(self, numbers: Ints) -> FloatArray:
        """What each binary variable of a step from `numbers` adds to each number, (n, moves)."""
        each: list[tuple[int, ...]] = [()] * len(numbers)
        for code, (rows, _) in self._places.items():
            own = numbers[rows].tolist()
            known = {number: _moves(code, number) for number in set(own)}
            for row, number in zip(rows.tolist(), own, strict=True):
                each[row] = known[number]
        sizes = [len(its) for its in each]
        moves = np.zeros((len(each), sum(sizes)))
        of = np.repeat(np.arange(len(each)), sizes)
        moves[of, np.arange(len(of))] = [move for its in each for move in its]
        return moves

    def decode(self, bits: npt.NDArray[np.int8]) -> Ints:
        """Numbers (..., n) of `bits` (..., num_bits)."""
        return np.asarray(np.rint(bits @ self.steps.T), dtype=np.int64) + self._bases

    def replaced(self, parameters: Parameters, numbers: Ints) -> Parameters:
        """`parameters` with `numbers` in this block; what does not change is shared."""
        layers = list(parameters)
        for layer in {group.layer for group in self.groups}:
            layers[layer] = layers[layer].copy()
        start = 0
        for group in self.groups:
            end = start + len(group.columns)
            layers[group.layer][group.unit, list(group.columns)] = numbers[start:end]
            start = end
        return tuple(layers)


@lru_cache(maxsize=4096)
def _moves(code: Code, number: int) -> tuple[int, ...]:
    """`Code.moves`, made once: every local model asks for those of a few numbers."""
    return tuple(code.moves(number))


def code_of(layer: LayerSpec, column: int) -> Code:
    """How the parameter in `column` of a layer's [weights, biases] is coded."""
    return layer.biases if column == layer.inputs else layer.weights


def unit_blocks(spec: NetworkSpec, layer: int, max_variables: int) -> Iterator[Block]:
    """One block for each unit of `layer`: its weights and its bias.

    A unit of more than `max_variables` bits or moves has several, each as full as can be.
    """
    facts = spec.layers[layer]
    parts: list[list[int]] = []
    room = 0
    for column in range(facts.inputs + 1):
        code = code_of(facts, column)
        bits = max(code.num_bits, code.max_moves)
        if bits > max_variables:
            raise InputError(
                f"a parameter has {bits} bits or moves: raise max_variables to that at least."
            )
        if bits > room and bits:
            parts.append([])
            room = max_variables
        if bits:
            parts[-1].append(column)
            room -= bits
    for unit in range(facts.outputs):
        for columns in parts:
            yield Block.of(spec, (Group(layer, unit, tuple(columns)),))


def all_blocks(spec: NetworkSpec, max_variables: int) -> list[Block]:
    """A block for each unit of each layer that has parameters."""
    layers = range(len(spec.layers))
    return [block for layer in layers for block in unit_blocks(spec, layer, max_variables)]


def largest_qubos(spec: NetworkSpec, max_variables: int) -> dict[str, int]:
    """Binary variables of the largest QUBO of each layer that has parameters, at most."""
    sizes: dict[str, int] = {}
    for block in all_blocks(spec, max_variables):
        name = f"layer {block.groups[0].layer + 1}"
        sizes[name] = max(sizes.get(name, 0), sum(code.max_moves for code in block.codes))
    return sizes
