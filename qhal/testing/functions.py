"""Does an activation or a loss keep the promises of its attributes?

``print(check_activation("tanh"))`` says so, also for an `Activation` object; `check_loss` likewise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product
from typing import Any

import numpy as np

from qhal.functions import Activation, Loss
from qhal.networks.splines import adaptive_knots, fit_spline, uniform_knots
from qhal.problems.arrays import FloatArray
from qhal.registry import load
from qhal.testing.subject import CheckFailed, CheckResult, CheckSkipped, expect

_FAR = 500.0  # values must be finite at least this far out; exp(500) is
_GAP = 2.0**-45  # so small that a change by more than _JUMP across it is a jump
_JUMP = 1e-6


@dataclass(frozen=True)
class FunctionReport:
    """What `check_activation` or `check_loss` found; `str()` of it is a table for people."""

    kind: str
    name: str
    checks: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed (skipped ones do not count)."""
        return all(check.outcome != "failed" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict: kind, name, passed, and a dict for each check."""
        checks = [check._asdict() for check in self.checks]
        return {"kind": self.kind, "name": self.name, "passed": self.passed, "checks": checks}

    def __str__(self) -> str:
        lines = [f"{c.name:14}  {c.outcome:7}  {c.detail}" for c in self.checks]
        return "\n".join([f"{self.kind} {self.name!r}", *lines])


def check_activation(activation: str | Activation) -> FunctionReport:
    """Run every check on an activation, given by name or as an object.

    One that misbehaves, or raises, makes its checks fail; only a name that cannot be loaded raises
    (`UnknownNameError`, `PluginError`).
    """
    entry = load("activation", activation) if isinstance(activation, str) else activation
    return _report("activation", entry, ACTIVATION_CHECKS)


def check_loss(loss: str | Loss) -> FunctionReport:
    """Run every check on a loss, given by name or as an object; see `check_activation`."""
    entry = load("loss", loss) if isinstance(loss, str) else loss
    return _report("loss", entry, LOSS_CHECKS)


@dataclass(frozen=True)
class Probe:
    """A function and where to try it.

    `window` is where it deserves a close look, `stretches` are sorted points of each stretch
    [a, b) between breakpoints.
    """

    function: Activation | Loss
    window: tuple[float, float]
    stretches: tuple[FloatArray, ...]

    @classmethod
    def of(cls, function: Activation | Loss) -> Probe:
        """Points within +-500: dense in the window, and close to both ends of each stretch."""
        marks = np.clip([*function.interval, *function.breakpoints], -40.0, 40.0)
        low, high = float(marks.min()) - 4.0, float(marks.max()) + 4.0
        powers = 2.0 ** np.arange(-45, 9)
        anywhere = np.random.default_rng(0).uniform(low, high, 1000)
        common = np.concatenate([np.linspace(low, high, 4001), anywhere, powers, -powers])
        inner = [point for point in function.breakpoints if -_FAR < point < _FAR]
        stretches = []
        for a, b in pairwise([-_FAR, *inner, _FAR]):
            points = np.concatenate([common, np.linspace(a, b, 257), a + powers, b - powers])
            stretches.append(np.unique(points[(points >= a) & (points < b)]))
        return cls(function, (low, high), tuple(stretches))

    @property
    def points(self) -> FloatArray:
        """All points, increasing."""
        return np.concatenate(self.stretches)


Check = Callable[[Probe], str]


def attributes_make_sense(function: Activation | Loss) -> str:
    """Bounds are numbers >= 0, breakpoints and the interval increase."""
    for name in ("lipschitz", "curvature"):
        bound = getattr(function, name)
        expect(
            bound is None or 0.0 <= bound < math.inf,
            f"{name} must be None or a finite number of at least 0, not {bound}.",
        )
    points = function.breakpoints
    expect(
        bool(np.isfinite(points).all()) and all(a < b for a, b in pairwise(points)),
        f"breakpoints must be finite and increasing, not {points}.",
    )
    low, high = function.interval
    expect(low < high, f"interval must be increasing, not {function.interval}.")
    expect(bool(points) or not function.jumps, "it jumps, but no breakpoint says where.")
    centre = getattr(function, "centre", 0.0)
    expect(math.isfinite(centre), f"centre must be a finite number, not {centre}.")
    return "Bounds, breakpoints and interval make sense."


def arrays_in_arrays_out(probe: Probe) -> str:
    """Any shape gives float64 (or whole numbers) of that shape, entry by entry, no side effects."""
    function, grid = probe.function, np.linspace(*probe.window, 24)
    for points in (grid, grid[3], grid[:0], grid.reshape(4, 6), grid.reshape(2, 3, 4)[:, ::-1]):
        given = np.array(points)
        first, again = (np.asarray(function.function(given)) for _ in range(2))
        expect(np.array_equal(given, points), "it changes its input: work on a copy.")
        expect(
            first.shape == given.shape,
            f"an array of shape {given.shape} gives one of shape {first.shape}.",
        )
        expect(
            first.dtype == np.float64 or first.dtype.kind in "biu",
            f"float64 numbers give {first.dtype}: keep the precision.",
        )
        expect(np.array_equal(first, again), "the same input gives different values.")
    alone = np.array([float(function(point)) for point in grid])
    expect(
        np.allclose(function(grid), alone, rtol=1e-12, atol=1e-12),
        "the value of an entry depends on the other entries of its array.",
    )
    return "Arrays of any shape give float64 arrays of that shape."


def values_are_finite(probe: Probe) -> str:
    """No NaN, no overflow."""
    values = np.asarray(probe.function.function(probe.points))
    bad = probe.points[~np.isfinite(values)]
    expect(bad.size == 0, f"its value is not finite at {_nearest_zero(bad)}.")
    return f"Values are finite for |x| <= {_FAR:g}."


def jumps_are_stated(probe: Probe) -> str:
    """f is continuous but for stated jumps, where its value is the limit from the right."""
    function, at = probe.function, np.array(probe.function.breakpoints)
    here, gap = function(at), _GAP * np.maximum(1.0, np.abs(at))
    limit = _JUMP * (1.0 + np.abs(here))
    left, right = (np.abs(function(at + side * gap) - here) > limit for side in (-1.0, 1.0))
    expect(not right.any(), f"its value at {_where(at, right)} is not its limit from the right.")
    expect(function.jumps or not left.any(), f"it jumps at {_where(at, left)}: state jumps=True.")
    expect(bool(left.any()) or not function.jumps, "it jumps nowhere: do not state jumps=True.")
    for points in probe.stretches:
        a, b = _steepest(function, points)
        excess = np.abs(function(b) - function(a)) - _JUMP * (1.0 + np.abs(function(a)))
        expect(
            excess.max(initial=0.0) <= 0.0,
            f"it jumps near {_where(a, excess)}, which is no breakpoint.",
        )
    if function.jumps:
        return f"It jumps at {np.count_nonzero(left)} of its breakpoints and nowhere else."
    return "It is continuous."


def lipschitz_holds(probe: Probe) -> str:
    """No two points between breakpoints are further apart in value than `lipschitz` allows."""
    function, bound = probe.function, probe.function.lipschitz
    if bound is None:
        raise CheckSkipped("It states no Lipschitz constant.")
    steepest = 0.0
    for points in probe.stretches:
        values = function(points)
        noise = _noise(points, values)
        rises = np.abs(np.diff(values)) - np.maximum(noise[1:], noise[:-1])
        slopes = np.maximum(rises, 0.0) / np.diff(points)
        steepest = max(steepest, float(slopes.max(initial=0.0)))
        expect(
            steepest <= bound * (1 + 1e-9),
            f"|f'| reaches {steepest:.6g} near {_where(points, slopes)}, above lipschitz={bound}.",
        )
    return f"|f'| reaches {steepest:.6g} of {bound:.6g}."


def curvature_holds(probe: Probe) -> str:
    """Second differences between breakpoints, which are means of f'', keep `curvature`."""
    function, bound = probe.function, probe.function.curvature
    if bound is None:
        raise CheckSkipped("It states no curvature.")
    largest = 0.0
    for points, h in product(probe.stretches, 2.0 ** np.array([-8.0, -5.0, -2.0, 1.0, 4.0])):
        x = points[(points - h >= points[0]) & (points + h <= points[-1])]
        left, middle, right = function(x - h), function(x), function(x + h)
        second = np.abs(left - 2.0 * middle + right) - 4.0 * _noise(x, middle)
        bends = np.maximum(second, 0.0) / h**2
        largest = max(largest, float(bends.max(initial=0.0)))
        expect(
            largest <= bound * (1 + 1e-9),
            f"|f''| reaches {largest:.6g} near {_where(x, bends)}, above curvature={bound}.",
        )
    return f"|f''| reaches {largest:.6g} of {bound:.6g}."


def oddness_holds(probe: Probe) -> str:
    """f is odd about its centre, except where it jumps."""
    function, points = probe.function, probe.points
    if not (isinstance(function, Activation) and function.odd):
        raise CheckSkipped("It does not claim to be odd.")
    if function.jumps:
        points = points[~np.isin(np.abs(points), np.abs(function.breakpoints))]
    values, centre = function(points), function.centre
    off = np.abs(function(-points) + values - 2 * centre) > 1e-12 * (1.0 + np.abs(values))
    law = f"{2 * centre:g} - f(z)" if centre else "-f(z)"
    expect(not off.any(), f"f(-z) is not {law} at z = {_nearest_zero(points[off])}.")
    return f"f(-z) = {law}."


def monotony_holds(probe: Probe) -> str:
    """f never falls."""
    function, points = probe.function, np.sort(probe.points)
    if not (isinstance(function, Activation) and function.monotone):
        raise CheckSkipped("It does not claim to be monotone.")
    values = function(points)
    fall = np.diff(values) < -1e-12 * (1.0 + np.abs(values[1:]))
    expect(not fall.any(), f"f falls before z = {_nearest_zero(points[1:][fall])}.")
    return "f never falls."


def quadratic_means_squared(probe: Probe) -> str:
    """The loss is (1 - m)^2 exactly."""
    function, points = probe.function, probe.points
    if not (isinstance(function, Loss) and function.quadratic):
        raise CheckSkipped("It does not claim to be the squared loss.")
    wanted = (1.0 - points) ** 2
    off = np.abs(function(points) - wanted) > 1e-12 * (1.0 + wanted)
    expect(not off.any(), f"it is not (1 - m)^2 at m = {_nearest_zero(points[off])}.")
    return "It is (1 - m)^2."


def splines_keep_their_bound(probe: Probe, order: int) -> str:
    """The error bound of splines holds for several domains and numbers of pieces."""
    function, (low, high) = probe.function, probe.window
    if function.lipschitz is None and function.curvature is None:
        raise CheckSkipped("Without a Lipschitz constant or a curvature there is no bound.")
    width = high - low
    domains = ((low, high), (low + 0.3 * width, high - 0.1 * width), (-50.0, 50.0))
    for (start, stop), make, pieces in product(domains, (uniform_knots, adaptive_knots), (1, 4, 9)):
        spline = fit_spline(function, order, make(function, start, stop, pieces, order))
        points = probe.points[(probe.points >= start) & (probe.points <= stop)]
        values = function(points)
        errors = np.abs(spline(points) - values)
        assert spline.error_bound is not None
        expect(
            errors.max() <= spline.error_bound + 1e-9 * (1.0 + np.abs(values).max()),
            f"over [{start:g}, {stop:g}] in {len(spline.values)} pieces the spline is off by "
            f"{errors.max():.6g} at {_where(points, errors)}, above its bound "
            f"{spline.error_bound:.6g}: lipschitz, curvature or breakpoints are wrong.",
        )
    return f"Splines of order {order} keep their error bound."


_COMMON: Mapping[str, Check] = {
    "arrays": arrays_in_arrays_out,
    "finite": values_are_finite,
    "jumps": jumps_are_stated,
    "lipschitz": lipschitz_holds,
    "curvature": curvature_holds,
    "order-0-spline": partial(splines_keep_their_bound, order=0),
    "order-1-spline": partial(splines_keep_their_bound, order=1),
}
ACTIVATION_CHECKS: Mapping[str, Check] = {
    **_COMMON,
    "odd": oddness_holds,
    "monotone": monotony_holds,
}
LOSS_CHECKS: Mapping[str, Check] = {**_COMMON, "quadratic": quadratic_means_squared}


def _report(kind: str, function: Activation | Loss, checks: Mapping[str, Check]) -> FunctionReport:
    """Until attributes, arrays and finite pass, there is nothing that the others could try."""
    results = [_result("attributes", lambda: attributes_make_sense(function))]
    if results[0].outcome != "failed":
        probe = Probe.of(function)
        for name, check in checks.items():
            results.append(_result(name, partial(check, probe)))
            if name in ("arrays", "finite") and results[-1].outcome == "failed":
                break
    return FunctionReport(kind, function.name, tuple(results))


def _result(name: str, check: Callable[[], str]) -> CheckResult:
    try:
        return CheckResult(name, "passed", check())
    except CheckSkipped as skipped:
        return CheckResult(name, "skipped", str(skipped))
    except CheckFailed as failed:
        return CheckResult(name, "failed", f"Broken: {failed}")
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything, which is a finding
        return CheckResult(name, "failed", f"It raised {type(error).__name__}: {error}")


def _steepest(function: Activation | Loss, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Between neighbouring points, half by half, where the function changes most, to _GAP."""
    a, b = points[:-1], points[1:]
    fa, fb = function(a), function(b)
    for _ in range(54):  # 2^9 to 2^-45
        middle = (a + b) / 2.0
        fm = function(middle)
        lower = np.abs(fm - fa) > np.abs(fb - fm)
        a, b = np.where(lower, a, middle), np.where(lower, middle, b)
        fa, fb = np.where(lower, fa, fm), np.where(lower, fm, fb)
    return a, b


def _noise(x: FloatArray, values: FloatArray) -> FloatArray:
    """What rounding may do to a difference of two values."""
    return np.asarray(2.0**-46 * (1.0 + np.abs(x) + np.abs(values)))


def _where(points: FloatArray, badness: Any) -> str:
    """The point of the largest `badness`, for a message; there may be none."""
    return f"{points[np.argmax(badness)]:.6g}" if points.size else "nowhere"


def _nearest_zero(points: FloatArray) -> str:
    return f"{points[np.abs(points).argmin()]:.6g}" if points.size else "nowhere"
