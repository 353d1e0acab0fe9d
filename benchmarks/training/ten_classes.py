"""Ten classes of Fashion-MNIST: sequential training against straight-through gradients and float.

    pip install -r benchmarks/networks/requirements.txt
    python benchmarks/training/ten_classes.py [--hidden 32] [--image-size 7] [--seeds 3]

1-bit hidden and 2-bit output weights, 4-bit biases and inputs, hard-tanh. Every QUBO has at most
550 variables and coefficients of 8 bits. The baselines run 40 epochs; the best of three learning
rates (and of the scales of the hidden units that --baseline-gain names) and of their epochs is
taken by training accuracy, as is the best epoch of sequential training. "coarse to fine", for
images of even size, begins sequential training with a network that it has trained on images of half
the size. "gradients, then sequential" goes on from the straight-through network with ten passes
over all samples. The test set is looked at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.table import Table
from settings import (
    Figures,
    cim,
    coarse_to_fine,
    planner,
    polished,
    sequential,
    spread,
    tuned,
)

torch.set_num_threads(1)


@click.command()
@click.option("--hidden", default=32, show_default=True)
@click.option("--image-size", default=7, show_default=True)
@click.option("--data", default="fashion-mnist", show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--epochs", default=120, show_default=True, help="Of sequential training.")
@click.option("--batch", default=2000, show_default=True, help="Of its first epoch.")
@click.option("--gain", default=4.0, show_default=True, help="Of hidden units.")
@click.option(
    "--baseline-gain",
    multiple=True,
    default=(2.0,),
    show_default=True,
    help="Of the baselines; of several the best by training accuracy. Repeatable.",
)
@click.option("--only", multiple=True, metavar="TEXT", help="Only rows whose name holds TEXT.")
@click.option("--out", type=click.Path(path_type=Path), help="Write all figures as JSON.")
def main(
    hidden: int,
    image_size: int,
    data: str,
    seeds: int,
    epochs: int,
    batch: int,
    gain: float,
    baseline_gain: tuple[float, ...],
    only: tuple[str, ...],
    out: Path | None,
) -> None:
    """Print the table."""
    size = image_size if data == "fashion-mnist" else None
    common = {"data": data, "classes": "all", "hidden": hidden, "weight_bits": (1, 2)}
    plan = planner(**common, image_size=size)
    rows: dict[str, Callable[[int], Figures]] = {
        "sequential, cim at 8 bits": lambda seed: sequential(
            plan(gain), cim(), seed, epochs=epochs, batch=batch
        ),
        "gradients, then sequential": lambda seed: polished(
            plan, baseline_gain, seed, epochs=10, batch=2**16
        ),
        "straight-through": lambda seed: tuned(plan, [seed], baseline_gain, quantised=True)[0],
        "float": lambda seed: tuned(plan, [seed], baseline_gain, quantised=False)[0],
    }
    side = plan(gain).dataset.image_size
    if side is not None and side % 2 == 0:
        halved = planner(**common, image_size=side // 2)
        rows["coarse to fine, cim at 8 bits"] = lambda seed: coarse_to_fine(
            halved(gain), plan(gain), cim(), seed, epochs=epochs, batch=batch
        )
    found: dict[str, list[Figures]] = {}
    for name, row in rows.items():
        if only and not any(text in name for text in only):
            continue
        for seed in range(seeds):
            found.setdefault(name, []).append(row(seed))
            Console(stderr=True).print(name, seed, found[name][-1]._replace(history=()))
            if out is not None:
                out.write_text(json.dumps({k: [f._asdict() for f in v] for k, v in found.items()}))
    bits = plan(gain).spec.bits_per_parameter
    table = Table("method", "test", "training", "oracle calls", "spins", "time / s")
    for name, runs in found.items():
        table.add_row(
            name,
            spread([run.test for run in runs]),
            spread([run.train for run in runs]),
            *(
                f"{sum(getattr(run, key) for run in runs) / len(runs):.0f}"
                for key in ("calls", "num_variables", "time_s")
            ),
        )
    Console(width=110).print(table, f"{bits:.2f} bits per parameter but for float")


if __name__ == "__main__":
    main()
