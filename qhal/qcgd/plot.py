"""A run's history as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qhal.atomic import write_atomically
from qhal.errors import InputError

FEW_POINTS = 10
PANELS = (
    ("max_residual", "worst residual", "tab:purple"),
    ("feasible_share", "feasible share", "tab:green"),
    ("range_bits", "range in bits", "tab:brown"),
)


def plot_history(history: Sequence[Mapping[str, Any]], path: str) -> None:
    """Write what happened over the oracle calls to `path`.

    Incumbent, bound and energies; by how much the worst sample missed a row; the share of feasible
    samples; and the range in bits of the coefficients that the oracle was given. Needs matplotlib;
    raises `InputError` if it is absent or the history is empty.
    """
    if not history:
        raise InputError("there is no history to plot: the run ended before its first round.")
    figure = new_figure((7.0, 7.5))
    objective, *others = figure.subplots(4, 1, sharex=True, height_ratios=(3, 1, 1, 1))
    draw_history(objective, history)
    calls = [state["oracle_calls"] for state in history]
    for axes, (key, label, color) in zip(others, PANELS, strict=True):
        series = [state[key] for state in history]
        axes.plot(calls, series, color=color, marker=marker_for(calls))
        axes.set(ylabel=label)
        axes.set_ylim(bottom=0, top=max(1.0, 1.05 * max(series)))
    others[-1].set(xlabel="oracle calls")
    figure.align_ylabels()
    save_figure(figure, path)


def draw_history(axes: Any, history: Sequence[Mapping[str, Any]]) -> None:
    """Incumbent, raw incumbent, proved bound and lowest QUBO energy over oracle calls."""
    calls = [state["oracle_calls"] for state in history]
    lines = (
        ("incumbent", "incumbent (completed or polished)", "tab:blue", "-"),
        ("raw_incumbent", "best raw sample", "tab:orange", "--"),
        ("lower_bound", "proved bound", "tab:red", "-"),
        ("lowest_energy", "lowest energy of the QUBO", "0.6", ":"),
    )
    marker = marker_for(calls)
    for key, label, color, style in lines:
        series = [state[key] for state in history]
        if any(value is not None for value in series):
            drawn = [float("nan") if value is None else value for value in series]
            axes.plot(
                calls, drawn, style, color=color, label=label, drawstyle="steps-post", marker=marker
            )
    axes.set(ylabel="objective")
    axes.locator_params(axis="x", integer=True)  # there is no half a call
    axes.legend(fontsize="small")


def marker_for(points: Sequence[Any]) -> str:
    """The marker for a line through `points`: a dot if they are few, for one alone has no line."""
    return "o" if len(points) <= FEW_POINTS else ""


def new_figure(size: tuple[float, float]) -> Any:
    """An empty figure of `size` inches; raises `InputError` if matplotlib is absent."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("plots need matplotlib: pip install 'qhal-core[plot]'") from None
    return Figure(figsize=size, layout="constrained")


def save_figure(figure: Any, path: str) -> None:
    """Write `figure` to `path`; raises `InputError` for an unknown suffix or unwritable folder."""
    picture = io.BytesIO()
    try:
        figure.savefig(picture, dpi=150, format=Path(path).suffix.lower()[1:] or "png")
    except (OSError, ValueError) as error:
        raise InputError(f"cannot draw the plot {path}: {error}.") from None
    write_atomically(path, picture.getvalue())
