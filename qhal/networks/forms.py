"""Many whole numbers at once, each linear in bits, with the interval and the steps it moves in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from qhal.networks.spec import Ints
from qhal.problems.arrays import FloatArray
from qhal.problems.qcbo import Values


@dataclass(frozen=True, eq=False)
class Forms:
    """``constant + coefficients of bits``, one form a row.

    The terms of row r are at ``starts[r] : starts[r + 1]`` of `columns` and `coefficients`. Form r
    takes only values low[r], low[r] + step[r], .., high[r]; a constant has step 0. Values are
    whole, except those of a loss, whose steps mean nothing.
    """

    starts: Ints
    columns: Ints
    coefficients: FloatArray
    constant: FloatArray
    low: FloatArray
    high: FloatArray
    step: Ints

    def __len__(self) -> int:
        return len(self.constant)

    @property
    def rows(self) -> Ints:
        """The row of each term."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    @property
    def stride(self) -> Ints:
        """The steps to divide by: 1 for a constant."""
        return np.maximum(self.step, 1)

    @property
    def last(self) -> Ints:
        """The steps from low to high, (len,)."""
        return np.rint((self.high - self.low) / self.stride).astype(np.int64)

    def matrix(self, num_bits: int) -> sp.csr_array:
        """The coefficients as a (len, num_bits) matrix."""
        shape = (len(self), num_bits)
        return sp.csr_array((self.coefficients, self.columns, self.starts), shape=shape)

    def at(self, bits: Values) -> FloatArray:
        """Values (num_states, len) at `bits` (num_states, num_bits)."""
        values = self.matrix(bits.shape[1]) @ bits.T.astype(np.float64)
        return np.asarray(values.T + self.constant)

    def moved(self, signs: Ints, shifts: Ints) -> Forms:
        """``signs * form + shifts``, both (len,), signs of +-1."""
        ends = np.sort(np.stack([signs * self.low, signs * self.high]), axis=0) + shifts
        return Forms(
            self.starts,
            self.columns,
            self.coefficients * np.repeat(signs, np.diff(self.starts)),
            signs * self.constant + shifts,
            ends[0],
            ends[1],
            self.step,
        )


def build_forms(
    rows: Ints,
    columns: Ints,
    coefficients: FloatArray,
    constant: FloatArray,
    low: FloatArray,
    high: FloatArray,
    step: Ints,
) -> Forms:
    """Forms from terms in any order; terms of one row and column are added, zeros dropped."""
    width = int(columns.max(initial=-1)) + 1
    matrix = sp.csr_array((coefficients, (rows, columns)), shape=(len(constant), width))
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    starts = matrix.indptr.astype(np.int64)
    return Forms(starts, matrix.indices.astype(np.int64), matrix.data, constant, low, high, step)


def constants(values: Ints) -> Forms:
    """Forms that depend on no bit, (len,) `values`."""
    nothing, exact = np.zeros(0, dtype=np.int64), values.astype(np.float64)
    zeros = np.zeros(len(values), dtype=np.int64)
    return build_forms(nothing, nothing, np.zeros(0), exact, exact, exact, zeros)


def spans(starts: Ints, counts: Ints) -> Ints:
    """Runs ``start, start + 1, ..``, each of its count, one after the other."""
    offsets = np.cumsum(counts) - counts
    return np.asarray(np.arange(int(counts.sum())) + np.repeat(starts - offsets, counts))


def pairs_within(starts: Ints, counts: Ints) -> tuple[Ints, Ints, Ints]:
    """Block, and positions a < b, of all pairs within the blocks at `starts` of `counts` places."""
    own = spans(starts, counts)
    block = np.repeat(np.arange(len(counts)), counts)
    left = np.repeat(own, counts[block])
    right = spans(starts[block], counts[block])
    keep = left < right
    return np.repeat(block, counts[block])[keep], left[keep], right[keep]
