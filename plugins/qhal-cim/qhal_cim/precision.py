"""Coefficients as a machine of limited precision would hold them.

A coherent Ising machine with digital feedback stores couplings and fields as signed integers of a
few bits on one common scale. `rounded` gives what such a machine would see, in the units of the
exact coefficients, so that energies remain comparable.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from qhal_cim.forms import QuadraticForm

ROUNDINGS = ("stochastic", "nearest", "clipped")

# Candidate clipping scales as shares of the largest coefficient.
_CLIPS = np.linspace(0.05, 1.0, 96)

# Below this share of the largest coefficient a value is the float64 noise of a sum.
_NOISE = 1e-12


def rounded(
    exact: QuadraticForm, bits: int, rounding: str, rng: np.random.Generator
) -> QuadraticForm:
    """Couplings and fields as multiples of one step, at most 2^(bits-1) - 1 of them either way.

    Parameters
    ----------
    bits : signed integers of this many bits, at least 2
    rounding :
        ``"nearest"``: the largest coefficient is the largest integer, all go to the nearest.
        ``"clipped"``: the same with the step of least mean square error; what lies beyond the
        range is clipped, so that a few large coefficients do not take the resolution from all
        others (J. Max, IRE Trans. Inf. Theory 6, 7, 1960, for uniform steps).
        ``"stochastic"``: up or down at random, right in the mean (M. Höhfeld, S. E. Fahlman,
        IEEE Trans. Neural Netw. 3, 602, 1992). Absent couplings stay absent.
    """
    levels = 2 ** (bits - 1) - 1
    upper = np.triu(exact.matrix) if exact.is_dense else sp.triu(exact.matrix, format="csr")
    pairs = upper if exact.is_dense else upper.data
    largest = max(np.abs(pairs).max(initial=0.0), np.abs(exact.linear).max(initial=0.0))
    if largest == 0:
        return exact
    if rounding == "clipped":
        largest *= _best_clip(np.concatenate([pairs.ravel(), exact.linear]) / largest, levels)
    step = largest / levels

    def quantise(values: np.ndarray) -> np.ndarray:
        steps = values / step
        if rounding == "stochastic":
            steps = np.floor(steps + rng.random(steps.shape))
        return np.clip(np.rint(steps), -levels, levels) * step

    new: Any = quantise(pairs)
    if not exact.is_dense:
        new = sp.csr_array((new, upper.indices, upper.indptr), shape=upper.shape)
    return QuadraticForm(_symmetric(new), quantise(exact.linear))


def energy_error(exact: QuadraticForm, seen: QuadraticForm) -> float:
    """Root mean square, over all spin states, of the energy that rounding adds."""
    pairs, fields = seen.matrix - exact.matrix, seen.linear - exact.linear
    largest = max(abs(pairs).max() if pairs.size else 0.0, np.abs(fields).max(initial=0.0))
    if largest == 0:
        return 0.0
    pairs, fields = pairs / largest, fields / largest
    return float(largest * np.sqrt((pairs * pairs).sum() / 2 + (fields * fields).sum()))


def dynamic_range_bits(form: QuadraticForm) -> float:
    """log2 of the ratio of the largest to the smallest coefficient that is not zero."""
    sizes = np.abs(np.concatenate([form.pairs(), form.linear]))
    largest = sizes.max(initial=0.0)
    present = sizes[sizes > _NOISE * largest]
    return float(np.log2(largest) - np.log2(present.min())) if present.size else 0.0


def _best_clip(values: np.ndarray, levels: int) -> float:
    """The share of the largest |value| (1 here) at which clipping has the least square error."""
    values = np.abs(values[values != 0])
    errors = []
    for clip in _CLIPS:
        steps = np.minimum(np.rint(values * (levels / clip)), levels)
        errors.append(np.square(steps * (clip / levels) - values).sum())
    return float(_CLIPS[int(np.argmin(errors))])


def _symmetric(upper: Any) -> Any:
    total = upper + upper.T
    if sp.issparse(total):
        total = sp.csr_array(total)
        total.eliminate_zeros()
        total.sort_indices()
    return total
