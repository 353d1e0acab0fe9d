"""Rows with short decimal coefficients, brought to whole numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

MAX_DENOMINATOR = 10_000
MAX_DIGITS = 12
MAX_WHOLE = 2**45
CHANCE = 2.0**-10


def whole_number_factor(coefficients: Iterable[float]) -> Fraction | None:
    """The factor that makes all `coefficients` coprime whole numbers, or None if there is none.

    A coefficient counts as the decimal of at most 12 digits that prints as it (0.1 is 1/10), or as
    the fraction p/q, q <= 10^4, that it equals to a few units in its last place, unless so many
    floats are that near to such fractions that it may be chance. None is also the answer if the
    numbers would exceed 2^45, beyond which sums of them are no longer exact in float64. No
    coefficients at all: 1.
    """
    fractions = []
    for coefficient in {abs(float(coefficient)) for coefficient in coefficients}:
        fraction = _meant(coefficient)
        if fraction is None:
            return None
        fractions.append(fraction)
    if not fractions:
        return Fraction(1)
    denominator = math.lcm(*(fraction.denominator for fraction in fractions))
    numerators = [int(fraction * denominator) for fraction in fractions]
    divisor = math.gcd(*numerators) or 1
    if max(numerators) // divisor > MAX_WHOLE:
        return None
    return Fraction(denominator, divisor)


def _meant(coefficient: float) -> Fraction | None:
    """The fraction that `coefficient` is but for rounding."""
    if coefficient.is_integer():
        return Fraction(coefficient)
    text = repr(coefficient)
    if len(text.partition("e")[0].replace(".", "").strip("0")) <= MAX_DIGITS:
        return Fraction(text)
    fraction = Fraction(coefficient).limit_denominator(MAX_DENOMINATOR)
    # Fractions up to denominator q lie about 1 / q^2 apart, so 1 / q^2 must dwarf the rounding.
    rounding = 4 * math.ulp(coefficient)
    near = abs(Fraction(coefficient) - fraction) <= rounding
    return fraction if near and rounding * fraction.denominator**2 < CHANCE else None
