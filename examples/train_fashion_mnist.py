"""Train a network of 1-bit weights on Fashion-MNIST, coat against sandal, through QCGD and the
coherent Ising machine simulator at 8-bit coefficients. Needs no network and no account.

    python examples/train_fashion_mnist.py [--seed 0] [--oracle cim] [--out out]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import qhal

ROUNDS = 10


def main() -> None:
    """Train, print the figures, write the model and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--oracle", default="cim")
    parser.add_argument("--out", type=Path, default=Path("out"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"QCGD through {arguments.oracle}", total=ROUNDS)
        result = qhal.train(
            "fashion-mnist",
            classes="coat,sandal",
            oracle=arguments.oracle,
            oracle_options={"coefficient_bits": 8} if arguments.oracle == "cim" else {},
            hidden=3,
            iterations=ROUNDS,
            seed=arguments.seed,
            callback=lambda state: progress.update(
                task,
                completed=state.iteration,
                description=f"QCGD through {arguments.oracle}, training loss {state.incumbent:.3f}",
            ),
        )

    record = result.to_json()
    table = Table(title="Fashion-MNIST, coat against sandal: 3 hidden units, weights +1 or -1")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_row("test accuracy (2,000 images)", f"{record['test_accuracy']:.2%}")
    table.add_row("training accuracy (12,000 images)", f"{record['train_accuracy']:.2%}")
    table.add_row("bits per parameter", f"{record['bits_per_parameter']:.2f}")
    table.add_row("parameters", str(record["num_parameters"]))
    table.add_row("spins (binary variables)", str(record["num_variables"]))
    table.add_row("constraints", str(record["num_constraints"]))
    table.add_row("oracle calls", str(record["oracle_calls"]))
    table.add_row("time", f"{record['total_time_s']:.1f} s")
    Console().print(table)

    model, picture = arguments.out / "coat_sandal.npz", arguments.out / "coat_sandal.png"
    result.save(str(model))
    result.plot(str(picture))
    Console().print(f"wrote {model} and {picture}")


if __name__ == "__main__":
    main()
