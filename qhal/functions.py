"""Scalar functions that plugins offer to networks: activations and losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError

Function: TypeAlias = Callable[[npt.NDArray[np.float64]], npt.NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Activation:
    """A scalar activation function with what the error bounds of its splines need.

    Attributes
    ----------
    name : str
    function : vectorised callable, float64 array to array of the same shape
    lipschitz : float or None
        A bound on |f'| between `breakpoints`: |f(a) - f(b)| <= lipschitz |a - b| for a, b that no
        jump separates. 0 for a function that is constant between its jumps; None: unbounded or
        unknown.
    curvature : float or None
        A bound on |f''| between `breakpoints` (None: unbounded or unknown).
    breakpoints : tuple of float
        Where f jumps, or f' or f'' does: natural knots.
    odd : bool
        Whether f is odd about `centre`, f(-z) - centre = centre - f(z), except where f jumps; then
        +-1 output weights can be absorbed into the hidden layer.
    centre : float
        The value that an odd f takes at 0 (at a jump there: the mean of both sides).
    monotone : bool
        Whether f never falls.
    jumps : bool
        Whether f is discontinuous at breakpoints (its value there is the limit from the right).
    interval : (float, float)
        Where f is worth resolving in pieces; beyond it one linear piece on each side will do.
    """

    name: str
    function: Function
    lipschitz: float | None = None
    curvature: float | None = None
    breakpoints: tuple[float, ...] = ()
    odd: bool = False
    centre: float = 0.0
    monotone: bool = False
    jumps: bool = False
    interval: tuple[float, float] = (-3.0, 3.0)

    def __call__(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The function at `values`, float64, same shape."""
        return _evaluate(self.name, self.function, values)

    @classmethod
    def from_callable(cls, function: Function, name: str = "custom", **facts: Any) -> Activation:
        """Any vectorised callable as an activation; `facts` are the other attributes."""
        return cls(name=name, function=function, **facts)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss as a function of the margin m = y * output, y in {-1, +1}.

    `lipschitz`, `curvature`, `breakpoints` and `interval` are as for `Activation`.
    `quadratic` says that the loss is exactly (1 - m)^2, which needs no pieces. `softmax` says what
    several outputs share: not the sum over classes, each against the rest, but minus the
    log-probability of the true class, in nats, under the softmax of the outputs (for two classes
    and one output that is a loss of the margin).
    """

    name: str
    function: Function
    lipschitz: float | None = None
    curvature: float | None = None
    breakpoints: tuple[float, ...] = ()
    quadratic: bool = False
    softmax: bool = False
    jumps: bool = False
    interval: tuple[float, float] = (-1.0, 3.0)

    def __call__(self, margins: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The loss at `margins`, float64, same shape."""
        return _evaluate(self.name, self.function, margins)

    @classmethod
    def from_callable(cls, function: Function, name: str = "custom", **facts: Any) -> Loss:
        """Any vectorised callable of the margin as a loss; `facts` are the other attributes."""
        return cls(name=name, function=function, **facts)


def _evaluate(name: str, function: Function, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    points = np.asarray(values, dtype=np.float64)
    result = np.asarray(function(points), dtype=np.float64)
    if result.shape != points.shape or not np.isfinite(result).all():
        raise InputError(
            f"the function {name!r} must map an array to finite numbers of the same shape."
        )
    return result
