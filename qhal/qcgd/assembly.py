"""QUBOs that are affine in multipliers, assembled in one product with a fixed pattern."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from qhal.problems.arrays import FloatArray, Matrix
from qhal.problems.program import BinaryProgram

DENSE_SHARE = 0.25


class Assembly:
    """Objective + sum mu_i (a_i'x - b_i) + sum lam_i (a_i'x - b_i)^2 + sum nu_j q_j of a program.

    With few entries everything but the multipliers is computed once: an entry of the QUBO is a
    sparse row of `_slopes` times the multipliers. With rows so long that their squares fill more
    than a quarter of the matrix, the squares are a dense product.
    """

    def __init__(self, program: BinaryProgram) -> None:
        self._program = program
        self._offsets = np.concatenate([-program.rhs, program.rhs**2, -program.forms.rhs])
        lengths = np.diff(program.rows.indptr).astype(np.float64)
        n = program.num_bits
        self._dense = float((lengths**2).sum()) > DENSE_SHARE * n * n
        if self._dense:
            self._rows = program.rows.toarray()
            self._base = sp.csr_array(program.objective.matrix).toarray()
            return
        rows, columns, multipliers, values = self._entries()
        objective = sp.coo_array(sp.csr_array(program.objective.matrix))
        keys = np.concatenate([rows * n + columns, objective.row.astype(np.int64) * n])
        keys[len(rows) :] += objective.col
        self._keys, places = np.unique(keys, return_inverse=True)
        count = len(self._keys)
        self._slopes = sp.csr_array(
            (values, (places[: len(rows)], multipliers)), shape=(count, len(self._offsets))
        )
        self._base = np.zeros(count)
        self._base[places[len(rows) :]] = objective.data
        self._indptr = np.searchsorted(self._keys, np.arange(n + 1) * n)
        self._indices = self._keys % max(n, 1)

    def matrix(self, multipliers: FloatArray, with_objective: bool) -> Matrix:
        """The upper triangular matrix for `multipliers` (mu, lam, nu)."""
        if self._dense:
            return self._dense_matrix(multipliers, with_objective)
        data = self._slopes @ multipliers + (self._base if with_objective else 0.0)
        n = self._program.num_bits
        return sp.csr_array((data, self._indices, self._indptr), shape=(n, n))

    def offset(self, multipliers: FloatArray, with_objective: bool) -> float:
        """The constant that goes with it."""
        objective = self._program.objective.offset if with_objective else 0.0
        return objective + float(self._offsets @ multipliers)

    def _dense_matrix(self, multipliers: FloatArray, with_objective: bool) -> Matrix:
        program, rows, forms = self._program, self._rows, self._program.forms
        m = len(rows)
        mu, lam, nu = np.split(multipliers, [m, 2 * m])
        matrix = (2 * lam[:, None] * rows).T @ rows
        diagonal = matrix.diagonal() / 2 + (mu - 2 * lam * program.rhs) @ rows
        matrix = np.triu(matrix, k=1)
        np.fill_diagonal(matrix, diagonal + forms.linear.T @ nu)
        if len(forms.pairs):
            matrix[forms.pairs[:, 0], forms.pairs[:, 1]] += forms.products.T @ nu
        if with_objective:
            matrix += self._base
        return matrix

    def _entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, FloatArray]:
        """Rows and columns (i <= j), multipliers and values of all terms of the lifted rows."""
        program, forms = self._program, self._program.forms
        m = len(program.rhs)
        single = sp.coo_array(program.rows)
        line, pair = sp.coo_array(forms.linear), sp.coo_array(forms.products)
        first, second, owner, product = _pairs_in_rows(program.rows)
        square = single.data**2 - 2 * program.rhs[single.row] * single.data
        low, high = forms.pairs[pair.col].T
        rows = [single.col, single.col, first, line.col, low]
        columns = [single.col, single.col, second, line.col, high]
        multipliers = [single.row, m + single.row, m + owner, 2 * m + line.row, 2 * m + pair.row]
        values = [single.data, square, 2 * product, line.data, pair.data]
        return (
            np.concatenate(rows).astype(np.int64),
            np.concatenate(columns).astype(np.int64),
            np.concatenate(multipliers),
            np.concatenate(values),
        )


def _pairs_in_rows(
    matrix: sp.csr_array,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, FloatArray]:
    """All pairs of entries in one row: columns (the smaller first), row, product of the values."""
    places: list[tuple[np.ndarray, np.ndarray]] = []
    lengths = np.diff(matrix.indptr)
    triangles = {int(length): np.triu_indices(length, k=1) for length in np.unique(lengths)}
    for start, length in zip(matrix.indptr[:-1].tolist(), lengths.tolist(), strict=True):
        one, other = triangles[length]
        places.append((start + one, start + other))
    one = np.concatenate([np.zeros(0, np.intp), *(pair[0] for pair in places)])
    other = np.concatenate([np.zeros(0, np.intp), *(pair[1] for pair in places)])
    columns = matrix.indices[one], matrix.indices[other]
    owner = np.repeat(np.arange(len(lengths)), lengths * (lengths - 1) // 2)
    product = matrix.data[one] * matrix.data[other]
    return np.minimum(*columns), np.maximum(*columns), owner, product
