"""What each choice does to accuracy, spins and time: coat against sandal, one thing changed a row.

    python benchmarks/networks/ablations.py [--seeds 5] [--rounds 5] [--only bits --only depth ...]

All rows train through `cim` with 8-bit coefficients (those of "550 spins" with the profile of a
machine of that size), and choose the network like `qhal train`. The
default row is 20 samples, 3 hidden units, 1-bit weights, hard-tanh, hinge, order 1. `range` is the
largest dynamic range of a QUBO in bits, `best visited` the accuracy without requantised means.
"""

from __future__ import annotations

from statistics import mean, stdev
from time import perf_counter
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from qhal.api import plan_training
from qhal.networks.bounds import approximation_error
from qhal.networks.selection import choose
from qhal.networks.training import visit
from qhal.networks.units import Layout
from qhal.qcgd.loop import Limits
from qhal.registry import get_oracle

Options = dict[str, Any]
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
    "samples": [(str(count), {"samples": count}) for count in (6, 10, 20, 40, 80, 160)],
    "activations": [
        (name, {"activation": name})
        for name in "sign step relu hard-tanh tanh sigmoid identity".split()
    ],
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


@click.command()
@click.option("--seeds", default=5, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(SECTIONS)), help="Default: all.")
def main(seeds: int, rounds: int, only: tuple[str, ...]) -> None:
    """Print one table for each section."""
    for section in only or SECTIONS:
        table = Table(
            section,
            "spins",
            "range",
            "bits",
            "spline error",
            "test",
            "spread",
            "best visited",
            "time / s",
        )
        for label, options in SECTIONS[section]:
            machine = {"profile": "qboson-550"} if section == "550 spins" else EIGHT_BITS
            runs = [_run(seed, rounds, machine, dict(options)) for seed in range(seeds)]
            spins, span, bits, error, test, visited, time_s = zip(*runs, strict=True)
            table.add_row(
                label,
                f"{mean(spins):.0f}",
                f"{mean(span):.1f}",
                f"{bits[0]:.2f}",
                f"{error[0]:.2f}",
                f"{mean(test):.2%}",
                f"{stdev(test) if seeds > 1 else 0:.2%}",
                f"{mean(visited):.2%}",
                f"{mean(time_s):.1f}",
            )
        Console(width=120).print(table)


def _run(seed: int, rounds: int, machine: Options, options: Options) -> tuple[float, ...]:
    start, layout = perf_counter(), options.pop("layout", None)
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
    return (
        sum(visited.num_spins.values()),
        max(state["range_bits"] for state in visited.solution.history),
        plan.spec.bits_per_parameter,
        approximation_error(plan.spec, network).output,
        network.accuracy(data.x_test, data.y_test),
        ranked[0].accuracy(data.x_test, data.y_test),
        perf_counter() - start,
    )


if __name__ == "__main__":
    main()
