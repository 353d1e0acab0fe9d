"""All 45 pairs of Fashion-MNIST classes: 7x7 inputs, 5 hard-tanh units, 1-bit weights.

    pip install -r benchmarks/networks/requirements.txt
    python benchmarks/training/pairs.py [--seeds 3] [--pairs 45]

Rows and rules are those of ten_classes.py; inputs have 6 bits. Pairs already in the file --out are
not run again. As a run of sequential training takes longer, the best of all seeds by training
accuracy is printed as well, as one run of several starts.
"""

from __future__ import annotations

import json
import time
from itertools import combinations
from pathlib import Path

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from settings import Figures, cim, planner, sequential, spread, tuned

from qhal.atomic import write_atomically
from qhal.datasets import load_dataset

torch.set_num_threads(1)
METHODS = ("sequential", "straight-through", "float")


@click.command()
@click.option("--seeds", default=3, show_default=True)
@click.option("--pairs", default=45, show_default=True, help="Only so many, evenly chosen.")
@click.option("--epochs", default=320, show_default=True, help="Of sequential training.")
@click.option("--batch", default=400, show_default=True, help="Of its first epoch.")
@click.option(
    "--gain",
    multiple=True,
    default=(4.0, 8.0),
    show_default=True,
    help="Of hidden units, for sequential training; of several the best, as below.",
)
@click.option(
    "--baseline-gain",
    multiple=True,
    default=(2.0, 4.0),
    show_default=True,
    help="Of the baselines; of several the best by training accuracy. Repeatable.",
)
@click.option("--input-bits", default=6, show_default=True, help="Of all methods.")
@click.option("--only", multiple=True, type=click.Choice(METHODS), help="Only these methods.")
@click.option("--limit", default=1e9, help="Seconds after which nothing further is begun.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="JSON, added to.")
def main(
    seeds: int,
    pairs: int,
    epochs: int,
    batch: int,
    gain: tuple[float, ...],
    baseline_gain: tuple[float, ...],
    input_bits: int,
    only: tuple[str, ...],
    limit: float,
    out: Path,
) -> None:
    """Print the table of all pairs and their means."""
    names = load_dataset("fashion-mnist", classes="all").class_names
    chosen = list(combinations(names, 2))
    chosen = [chosen[k * len(chosen) // pairs] for k in range(pairs)]
    found = json.loads(out.read_text()) if out.exists() else {}
    began = time.monotonic()
    for pair in chosen:
        plan = planner(classes=pair, hidden=5, weight_bits=1, input_bits=input_bits)
        for method in only or METHODS:
            missing = [seed for seed in range(seeds) if _key(pair, method, seed) not in found]
            if not missing or time.monotonic() - began > limit:
                continue
            if method == "sequential":
                settings = {"epochs": epochs, "batch": batch}
                settings["final_batch"] = len(plan(gain[0]).dataset.y_train)
                runs = [
                    best([sequential(plan(each), cim(), seed, **settings) for each in gain])
                    for seed in missing
                ]
            else:
                runs = tuned(plan, missing, baseline_gain, quantised=method != "float")
            for seed, figures in zip(missing, runs, strict=True):
                found[_key(pair, method, seed)] = figures._replace(history=())._asdict()
            write_atomically(out, json.dumps(found, indent=0).encode())
            Console(stderr=True).print(*pair, method, [f"{run.test:.2%}" for run in runs])
    _print(found, chosen, only or METHODS, seeds)


def best(runs: list[Figures]) -> Figures:
    """The one of the highest training accuracy, with the calls and the time of all."""
    chosen = max(runs, key=lambda run: run.train)
    total = {key: sum(getattr(run, key) for run in runs) for key in ("calls", "time_s")}
    return chosen._replace(**total)


def _key(pair: tuple[str, str], method: str, seed: int) -> str:
    return f"{','.join(pair)} {method} {seed}"


def _print(found: dict, chosen: list, methods: tuple[str, ...], seeds: int) -> None:
    """Means over seeds for each pair; then for all pairs, with their spread over seeds."""

    def of(name: str) -> np.ndarray:  # (pairs, methods, seeds)
        cells = [[[_key(p, m, s) for s in range(seeds)] for m in methods] for p in chosen]
        return np.array(
            [[[found.get(k, {}).get(name, np.nan) for k in ks] for ks in row] for row in cells]
        )

    test, train = of("test"), of("train")
    table = Table("pair", *methods)
    for pair, cells in zip(chosen, np.nanmean(test, axis=2), strict=True):
        table.add_row(" and ".join(pair), *(f"{cell:.2%}" for cell in cells))
    means = test.mean(axis=0)
    table.add_row("mean", *(spread(list(values)) for values in means))
    table.add_row("training", *(spread(list(values)) for values in train.mean(axis=0)))
    if seeds > 1 and not np.isnan(train).any():
        best = np.take_along_axis(test, train.argmax(axis=2)[..., np.newaxis], axis=2)
        table.add_row("best of all seeds", *(f"{mean:.2%}" for mean in best.mean(axis=(0, 2))))
    if "sequential" in methods:
        gaps = [means[methods.index("sequential")] - values for values in means]
        table.add_row("sequential, points ahead", *(spread(list(gap)) for gap in gaps))
    table.add_row("seconds a run", *(f"{mean:.1f}" for mean in of("time_s").mean(axis=(0, 2))))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
