"""Range-fitted binary encoding of whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def fitted_weights(span: int) -> npt.NDArray[np.int64]:
    """Bit weights 1, 2, 4, ..., rest that reach exactly 0..span, ceil(log2(span + 1)) of them.

    The last weight is what is missing to `span`, so no combination of bits leaves the range.
    """
    if span <= 0:
        return np.zeros(0, dtype=np.int64)
    count = int(span).bit_length()
    weights = 2 ** np.arange(count, dtype=np.int64)
    weights[-1] = span - (2 ** (count - 1) - 1)
    return weights


def fitted_bits(values: npt.NDArray[Any], weights: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """The bits of `values` in 0..sum(weights), shape (*values.shape, len(weights)).

    A value that several bit patterns stand for gets the one whose last bit is 0 if possible. The
    weights are those of `fitted_weights`, or all 1.
    """
    remaining = np.asarray(values, dtype=np.int64)[..., np.newaxis]
    if len(weights) == 0:
        return np.zeros((*np.shape(values), 0), dtype=np.int8)
    count = len(weights)
    if count > 2 and weights[1] == 1:
        return (remaining > np.arange(count)).astype(np.int8)
    top = (remaining >= 2 ** (count - 1)).astype(np.int64)
    shifts = np.arange(count - 1, dtype=np.int64)
    low = ((remaining - top * weights[-1]) >> shifts) & 1
    return np.concatenate([low, top], axis=-1).astype(np.int8)
