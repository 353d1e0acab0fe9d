"""What exact samples add: parabolas for all samples of a unit, or some of these exact, by QCGD.

    pip install -r benchmarks/networks/requirements.txt
    python benchmarks/training/exact_samples.py [--seeds 1] [--epochs 10]

Pairs of Fashion-MNIST classes, 7x7 inputs, 5 hard-tanh units, 1-bit weights; `cim` at 8 bits, from
a first batch of 200 samples to all 12,000, one start, gain 4. A question with exact samples is
three oracle calls instead of one, so there is a row of three times as many passes without them.
"""

from __future__ import annotations

from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from settings import Figures, cim, planner, sequential, spread

from qhal.training.exact import ROUNDS

PAIRS = [("coat", "shirt"), ("pullover", "shirt"), ("sandal", "sneaker")]
# What differs from --epochs passes with parabolas alone.
ROWS: dict[str, dict[str, Any]] = {
    "none": {},
    "none, more passes": {"times": ROUNDS},
    "8": {"exact_samples": 8},
    "32": {"exact_samples": 32},
    "8, double": {"exact_samples": 8, "coefficient_bits": None},
}


@click.command()
@click.option("--seeds", default=1, show_default=True)
@click.option("--epochs", default=10, show_default=True)
def main(seeds: int, epochs: int) -> None:
    """Print the tables."""
    found = {pair: measured(pair, list(range(seeds)), epochs) for pair in PAIRS}
    for pair, rows in found.items():
        show(" and ".join(pair), rows)
    show("all", {name: [run for rows in found.values() for run in rows[name]] for name in ROWS})


def measured(pair: tuple[str, str], seeds: list[int], epochs: int) -> dict[str, list[Figures]]:
    """A run for each row and seed."""
    plan = planner(classes=pair, hidden=5, weight_bits=1)(4.0)
    found = {}
    for name, row in ROWS.items():
        settings = {"batch": 200, "final_batch": len(plan.dataset.y_train)} | row
        settings["epochs"] = epochs * settings.pop("times", 1)
        found[name] = [sequential(plan, cim(), seed, **settings) for seed in seeds]
        Console(stderr=True).print(*pair, name, [f"{run.train:.2%}" for run in found[name]])
    return found


def show(title: str, rows: dict[str, list[Figures]]) -> None:
    """Means over runs, with their standard deviation."""
    table = Table("exact samples", "training", "test", "calls", "spins", "time / s", title=title)
    for name, runs in rows.items():
        accuracies = (spread([run.train for run in runs]), spread([run.test for run in runs]))
        spins = max(run.num_variables for run in runs)
        calls, time_s = (np.mean([getattr(run, k) for run in runs]) for k in ("calls", "time_s"))
        table.add_row(name, *accuracies, f"{calls:.0f}", f"{spins}", f"{time_s:.1f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
