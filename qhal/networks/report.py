"""A training run as one self-contained page."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from qhal.atomic import write_atomically
from qhal.networks.bounds import approximation_error, generalisation_gap
from qhal.networks.pictures import (
    MOST_IMAGES,
    Picture,
    confusion_picture,
    history_pictures,
    spline_pictures,
    weight_pictures,
)

if TYPE_CHECKING:
    from qhal.networks.training import TrainingResult

DPI = 192  # twice what a page is laid out in: sharp on fine screens
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
h1 { font-size: 1.6rem; line-height: 1.2 }
h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #ddd }
table { border-collapse: collapse }
td, th { padding: .15rem 1rem .15rem 0; text-align: left; vertical-align: top }
th { font-weight: 600 } td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.numbers td { text-align: right }
.row { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem }
figure { margin: 0; max-width: 100% } img { max-width: 100%; height: auto; display: block }
figcaption { color: #555; font-size: .85rem }
"""


def write_report(result: TrainingResult, path: str | os.PathLike[str]) -> None:
    """Write the page on `result` to `path` (.html); needs matplotlib."""
    write_atomically(path, _page(result).encode())


def _page(result: TrainingResult) -> str:
    record, title = result.to_json(), _title(result)
    units = len(result.network.weights[0])
    more = f"<p>The first {MOST_IMAGES} of {units} units.</p>" if units > MOST_IMAGES else ""
    shown = more if result.dataset.image_size else ""
    quadratic = result.network.spec.loss.quadratic
    exact = "<p>The loss is quadratic in the output: no spline.</p>" if quadratic else ""
    parts = [
        f"<h1>{_text(title)}</h1>",
        _table(_figures(result, record)),
        "<h2>Run</h2>",
        _row(history_pictures(result)),
        "<h2>Test set</h2>",
        _row([confusion_picture(result)]),
        "<h2>Weights</h2>" + shown,
        _row(weight_pictures(result)),
        "<h2>Splines</h2>" + exact,
        _row(spline_pictures(result)),
        "<h2>Spins</h2>",
        _shares(record["num_spins"]),
        "<h2>Settings</h2>",
        _table(_settings(result, record)),
        "<h2>Versions</h2>",
        _table(record["versions"]),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _title(result: TrainingResult) -> str:
    names = result.dataset.class_names
    task = " against ".join(names) if len(names) <= 3 else f"{len(names)} classes"
    return f"{task} through {result.solution.oracle}"


def _figures(result: TrainingResult, record: Mapping[str, Any]) -> dict[str, Any]:
    spec, data = result.network.spec, result.dataset
    error = approximation_error(spec, result.network).output
    gap = generalisation_gap(spec, len(data.y_train))
    return {
        "test accuracy": f"{result.test_accuracy:.2%} of {len(data.y_test):,} samples",
        "training accuracy": f"{result.train_accuracy:.2%} of {len(data.y_train):,} samples",
        "in the QCBO": f"{record['samples']:,} samples, {record['num_variables']:,} spins, "
        f"{record['num_constraints']:,} constraints",
        "training loss": f"{record['training_loss']:.4g} on these samples, at best",
        "bits per parameter": f"{spec.bits_per_parameter:.3f}, of {spec.num_parameters:,}",
        "generalisation bound": f"true error at most {100 * gap:.1f} points above the training "
        "error (95% confidence)",
        "output error of splines": f"at most {error:.4g}",
        "oracle calls": f"{record['oracle_calls']} in {record['oracle_time_s']:.1f} s",
        "chosen from": f"{record['num_candidates']} visited networks and their means, "
        "by training errors",
        "total time": f"{record['total_time_s']:.1f} s",
    }


def _settings(result: TrainingResult, record: Mapping[str, Any]) -> dict[str, Any]:
    spec, data = result.network.spec, result.dataset
    sizes = [len(spec.grid.low), *(layer.outputs for layer in spec.layers)]
    image = f", {data.image_size} x {data.image_size} pixels" if data.image_size else ""
    return {
        "data": data.source + image,
        "classes": ", ".join(data.class_names),
        "layers": "-".join(map(str, sizes)),
        "weight bits": ", ".join(
            "absorbed" if layer.fixed else str(layer.weight_bits) for layer in spec.layers
        ),
        "bias bits": ", ".join(
            f"fixed at {layer.fixed_bias / spec.output_unit:g}"
            if layer.fixed_bias
            else str(layer.bias_bits)
            for layer in spec.layers
        ),
        "input bits": spec.grid.bits,
        "activations": ", ".join(hidden.activation.name for hidden in spec.hidden) or "none",
        "loss": spec.loss.name,
        "spline": f"order {spec.spline.order}, {spec.spline.pieces} pieces, {spec.spline.knots}",
        "oracle": record["oracle"],
        "oracle options": record["oracle_options"] or "none",
        "stopped because": record["stop_reason"],
        "seed": record["seed"],
    }


def _row(pictures: Iterable[Picture]) -> str:
    return f'<div class="row">{"".join(map(_figure, pictures))}</div>'


def _figure(picture: Picture) -> str:
    buffer = io.BytesIO()
    picture.figure.savefig(buffer, format="png", dpi=DPI)
    data = base64.b64encode(buffer.getvalue()).decode()
    width = round(96 * picture.figure.get_figwidth())
    return (
        f'<figure style="width: {width}px"><img alt="{_text(picture.alt)}" '
        f'src="data:image/png;base64,{data}"><figcaption>{_text(picture.caption)}</figcaption>'
        "</figure>"
    )


def _table(rows: Mapping[str, Any]) -> str:
    return _cells([(key, _text(value)) for key, value in rows.items()])


def _shares(spins: Mapping[str, int]) -> str:
    """Counts by part, with what they are of all."""
    every = sum(spins.values())
    counted = [*spins.items(), ("all", every)]
    cells = [(part, f"{n:,}</td><td>{n / every:.0%}") for part, n in counted]
    return _cells(cells).replace("<table>", '<table class="numbers">', 1)


def _cells(rows: Iterable[tuple[str, str]]) -> str:
    lines = (f'<tr><th scope="row">{_text(k)}</th><td>{cell}</td></tr>' for k, cell in rows)
    return f"<table>{''.join(lines)}</table>"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{key}={item}" for key, item in value.items())
    return html.escape(str(value))
