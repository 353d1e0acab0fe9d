"""Single-flip descent on the exact coefficients, in float64."""

from __future__ import annotations

import numpy as np

from qhal_cim.forms import QuadraticForm
from qhal_cim.kernels import compiled

# Flips that gain no more than rounding errors could go on for ever; descents take a few passes.
_PASSES = 100


def descend(form: QuadraticForm, bits: np.ndarray) -> np.ndarray:
    """Flip the bits of states (num_reads, n) until no single flip lowers the energy of `form`.

    Works over x in {0, 1} rather than over spins: there a large coefficient that is switched off
    takes no digits from the small ones.
    """
    bits = np.ascontiguousarray(bits, dtype=np.int8).copy()
    states = bits.astype(np.float64)
    products = states @ form.matrix if form.is_dense else (form.matrix @ states.T).T
    slopes = np.ascontiguousarray(products) + form.linear
    tolerance = 1e-13 * np.abs(form.linear)
    if compiled is None:
        _descend_all(form, bits, slopes, tolerance)
    elif form.is_dense:
        compiled.descend_dense(np.ascontiguousarray(form.matrix), bits, slopes, tolerance)
    else:
        matrix = form.matrix
        indptr, indices = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
        compiled.descend_sparse(indptr, indices, matrix.data, bits, slopes, tolerance)
    return bits


def _descend_all(
    form: QuadraticForm, bits: np.ndarray, slopes: np.ndarray, tolerance: np.ndarray
) -> None:
    """Steepest descent of all states side by side, in place."""
    active = np.arange(len(bits))
    for _ in range(_PASSES * form.num_variables):
        if not active.size:
            break
        gains = (1 - 2 * bits[active]) * slopes[active] + tolerance
        flips = gains.argmin(axis=1)
        still = gains[np.arange(active.size), flips] < 0
        active, flips = active[still], flips[still]
        signs = 1 - 2 * bits[active, flips]
        bits[active, flips] += signs
        rows = form.matrix[flips]
        slopes[active] += signs[:, np.newaxis] * (rows if form.is_dense else rows.toarray())
