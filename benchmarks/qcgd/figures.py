"""The benchmark's plots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from report import Results, gap, instance_of

SHOWN = ("level", "frank-wolfe", "published, best β0", "penalty-sweep", "augmented-lagrangian")


def draw(found: Mapping[str, Results], folder: Path) -> None:
    """Draw what `found` has into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if "cim" in found:
        progress(found["cim"]).savefig(folder / "qcgd_calls.png", dpi=80)
    if any(name.endswith("bits") for name in found):
        degradation(found).savefig(folder / "qcgd_precision.png", dpi=80)


def progress(results: Results) -> Figure:
    """Mean raw gap after each call, a panel for each family."""
    figure = Figure(figsize=(13, 6), layout="constrained")
    axes = figure.subplots(2, 4, sharex=True).ravel()
    for axis, family in zip(axes, results.families, strict=False):
        for label, choose in results.rows().items():
            if label not in SHOWN:
                continue
            paths = [
                [100 * gap(v, results.best[instance_of(r)]) for v in r["raw_path"]]
                for r in results.records
                if r["key"][1] == family and r["key"][4] == choose(family)
            ]
            mean = np.mean(paths, axis=0)
            axis.semilogy(np.arange(1, len(mean) + 1), np.maximum(mean, 1e-3), label=label)
        axis.set(title=family, ylim=(8e-4, 130))
    axes[0].legend(fontsize=8)
    figure.supxlabel("oracle calls")
    figure.supylabel("mean raw gap in % (0 drawn at 0.001)")
    return figure


def degradation(found: Mapping[str, Results]) -> Figure:
    """Mean raw gap and share of feasible runs against coefficient bits and noise."""
    figure = Figure(figsize=(14, 4), layout="constrained")
    axes = figure.subplots(1, 4)
    for axis, suffix, label in (
        (axes[0], " bits", "coefficient bits"),
        (axes[1], "wrong ", "share of calls answered at random"),
        (axes[2], "flipped ", "share of bits flipped"),
        (axes[3], "sigma ", "error of coefficients / largest"),
    ):
        names = sorted(
            (n for n in found if suffix in n), key=lambda n: float(n.replace(suffix, ""))
        )
        points = [float(n.replace(suffix, "")) for n in names]
        gaps, infeasible = [], []
        for name in names:
            results = found[name]
            gaps.append(np.mean([results.mean("level", f, "raw") for f in results.families]))
            shares = [results.feasible("level", f, "raw") for f in results.families]
            infeasible.append(100 - np.mean(shares))
        axis.plot(points, gaps, "o-", label="mean raw gap (%)")
        axis.plot(points, infeasible, "s--", label="runs without a feasible sample (%)")
        axis.set(xlabel=label)
        axis.set_ylim(bottom=0)
        axis.legend(fontsize=8)
    return figure
