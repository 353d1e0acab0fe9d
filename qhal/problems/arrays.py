"""Checking what users pass as matrices, vectors and states, with one sentence for each mistake."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.errors import InputError

FloatArray: TypeAlias = npt.NDArray[np.float64]
States: TypeAlias = npt.NDArray[np.int8]
# A float64 ndarray or scipy.sparse.csr_array; scipy carries no types, so neither can this.
Matrix: TypeAlias = Any


def as_vector(value: Any, what: str, size: int | None = None) -> FloatArray:
    """`value` as a finite float64 vector, of length `size` if given."""
    vector = _as_float(value, what)
    if vector.ndim != 1:
        raise InputError(f"{what} must be one-dimensional, but has shape {vector.shape}.")
    if size is not None and vector.size != size:
        raise InputError(f"{what} must have {size} entries, but has {vector.size}.")
    return vector


def as_scalar(value: Any, what: str) -> float:
    """`value` as one finite float."""
    scalar = _as_float(value, what)
    if scalar.ndim != 0:
        raise InputError(f"{what} must be a single number, but has shape {scalar.shape}.")
    return float(scalar)


def as_matrix(value: Any, what: str, columns: int | None = None) -> Matrix:
    """`value` as a finite float64 matrix: CSR without stored zeros if sparse, else an ndarray."""
    if sp.issparse(value):
        if value.dtype.kind not in "biuf":
            raise InputError(f"{what} must hold real numbers, but its type is {value.dtype}.")
        matrix: Matrix = sp.csr_array(value, dtype=np.float64, copy=True)
        matrix.sum_duplicates()
        _require_finite(matrix.data, what)
        matrix.eliminate_zeros()
    else:
        matrix = _as_float(value, what)
    if matrix.ndim != 2:
        raise InputError(f"{what} must be two-dimensional, but has shape {matrix.shape}.")
    if columns is not None and matrix.shape[1] != columns:
        raise InputError(f"{what} must have {columns} columns, but has {matrix.shape[1]}.")
    return matrix


def as_square(value: Any, what: str) -> Matrix:
    """`value` as a finite square float64 matrix."""
    matrix = as_matrix(value, what)
    if matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"{what} must be square, but has shape {matrix.shape}.")
    return matrix


def as_states(value: Any, num_variables: int, what: str = "states") -> States:
    """`value` as int8 states in {0, 1}, (num_states, num_variables); one state may be 1-D."""
    try:
        states = np.asarray(value)
    except ValueError:
        raise InputError(f"{what} is ragged: every state needs {num_variables} values.") from None
    if states.ndim == 1:
        states = states[np.newaxis, :]
    if states.ndim != 2 or states.shape[1] != num_variables:
        raise InputError(
            f"{what} must have shape (num_reads, {num_variables}), but has {states.shape}."
        )
    if states.dtype.kind not in "biuf" or not ((states == 0) | (states == 1)).all():
        raise InputError(f"{what} must hold only the values 0 and 1.")
    return np.ascontiguousarray(states, dtype=np.int8)


def distinct_rows(
    rows: npt.NDArray[Any],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Where each distinct row of `rows` stands first, and how often it stands there.

    Rows are compared as bytes, which is several times faster than `numpy.unique` with an axis;
    non-negative whole numbers come in lexicographic order.
    """
    if rows.shape[1] == 0 or len(rows) == 0:
        count = min(len(rows), 1)
        return np.arange(count), np.full(count, len(rows))
    order = ">i8" if rows.dtype.kind in "iu" and rows.itemsize > 1 else rows.dtype
    flat = np.ascontiguousarray(rows, dtype=order)
    keys = flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).ravel()
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    return first, counts


def lowest_bits(values: FloatArray) -> FloatArray:
    """The largest power of two of which each of `values` is a whole multiple; inf for 0."""
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    lowest = np.ldexp((whole & -whole).astype(np.float64), exponent - 53)
    return np.where(values == 0, np.inf, lowest)


def compact(matrix: Matrix) -> Matrix:
    """The cheaper of the two storages: CSR below a quarter of the entries, else dense."""
    if sp.issparse(matrix):
        rows, columns = matrix.shape
        return matrix.toarray() if matrix.nnz > rows * columns // 4 else matrix
    if matrix.size > 64 and np.count_nonzero(matrix) <= matrix.size // 4:
        return sp.csr_array(matrix)
    return matrix


def freeze(matrix: Matrix) -> Matrix:
    """Make the buffers of `matrix` read-only and return it."""
    if sp.issparse(matrix):
        matrix.sort_indices()
        for buffer in (matrix.data, matrix.indices, matrix.indptr):
            buffer.flags.writeable = False
    else:
        matrix.flags.writeable = False
    return matrix


def _as_float(value: Any, what: str) -> FloatArray:
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise InputError(f"{what} must hold real numbers, but its type is {array.dtype}.")
        array = np.array(array, dtype=np.float64)
    except (ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{what} is ragged or not numeric: give rows of equal length.") from None
    _require_finite(array, what)
    return array


def _require_finite(values: npt.NDArray[Any], what: str) -> None:
    if not np.isfinite(values).all():
        bad = "NaN" if np.isnan(values).any() else "an infinite value"
        raise InputError(f"{what} contains {bad}: every coefficient must be a finite number.")
