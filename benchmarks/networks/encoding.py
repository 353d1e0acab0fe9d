"""How long encoding takes, turning its rows into bits for QCGD, and counting without encoding.

    python benchmarks/networks/encoding.py [--samples 1000]

Processor time of one run each. "bits" is what QCGD does once before its first call: rows to bounded
slack and non-negative forms, and the matrices that every QUBO is added up from.
"""

from __future__ import annotations

from itertools import pairwise
from time import process_time

import click
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from qhal.api import plan_training
from qhal.networks import encode_network
from qhal.networks.bounds import count_spins
from qhal.problems.encoding import encode
from qhal.qcgd.lifting import Lifting

SHAPES = {"49-5-1": (5,), "49-3-3-1": (3, 3), "49-16-1": (16,)}


@click.command()
@click.option("--samples", default=1000, show_default=True)
def main(samples: int) -> None:
    """Print the table."""
    headings = ("network", "samples", "spins", "constraints", "encode / s", "bits / s", "count / s")
    table = Table(*headings, box=MARKDOWN)
    for name, hidden in SHAPES.items():
        activation = "hard-tanh" if len(hidden) == 1 else "sign"
        plan = plan_training(samples=samples, hidden=hidden, activation=activation, seed=0)
        x, y = plan.dataset.x_train[plan.chosen], plan.dataset.y_train[plan.chosen]
        start = process_time()
        problem = encode_network(plan.spec, x, y).problem
        encoded = process_time()
        Lifting(encode(problem))
        lifted = process_time()
        counted = sum(count_spins(plan.spec, x, y).values())
        stop = process_time()
        assert counted == problem.num_variables
        figures = (samples, problem.num_variables, problem.num_constraints)
        times = (f"{end - begin:.2f}" for begin, end in pairwise((start, encoded, lifted, stop)))
        table.add_row(name, *(f"{figure:,}" for figure in figures), *times)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
