"""Descent, for `qhal_cim.descent`, compiled by numba: replica by replica, in float64.

Apart from `qhal_cim.compiled`, because numba's cache of a file follows changes of that file alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_PASSES = 100
_INT = "int32[::1]"
_DESCENT = "float64[::1], int8[:,::1], float64[:,::1], float64[::1]"


@njit(f"void({_INT}, {_INT}, float64[::1], {_DESCENT})", fastmath=True, cache=True)
def descend_sparse(indptr, indices, data, largest, bits, slopes, tolerance):
    """Descend, replica by replica, until no flip and no pair of flips lowers the energy.

    `slopes` is Mx + l; `largest` is max_j |M_ij|. A pair can only gain if the loss by one of its
    flips is less than their coupling.
    """
    for r in range(bits.shape[0]):
        x, slope = bits[r], slopes[r]
        for _ in range(_PASSES):
            improved, single = False, False
            for i in range(x.size):
                flip = 1 - 2 * x[i]
                if flip * slope[i] < -tolerance[i]:
                    single = True
                    x[i] += flip
                    for k in range(indptr[i], indptr[i + 1]):
                        slope[indices[k]] += flip * data[k]
            if single:
                continue
            for i in range(x.size):
                flip = 1 - 2 * x[i]
                if flip * slope[i] >= largest[i]:
                    continue
                lowest, partner = 0.0, -1
                for k in range(indptr[i], indptr[i + 1]):
                    j = indices[k]
                    change = (1 - 2 * x[j]) * (slope[j] + flip * data[k])
                    if change < lowest:
                        lowest, partner = change, j
                if partner < 0 or flip * slope[i] + lowest >= -tolerance[i] - tolerance[partner]:
                    continue
                improved = True
                for m in (i, partner):
                    turn = 1 - 2 * x[m]
                    x[m] += turn
                    for k in range(indptr[m], indptr[m + 1]):
                        slope[indices[k]] += turn * data[k]
            if not improved:
                break


@njit(f"void(float64[:,::1], {_DESCENT})", fastmath=True, cache=True)
def descend_dense(matrix, largest, bits, slopes, tolerance):
    """As `descend_sparse`."""
    n = bits.shape[1]
    flips = np.empty(n)
    for r in range(bits.shape[0]):
        x, slope = bits[r], slopes[r]
        for j in range(n):
            flips[j] = 1 - 2 * x[j]
        for _ in range(_PASSES):
            improved, single = False, False
            for i in range(n):
                if flips[i] * slope[i] < -tolerance[i]:
                    single = True
                    slope += flips[i] * matrix[i]
                    flips[i] = -flips[i]
            if single:
                continue
            for i in range(n):
                if flips[i] * slope[i] >= largest[i]:
                    continue
                row, flip, lowest, partner = matrix[i], flips[i], 0.0, -1
                for j in range(n):
                    lowest = min(lowest, flips[j] * (slope[j] + flip * row[j]))
                if flip * slope[i] + lowest >= -tolerance[i]:
                    continue
                lowest = 0.0
                for j in range(n):
                    change = flips[j] * (slope[j] + flip * row[j])
                    if change < lowest and j != i:
                        lowest, partner = change, j
                if partner < 0 or flip * slope[i] + lowest >= -tolerance[i] - tolerance[partner]:
                    continue
                improved = True
                for m in (i, partner):
                    slope += flips[m] * matrix[m]
                    flips[m] = -flips[m]
            if not improved:
                break
        for j in range(n):
            x[j] = 1 if flips[j] < 0 else 0
