"""Float coefficients as whole numbers, with a bound on what the rounding may change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

UNITS = 2.0**58
"""How far the whole numbers may reach in all: CP-SAT adds up in int64."""
MAX_DECIMALS = 6


@dataclass(frozen=True)
class WholeNumbers:
    """Coefficients c as whole numbers m with c = m / scale, up to `error`.

    Attributes
    ----------
    numbers : (k,) int64
    scale : Fraction > 0
    error : float >= 0
        Bound on |sum_k (c_k - m_k / scale) t_k| over all terms |t_k| <= reach_k; 0 means exact.
    """

    numbers: npt.NDArray[np.int64]
    scale: Fraction
    error: float


def whole_numbers(coefficients: FloatArray, reach: FloatArray) -> WholeNumbers:
    """`coefficients` as the smallest whole numbers that express them, or else rounded ones.

    The scale is a power of two if that is exact, else a power of ten up to 10^6 at which every
    coefficient is the float nearest to a decimal, else the largest power of two that keeps
    sum_k |m_k| reach_k below 2^58. `reach` (k,) bounds the magnitude of each term.
    """
    largest = float(np.abs(coefficients).max(initial=0.0))
    if largest == 0.0:
        return WholeNumbers(np.zeros(len(coefficients), dtype=np.int64), Fraction(1), 0.0)
    # So small beside the largest that scaling would underflow: left out and put into the error.
    tiny = np.abs(coefficients) < math.ldexp(largest, -200)
    left_out = _upper(np.abs(coefficients[tiny]) @ reach[tiny])
    coefficients = np.where(tiny, 0.0, coefficients)
    shift = -math.frexp(largest)[1]
    unit = np.ldexp(coefficients, shift)  # magnitudes up to 1: their sums cannot overflow
    bits = min(60, math.floor(math.log2(UNITS / (float(np.abs(unit) @ reach) + 1.0))))
    scaled = np.ldexp(unit, bits)
    numbers = np.rint(scaled)
    error = math.ldexp(_upper(np.abs(scaled - numbers) @ reach), -bits - shift)
    if (numbers != scaled).any():
        for digits in range(1, MAX_DECIMALS + 1):
            decimals = _decimals(coefficients, reach, digits)
            if decimals is not None:
                # The quotient of whole floats is off by at most half a unit in the last place.
                error = _upper(np.spacing(np.abs(coefficients)) @ reach / 2)
                return _reduced(decimals, Fraction(10**digits), error + left_out)
        error = math.nextafter(error, math.inf)  # not 0, even if it underflowed
    return _reduced(numbers, Fraction(2) ** (bits + shift), error + left_out)


def _decimals(coefficients: FloatArray, reach: FloatArray, digits: int) -> FloatArray | None:
    """The coefficients times 10^digits if they are decimals of so few digits, else None."""
    factor = 10.0**digits
    if np.abs(coefficients).max() >= UNITS / factor:
        return None
    numbers = np.rint(coefficients * factor)
    if (numbers / factor != coefficients).any() or np.abs(numbers) @ reach >= UNITS:
        return None
    return np.asarray(numbers, dtype=np.float64)


def _reduced(numbers: FloatArray, scale: Fraction, error: float) -> WholeNumbers:
    whole = numbers.astype(np.int64)
    divisor = max(int(np.gcd.reduce(whole)), 1)
    return WholeNumbers(whole // divisor, scale / divisor, error)


def _upper(rounded: Any) -> float:
    """Above the true value of a sum of positive terms that float64 rounded."""
    return float(rounded) * (1 + 1e-9)


def round_down(value: Fraction) -> float:
    """The largest float64 that is not above `value`."""
    nearest = float(value)
    return nearest if Fraction(nearest) <= value else math.nextafter(nearest, -math.inf)
