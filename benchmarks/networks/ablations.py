"""What each choice does to accuracy, spins and time: coat against sandal, one thing changed a row.

    python benchmarks/networks/ablations.py [--seeds 5] [--rounds 10] [--only bits --only depth ...]

All rows train through `cim` with 8-bit coefficients (those of "550 spins" with the profile of a
machine of that size), and choose the network like `qhal train`. The default row is 20 samples, 3
hidden units, 1-bit weights, hard-tanh, hinge, order 1. `calls` are of the oracle, `CPU` is the
processor time of a whole run; `best visited` is the accuracy without requantised means, `range` the
largest dynamic range of a QUBO in bits, `bits` those per parameter, `error` what splines can do to
the output at most.
"""

from __future__ import annotations

from statistics import mean, stdev
from time import process_time
from typing import Any, NamedTuple

import click
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from qhal.api import plan_training
from qhal.networks.bounds import approximation_error
from qhal.networks.selection import choose
from qhal.networks.training import visit
from qhal.networks.units import Layout
from qhal.qcgd.limits import Limits
from qhal.registry import get_oracle

Options = dict[str, Any]
HEADINGS = ("test accuracy", "spins", "calls", "CPU / s", "best visited", "range", "bits", "error")
EIGHT_BITS: Options = {"coefficient_bits": 8}
SECTIONS: dict[str, list[tuple[str, Options]]] = {
    "encoding": [
        ("own offsets, one-hot", {"layout": Layout(False, False)}),
        ("own offsets, one indicator left out", {"layout": Layout(False, True)}),
        ("shared offsets, one-hot", {"layout": Layout(True, False)}),
        ("shared offsets, one left out (default)", {}),
        ("order 0, 4 pieces", {"spline_order": 0}),
        ("1 input bit", {"input_bits": 1}),
        ("2 input bits", {"input_bits": 2}),
        ("sign, 2 input bits", {"input_bits": 2, "activation": "sign"}),
    ],
    "550 spins": [
        ("sign, squared, 2 input bits", {"activation": "sign", "loss": "squared", "input_bits": 2}),
        ("sign, hinge, 1 input bit", {"activation": "sign", "input_bits": 1}),
        (
            "sign, hinge, 2 input bits, 18 samples",
            {"activation": "sign", "input_bits": 2, "samples": 18},
        ),
        ("hard-tanh, hinge, 1 unit", {"hidden": 1}),
        (
            "hard-tanh, squared, 2 input bits, 12 samples",
            {"loss": "squared", "input_bits": 2, "samples": 12},
        ),
    ],
    "bits": [
        ("1.00 (no biases)", {"bias_bits": 0}),
        ("1.06 (default)", {}),
        ("ternary, outputs +-1", {"weight_bits": ("ternary", 1)}),
        ("2, outputs +-1", {"weight_bits": (2, 1)}),
        ("3, outputs +-1", {"weight_bits": (3, 1)}),
        ("ternary", {"weight_bits": "ternary"}),
        ("2", {"weight_bits": 2}),
        ("3", {"weight_bits": 3}),
    ],
    "pieces": [
        (
            f"tanh, order {order}, {count}",
            {"activation": "tanh", "spline_order": order} | {"spline_pieces": count},
        )
        for order in (0, 1)
        for count in (2, 3, 4, 8)
    ]
    + [("tanh, order 1, 4, adaptive", {"activation": "tanh", "spline_knots": "adaptive"})],
    "samples": [
        (str(count), {"samples": count}) for count in (2, 3, 4, 6, 10, 12, 15, 20, 40, 80, 160, 400)
    ],
    "activations": [
        (name, {"activation": name})
        for name in "sign step hard-tanh tanh sigmoid identity sin".split()
        + "relu leaky-relu softplus silu gelu".split()
    ]
    + [("softplus, double precision", {"activation": "softplus", "machine": {}})],
    "losses": [
        (name, {"loss": name})
        for name in "hinge squared squared-hinge logistic absolute huber".split()
    ],
    "hidden": [(str(count), {"hidden": count}) for count in (0, 1, 2, 3, 5, 8)],
    "depth": [
        ("sign, 3", {"activation": "sign"}),
        ("sign, 3-3", {"activation": "sign", "hidden": (3, 3)}),
        ("sign, 3-3-3", {"activation": "sign", "hidden": (3, 3, 3)}),
        ("hard-tanh, 3-3", {"hidden": (3, 3), "samples": 10}),
    ],
}


class Figures(NamedTuple):
    """Of one run."""

    accuracy: float
    spins: float
    calls: float
    time_s: float
    best_visited: float
    range_bits: float
    bits: float
    spline_error: float


@click.command()
@click.option("--seeds", default=5, show_default=True)
@click.option("--rounds", default=10, show_default=True, help="Oracle calls, of 100 reads each.")
@click.option("--only", multiple=True, type=click.Choice(list(SECTIONS)), help="Default: all.")
def main(seeds: int, rounds: int, only: tuple[str, ...]) -> None:
    """Print one table for each section."""
    for section in only or SECTIONS:
        table = Table(section, *HEADINGS, box=MARKDOWN)
        machine = {"profile": "qboson-550"} if section == "550 spins" else EIGHT_BITS
        for label, options in SECTIONS[section]:
            runs = [_run(seed, rounds, {"machine": machine} | options) for seed in range(seeds)]
            table.add_row(label, *_cells(runs))
        Console(width=140).print(table)


def _cells(runs: list[Figures]) -> list[str]:
    accuracies = [run.accuracy for run in runs]
    spread = stdev(accuracies) if len(runs) > 1 else 0.0
    middle = Figures(*(mean(column) for column in zip(*runs, strict=True)))
    return [
        f"{middle.accuracy:.2%} ± {spread:.2%}",
        f"{middle.spins:,.0f}",
        f"{middle.calls:.0f}",
        f"{middle.time_s:.1f}",
        f"{middle.best_visited:.2%}",
        f"{middle.range_bits:.1f}",
        f"{middle.bits:.2f}",
        f"{middle.spline_error:.2f}",
    ]


def _run(seed: int, rounds: int, options: Options) -> Figures:
    start = process_time()
    layout, machine = options.pop("layout", None), options.pop("machine")
    plan = plan_training(seed=seed, **options)
    data, chosen = plan.dataset, plan.chosen
    visited = visit(
        plan.spec,
        data.x_train[chosen],
        data.y_train[chosen],
        get_oracle("cim", **machine),
        limits=Limits(iterations=rounds),
        seed=seed,
        layout=layout,
    )
    network, ranked = choose(visited.networks, data.x_train, data.y_train)
    return Figures(
        accuracy=network.accuracy(data.x_test, data.y_test),
        spins=sum(visited.num_spins.values()),
        calls=visited.solution.oracle_calls,
        time_s=process_time() - start,
        best_visited=ranked[0].accuracy(data.x_test, data.y_test),
        range_bits=max(state["range_bits"] for state in visited.solution.history),
        bits=plan.spec.bits_per_parameter,
        spline_error=approximation_error(plan.spec, network).output,
    )


if __name__ == "__main__":
    main()
