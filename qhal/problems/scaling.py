"""Rows with short decimal coefficients, brought to whole numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

MAX_DENOMINATOR = 10_000
MAX_WHOLE = 2**45
CHANCE = 2.0**-10


def whole_number_factor(coefficients: Iterable[float]) -> Fraction | None:
    """The factor that makes all `coefficients` coprime whole numbers, or None if there is none.

    A coefficient counts as the fraction p/q, q <= 10^4, that it equals to a few units in its last
    place (0.1 is 1/10), unless so many floats are that near to such fractions that it may be
    chance. None is also the answer if the numbers would exceed 2^45, beyond which sums of them are
    no longer exact in float64. No coefficients at all: 1.
    """
    fractions = []
    for coefficient in coefficients:
        fraction = Fraction(coefficient).limit_denominator(MAX_DENOMINATOR)
        if not _is_meant(coefficient, fraction):
            return None
        fractions.append(fraction)
    if not fractions:
        return Fraction(1)
    denominator = math.lcm(*(fraction.denominator for fraction in fractions))
    numerators = [int(fraction * denominator) for fraction in fractions]
    divisor = math.gcd(*numerators) or 1
    if max(map(abs, numerators)) // divisor > MAX_WHOLE:
        return None
    return Fraction(denominator, divisor)


def _is_meant(coefficient: float, fraction: Fraction) -> bool:
    """Whether `coefficient` is `fraction` but for rounding.

    Fractions up to denominator q lie about 1 / q^2 apart, so 1 / q^2 must dwarf the rounding.
    """
    if coefficient == fraction:
        return True
    rounding = 4 * math.ulp(coefficient)
    near = abs(Fraction(coefficient) - fraction) <= rounding
    return near and rounding * fraction.denominator**2 < CHANCE
