"""Rows over bits: scaled to whole numbers where that is possible, and their extreme values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.problems.arrays import FloatArray
from qhal.problems.scaling import MAX_WHOLE, whole_number_factor

MAX_LOCAL_BITS = 10
MAX_SUM = 2**52
_MAX_EXPONENT = 1000
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class BitRows:
    """Rows ``linear @ x + products @ (x[i] * x[j])``, at most or (`equal`) exactly `rhs`.

    `pairs` (p, 2) are the bits i < j of the products. A row counts as met within `tolerance`, in
    its own units. One that is `whole` has whole coefficients and tolerance 0; an equality whose
    side is then not whole cannot be met. `numbers` (m,) are their places in the problem, or -1.
    """

    linear: sp.csr_array
    products: sp.csr_array
    pairs: npt.NDArray[np.intp]
    rhs: FloatArray
    equal: Mask
    numbers: npt.NDArray[np.intp]
    tolerance: FloatArray
    whole: Mask

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, chosen: npt.NDArray[np.intp]) -> BitRows:
        return BitRows(
            self.linear[chosen],
            self.products[chosen],
            self.pairs,
            self.rhs[chosen],
            self.equal[chosen],
            self.numbers[chosen],
            self.tolerance[chosen],
            self.whole[chosen],
        )

    @property
    def quadratic(self) -> Mask:
        """Which rows have products, shape (m,)."""
        return np.asarray(np.diff(self.products.indptr) > 0)

    def scaled(self) -> BitRows:
        """Each row with coprime whole coefficients if a factor does that, else with none below 1.

        Not if a violation of one unit would be within the tolerance on the unscaled row, nor if
        sums of its terms would no longer be exact in float64.
        """
        joined = sp.csr_array(sp.hstack([self.linear, self.products], format="csr"))
        joined.sort_indices()
        data, starts, lengths = joined.data, joined.indptr, np.diff(joined.indptr)
        rhs, tolerance = self.rhs.copy(), self.tolerance.copy()
        owner = np.repeat(np.arange(len(self)), lengths)
        size = np.bincount(owner, np.abs(data), minlength=len(self)) + np.abs(rhs)
        fractional = (data != np.round(data)) | (np.abs(data) > MAX_WHOLE)
        easy = np.bincount(owner[fractional], minlength=len(self)) == 0
        easy &= (size <= MAX_SUM) & (tolerance < 0.5)
        divisors = np.ones(len(self), dtype=np.int64)
        long = np.flatnonzero(easy & (lengths > 0))
        if len(long):
            whole = np.where(easy[owner], np.abs(data), 0.0).astype(np.int64)
            divisors[long] = np.gcd.reduceat(whole, starts[:-1][lengths > 0])[easy[lengths > 0]]
        data /= divisors[owner]
        rhs[easy] = _whole_sides(rhs[easy], tolerance[easy], divisors[easy], self.equal[easy])
        tolerance[easy] = 0.0
        exact = easy.copy()
        for k in np.flatnonzero(~easy).tolist():
            part = slice(starts[k], starts[k + 1])
            data[part], rhs[k], tolerance[k], exact[k] = _row_scaled(
                data[part], float(rhs[k]), float(tolerance[k]), bool(self.equal[k])
            )
        width = self.linear.shape[1]
        return replace(
            self,
            linear=joined[:, :width],
            products=joined[:, width:],
            rhs=rhs,
            tolerance=tolerance,
            whole=exact,
        )

    def extremes(self) -> tuple[FloatArray, FloatArray]:
        """Bounds (m,) on the left-hand sides; attained by linear rows and by short ones.

        Short rows have at most `MAX_LOCAL_BITS` bits.
        """
        low, high = np.zeros(len(self)), np.zeros(len(self))
        for matrix in (self.linear, self.products):
            low += np.asarray(matrix.minimum(0).sum(axis=1)).ravel()
            high += np.asarray(matrix.maximum(0).sum(axis=1)).ravel()
        chosen = np.flatnonzero(self.quadratic)
        if len(chosen):
            few = self[chosen]
            for k, pattern in zip(chosen.tolist(), _patterns(few), strict=True):
                if pattern is not None:
                    low[k], high[k] = _local_extremes(*pattern)
        return low, high


def _whole_sides(
    rhs: FloatArray, tolerance: FloatArray, divisors: npt.NDArray[np.int64], equal: Mask
) -> FloatArray:
    """Sides of whole rows divided by `divisors`: rounded down, or, what no sum equals, to k + 1/2.

    Within the tolerance a side counts as whole.
    """
    nearest = np.round(rhs)
    near = np.abs(rhs - nearest) <= tolerance
    whole = np.where(near, nearest, np.floor(rhs)).astype(np.int64)
    quotient, rest = np.divmod(whole, divisors)
    missed = equal & (~near | (rest != 0))
    return np.asarray(quotient + np.where(missed, 0.5, 0.0))


def _row_scaled(
    values: FloatArray, rhs: float, tolerance: float, equal: bool
) -> tuple[FloatArray, float, float, bool]:
    """One row by exact arithmetic: coefficients, side, tolerance, and whether it is whole."""
    factor = whole_number_factor(values.tolist())
    if factor is None or factor * Fraction(tolerance) >= Fraction(1, 2):
        return _magnified(values, rhs, tolerance)
    total = sum(abs(Fraction(value)) for value in values.tolist()) + abs(Fraction(rhs))
    if factor * total > MAX_SUM:
        return _magnified(values, rhs, tolerance)
    whole = np.array([float(round(Fraction(value) * factor)) for value in values.tolist()])
    side, slack = Fraction(rhs) * factor, Fraction(tolerance) * factor
    if not equal:
        return whole, float(math.floor(side + slack)), 0.0, True
    if abs(side - round(side)) <= slack:
        return whole, float(round(side)), 0.0, True
    return whole, math.floor(side) + 0.5, 0.0, True


def _magnified(
    values: FloatArray, rhs: float, tolerance: float
) -> tuple[FloatArray, float, float, bool]:
    """The row times the power of two that brings its smallest coefficient to 1 .. 2.

    Or less, if its largest one would overflow.
    """
    exponents = np.frexp(values[values != 0])[1]
    if not len(exponents):
        return values, rhs, tolerance, False
    largest = max(int(exponents.max()), math.frexp(rhs)[1] if rhs else -_MAX_EXPONENT)
    shift = min(1 - int(exponents.min()), _MAX_EXPONENT - largest)
    return np.ldexp(values, shift), math.ldexp(rhs, shift), math.ldexp(tolerance, shift), False


Pattern = tuple[int, bytes, bytes, bytes, bytes, bytes]


def _patterns(rows: BitRows) -> list[Pattern | None]:
    """Each row with its bits numbered from 0 on, as bytes; None for rows of too many bits."""
    width = max(int(rows.linear.shape[1]), 1)
    count = len(rows)
    line, pair = rows.linear, rows.products
    line_owner = np.repeat(np.arange(count), np.diff(line.indptr))
    pair_owner = np.repeat(np.arange(count), np.diff(pair.indptr))
    ends = rows.pairs[pair.indices].astype(np.int64)
    keys = [
        line_owner * width + line.indices,
        pair_owner * width + ends[:, 0],
        pair_owner * width + ends[:, 1],
    ]
    distinct, places = np.unique(np.concatenate(keys), return_inverse=True)
    starts = np.searchsorted(distinct, np.arange(count + 1) * width)
    owners = np.concatenate([line_owner, pair_owner, pair_owner])
    local = (places - starts[owners]).astype(np.int16)
    single, first, second = np.split(local, [line.nnz, line.nnz + pair.nnz])
    sizes = np.diff(starts).tolist()
    lines, pairs = line.indptr.tolist(), pair.indptr.tolist()
    patterns: list[Pattern | None] = []
    for k, size in enumerate(sizes):
        a, b = slice(lines[k], lines[k + 1]), slice(pairs[k], pairs[k + 1])
        pattern = (
            size,
            single[a].tobytes(),
            line.data[a].tobytes(),
            first[b].tobytes(),
            second[b].tobytes(),
            pair.data[b].tobytes(),
        )
        patterns.append(pattern if size <= MAX_LOCAL_BITS else None)
    return patterns


@lru_cache(maxsize=4096)
def _local_extremes(
    count: int, single: bytes, linear: bytes, first: bytes, second: bytes, products: bytes
) -> tuple[float, float]:
    bits = (np.arange(2**count)[:, np.newaxis] >> np.arange(count)) & 1
    ends = [np.frombuffer(part, dtype=np.int16) for part in (single, first, second)]
    values = bits[:, ends[0]] @ np.frombuffer(linear)
    values = values + (bits[:, ends[1]] & bits[:, ends[2]]) @ np.frombuffer(products)
    return float(values.min()), float(values.max())
