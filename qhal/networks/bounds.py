"""What can be said before training: error, spins, sample complexity, time to solution.

Each formula is derived in ``docs/theory.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qhal.errors import InputError
from qhal.functions import Activation, Loss
from qhal.networks.counting import count_spins
from qhal.networks.gridspline import GridSpline, grid_splines, layer_reach
from qhal.networks.network import Network
from qhal.networks.spec import NetworkSpec

__all__ = [
    "ApproximationError",
    "approximation_error",
    "count_spins",
    "generalisation_gap",
    "samples_needed",
    "time_to_solution",
    "unit_spins",
]


@dataclass(frozen=True)
class ApproximationError:
    """Bounds on what splines and grids change, over all inputs; infinite where nothing is known.

    `units` holds, for each hidden layer, a bound on |spline - activation| of one unit at equal
    arguments; `activations` the same between the true and the spline network; `output` bounds the
    difference of any output; `loss` that of the loss of one output and sample, to which the loss's
    own spline adds at most `loss_spline`.
    """

    units: tuple[float, ...]
    activations: tuple[float, ...]
    output: float
    loss: float
    loss_spline: float


def approximation_error(spec: NetworkSpec, network: Network | None = None) -> ApproximationError:
    """How far the spline network can be from the network with the true functions.

    With e_k the largest |spline - activation| over the whole numbers that layer k can reach, L_k
    the activation's Lipschitz constant and w the largest sum of |weights| into a unit (of
    `network`, or of any network of `spec`), the error after layer k is

        E_k = e_k + L_k w_k E_(k-1) resolution_(k-1) / unit_k,   E_0 = 0,

    and that of an output w E resolution / output_unit. A function that jumps, or whose Lipschitz
    constant is unknown, passes no error on only if there is none.
    """
    splines = grid_splines(spec)
    units: list[float] = []
    activations: list[float] = []
    error, largest = 0.0, 2**spec.grid.bits - 1  # error in whole numbers of the layer's input
    for k, (layer, hidden, spline) in enumerate(
        zip(spec.layers, spec.hidden, splines.hidden, strict=False)
    ):
        reach = layer_reach(layer, largest)
        units.append(
            _largest_error(hidden.activation, spline, reach, hidden.unit, hidden.resolution)
        )
        shift = _weight_sum(spec, network, k) * error / hidden.unit
        activations.append(units[-1] + _passed_on(hidden.activation, shift))
        error = activations[-1] * hidden.resolution
        largest = max(1, spline.largest(reach))
    last = len(spec.layers) - 1
    output = _weight_sum(spec, network, last) * error / spec.output_unit
    reach = layer_reach(spec.layers[-1], largest) + (2 * spec.output_unit if spec.regression else 0)
    own = 0.0
    if not spec.loss.quadratic:
        own = _largest_error(spec.loss, splines.loss, reach, spec.output_unit, 1)
    loss = own + _loss_change(spec.loss, output, reach / spec.output_unit)
    return ApproximationError(tuple(units), tuple(activations), output, loss, own)


def unit_spins(num_pieces: int, num_slopes: int, num_values: int) -> float:
    """At most how many indicators and offset bits a unit takes, whatever its knots are.

    Its z takes `num_values` values, T + 1, and its spline has P = `num_pieces` pieces of
    S = `num_slopes` different slopes: none for P = 1, else
    (P - 2) log2(T) + 1 + S (log2(T) + 1). (`count_spins` is exact, but needs the samples.)
    """
    if not 1 <= num_slopes <= num_pieces <= num_values:
        raise InputError("a unit has at least 1 slope, as many pieces, and as many values.")
    if num_pieces == 1:
        return 0.0
    bits = math.log2(num_values - 1)
    return (num_pieces - 2) * bits + 1 + num_slopes * (bits + 1)


def generalisation_gap(spec: NetworkSpec, num_samples: int, confidence: float = 0.95) -> float:
    """A bound on (true error - training error) of every network of `spec` at once.

    With probability `confidence` over `num_samples` independent samples, by Hoeffding's inequality
    and the union over all 2^B networks, B the sum of log2(levels) over the parameters:
    sqrt((B ln 2 + ln(1 / (1 - confidence))) / (2 num_samples)).
    """
    _check_share(confidence)
    if num_samples < 1:
        raise InputError("num_samples must be at least 1.")
    return math.sqrt(_log_size(spec, confidence) / (2 * num_samples))


def samples_needed(
    spec: NetworkSpec, gap: float, confidence: float = 0.95, *, realisable: bool = False
) -> int:
    """How many samples make `gap` hold with probability `confidence`.

    For every network of `spec`: (B ln 2 + ln(1 / (1 - confidence))) / (2 gap^2). `realisable`: for
    those without any training error, (B ln 2 + ln(1 / (1 - confidence))) / gap.
    """
    _check_share(confidence)
    if not 0 < gap <= 1:
        raise InputError(f"gap must be above 0 and at most 1, not {gap!r}.")
    return math.ceil(_log_size(spec, confidence) / (gap if realisable else 2 * gap**2))


def time_to_solution(time_s: float, success_rate: float, confidence: float = 0.99) -> float:
    """Seconds until a run has succeeded with probability `confidence`.

    Runs of `time_s` each succeed independently with `success_rate` p:
    time_s ln(1 - confidence) / ln(1 - p), at least one run; infinite for p = 0.
    """
    _check_share(confidence)
    if not 0 <= success_rate <= 1 or not time_s >= 0:
        raise InputError("success_rate must be from 0 to 1, and time_s at least 0.")
    if success_rate == 0:
        return math.inf
    if success_rate >= confidence:
        return time_s
    return time_s * math.log1p(-confidence) / math.log1p(-success_rate)


def _log_size(spec: NetworkSpec, confidence: float) -> float:
    bits = sum(layer.entropy_bits for layer in spec.layers)
    return bits * math.log(2) - math.log1p(-confidence)


def _check_share(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise InputError(f"confidence must be between 0 and 1, not {confidence!r}.")


def _largest_error(
    function: Activation | Loss, spline: GridSpline, reach: int, unit: int, resolution: int
) -> float:
    """The largest |spline - function| over whole -reach .. reach: all that can occur."""
    z = np.arange(-reach, reach + 1)
    return float(np.abs(spline(z) / resolution - function(z / unit)).max())


def _weight_sum(spec: NetworkSpec, network: Network | None, k: int) -> float:
    """The largest sum of |weights| into one unit of layer k."""
    if network is not None:
        return float(np.abs(network.weights[k]).sum(axis=1).max())
    return float(spec.layers[k].inputs * spec.layers[k].max_weight)


def _passed_on(function: Activation | Loss, shift: float) -> float:
    """How much f can change when its argument changes by `shift`."""
    if shift == 0:
        return 0.0
    if function.lipschitz is None or function.jumps:
        return math.inf
    return function.lipschitz * shift


def _loss_change(loss: Loss, shift: float, reach: float) -> float:
    """As `_passed_on`; |m| <= reach bounds the slope of a loss that is only known to be curved."""
    if shift and loss.lipschitz is None and loss.curvature is not None and not loss.breakpoints:
        ends = loss(np.array([-reach, reach]))
        steepest = abs(ends[1] - ends[0]) / (2 * reach) + loss.curvature * (2 * reach + shift)
        return float(steepest * shift)
    return _passed_on(loss, shift)
