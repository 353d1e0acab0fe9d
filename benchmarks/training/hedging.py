"""Progressive hedging: what its settings do, and how it fares beside sequential and joint training.

    python benchmarks/training/hedging.py run --out hedging.json [--section bundles] [--seeds 3]
    python benchmarks/training/hedging.py show hedging.json [--plot hedging.png]

Two pairs of Fashion-MNIST classes, an easy and a hard one, 7x7 inputs, 3 hard-tanh units, 1-bit
weights, through `cim`, every QUBO of hedging and of sequential training at most 550 variables of 8
bits. Each row has the same number of oracle calls, those of `--calls`; figures are those of the
network that is best on the training samples. Rows already in the file are not run again.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import qhal

PAIRS = ("coat,sandal", "shirt,pullover")
HARD = PAIRS[1]
# 32 calls a visit: so that few calls are several passes.
USUAL = {"bundle_size": 16, "bundles": 4, "hedging_rounds": 4, "iterations": 2, "num_reads": 20}
SECTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "bundles": {
        "4 samples": {"bundle_size": 4},
        "8 samples": {"bundle_size": 8},
        "16 samples": {},
        "32 samples": {"bundle_size": 32},
        "16 samples, drawn with replacement": {"replacement": True},
    },
    "rho": {
        "per bit, 0.1": {},
        "per bit, 0.03": {"rho": 0.03},
        "per bit, 0.3": {"rho": 0.3},
        "fixed, 0.1": {"rho_rule": "fixed"},
        "balanced, 0.1": {"rho_rule": "balanced"},
        "16 bundles, 1 round: no hedging": {"bundles": 16, "hedging_rounds": 1},
    },
    "bits": {
        "4 bits": {"coefficient_bits": 4},
        "6 bits": {"coefficient_bits": 6},
        "8 bits": {},
        "double": {"coefficient_bits": None},
    },
}


def hedge(pair: str, seed: int, calls: int, **settings: Any) -> dict[str, Any]:
    """One run of hedging."""
    options = USUAL | settings
    found = qhal.train(
        classes=pair, hidden=3, method="hedging", seed=seed, max_oracle_calls=calls, epochs=10_000,
        **options,
    )  # fmt: skip
    return _figures(found, found.trained.history)


def sequential(pair: str, seed: int, calls: int) -> dict[str, Any]:
    """One run of sequential training, in as many epochs as the calls are enough for."""
    found = qhal.train(
        classes=pair, hidden=3, method="sequential", seed=seed, max_oracle_calls=calls,
        epochs=max(1, calls // 4),
    )  # fmt: skip
    return _figures(found, found.trained.history)


def joint(pair: str, seed: int, calls: int) -> dict[str, Any]:
    """One run of joint training on 20 samples; ten rounds of 100 reads, as by default."""
    return _figures(qhal.train(classes=pair, hidden=3, seed=seed, iterations=min(10, calls)), ())


METHODS = {"joint": joint, "hedging": hedge, "sequential": sequential}


def _figures(found: Any, history: Any) -> dict[str, Any]:
    record = found.to_json()
    keys = "train_accuracy test_accuracy oracle_calls num_variables total_time_s".split()
    curve = [(each["oracle_calls"], each["best_accuracy"]) for each in history]
    return {key: record[key] for key in keys} | {"curve": curve}


@click.group()
def main() -> None:
    """See the text above."""


@main.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="JSON, added to.")
@click.option("--section", "sections", multiple=True, type=click.Choice([*SECTIONS, "methods"]))
@click.option("--seeds", default=3, show_default=True)
@click.option("--calls", default=300, show_default=True, help="Of each row of a section.")
@click.option("--budgets", default="300,1200", show_default=True, help="Calls of the methods.")
@click.option("--limit", default=1e9, help="Seconds after which no further row is begun.")
def run(
    out: Path, sections: tuple[str, ...], seeds: int, calls: int, budgets: str, limit: float
) -> None:
    """Run what is not in the file yet."""
    began = time.monotonic()
    found = json.loads(out.read_text()) if out.exists() else {}
    for key, work in _rows(sections, seeds, calls, [int(each) for each in budgets.split(",")]):
        if key in found:
            continue
        if time.monotonic() - began > limit:
            return
        found[key] = work()
        out.write_text(json.dumps(found, indent=0))
        Console(stderr=True).print(key, {k: v for k, v in found[key].items() if k != "curve"})


def _rows(sections: tuple[str, ...], seeds: int, calls: int, budgets: list[int]) -> Any:
    """Keys and what to do for them, seed by seed."""
    for seed in range(seeds):
        for section, rows in SECTIONS.items():
            for settings in rows.values() if section in (sections or SECTIONS) else ():
                key = json.dumps([HARD, "hedging", calls, settings, seed])
                yield key, lambda s=settings, seed=seed: hedge(HARD, seed, calls, **s)
        for pair in PAIRS if not sections or "methods" in sections else ():
            for method, work in METHODS.items():
                for budget in budgets if method != "joint" else [10]:
                    key = json.dumps([pair, method, budget, {}, seed])
                    yield key, lambda w=work, p=pair, b=budget, seed=seed: w(p, seed, b)


@main.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the sections.")
def show(file: Path, plot: Path | None) -> None:
    """Print the tables, and draw them."""
    rows = [(json.loads(key), value) for key, value in json.loads(file.read_text()).items()]
    for section, variants in SECTIONS.items():
        table = Table("", "test", "train", "largest QUBO", "calls", title=f"{HARD}: {section}")
        for name, settings in variants.items():
            found = _matching(rows, HARD, "hedging", settings)
            if found:
                table.add_row(name, *_cells(found))
        Console(width=110).print(table)
    table = Table("pair", "method", "test", "train", "largest QUBO", "calls", "seconds")
    for pair in PAIRS:
        for method in METHODS:
            for budget in sorted({key[2] for key, _ in rows if key[:2] == [pair, method]}):
                found = [value for key, value in rows if key[:4] == [pair, method, budget, {}]]
                seconds = np.median([each["total_time_s"] for each in found])
                table.add_row(pair, method, *_cells(found), f"{seconds:.0f}")
    Console(width=110).print(table)
    if plot is not None:
        _draw(rows, plot)


def _matching(rows: Any, pair: str, method: str, settings: dict[str, Any]) -> list[Any]:
    least = min((key[2] for key, _ in rows if key[:2] == [pair, method]), default=0)
    return [value for key, value in rows if key[:4] == [pair, method, least, settings]]


def _cells(found: list[Any]) -> list[str]:
    cells = []
    for key in ("test_accuracy", "train_accuracy"):
        values = [each[key] for each in found]
        deviation = np.std(values, ddof=1) if len(values) > 1 else 0.0
        cells.append(f"{np.mean(values):.2%} ± {deviation:.2%} ({len(values)})")
    cells.append(str(max(each["num_variables"] for each in found)))
    cells.append(f"{np.mean([each['oracle_calls'] for each in found]):.0f}")
    return cells


def _draw(rows: Any, path: Path) -> None:
    from qhal.qcgd.plot import new_figure, save_figure

    figure = new_figure((11.0, 7.0))
    axes = figure.subplots(2, 2).ravel()
    for axis, (section, variants) in zip(axes, SECTIONS.items(), strict=False):
        for name, settings in variants.items():
            _curve(axis, _matching(rows, HARD, "hedging", settings), name)
        axis.set_title(f"{HARD}: {section}")
    for pair, style in zip(PAIRS, ("-", "--"), strict=True):
        for method in ("hedging", "sequential"):
            budgets = [key[2] for key, _ in rows if key[:2] == [pair, method] and key[3] == {}]
            found = [v for key, v in rows if key[:4] == [pair, method, max(budgets, default=0), {}]]
            _curve(axes[3], found, f"{pair}: {method}", style)
    axes[3].set_title("methods")
    axes[3].set_xscale("log")
    for axis in axes:
        axis.set(xlabel="oracle calls", ylabel="training accuracy")
        axis.legend(fontsize="x-small")
    save_figure(figure, path)


def _curve(axis: Any, found: list[Any], label: str, style: str = "-") -> None:
    """The mean over seeds of the best accuracy so far, where all seeds have one."""
    curves = [each["curve"] for each in found if each["curve"]]
    if not curves:
        return
    points = np.unique([calls for curve in curves for calls, _ in curve])
    points = points[points >= max(curve[0][0] for curve in curves)]
    values = [
        np.array([best for _, best in curve])[
            np.searchsorted([calls for calls, _ in curve], points, side="right") - 1
        ]
        for curve in curves
    ]
    axis.plot(points, np.mean(values, axis=0), style, marker=".", label=label)


if __name__ == "__main__":
    main()
