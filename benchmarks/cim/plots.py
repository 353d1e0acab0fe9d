"""The plots of the raw results: time against gap, TTS by instance, gap against bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

_OURS = {"qhal-cim": "#c0392b", "qhal-cim, scipy": "#e59866"}


def draw(raw: dict[str, Any], folder: Path) -> None:
    """Draw what `raw` holds results for."""
    if raw.get("time-gap"):
        _time_against_gap(raw["time-gap"], folder / "cim_time_gap.png")
    names = sorted((key for key in raw if key[:4] == "tts-"), key=lambda key: (len(key), key))
    graphs = {key.removeprefix("tts-"): raw[key] for key in names}
    if any(graphs.values()):
        _times_to_solution({g: rows for g, rows in graphs.items() if rows}, folder / "cim_tts.png")
    if raw.get("precision"):
        _precision(raw["precision"], folder / "cim_precision.png")


def _time_against_gap(results: dict[str, Any], path: Path) -> None:
    figure, axes = plt.subplots(
        1, len(results), figsize=(5.5 * len(results), 4.5), squeeze=False, layout="constrained"
    )
    colours = _colours(results)
    for axis, (instance, rows) in zip(axes[0], results.items(), strict=True):
        for solver, colour in colours.items():
            calls = [c for row in rows if row["solver"] == solver for c in row["calls"]]
            points = sorted((c["cpu_s"] / c["reads"], max(c["mean_gap"], 1e-6)) for c in calls)
            if points:
                times, gaps = zip(*points, strict=True)
                width = 2.5 if solver in _OURS else 1.2
                axis.plot(times, gaps, "o-", color=colour, lw=width, ms=4, label=solver)
        axis.set(xscale="log", yscale="log", title=instance, xlabel="CPU time per read / s")
        low = axis.get_ylim()[0]
        axis.set_ylim(low, 0.5)  # what is above has not found anything
    axes[0, 0].set_ylabel("mean gap to the best known energy")
    handles, labels = axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=8)
    _save(figure, path)


def _times_to_solution(results: dict[str, Any], path: Path) -> None:
    figure, axis = plt.subplots(figsize=(8.5, 4.5), layout="constrained")
    colours = _colours(results)
    width = 0.8 / len(colours)
    for place, rows in enumerate(results.values()):
        for index, (solver, colour) in enumerate(colours.items()):
            mine = [row for row in rows if row["solver"] == solver]
            if not mine:
                continue
            # At its best setting: a time that is known goes before a bound.
            best = min(mine, key=lambda row: (row["tts_is_bound"], row["tts_s"]))
            middle, low, high = best["tts_quartiles_s"]
            style: dict[str, Any] = (
                {"color": "none", "edgecolor": colour, "hatch": "////"}
                if best["tts_is_bound"]
                else {"color": colour, "yerr": [[middle - low], [high - middle]]}
            )
            label = solver if place == 0 else None
            axis.bar(place + (index + 0.5) * width - 0.4, middle, width, label=label, **style)
    axis.set(yscale="log", ylabel="TTS99 / CPU s; hatched: lower bound, no hit")
    axis.set_xticks(range(len(results)), list(results))
    figure.legend(loc="outside right center", fontsize=8)
    _save(figure, path)


def _precision(results: dict[str, Any], path: Path) -> None:
    figure, axis = plt.subplots(figsize=(6, 4.2), layout="constrained")
    names = sorted({key.split(",")[0] for key in results if key != "bits"})
    for index, rounding in enumerate(names):
        for descent, style in (("without", "-"), ("with", "--")):
            means = np.maximum(results[f"{rounding}, {descent} descent"], 1e-6)
            label = f"{rounding}, host descent" if descent == "with" else rounding
            axis.plot(results["bits"], means, f"o{style}", color=f"C{index}", ms=4, label=label)
    axis.axhline(0.5e-3, color="grey", lw=0.8)
    axis.set(
        yscale="log",
        xlabel="coefficient bits",
        ylabel="mean gap of the best of 100 reads (1e-6: none)",
    )
    axis.set_xticks(results["bits"])
    axis.legend(fontsize=8)
    _save(figure, path)


def _colours(results: dict[str, Any]) -> dict[str, Any]:
    solvers = list(dict.fromkeys(row["solver"] for rows in results.values() for row in rows))
    palette = iter(plt.get_cmap("tab20c").colors[4:] if len(solvers) > 12 else _palette())
    return {solver: _OURS.get(solver) or next(palette) for solver in solvers}


def _palette() -> list[Any]:
    return [c for i, c in enumerate(plt.get_cmap("tab10").colors) if i != 3] + ["black", "grey"]


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110)
    plt.close(figure)
