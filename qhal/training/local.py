"""The local model of a block as a QUBO that fits a machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qhal.networks.spec import Ints
from qhal.problems.arrays import FloatArray
from qhal.problems.qubo import Qubo
from qhal.training.blocks import Block, Parameters


@dataclass(frozen=True, eq=False)
class LocalModel:
    """The change of the mean loss, to second order, over steps of a block from its `numbers`.

    ``linear @ d + d @ quadratic @ d / 2`` for d in {0, 1}^n, which add ``moves @ d``.
    """

    numbers: Ints
    moves: FloatArray
    linear: FloatArray
    quadratic: FloatArray

    @classmethod
    def of(
        cls, block: Block, parameters: Parameters, gradient: FloatArray, hessian: FloatArray
    ) -> LocalModel:
        """From derivatives of the mean loss by the block's numbers."""
        numbers = block.numbers(parameters)
        return cls.along(block.moves(numbers), numbers, gradient, hessian)

    @staticmethod
    def along(
        moves: FloatArray, numbers: Ints, gradient: FloatArray, hessian: FloatArray
    ) -> LocalModel:
        """As `of`, with other `moves` (numbers, n) from `numbers`."""
        return LocalModel(numbers, moves, gradient @ moves, moves.T @ hessian @ moves)

    def numbers_after(self, flips: npt.NDArray[np.int8]) -> Ints:
        """The block's numbers (..., k) after `flips` (..., n)."""
        return self.numbers + np.rint(flips @ self.moves.T).astype(np.int64)

    @property
    def unit(self) -> float:
        """The mean size of the change by a single move."""
        flips = self.flip_energies()
        return float(np.abs(flips).mean()) if len(flips) else 0.0

    def flip_energies(self) -> FloatArray:
        """The model at each single flip, (n,)."""
        return np.asarray(self.linear + np.diag(self.quadratic) / 2)

    def best_flips(self, count: int) -> npt.NDArray[np.int8]:
        """The `count` single flips of lowest model (fewer if there are not so many), (count, n)."""
        chosen = np.argsort(self.flip_energies(), kind="stable")[:count]
        return np.eye(len(self.linear), dtype=np.int8)[chosen]

    def energies(self, flips: npt.NDArray[np.int8]) -> FloatArray:
        """The model at `flips` (..., n), without trust region."""
        d = flips.astype(np.float64)
        return np.asarray(d @ self.linear + 0.5 * np.einsum("...i,ij,...j", d, self.quadratic, d))

    def qubo(self, radius: float, coefficient_bits: int | None) -> Qubo:
        """Over d, with a penalty of `radius` units for each move.

        With `coefficient_bits`, couplings and fields of its spins are whole numbers of that many
        bits (sign included) on one scale, as a machine holds them.
        """
        q = np.triu(self.quadratic, k=1)
        q[np.diag_indices_from(q)] = self.flip_energies() + radius * self.unit
        if coefficient_bits is not None:
            q = whole(q, coefficient_bits)
        return Qubo(q)


def whole(q: FloatArray, bits: int) -> FloatArray:
    """`q`, upper triangular, with couplings and fields of its spins rounded to `bits` bits.

    In steps of the largest of them over 2^(bits - 1) - 1, to the nearest.
    """
    pairs = np.triu(q, k=1) / 4
    fields = np.diag(q) / 2 + pairs.sum(axis=0) + pairs.sum(axis=1)
    largest = max(np.abs(pairs).max(initial=0.0), np.abs(fields).max(initial=0.0))
    if largest == 0:
        return q
    scale = (2 ** (bits - 1) - 1) / largest
    pairs, fields = np.rint(pairs * scale), np.rint(fields * scale)
    rounded = 4 * pairs
    np.fill_diagonal(rounded, 2 * (fields - pairs.sum(axis=0) - pairs.sum(axis=1)))
    return np.asarray(rounded)
