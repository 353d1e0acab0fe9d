"""How long encoding takes, and counting the spins without encoding.

python benchmarks/networks/encoding.py [--samples 1000]
"""

from __future__ import annotations

from time import perf_counter

import click
from rich.console import Console
from rich.table import Table

from qhal.api import plan_training
from qhal.networks import encode_network
from qhal.networks.bounds import count_spins

SHAPES = {"49-5-1": (5,), "49-3-3-1": (3, 3), "49-128-1": (128,)}


@click.command()
@click.option("--samples", default=1000, show_default=True)
def main(samples: int) -> None:
    """Print the table."""
    table = Table("network", "samples", "spins", "constraints", "encode / s", "count / s")
    for name, hidden in SHAPES.items():
        activation = "hard-tanh" if len(hidden) == 1 else "sign"
        plan = plan_training(samples=samples, hidden=hidden, activation=activation, seed=0)
        x, y = plan.dataset.x_train[plan.chosen], plan.dataset.y_train[plan.chosen]
        start = perf_counter()
        problem = encode_network(plan.spec, x, y).problem
        encoded = perf_counter()
        counted = sum(count_spins(plan.spec, x, y).values())
        stop = perf_counter()
        assert counted == problem.num_variables
        figures = (samples, problem.num_variables, problem.num_constraints)
        times = (f"{encoded - start:.2f}", f"{stop - encoded:.2f}")
        table.add_row(name, *(f"{figure:,}" for figure in figures), *times)
    Console().print(table)


if __name__ == "__main__":
    main()
