"""What the oracle adds: the same local models, blocks and judgement under different oracles.

    python benchmarks/training/oracles.py [--seeds 3] [--plot F]

Ten classes of Fashion-MNIST, 7x7 inputs, 32 units, 1-bit hidden and 2-bit output weights. All rows
make the same passes and take 6 reads a call, of which the 4 lowest are judged by a true forward
pass; a block has a second call if the first brought nothing, so weak oracles are called more often.
"bit flips" asks no model: its states differ from the present one in a random bit each, so it is
plain search on the training loss with as many evaluations. Coefficients are rounded to 8 bits for
all, but for the rows that say otherwise. That single flips are judged where the oracle's states
bring nothing is left out but for the last row. The rows of small blocks have several blocks of at
most 16 spins for each unit, which the exact oracle enumerates.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from settings import Figures, cim, planner, sequential, spread

import qhal
import qhal.training.sequential as method
from qhal.registry import get_oracle

FLIPS = method.FLIPS


class BitFlips(qhal.Oracle):
    """States that differ from the present one in one random bit: plain search."""

    info = qhal.OracleInfo(name="bit-flips", summary="one random bit", factory="", seeded=True)

    def _sample(
        self, qubo: qhal.Qubo, *, num_reads: int, seed: int, time_limit: Any, initial_states: Any
    ) -> np.ndarray:
        chosen = np.random.default_rng(seed).integers(0, qubo.num_variables, num_reads)
        return np.eye(qubo.num_variables, dtype=np.int8)[chosen]


DEFAULT = "cim, 8 bits, then single flips"
SMALL = {"max_variables": 16}
ROWS: dict[str, tuple[Callable[[], qhal.Oracle], dict[str, Any]]] = {
    "cim, 8 bits": (cim, {}),
    "cim, 6 bits": (cim, {"coefficient_bits": 6}),
    "cim, 4 bits": (cim, {"coefficient_bits": 4}),
    "cim, double": (cim, {"coefficient_bits": None}),
    "cim without descent, 8 bits": (lambda: cim(descent=False), {}),
    "sa": (lambda: get_oracle("sa", num_sweeps=100), {}),
    "tabu": (lambda: get_oracle("tabu"), {}),
    "steepest-descent": (lambda: get_oracle("steepest-descent"), {}),
    "random": (lambda: get_oracle("random"), {}),
    "bit flips": (BitFlips, {"num_reads": 4}),
    "small blocks, exact": (lambda: get_oracle("exhaustive"), SMALL),
    "small blocks, cim": (cim, SMALL),
    DEFAULT: (cim, {}),
}


@click.command()
@click.option("--seeds", default=3, show_default=True)
@click.option("--epochs", default=24, show_default=True)
@click.option("--only", multiple=True, metavar="TEXT", help="Only rows whose name holds TEXT.")
@click.option("--out", type=click.Path(path_type=Path), help="Write all figures as JSON.")
@click.option("--plot", type=click.Path(path_type=Path), help="Accuracy against oracle calls.")
def main(
    seeds: int, epochs: int, only: tuple[str, ...], out: Path | None, plot: Path | None
) -> None:
    """Print the table."""
    plan = planner(classes="all", hidden=32, weight_bits=(1, 2))(4.0)
    found: dict[str, list[Figures]] = {}
    for name, (make, settings) in ROWS.items():
        if only and not any(text in name for text in only):
            continue
        for seed in range(seeds):
            common = {"epochs": epochs, "batch": 2000, "final_batch": 16384} | settings
            method.FLIPS = FLIPS if name == DEFAULT else 0
            found.setdefault(name, []).append(sequential(plan, make(), seed, **common))
            Console(stderr=True).print(name, found[name][-1]._replace(history=()))
            if out is not None:
                out.write_text(json.dumps({k: [f._asdict() for f in v] for k, v in found.items()}))
    table = Table("oracle", "test", "training", "calls", "time / s")
    for name, runs in found.items():
        means = (np.mean([run.calls for run in runs]), np.mean([run.time_s for run in runs]))
        accuracies = (spread([run.test for run in runs]), spread([run.train for run in runs]))
        table.add_row(name, *accuracies, *(f"{mean:.0f}" for mean in means))
    Console(width=110).print(table)
    if plot is not None:
        draw(found, plot)


def draw(found: dict[str, list[Figures]], path: Path) -> None:
    """Training accuracy of the best network so far against oracle calls, first seed."""
    from qhal.qcgd.plot import new_figure, save_figure

    figure = new_figure((11.0, 4.5))
    left, right = figure.subplots(1, 2, sharey=True)
    for name, runs in found.items():
        epochs = runs[0].history
        calls = [epoch["oracle_calls"] for epoch in epochs]
        accuracies = [epoch["best_accuracy"] for epoch in epochs]
        for axis, shown in (
            (left, name == "cim, 8 bits" or not name.startswith(("cim", "small"))),
            (right, name.startswith("cim,") and name != DEFAULT),
        ):
            if shown:
                axis.plot(calls, accuracies, label=name)
    for axis, title in ((left, "oracles, 8 bits"), (right, "bits of the coefficients")):
        axis.set(xlabel="oracle calls", ylabel="training accuracy", title=title, ylim=(0.54, None))
        axis.legend(fontsize="small", loc="lower right")
    save_figure(figure, str(path))


if __name__ == "__main__":
    main()
