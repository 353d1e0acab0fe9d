"""A training run as one self-contained page."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qhal.errors import InputError
from qhal.functions import Activation, Loss
from qhal.networks.bounds import approximation_error, generalisation_gap
from qhal.networks.gridspline import GridSpline
from qhal.networks.plot import draw_confusion, draw_weights
from qhal.qcgd.plot import draw_history, new_figure

if TYPE_CHECKING:
    from qhal.networks.training import TrainingResult

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222 }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #ddd }
table { border-collapse: collapse } td, th { padding: .15rem 1rem .15rem 0; text-align: left;
  vertical-align: top } td { font-variant-numeric: tabular-nums }
img { max-width: 100%; height: auto } figcaption { color: #555; font-size: .9rem }
figure { margin: 1rem 0 }
"""


def write_report(result: TrainingResult, path: str | os.PathLike[str]) -> None:
    """Write the page on `result` to `path` (.html); needs matplotlib."""
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    try:
        partial.write_text(_page(result), encoding="utf-8")
        os.replace(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"cannot write the report {target}: {error.strerror}.") from None


def _page(result: TrainingResult) -> str:
    record, spec = result.to_json(), result.network.spec
    names = " against ".join(result.dataset.class_names)
    error = approximation_error(spec, result.network)
    sizes = [len(spec.grid.low), *(layer.outputs for layer in spec.layers)]
    figures = {
        "test accuracy": f"{result.test_accuracy:.2%} of {len(result.dataset.y_test):,} samples",
        "training accuracy": f"{result.train_accuracy:.2%} of {len(result.dataset.y_train):,}",
        "bits per parameter": f"{spec.bits_per_parameter:.3f}",
        "parameters": f"{spec.num_parameters:,}",
        "generalisation bound": "true error at most "
        f"{generalisation_gap(spec, len(result.dataset.y_train)):.1%} above the training error "
        "(95% confidence)",
        "output error of splines": f"at most {error.output:.4g}",
        "oracle calls": f"{record['oracle_calls']} in {record['oracle_time_s']:.1f} s",
        "total time": f"{record['total_time_s']:.1f} s",
    }
    settings = {
        "data": result.dataset.source,
        "layers": "-".join(map(str, sizes)),
        "weight bits": ", ".join(
            "absorbed" if layer.fixed else str(layer.weight_bits) for layer in spec.layers
        ),
        "bias bits": ", ".join(str(layer.bias_bits) for layer in spec.layers),
        "input bits": spec.grid.bits,
        "activations": ", ".join(hidden.activation.name for hidden in spec.hidden) or "none",
        "loss": spec.loss.name,
        "spline": f"order {spec.spline.order}, {spec.spline.pieces} pieces, {spec.spline.knots}",
        "oracle": record["oracle"],
        "oracle options": record["oracle_options"] or "none",
        "stopped because": record["stop_reason"],
        "seed": record["seed"],
    }
    spins = {**record["num_spins"], "all": record["num_variables"]}
    parts = [
        f"<h1>{_text(names)} through {_text(record['oracle'])}</h1>",
        _table(figures),
        "<h2>Run</h2>",
        _figure(_history(result), "Training loss of the QCBO over the oracle calls"),
        "<h2>Test set</h2>",
        _figure(_confusion(result), "True against predicted classes"),
        "<h2>Weights</h2>",
        _figure(_weights(result), "First layer, one picture for each unit"),
        "<h2>Splines</h2>",
        _figure(_splines(result), "Function (line), spline (dots) and its error band"),
        "<h2>Spins</h2>",
        _table(spins),
        "<h2>Settings</h2>",
        _table(settings),
        "<h2>Versions</h2>",
        _table(record["versions"]),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{_text(names)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _history(result: TrainingResult) -> Any:
    figure = new_figure((8.0, 3.2))
    axis = figure.subplots()
    draw_history(axis, result.solution.history)
    axis.set(xlabel="oracle calls", ylabel="training loss")
    return figure


def _confusion(result: TrainingResult) -> Any:
    size = 2.5 + 0.35 * len(result.dataset.class_names)
    figure = new_figure((size + 1, size))
    draw_confusion(figure.subplots(), result)
    return figure


def _weights(result: TrainingResult) -> Any:
    figure = new_figure((8.0, 2.4))
    draw_weights(figure, result)
    return figure


def _splines(result: TrainingResult) -> Any:
    """One picture for each hidden layer and one for the loss."""
    spec, splines = result.network.spec, result.network.splines
    shown: list[tuple[str, Activation | Loss, GridSpline, int, int]] = [
        (f"layer {k + 1}: {hidden.activation.name}", hidden.activation, spline, hidden.unit,
         hidden.resolution)
        for k, (hidden, spline) in enumerate(zip(spec.hidden, splines.hidden, strict=True))
    ]  # fmt: skip
    shown.append((f"loss: {spec.loss.name}", spec.loss, splines.loss, spec.output_unit, 1))
    figure = new_figure((8.0, 2.8))
    axes = np.atleast_1d(figure.subplots(1, len(shown)))
    for axis, (title, function, spline, unit, resolution) in zip(axes, shown, strict=True):
        low, high = (round(end * unit) for end in function.interval)
        reach = max(1, round(0.5 * (high - low)))
        z = np.unique(np.linspace(low - reach, high + reach, 161).astype(np.int64))
        values = spline(z) / resolution
        band = float(np.abs(values - function(z / unit)).max())
        axis.fill_between(z / unit, values - band, values + band, color="tab:orange", alpha=0.3)
        axis.plot(z / unit, function(z / unit), color="tab:blue")
        axis.plot(z / unit, values, ".", color="tab:orange", markersize=3)
        axis.set_title(f"{title}, off by at most {band:.3g}", fontsize="small")
    return figure


def _figure(figure: Any, caption: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<figure><img alt="{_text(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{_text(caption)}</figcaption></figure>"
    )


def _table(rows: Mapping[str, Any]) -> str:
    cells = (f"<tr><th>{_text(k)}</th><td>{_text(v)}</td></tr>" for k, v in rows.items())
    return f"<table>{''.join(cells)}</table>"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{key}={item}" for key, item in value.items())
    return html.escape(str(value))
