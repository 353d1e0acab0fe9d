"""XOR and parity through networks with two hidden layers, solved to proved optimality.

    python benchmarks/networks/exact.py [--seconds 120]

All inputs are samples. CP-SAT solves the whole QCBO; the bound that it proves must meet the loss of
the network, whose own forward pass says how many inputs it gets right.
"""

from __future__ import annotations

from itertools import product
from time import process_time

import click
import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from qhal.networks import encode_network, make_spec
from qhal.registry import get_oracle, load

# Name: inputs, hidden layers, bits of a bias.
TASKS = {
    "XOR": (2, (2, 2), 2),
    "parity of three": (3, (3, 2), 3),
}


@click.command()
@click.option("--seconds", default=120.0, show_default=True, help="Limit for each task.")
def main(seconds: float) -> None:
    """Print the table."""
    headings = ("task", "network", "spins", "constraints", "status", "loss", "bound", "right")
    table = Table(*headings, "CPU / s", box=MARKDOWN)
    for name, (inputs, hidden, bias_bits) in TASKS.items():
        x = np.array(list(product([0.0, 1.0], repeat=inputs)))
        y = x.sum(axis=1).astype(np.int64) % 2
        spec = make_spec(
            x,
            load("activation", "sign"),
            load("loss", "hinge"),
            hidden=hidden,
            bias_bits=bias_bits,
            input_bits=1,
        )
        start = process_time()
        encoded = encode_network(spec, x, y)
        problem = encoded.problem
        answer = get_oracle("cpsat").solve_exactly(problem, time_limit=seconds, seed=0)
        time_s = process_time() - start
        if answer is None or answer.values is None:
            raise click.ClickException(f"no network for {name} in {seconds:g} s.")
        network = encoded.network(answer.values)
        loss = float(problem.objectives(answer.values)[0])
        assert problem.feasible(answer.values[np.newaxis, :]).all()
        sizes = (f"{problem.num_variables:,}", f"{problem.num_constraints:,}")
        right = f"{(network.predict(x) == y).sum()} of {len(y)}"
        shape = "-".join(map(str, (inputs, *hidden, 1)))
        found = (answer.status, f"{loss:g}", f"{answer.lower_bound:g}", right, f"{time_s:.1f}")
        table.add_row(name, shape, *sizes, *map(str, found))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
