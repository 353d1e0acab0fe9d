"""Piecewise constant and linear stand-ins for activations and losses, with error bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError
from qhal.functions import Activation, Loss
from qhal.problems.arrays import FloatArray, as_vector

_TOLERANCE = 0.01  # an error bound is at most this much above an error that was seen
_INTERVALS = 2**16  # ... or the interval search stops with this many open
_ROUNDS = 40  # of moving knots; more hardly matter


@dataclass(frozen=True, eq=False)
class Spline:
    """Pieces ``values[i] + slopes[i] * (x - knots[i])`` on [knots[i], knots[i+1]).

    Attributes
    ----------
    order : 0 (constant pieces) or 1 (linear pieces)
    knots : (k + 1,) increasing; the domain is [knots[0], knots[-1]], the end pieces extend beyond
    values, slopes : (k,) arrays
    error_bound : float or None
        Proved bound on |spline - function| over the domain, up to rounding, if the function's
        Lipschitz constant L and curvature C are right: at most L w / 2 for order 0, C w^2 / 8 for
        order 1 with all breakpoints among the knots (w: the widest piece), and usually within 1%
        of the true error. None if neither L nor C is known.
    """

    order: int
    knots: FloatArray
    values: FloatArray
    slopes: FloatArray
    error_bound: float | None

    def __call__(self, points: npt.ArrayLike) -> FloatArray:
        """The spline at `points`, float64, same shape."""
        x = np.asarray(points, dtype=np.float64)
        piece = np.searchsorted(self.knots[1:-1], x, side="right")
        return np.asarray(self.values[piece] + self.slopes[piece] * (x - self.knots[piece]))


def fit_spline(function: Activation | Loss, order: int, knots: npt.ArrayLike) -> Spline:
    """The spline of `function` with the given knots, (k + 1,) increasing.

    Order 1 joins the function's values at the knots. Order 0 takes the mean of the values at both
    ends of a piece: no constant is nearer to a monotone function. A jump inside the domain must be
    a knot, and each side keeps its own value; one at the last knot lies outside the domain. A kink
    need not be a knot; the error bound accounts for it.
    """
    _check_order(order)
    points = as_vector(knots, "knots")
    if len(points) < 2 or (np.diff(points) <= 0).any():
        raise InputError("a spline needs at least two knots, in increasing order.")
    if function.jumps:
        for jump in function.breakpoints:
            if points[0] < jump < points[-1] and jump not in points:
                raise InputError(f"{function.name!r} jumps at {jump}, which must be a knot.")
    spline = _interpolate(function, order, points)
    return replace(spline, error_bound=_error_bound(function, spline))


def uniform_knots(
    function: Activation | Loss, low: float, high: float, pieces: int, order: int = 1
) -> FloatArray:
    """Knots over [low, high]: the function's breakpoints, and equal steps where it is worth it.

    `pieces` is the number of steps in the part of `function.interval` inside [low, high]. For
    order 0 they reach on to `low` or `high` if the function changes by more than a step there. A
    function that the breakpoints alone reproduce exactly gets no other knots.
    """
    fixed = _fixed_knots(function, low, high)
    _check_order(order)
    if pieces < 1:
        raise InputError(f"a spline needs at least 1 piece, not {pieces}.")
    if (function.lipschitz if order == 0 else function.curvature) == 0.0:
        return fixed
    start, stop = np.clip(function.interval, low, high)
    if order == 0:
        at = function(np.array([low, start, stop, high]))
        step = abs(at[2] - at[1]) / pieces
        start = low if abs(at[1] - at[0]) > step else start
        stop = high if abs(at[3] - at[2]) > step else stop
    return _merge(fixed, np.linspace(start, stop, pieces + 1))


def adaptive_knots(
    function: Activation | Loss, low: float, high: float, pieces: int, order: int = 1
) -> FloatArray:
    """As many knots over [low, high] as `uniform_knots` gives, moved so that the errors are equal.

    The error of a piece goes as its width to the power order + 1, so equal steps in the cumulative
    sum of error^(1 / (order + 1)) have equal errors (de Boor, A Practical Guide to Splines, chapter
    XII). This is repeated from the uniform knots on, and the best knots seen are returned:
    the largest error on a dense grid is never above that of the uniform ones. Breakpoints stay.
    """
    best = uniform_knots(function, low, high, pieces, order)
    fixed = _fixed_knots(function, low, high)
    free, least = np.setdiff1d(best, fixed), math.inf
    for _ in range(_ROUNDS if free.size else 0):
        knots = _merge(fixed, free)
        errors = _piece_errors(function, _interpolate(function, order, knots))
        largest = float(errors.max())
        if largest < least:
            best, least = knots, largest
        if largest == 0.0:
            break
        # Pieces without error keep a little mass, so that the sum increases.
        mass = np.cumsum((errors + 1e-6 * largest) ** (1 / (order + 1)))
        wanted = np.linspace(0.0, mass[-1], free.size + 2)[1:-1]
        # Going only half the way settles where full steps swing to and fro.
        free = (free + np.interp(wanted, np.append(0.0, mass), knots)) / 2
    return best


def _check_order(order: int) -> None:
    if order not in (0, 1):
        raise InputError(f"the spline order must be 0 or 1, not {order!r}.")


def _fixed_knots(function: Activation | Loss, low: float, high: float) -> FloatArray:
    """Both ends and the breakpoints between them."""
    if not -math.inf < low < high < math.inf:
        raise InputError(f"a spline needs a finite domain with low < high, not [{low}, {high}].")
    fixed = [low, *(point for point in function.breakpoints if low < point < high), high]
    if function.jumps and high in function.breakpoints:
        fixed.append(np.nextafter(high, math.inf))  # the value at `high` needs a piece of its own
    return np.unique(fixed)


def _merge(fixed: FloatArray, free: FloatArray) -> FloatArray:
    """`fixed`, and of `free` what does not fall on one of them, increasing."""
    spacing = 1e-9 * max(1.0, abs(fixed[0]), abs(fixed[-1]))
    apart = np.abs(free[:, np.newaxis] - fixed).min(axis=1) > spacing
    return np.union1d(fixed, free[apart])


def _piece_ends(function: Activation | Loss, cuts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both ends of the pieces between `cuts`; right ends stop short of where f may jump."""
    left, right = cuts[:-1], cuts[1:]
    if not function.jumps:
        return left, right
    # A tiny share of the width, as the nearest smaller number may be so small that it counts as 0.
    return left, np.minimum(right - 2.0**-40 * (right - left), np.nextafter(right, left))


def _interpolate(function: Activation | Loss, order: int, knots: FloatArray) -> Spline:
    left, right = _piece_ends(function, knots)
    values, ends = function(left), function(right)
    slopes = np.zeros_like(values)
    if order == 0:
        values = (values + ends) / 2
    else:
        np.divide(ends - values, right - left, out=slopes, where=right > left)
    return Spline(order, knots, values, slopes, None)


def _piece_errors(function: Activation | Loss, spline: Spline) -> FloatArray:
    """The largest error seen on each piece, (k,)."""
    left, right = _piece_ends(function, spline.knots)
    steps = (right - left)[:, np.newaxis] * np.linspace(0.0, 1.0, 65)
    lines = spline.values[:, np.newaxis] + spline.slopes[:, np.newaxis] * steps
    return np.asarray(np.abs(function(left[:, np.newaxis] + steps) - lines).max(axis=1))


def _error_bound(function: Activation | Loss, spline: Spline) -> float | None:
    """Bound |function - spline| by bisecting intervals until the bound meets an error seen.

    On an interval within one piece and without a breakpoint, the function is within `_sag` of its
    chord and the spline is straight, so their difference is within `_sag` of a straight line: at
    most the larger difference at the ends plus `_sag`. (Branch and bound as in Piyavskii 1972.)
    """
    if function.lipschitz is None and function.curvature is None:
        return None
    first, last = spline.knots[0], spline.knots[-1]
    kinks = [point for point in function.breakpoints if first < point < last]
    a, b = _piece_ends(function, np.union1d(spline.knots, kinks))
    piece = np.searchsorted(spline.knots, a, side="right") - 1
    upper = np.full(len(a), math.inf)
    if spline.order == 0 and function.lipschitz is not None:
        # f(a) + L (x - a) and f(b) + L (b - x) cross L w / 2 above the mean of f(a) and f(b).
        upper = function.lipschitz * np.diff(spline.knots)[piece] / 2
    fa, fb = function(a), function(b)
    least = 1e-9 * float(np.maximum(np.abs(fa), np.abs(fb)).max())  # what is below does not matter
    seen = settled = 0.0
    for _ in range(64):  # halvings exhaust double precision
        ends = np.maximum(*(np.abs(f - _line(spline, piece, x)) for f, x in ((fa, a), (fb, b))))
        upper = np.minimum(upper, ends + _sag(function, b - a, fb - fa))
        seen = max(seen, float(ends.max()))
        wide = upper > (1 + _TOLERANCE) * seen + least
        settled = max(settled, float(upper[~wide].max(initial=0.0)))
        if not 0 < np.count_nonzero(wide) <= _INTERVALS:
            break
        a, b, fa, fb, piece, upper = (each[wide] for each in (a, b, fa, fb, piece, upper))
        middle = (a + b) / 2
        fm = function(middle)
        a, b = np.concatenate([a, middle]), np.concatenate([middle, b])
        fa, fb = np.concatenate([fa, fm]), np.concatenate([fm, fb])
        piece, upper = np.tile(piece, 2), np.tile(upper, 2)
    return max(settled, float(upper.max()))


def _line(spline: Spline, piece: npt.NDArray[np.int64], x: FloatArray) -> FloatArray:
    return np.asarray(spline.values[piece] + spline.slopes[piece] * (x - spline.knots[piece]))


def _sag(function: Activation | Loss, width: FloatArray, rise: FloatArray) -> FloatArray:
    """A bound on |f - chord| over intervals of `width` in which f rises by `rise`.

    C w^2 / 8 is the remainder of linear interpolation. With L alone, f lies in the parallelogram of
    slopes +-L over the chord, whose corners are (L^2 - (rise / w)^2) w / (2 L) away from it.
    """
    sag = np.full(len(width), math.inf)
    if function.curvature is not None:
        sag = function.curvature * width**2 / 8
    if function.lipschitz is not None:
        most = function.lipschitz * width
        spare = most - rise**2 / np.maximum(most, 1e-300)
        sag = np.minimum(sag, np.maximum(spare, 0.0) / 2)
    return sag
