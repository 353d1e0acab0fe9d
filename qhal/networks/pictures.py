"""The pictures of a training report, each with what it shows in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qhal.functions import Activation, Loss
from qhal.networks.bounds import approximation_error
from qhal.networks.gridspline import GridSpline
from qhal.networks.plot import confusion_counts, draw_confusion, draw_image
from qhal.networks.spec import LayerSpec
from qhal.qcgd.plot import draw_history, marker_for, new_figure

if TYPE_CHECKING:
    from qhal.networks.training import TrainingResult

MOST_IMAGES = 20


class Picture(NamedTuple):
    """A matplotlib figure; `alt` stands for it where it cannot be seen, `caption` explains it."""

    figure: Any
    alt: str
    caption: str


def history_pictures(result: TrainingResult) -> Iterator[Picture]:
    """Training loss, and the QUBO's lowest energy, over the oracle calls."""
    history = result.solution.history
    calls = [state["oracle_calls"] for state in history]
    figure = new_figure((5.1, 3.0))
    axis = figure.subplots()
    draw_history(axis, [{**state, "lowest_energy": None} for state in history])
    axis.set(xlabel="oracle calls", ylabel="training loss")
    axis.update_datalim([(calls[0], 0.0)])
    axis.autoscale_view()
    first, last = history[0]["incumbent"], history[-1]["incumbent"]
    yield Picture(
        figure,
        f"Best training loss over {calls[-1]} oracle calls: {_short(first)} after the first, "
        f"{_short(last)} at the end",
        "Loss on the samples of the QCBO, best so far.",
    )
    figure = new_figure((5.1, 3.0))
    axis = figure.subplots()
    lowest = [state["lowest_energy"] for state in history]
    axis.plot(calls, lowest, color="0.4", marker=marker_for(calls))
    axis.set(xlabel="oracle calls", ylabel="lowest energy of the QUBO")
    axis.locator_params(axis="x", integer=True)
    span = max(state["range_bits"] for state in history)
    yield Picture(
        figure,
        f"Lowest energy of the QUBO: {_short(lowest[0])} in the first call, "
        f"{_short(lowest[-1])} in the last",
        "Below the loss, samples gain by violating constraints; multipliers rise until they do "
        f"not. Dynamic range of the coefficients at most {span:.1f} bits.",
    )


def confusion_picture(result: TrainingResult) -> Picture:
    """True against predicted classes of the test set."""
    names, counts = result.dataset.class_names, confusion_counts(result)
    size = 2.6 + 0.36 * len(names)
    figure = new_figure((size + 1, size))
    draw_confusion(figure.subplots(), result)
    shares = [
        f"{name} {counts[k, k]:,} of {counts[k].sum():,}" for k, name in enumerate(map(str, names))
    ]
    return Picture(
        figure,
        f"Confusion matrix; recognised: {', '.join(shares)}",
        "Test samples by true class (rows) and predicted class (columns).",
    )


def weight_pictures(result: TrainingResult) -> Iterator[Picture]:
    """The first layer's units as images where the features are one, other layers as matrices."""
    network, size = result.network, result.dataset.image_size
    for k, layer in enumerate(network.spec.layers):
        if layer.fixed:
            continue
        weights, biases = network.weights[k], network.biases[k]
        limit = layer.max_weight
        scale = f"black {-limit:+d}, white {limit:+d}{', grey between' if limit > 1 else ''}"
        if layer.weight_bits == "ternary":
            scale = "black -1, grey 0, white +1"
        if k == 0 and size:
            for unit in range(min(len(weights), MOST_IMAGES)):
                name = f"unit {unit + 1}"
                if layer is network.spec.layers[-1] and len(weights) > 1:
                    name += f" (class {result.dataset.class_names[unit]})"
                figure = new_figure((1.9, 1.9))
                draw_image(figure.subplots(), weights[unit].reshape(size, size), limit)
                yield Picture(
                    figure,
                    f"Weights of layer 1, {name}, as an image: "
                    f"{(weights[unit] > 0).sum()} of {weights[unit].size} positive",
                    f"Layer 1, {name}{_bias(layer, biases[unit])}; {scale}.",
                )
            continue
        figure = new_figure(_matrix_size(*weights.shape))
        axis = figure.subplots()
        draw_image(axis, weights, limit)
        axis.set(xlabel="inputs", ylabel="units")
        biased = f", biases {' '.join(f'{b:+d}' for b in biases)}" if layer.bias_bits else ""
        yield Picture(
            figure,
            f"Weights of layer {k + 1}, {len(weights)} units of {weights.shape[1]} inputs: "
            f"{(weights > 0).sum()} of {weights.size} positive",
            f"Layer {k + 1}{biased}; {scale}.",
        )


def spline_pictures(result: TrainingResult) -> Iterator[Picture]:
    """Each hidden layer's function and the loss's, with their splines and error bands."""
    spec, splines = result.network.spec, result.network.splines
    error = approximation_error(spec, result.network)
    for k, (hidden, spline) in enumerate(zip(spec.hidden, splines.hidden, strict=True)):
        name = f"Layer {k + 1}: {hidden.activation.name}"
        units = (hidden.unit, hidden.resolution)
        yield _spline(name, hidden.activation, spline, *units, error.units[k])
    if not spec.loss.quadratic:
        name = f"Loss: {spec.loss.name}"
        yield _spline(name, spec.loss, splines.loss, spec.output_unit, 1, error.loss_spline)


def _spline(
    name: str,
    function: Activation | Loss,
    spline: GridSpline,
    unit: int,
    resolution: int,
    error: float,
) -> Picture:
    low, high = (round(end * unit) for end in function.interval)
    margin = max(1, round(0.5 * (high - low)))
    z = np.unique(np.linspace(low - margin, high + margin, 401).astype(np.int64))
    values, exact = spline(z) / resolution, function(z / unit)
    figure = new_figure((3.3, 2.8))
    axis = figure.subplots()
    band = (values - error, values + error)
    axis.fill_between(z / unit, *band, color="tab:orange", alpha=0.25, label="error band")
    axis.plot(z / unit, exact, color="tab:blue", linewidth=3, alpha=0.5, label="function")
    style = "-" if spline.spline.order else "."
    axis.plot(z / unit, values, style, color="tab:red", linewidth=1, markersize=2, label="spline")
    axis.legend(fontsize="small")
    axis.set(xlabel="argument")
    said = "exact" if error == 0 else f"off by at most {error:.3g}"
    return Picture(
        figure,
        f"{name}: function and its spline of {len(spline.starts)} pieces, {said}",
        f"{name}, {len(spline.starts)} pieces; {said}, wherever this network can get.",
    )


def _bias(layer: LayerSpec, bias: int) -> str:
    return f", bias {bias:+d}" if layer.bias_bits else ""


def _matrix_size(rows: int, columns: int) -> tuple[float, float]:
    """Inches in which a cell is seen, within a page."""
    cell = min(0.3, 8.5 / columns)
    return max(1.6, 0.6 + cell * columns), max(0.9, 0.6 + cell * rows)


def _short(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
