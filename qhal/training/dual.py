"""The dual bound of progressive hedging, in exact arithmetic, and only where it is one.

For any prices U_s with sum_s U_s = 0, any bits w shared by all bundles satisfy

    sum_s m_s f_s(w) = sum_s (m_s f_s(w) + U_s'w) >= sum_s min_v (m_s f_s(v) + U_s'v),

m_s being the number of samples of bundle s. (Gade et al., Mathematical Programming 157 (2016) 47.)
So the prices must add up to 0 exactly, each minimum must be proved, no bundle may be missing, and
the penalty on differences must be left out. What float64 changes in the coefficients that the
oracle gets, and may lose in their sums, is taken off.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from qhal.oracle import Oracle, exactly
from qhal.problems.arrays import FloatArray
from qhal.problems.qcbo import Qcbo

_GRID_BITS = 30
_EPSILON = 2.0**-52


@dataclass(frozen=True)
class DualBound:
    """A lower bound on the mean loss over all samples, whatever the bits; None with the reason."""

    value: float | None
    reason: str = ""


def balanced_prices(multipliers: FloatArray, sizes: Sequence[int]) -> FloatArray:
    """Prices (S, n) near ``sizes * multipliers`` on a grid of powers of two, adding up to 0."""
    prices = np.asarray(sizes, dtype=np.float64)[:, np.newaxis] * multipliers
    largest = float(np.abs(prices).max(initial=0.0))
    if largest == 0.0:
        return np.zeros_like(prices)
    unit = 2.0 ** (math.frexp(largest)[1] - _GRID_BITS)
    steps = np.rint(prices / unit)
    steps[-1] -= steps.sum(axis=0)  # whole numbers far below 2^53: exact
    return np.asarray(steps * unit)


def dual_bound(
    problems: Sequence[Qcbo],
    sizes: Sequence[int],
    prices: FloatArray,
    oracle: Oracle,
    *,
    total: int,
    time_limit: float | None = None,
) -> DualBound:
    """The bound on the mean loss over `total` samples, by the exact `oracle`.

    Parameters
    ----------
    problems : the bundles' problems, of their mean losses, without hedging terms
        Their first n variables are the shared bits.
    sizes : samples of each bundle
    prices : (S, n), see `balanced_prices`
    time_limit : seconds for each bundle; a bound that is proved in this time will do
    """
    if sum(sizes) != total or min(sizes, default=1) < 1:
        return DualBound(None, f"the bundles hold {sum(sizes)} of the {total} samples.")
    if not oracle.info.exact:
        return DualBound(None, f"oracle {oracle.info.name!r} proves no minimum.")
    if any(sum(map(Fraction, column)) != 0 for column in prices.T.tolist()):
        return DualBound(None, "the prices do not add up to 0.")
    bound = Fraction(0)
    for number, (problem, size, price) in enumerate(zip(problems, sizes, prices, strict=True)):
        priced, error = _priced(problem, size, price)
        answer = exactly(oracle, priced, time_limit=time_limit, seed=0)
        if answer is None or answer.lower_bound is None:
            return DualBound(None, f"nothing is proved about bundle {number}.")
        bound += Fraction(answer.lower_bound) - error
    return DualBound(_at_most(bound / total))


def _priced(problem: Qcbo, size: int, price: FloatArray) -> tuple[Qcbo, Fraction]:
    """``size * problem + price``, and by how much rounding may have changed any value of it."""
    priced = np.zeros(problem.num_variables)
    priced[: len(price)] = price
    quadratic = sp.csr_array(problem.quadratic)
    made = replace(
        problem,
        quadratic=sp.csr_array(quadratic * float(size)),
        linear=problem.linear * size + priced,
        offset=problem.offset * size,
    )
    scaled = sp.csr_array(made.quadratic)
    given = [*quadratic.data.tolist(), problem.offset, *problem.linear.tolist()]
    added = [0.0] * (len(quadratic.data) + 1) + priced.tolist()
    got = [*_entries(scaled, quadratic), made.offset, *made.linear.tolist()]
    pairs = zip(given, added, got, strict=True)
    error = sum(abs(Fraction(a) * size + Fraction(b) - Fraction(c)) for a, b, c in pairs)
    # And what an oracle may lose in adding the coefficients up.
    loss = Fraction(len(got) + 4) * Fraction(_EPSILON) * sum(abs(Fraction(c)) for c in got)
    return made, Fraction(error) + loss


def _entries(matrix: sp.csr_array, pattern: sp.csr_array) -> Iterator[float]:
    """The entries of `matrix` where `pattern` stores some."""
    places = sp.coo_array(pattern)
    dense = matrix.toarray()
    yield from dense[places.row, places.col].tolist()


def _at_most(bound: Fraction) -> float:
    """The largest float that is not above `bound`."""
    nearest = float(bound)
    return nearest if Fraction(nearest) <= bound else math.nextafter(nearest, -math.inf)
