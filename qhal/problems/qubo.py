"""The unconstrained problem that every oracle takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.problems.arrays import (
    FloatArray,
    Matrix,
    as_scalar,
    as_square,
    as_states,
    compact,
    freeze,
)
from qhal.problems.ising import Ising

# States whose energies are computed at a time.
_BLOCK = 1024
# Beyond, numbers are too near to the ends of float64 to be taken apart.
_LARGEST_EXPONENT = 900


@dataclass(frozen=True, eq=False)
class Qubo:
    """Minimise x'Qx + offset over x in {0, 1}^n.

    Parameters
    ----------
    matrix : (n, n) array or scipy sparse matrix
        Q, **upper triangular**: linear terms on the diagonal, each pair once. Stored read-only as
        float64, either dense or as `scipy.sparse.csr_array`, whichever is smaller.
    offset : float
        Constant added to every energy.

    Raises
    ------
    InputError
        For NaN, infinities, ragged, non-square or not upper triangular input. A symmetric matrix
        goes through `Qubo.from_array`, which says what its entries mean.
    """

    matrix: Matrix
    offset: float = 0.0

    def __post_init__(self) -> None:
        matrix = as_square(self.matrix, "the QUBO matrix")
        if _has_lower_entries(matrix):
            raise InputError(
                "the QUBO matrix has entries below the diagonal: give it upper triangular, "
                "or a symmetric one to Qubo.from_array, which adds Q[i, j] and Q[j, i]."
            )
        object.__setattr__(self, "matrix", freeze(compact(matrix)))
        object.__setattr__(self, "offset", as_scalar(self.offset, "the QUBO offset"))

    @classmethod
    def from_array(cls, array: Any, offset: float = 0.0) -> Qubo:
        """The QUBO of x'Ax for an upper triangular or a symmetric A (whose pairs count twice).

        Raises `InputError` for an asymmetric A that is not upper triangular: it is more often a
        mistake than a meaning.
        """
        matrix = as_square(array, "the QUBO matrix")
        if not _has_lower_entries(matrix):
            return cls(matrix, offset)
        transposed = matrix.T.tocsr() if sp.issparse(matrix) else matrix.T
        scale = float(abs(matrix).max())
        if abs(matrix - transposed).max() > 1e-12 * scale:
            raise InputError(
                "the QUBO matrix is neither symmetric nor upper triangular: give one of the two."
            )
        if sp.issparse(matrix):
            return cls(sp.triu(matrix) + sp.triu(matrix, k=1), offset)
        return cls(np.triu(matrix) + np.triu(matrix, k=1), offset)

    @property
    def num_variables(self) -> int:
        """The number of binary variables, n."""
        return int(self.matrix.shape[0])

    @property
    def is_sparse(self) -> bool:
        """Whether `matrix` is a CSR array rather than an ndarray."""
        return bool(sp.issparse(self.matrix))

    @property
    def linear(self) -> FloatArray:
        """The diagonal of Q, shape (n,)."""
        return np.asarray(self.matrix.diagonal(), dtype=np.float64)

    def energies(self, states: Any) -> FloatArray:
        """Exact energies (num_reads,) of `states` (num_reads, n) with values 0 and 1."""
        rows = as_states(states, self.num_variables)
        energies = np.zeros(len(rows))
        parts = (self.matrix,) if self.is_sparse else _whole_and_rest(self.matrix)
        for first in range(0, len(rows), _BLOCK):  # so that memory stays that of the states
            bits = rows[first : first + _BLOCK].astype(np.float64)
            for part in parts:
                products = (part.T @ bits.T).T if self.is_sparse else bits @ part
                energies[first : first + _BLOCK] += np.einsum("ij,ij->i", bits, products)
        return energies + self.offset

    def to_ising(self) -> Ising:
        """The same energies over spins s = 2x - 1."""
        linear = self.linear
        if self.is_sparse:
            pairs = sp.triu(self.matrix, k=1, format="csr") / 4
        else:
            pairs = np.triu(self.matrix, k=1) / 4
        fields = linear / 2 + np.asarray(pairs.sum(axis=0)) + np.asarray(pairs.sum(axis=1))
        return Ising(pairs, fields, self.offset + float(linear.sum()) / 2 + float(pairs.sum()))

    @classmethod
    def from_ising(cls, ising: Ising) -> Qubo:
        """The same energies over bits x = (s + 1) / 2."""
        couplings = ising.J
        touching = np.asarray(couplings.sum(axis=0)) + np.asarray(couplings.sum(axis=1))
        linear = 2 * ising.h - 2 * touching
        diagonal = sp.diags_array(linear) if sp.issparse(couplings) else np.diag(linear)
        offset = ising.offset + float(couplings.sum()) - float(ising.h.sum())
        return cls(4 * couplings + diagonal, offset)


def _has_lower_entries(matrix: Matrix) -> bool:
    if sp.issparse(matrix):
        return bool(sp.tril(matrix, k=-1).count_nonzero())
    return bool(np.tril(matrix, k=-1).any())


def _whole_and_rest(matrix: FloatArray) -> tuple[FloatArray, ...]:
    """Two arrays that add up to `matrix`; all sums of entries of the first are exact.

    BLAS adds up in an order that depends on its threads, and energies should not. The first are
    multiples of a power of two, so large that sums of n^2 fit 53 bits; what is left is so small
    that its rounding is not seen.
    """
    exponent = int(np.frexp(np.abs(matrix).max(initial=0.0))[1])
    if abs(exponent) > _LARGEST_EXPONENT:
        return (matrix,)
    step = 2.0 ** (exponent + 2 * len(matrix).bit_length() - 53)
    whole = np.rint(matrix / step) * step
    rest = matrix - whole
    return (whole, rest) if rest.any() else (whole,)
