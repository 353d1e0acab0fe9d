"""The problem as the simulator holds it: symmetric quadratic forms over bits or spins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

# Symmetric matrices with more than this share of entries are kept dense: from there on products
# with all n² entries, in order, are faster than with the present ones only.
DENSE_SHARE = 0.35

# Up to this size everything is dense: products take less time than a sparse matrix to set up.
_SMALL = 32

# Coefficients below this are zero: 1 / norm of a row must stay finite.
_SMALLEST = 1e-290

# Of `Forces.uniform_rows`: the most neighbours whose 8-bit positions add up to 16 bits, and the
# fewest, in the mean, for which it pays.
_MOST, _MANY = 255, 8


@dataclass(frozen=True)
class QuadraticForm:
    """½ z'Mz + l'z, M symmetric with zero diagonal.

    Parameters
    ----------
    matrix : (n, n) float64, ndarray or csr_array
    linear : (n,) float64
    """

    matrix: Any
    linear: np.ndarray

    @property
    def num_variables(self) -> int:
        """The number of variables, n."""
        return int(self.linear.size)

    @property
    def is_dense(self) -> bool:
        """Whether `matrix` is an ndarray."""
        return isinstance(self.matrix, np.ndarray)

    @property
    def num_entries(self) -> int:
        """How many entries of `matrix` are stored."""
        return int(self.matrix.size)

    @cached_property
    def has_linear(self) -> bool:
        """Whether the linear terms are more than the rounding errors of sums of couplings."""
        return bool((np.abs(self.linear) > 1e-12 * self.reach()).any())

    def reach(self) -> np.ndarray:
        """Σ_j |M_ij|, shape (n,)."""
        if self.is_dense:
            return np.concatenate([np.abs(block).sum(axis=1) for block in _blocks(self.matrix)])
        return np.bincount(self.rows, np.abs(self.matrix.data), self.num_variables)

    @cached_property
    def rows(self) -> np.ndarray:
        """The row of each entry of a sparse `matrix`."""
        return np.repeat(np.arange(self.num_variables), np.diff(self.matrix.indptr))

    @cached_property
    def largest(self) -> np.ndarray:
        """max_j |M_ij|, shape (n,)."""
        if self.is_dense:
            return np.concatenate(
                [np.abs(b).max(axis=1, initial=0.0) for b in _blocks(self.matrix)]
            )
        largest = np.zeros(self.num_variables)
        np.maximum.at(largest, self.rows, np.abs(self.matrix.data))
        return largest

    def pairs(self) -> np.ndarray:
        """The coefficients of the pairs (zeros may be among them), each twice."""
        return self.matrix.ravel() if self.is_dense else self.matrix.data


def over_bits(qubo: Any) -> tuple[QuadraticForm, float]:
    """The QUBO as a form over x in {0, 1}^n, and the unit that was divided out of it.

    The unit is 1 for all but extreme coefficients; then sums neither overflow nor underflow.
    """
    upper = qubo.matrix
    entries = upper.data if sp.issparse(upper) else upper
    largest = max(float(entries.max(initial=0.0)), -float(entries.min(initial=0.0)))
    unit = 1e28 if largest > 1e280 else 1e-200 if 0 < largest < 1e-100 else 1.0
    if unit != 1:
        upper = upper / unit
    if sp.issparse(upper) and upper.shape[0] <= _SMALL:
        upper = upper.toarray()
    linear = np.array(upper.diagonal())
    linear[np.abs(linear) < _SMALLEST] = 0
    if sp.issparse(upper):
        strict = sp.triu(upper, k=1, format="csr")
        return _stored(strict + strict.T, linear), unit
    symmetric = upper + upper.T
    np.fill_diagonal(symmetric, 0)
    for block in _blocks(symmetric):
        block[np.abs(block) < _SMALLEST] = 0
    return _stored(symmetric, linear), unit


def over_spins(bits: QuadraticForm) -> QuadraticForm:
    """The same form over s = 2x - 1, up to a constant."""
    quarter = bits.matrix / 4
    if bits.is_dense:
        sums = quarter.sum(axis=1)
    else:
        sums = np.bincount(bits.rows, quarter.data, bits.num_variables)
    return QuadraticForm(quarter, bits.linear / 2 + sums)


def with_ancilla(spins: QuadraticForm) -> QuadraticForm:
    """Fields as couplings to one more spin, the last: machines without fields hold them so."""
    column = spins.linear[:, np.newaxis]
    if spins.is_dense:
        matrix: Any = np.block([[spins.matrix, column], [column.T, np.zeros((1, 1))]])
    else:
        matrix = sp.block_array([[spins.matrix, column], [column.T, None]], format="csr")
    return QuadraticForm(matrix, np.zeros(spins.num_variables + 1))


def _stored(matrix: Any, linear: np.ndarray) -> QuadraticForm:
    n = linear.size
    if sp.issparse(matrix):
        matrix = sp.csr_array(matrix)
        matrix.data[np.abs(matrix.data) < _SMALLEST] = 0
        matrix.eliminate_zeros()
        matrix.sort_indices()
        dense = matrix.nnz > DENSE_SHARE * n * n
        return QuadraticForm(matrix.toarray() if dense else matrix, linear)
    dense = n <= _SMALL or np.count_nonzero(matrix) > DENSE_SHARE * n * n
    return QuadraticForm(matrix if dense else sp.csr_array(matrix), linear)


@dataclass(frozen=True)
class Forces:
    """−∂E/∂s of a form over spins, every row scaled to unit norm, in float32.

    Scaling by rows rather than by one common ξ = 1/σ(J) lets couplings of different magnitude,
    such as those of the bits of a slack variable, feel the same dynamics. It is exact: a sign
    pattern is stable under the scaled forces if and only if it is under the true ones.

    Parameters
    ----------
    matrix : (n, n) float32, ndarray or csr_array
        Row i is −M_i / ‖M_i‖.
    field : (n,) float32
        −l_i / ‖M_i‖, limited to what already decides the spin.
    weight : (n,) float64
        ‖M_i‖, so that energies are −Σ_i weight_i s_i (½ (matrix s)_i + field_i).
    """

    matrix: Any
    field: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, form: QuadraticForm) -> Forces:
        """The forces of `form`."""
        weight = _row_norms(form)
        lone = weight == 0
        weight[lone] = np.abs(form.linear[lone])
        scale = np.divide(-1.0, weight, out=np.zeros_like(weight), where=weight > 0)
        if form.is_dense:
            matrix: Any = np.empty(form.matrix.shape, np.float32)
            np.multiply(form.matrix, scale[:, np.newaxis], out=matrix, casting="same_kind")
        else:
            data = (form.matrix.data * scale[form.rows]).astype(np.float32)
            matrix = sp.csr_array(
                (data, form.matrix.indices.astype(np.int32), form.matrix.indptr.astype(np.int32)),
                shape=form.matrix.shape,
            )
        reach = form.reach() * np.abs(scale)
        # A field beyond the sum of its row's couplings decides the spin; twice that is plenty.
        limit = 2.0 * reach + 1.0
        field = np.clip(form.linear * scale, -limit, limit).astype(np.float32)
        return cls(matrix, field, weight)

    @property
    def is_dense(self) -> bool:
        """Whether `matrix` is an ndarray."""
        return isinstance(self.matrix, np.ndarray)

    def uniform_rows(self) -> tuple[np.ndarray, ...] | None:
        """For sparse rows of many couplings of one size each, as in Max-Cut; None for others.

        Returns, as `qhal_cim.compiled.advance_uniform` takes them, where rows begin and where their
        positive couplings end, the columns, positive couplings first, the sizes, and half of how
        many more couplings are positive than negative.
        """
        if self.is_dense or self.matrix.nnz < _MANY * self.field.size:
            return None
        indptr, indices, data = self.matrix.indptr, self.matrix.indices, self.matrix.data
        degrees = np.diff(indptr)
        sizes = np.abs(data[np.minimum(indptr[:-1], data.size - 1)])
        rows = np.repeat(np.arange(degrees.size), degrees)
        if degrees.max() > _MOST or not np.allclose(np.abs(data), sizes[rows], 1e-6, 0.0):
            return None
        positive = data > 0
        order = np.lexsort((~positive, rows))
        counts = np.bincount(rows, positive, degrees.size)
        where = [a.astype(np.uint64) for a in (indptr, indptr[:-1] + counts, indices[order])]
        return *where, sizes, (counts - degrees / 2).astype(np.float32)


def _row_norms(form: QuadraticForm) -> np.ndarray:
    n = form.num_variables
    if form.is_dense:
        return np.concatenate([_norms(block) for block in _blocks(form.matrix)])
    rows, largest = form.rows, form.largest
    ratios = form.matrix.data / largest[rows]
    return largest * np.sqrt(np.bincount(rows, ratios * ratios, minlength=n))


def _norms(rows: np.ndarray) -> np.ndarray:
    largest = np.abs(rows).max(axis=1, initial=0.0)
    ratios = rows / np.where(largest > 0, largest, 1.0)[:, np.newaxis]
    return largest * np.sqrt(np.einsum("ij,ij->i", ratios, ratios))


def _blocks(matrix: np.ndarray) -> list[np.ndarray]:
    """A few rows at a time, so that temporary arrays stay in the cache."""
    return [matrix[start : start + 64] for start in range(0, max(len(matrix), 1), 64)]
