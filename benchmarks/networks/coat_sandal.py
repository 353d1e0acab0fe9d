"""Coat against sandal, 3 hidden units of 1-bit weights: what each oracle and each part adds.

    python benchmarks/networks/coat_sandal.py [--seeds 5] [--rounds 10] [--reads 100]

Every row uses the same samples, the same number of evaluated weight assignments, and the same
final choice: of the 200 best by QCBO objective and the requantised means of the best of them, the
network with the fewest errors on the whole training set. "Without means" leaves the means out,
"raw" takes the weights of the lowest-energy state of all calls as the oracle returned it. tabu gets
at most `--seconds` for all its calls, and so does cpsat, which solves the whole QCBO at once: its
one network is the minimum, proved in as many of the runs as the column "proved" says.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean, stdev
from time import process_time
from typing import NamedTuple

import click
import numpy as np
from candidates import best_of, encoded_samples, offer, visit_random
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from qhal.api import plan_training
from qhal.networks.training import CandidatePool, TrainingPlan, train_joint
from qhal.oracle import Oracle
from qhal.problems.encoding import encode
from qhal.qcgd.lifting import Lifting
from qhal.qcgd.limits import Limits
from qhal.qcgd.rules.level import Level
from qhal.registry import get_oracle
from qhal.samples import Status

ORACLES = {
    "cim, 8 bits": ("cim", {"coefficient_bits": 8}),
    "cim, double": ("cim", {}),
    "sa": ("sa", {}),
    "tabu": ("tabu", {}),
}
SLOW = ("tabu",)


class Figures(NamedTuple):
    """Of one run; `loss` is the lowest QCBO objective."""

    accuracy: float
    loss: float
    calls: int
    proved: bool = False


@click.command()
@click.option("--seeds", default=5, show_default=True)
@click.option("--rounds", default=10, show_default=True)
@click.option("--reads", default=100, show_default=True)
@click.option("--samples", default=20, show_default=True)
@click.option("--only", multiple=True, metavar="TEXT", help="Only rows whose name holds TEXT.")
@click.option(
    "--seconds", default=60.0, show_default=True, help="A run's limit for tabu and cpsat."
)
def main(
    seeds: int, rounds: int, reads: int, samples: int, seconds: float, only: tuple[str, ...]
) -> None:
    """Print the table."""
    headings = ("method", "test accuracy", "lowest loss", "calls", "proved", "CPU / s")
    table = Table(*headings, box=MARKDOWN)
    for label, row in _rows(rounds, reads, seconds).items():
        if only and not any(text in label for text in only):
            continue
        start = process_time()
        figures = [row(plan_training(samples=samples, seed=seed)) for seed in range(seeds)]
        accuracies = [each.accuracy for each in figures]
        table.add_row(
            label,
            f"{mean(accuracies):.2%} ± {stdev(accuracies) if seeds > 1 else 0:.2%}",
            f"{mean(each.loss for each in figures):.3f}",
            str(figures[0].calls),
            str(sum(each.proved for each in figures)),
            f"{(process_time() - start) / seeds:.1f}",
        )
        Console(stderr=True).print(label, [f"{accuracy:.2%}" for accuracy in accuracies])
    Console(width=120).print(table)


def _rows(rounds: int, reads: int, seconds: float) -> dict[str, Callable[[TrainingPlan], Figures]]:
    """Every row of the table as a function of the plan."""

    def through(oracle: Oracle, means: bool = True) -> Callable[[TrainingPlan], Figures]:
        limit = seconds if oracle.info.name in SLOW else None

        def row(plan: TrainingPlan) -> Figures:
            limits = Limits(iterations=rounds, time_limit=limit)
            result = train_joint(plan, oracle, limits=limits, num_reads=reads, means=means)
            loss, calls = result.solution.objective, result.solution.oracle_calls
            return Figures(result.test_accuracy, float("nan") if loss is None else loss, calls)

        return row

    machine = get_oracle("cim", coefficient_bits=8)
    rows = {
        f"QCGD through {label}": through(get_oracle(name, **options))
        for label, (name, options) in ORACLES.items()
    }
    rows["cpsat on the whole QCBO"] = lambda plan: _exact(plan, seconds)
    rows["QCGD through cim, 8 bits, without means"] = through(machine, means=False)
    rows["cim, 8 bits, first multipliers held"] = lambda plan: _held(plan, machine, rounds, reads)
    rows["cim, 8 bits, first multipliers held, raw"] = lambda plan: _held(
        plan, machine, rounds, reads, raw=True
    )
    rows["random weights, completion"] = lambda plan: _random(plan, rounds * reads, means=True)
    rows["random weights, completion, without means"] = lambda plan: _random(
        plan, rounds * reads, means=False
    )
    return rows


def _exact(plan: TrainingPlan, seconds: float) -> Figures:
    """The minimum of the QCBO, or the best that cpsat finds in time."""
    encoded = encoded_samples(plan)
    answer = get_oracle("cpsat").solve_exactly(encoded.problem, time_limit=seconds, seed=plan.seed)
    if answer is None or answer.values is None:
        return Figures(0.0, float("nan"), 1)
    network = encoded.network(answer.values, plan.dataset.class_names)
    loss = float(encoded.problem.objectives(answer.values)[0])
    accuracy = network.accuracy(plan.dataset.x_test, plan.dataset.y_test)
    return Figures(accuracy, loss, 1, answer.status is Status.OPTIMAL)


def _held(
    plan: TrainingPlan, oracle: Oracle, rounds: int, reads: int, *, raw: bool = False
) -> Figures:
    """The same calls at the multipliers QCGD starts from, which never change."""
    encoded = encoded_samples(plan)
    lifting = Lifting(encode(encoded.problem))
    qubo = lifting.qubo(lifting.on_grid(Level(lifting, exact=False).multipliers))
    pool = CandidatePool(plan.spec.num_weight_bits)
    lowest = (np.inf, np.zeros(0, dtype=np.int64))
    for call in range(rounds):
        samples = oracle.sample(qubo, num_reads=reads, seed=1000 * plan.seed + call)
        values = lifting.program.values(samples.states)
        if samples.first[1] < lowest[0]:
            lowest = (samples.first[1], values[0])
        offer(pool, encoded, values)
    if not raw:
        return _best(plan, pool, rounds, means=True)
    network = encoded.network(lowest[1], plan.dataset.class_names)
    loss = float(encoded.problem.objectives(encoded.values(network)[np.newaxis, :])[0])
    return Figures(network.accuracy(plan.dataset.x_test, plan.dataset.y_test), loss, rounds)


def _random(plan: TrainingPlan, count: int, *, means: bool) -> Figures:
    return _best(plan, visit_random(plan, count), 0, means=means)


def _best(plan: TrainingPlan, pool: CandidatePool, calls: int, *, means: bool) -> Figures:
    data = plan.dataset
    network = best_of(plan, pool, means=means)
    return Figures(network.accuracy(data.x_test, data.y_test), pool.lowest_loss, calls)


if __name__ == "__main__":
    main()
