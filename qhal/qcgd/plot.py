"""A run's history as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qhal.errors import InputError


def plot_history(history: Sequence[Mapping[str, Any]], path: str) -> None:
    """Write incumbent, bound and energies over the oracle calls, and the feasible share, to `path`.

    Needs matplotlib; raises `InputError` if it is absent or the history is empty.
    """
    if not history:
        raise InputError("there is no history to plot: the run ended before its first round.")
    figure = new_figure((7.0, 5.0))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    draw_history(upper, history)
    calls = [state["oracle_calls"] for state in history]
    lower.plot(calls, [state["feasible_share"] for state in history], color="tab:green")
    lower.set(xlabel="oracle calls", ylabel="feasible share", ylim=(-0.03, 1.03))
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
    for key, label, color, style in lines:
        series = [state[key] for state in history]
        if any(value is not None for value in series):
            drawn = [float("nan") if value is None else value for value in series]
            axes.plot(calls, drawn, style, color=color, label=label, drawstyle="steps-post")
    axes.set(ylabel="objective")
    axes.legend(fontsize="small")


def new_figure(size: tuple[float, float]) -> Any:
    """An empty figure of `size` inches; raises `InputError` if matplotlib is absent."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("plots need matplotlib: pip install 'qhal-core[plot]'") from None
    return Figure(figsize=size, layout="constrained")


def save_figure(figure: Any, path: str) -> None:
    """Write `figure` to `path`; raises `InputError` for an unknown suffix or unwritable folder."""
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write the plot {path}: {error}.") from None
