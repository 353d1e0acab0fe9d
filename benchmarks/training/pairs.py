"""All 45 pairs of Fashion-MNIST classes: 7x7 inputs, 5 hard-tanh units, 1-bit weights.

    pip install -r benchmarks/networks/requirements.txt
    python benchmarks/training/pairs.py [--seeds 3] [--pairs 45]

Rows and rules are those of ten_classes.py. Pairs already in the file --out are not run again.
"""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from settings import cim, planner, sequential, tuned

from qhal.datasets import load_dataset

torch.set_num_threads(1)
METHODS = ("sequential", "straight-through", "float")


@click.command()
@click.option("--seeds", default=3, show_default=True)
@click.option("--pairs", default=45, show_default=True, help="Only so many, evenly chosen.")
@click.option("--epochs", default=30, show_default=True, help="Of sequential training.")
@click.option("--starts", default=2, show_default=True, help="Of sequential training.")
@click.option("--batch", default=700, show_default=True, help="Of its first epoch.")
@click.option("--gain", default=2.0, show_default=True, help="Of hidden units.")
@click.option(
    "--baseline-gain",
    multiple=True,
    default=(2.0,),
    show_default=True,
    help="Of the baselines; of several the best by training accuracy. Repeatable.",
)
@click.option("--only", multiple=True, type=click.Choice(METHODS), help="Only these methods.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="JSON, added to.")
def main(
    seeds: int,
    pairs: int,
    epochs: int,
    starts: int,
    batch: int,
    gain: float,
    baseline_gain: tuple[float, ...],
    only: tuple[str, ...],
    out: Path,
) -> None:
    """Print the table of all pairs and their means."""
    names = load_dataset("fashion-mnist", classes="all").class_names
    chosen = list(combinations(names, 2))
    chosen = [chosen[k * len(chosen) // pairs] for k in range(pairs)]
    found = json.loads(out.read_text()) if out.exists() else {}
    for seed in range(seeds):
        for pair in chosen:
            plan = planner(classes=pair, hidden=5, weight_bits=1)
            for method in only or METHODS:
                key = f"{pair[0]},{pair[1]} {method} {seed}"
                if key in found:
                    continue
                if method == "sequential":
                    figures = sequential(
                        plan(gain), cim(), seed, epochs=epochs, starts=starts, batch=batch
                    )
                else:
                    figures = tuned(plan, seed, baseline_gain, quantised=method != "float")
                found[key] = figures._replace(history=())._asdict()
                out.write_text(json.dumps(found, indent=0))
                Console(stderr=True).print(key, found[key])
    _print(found, chosen, only or METHODS)


def _print(found: dict, chosen: list, methods: tuple[str, ...]) -> None:
    table = Table("pair", *methods)
    means = []
    for pair in chosen:
        cells = [
            np.mean([v["test"] for k, v in found.items() if k.startswith(f"{','.join(pair)} {m} ")])
            for m in methods
        ]
        means.append(cells)
        table.add_row(" and ".join(pair), *(f"{cell:.2%}" for cell in cells))
    table.add_row("mean", *(f"{cell:.2%}" for cell in np.mean(means, axis=0)))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
