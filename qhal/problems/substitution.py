"""Putting x = low + W y into objectives and rows: spins as bits, integers as their bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.problems.arrays import FloatArray
from qhal.problems.constraints import Constraints
from qhal.problems.qcbo import Qcbo

_DUST = 8 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Form:
    """``y' pairs y + linear'y + constant``, pairs an upper triangular csr_array."""

    pairs: sp.csr_array
    linear: FloatArray
    constant: float


@dataclass(frozen=True, eq=False)
class SubstitutedRows:
    """``linear @ y + products @ (y[i] * y[j])`` against rhs, and the pairs (i <= j) of products.

    `dropped` (m,) bounds the terms that were left out because rounding alone made them.
    """

    linear: sp.csr_array
    products: sp.csr_array
    pairs: npt.NDArray[np.intp]
    rhs: FloatArray
    dropped: FloatArray


@dataclass(frozen=True, eq=False)
class Substitution:
    """x = low + weights @ y; low (n,), weights an (n, N) csr_array, y (N,)."""

    low: FloatArray
    weights: sp.csr_array

    def objective(self, problem: Qcbo) -> Form:
        """The objective of `problem` over y, its offset left out."""
        quadratic, low = sp.csr_array(problem.quadratic), self.low
        pairs = sp.coo_array(self.weights.T @ quadratic @ self.weights)
        ends = np.minimum(pairs.row, pairs.col), np.maximum(pairs.row, pairs.col)
        linear = self.weights.T @ (problem.linear + (quadratic + quadratic.T) @ low)
        constant = float(problem.linear @ low + low @ (quadratic @ low))
        upper = sp.csr_array(sp.coo_array((pairs.data, ends), shape=pairs.shape))
        return Form(upper, np.asarray(linear), constant)

    def rows(self, rows: Constraints) -> SubstitutedRows:
        """``x_i x_j = (w_i'y + l_i) (w_j'y + l_j)`` in every product, and so in the linear part.

        Where terms of one coefficient cancel but for what float64 rounds, it is 0.
        """
        crossed, spread, pairs = self._spread(rows.pairs)
        first, second = rows.pairs.T
        linear = sp.csr_array((rows.linear + rows.products @ crossed) @ self.weights)
        linear.sum_duplicates()
        dropped = np.zeros(len(rows))
        if rows.products.nnz and self.low.any():
            sizes = (abs(rows.linear) + abs(rows.products) @ abs(crossed)) @ abs(self.weights)
            dropped = _drop_dust(linear, sp.csr_array(sizes))
        linear.eliminate_zeros()
        products = sp.csr_array(rows.products @ spread)
        products.eliminate_zeros()
        constant = rows.linear @ self.low + rows.products @ (self.low[first] * self.low[second])
        return SubstitutedRows(linear, products, pairs, rows.rhs - constant, dropped)

    def _spread(
        self, pairs: npt.NDArray[np.intp]
    ) -> tuple[sp.csr_array, sp.csr_array, npt.NDArray[np.intp]]:
        """What x_i x_j gives: (p, n) terms linear in x, (p, q) in products of y, their pairs."""
        count, weights = len(pairs), self.weights
        first, second = pairs.T
        places = np.concatenate([np.arange(count)] * 2)
        other = np.concatenate([self.low[second], self.low[first]])
        crossed = sp.csr_array(
            sp.coo_array(
                (other, (places, np.concatenate([first, second]))),
                shape=(count, weights.shape[0]),
            )
        )
        lengths = np.diff(weights.indptr)
        each = lengths[first] * lengths[second]
        owner = np.repeat(np.arange(count), each)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(each) - each, each)
        one = weights.indptr[first[owner]] + within // np.maximum(lengths[second[owner]], 1)
        two = weights.indptr[second[owner]] + within % np.maximum(lengths[second[owner]], 1)
        ends = np.sort([weights.indices[one], weights.indices[two]], axis=0).astype(np.int64)
        width = max(int(weights.shape[1]), 1)
        keys, columns = np.unique(ends[0] * width + ends[1], return_inverse=True)
        spread = sp.csr_array(
            (weights.data[one] * weights.data[two], (owner, columns)), shape=(count, len(keys))
        )
        spread.eliminate_zeros()
        return crossed, spread, np.column_stack([keys // width, keys % width]).astype(np.intp)


def _drop_dust(matrix: sp.csr_array, sizes: sp.csr_array) -> FloatArray:
    """Zero the entries of `matrix` that are within the rounding of sums of `sizes`.

    Returns what each row may have lost at most.
    """
    owner = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    limits = _DUST * np.asarray(sizes[owner, matrix.indices]).ravel()
    dust = (np.abs(matrix.data) <= limits) & (matrix.data != 0)
    matrix.data[dust] = 0.0
    lost: FloatArray = np.zeros(matrix.shape[0])
    np.add.at(lost, owner[dust], 2 * limits[dust])
    return lost
