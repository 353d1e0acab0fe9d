"""The same network, bits and data by other methods: coat against sandal, 49-3-1, 1-bit weights.

    pip install -r benchmarks/networks/requirements.txt
    python benchmarks/networks/baselines.py [--seeds 5] [--only TEXT ...]

Inputs have 3 bits, biases 4, the activation is hard-tanh, the loss hinge. Rows "on 20" see the
samples of the QCBO in training; they visit 1,000 weight assignments each, and all end with the
choice of `qhal train`: the 200 of lowest loss and requantised means of the best of them, fewest
errors on the 12,000 training images. Rows "on 12,000" are trained on all of them by gradients, with
three learning rates; the rate and the epoch with the fewest training errors are kept. The penalty
QUBO has one weight for all its squared rows and forms, the best of six, each with a sixth of the
1,000 reads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import mean, stdev
from time import process_time
from typing import Any, NamedTuple

import click
import numpy as np
from candidates import encoded_samples, offer, visit_random
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from qhal.api import plan_training
from qhal.networks import Network
from qhal.networks.selection import choose
from qhal.networks.training import CandidatePool, TrainingPlan, visit
from qhal.problems.encoding import encode
from qhal.qcgd.lifting import Lifting
from qhal.qcgd.limits import Limits
from qhal.registry import get_oracle

ROUNDS, READS = 10, 100
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of one unit of violation, in objective flips
RATES = (0.01, 0.03, 0.1)
EPOCHS, BATCH = 20, 128
EIGHT_BITS: dict[str, Any] = {"coefficient_bits": 8}


class Figures(NamedTuple):
    """Accuracies of one run; `alone` is the test accuracy of the lowest loss on the 20 samples."""

    train: float
    test: float
    alone: float | None = None


Row = Callable[[TrainingPlan], Figures]


@click.command()
@click.option("--seeds", default=5, show_default=True)
@click.option("--only", multiple=True, metavar="TEXT", help="Only rows whose name holds TEXT.")
def main(seeds: int, only: tuple[str, ...]) -> None:
    """Print the table."""
    table = Table("method", "test", "training", "test without choice", "CPU / s", box=MARKDOWN)
    rows = _oracle_rows() | _gradient_rows()
    for label, row in rows.items():
        if only and not any(text in label for text in only):
            continue
        start = process_time()
        runs = [row(plan_training(samples=20, seed=seed)) for seed in range(seeds)]
        tests, alone = [run.test for run in runs], [run.alone for run in runs]
        table.add_row(
            label,
            _spread(tests),
            f"{mean(run.train for run in runs):.2%}",
            "" if None in alone else _spread(alone),
            f"{(process_time() - start) / seeds:.1f}",
        )
        Console(stderr=True).print(label, [f"{test:.2%}" for test in tests])
    Console(width=110).print(table)


def _spread(values: list[Any]) -> str:
    return f"{mean(values):.2%} ± {stdev(values) if len(values) > 1 else 0:.2%}"


def _oracle_rows() -> dict[str, Row]:
    return {
        "QCGD through cim, 8 bits, on 20": _qcgd,
        "penalty QUBO through cim, 8 bits, on 20": partial(_penalty, **EIGHT_BITS),
        "penalty QUBO through cim, double, on 20": _penalty,
        "random weights, on 20": _random,
    }


def _qcgd(plan: TrainingPlan) -> Figures:
    oracle = get_oracle("cim", **EIGHT_BITS)
    data, chosen = plan.dataset, plan.chosen
    visited = visit(
        plan.spec,
        data.x_train[chosen],
        data.y_train[chosen],
        oracle,
        limits=Limits(iterations=ROUNDS),
        seed=plan.seed,
        num_reads=READS,
    )
    return _chosen(plan, visited.networks)


def _penalty(plan: TrainingPlan, **options: Any) -> Figures:
    """One QUBO for each weight, no updates; states of all are completed and chosen from."""
    oracle = get_oracle("cim", **options)
    encoded = encoded_samples(plan)
    lifting = Lifting(encode(encoded.problem))
    pool = CandidatePool(plan.spec.num_weight_bits)
    for k, weight in enumerate(PENALTIES):
        qubo = lifting.qubo(lifting.on_grid(weight * lifting.signed))
        reads = ROUNDS * READS * (k + 1) // len(PENALTIES) - ROUNDS * READS * k // len(PENALTIES)
        samples = oracle.sample(qubo, num_reads=reads, seed=1000 * plan.seed + k)
        offer(pool, encoded, lifting.program.values(samples.states))
    return _chosen(plan, pool.networks(encoded, plan.dataset.class_names))


def _random(plan: TrainingPlan) -> Figures:
    pool = visit_random(plan, ROUNDS * READS)
    return _chosen(plan, pool.networks(encoded_samples(plan), plan.dataset.class_names))


def _gradient_rows() -> dict[str, Row]:
    """The rows that need PyTorch; none, and a line on stderr, if it is absent."""
    try:
        import torch
    except ImportError:
        Console(stderr=True).print(
            "torch is absent, so the rows by gradients are left out: "
            "pip install -r benchmarks/networks/requirements.txt"
        )
        return {}
    torch.set_num_threads(1)
    return {
        "straight-through, on 20": _straight_through_on_few,
        "straight-through, on 12,000": _straight_through,
        "rounded after float training, on 12,000": _rounded,
        "the same, a real scale for each unit, real biases": partial(_real, scaled=True),
        "float, on 12,000": partial(_real, scaled=False),
    }


def _straight_through_on_few(plan: TrainingPlan) -> Figures:
    """Every step visits a network; the choice among them is that of the oracle's."""
    from gradients import Budget, Hidden, as_tensors, descend
    from torch import manual_seed

    manual_seed(plan.seed)
    encoded, data, chosen = encoded_samples(plan), plan.dataset, plan.chosen
    pool = CandidatePool(plan.spec.num_weight_bits)
    q, y = as_tensors(plan.spec, data.x_train[chosen], data.y_train[chosen])
    for k, rate in enumerate(RATES):
        model = Hidden(plan.spec, q, quantised=True)
        steps = ROUNDS * READS * (k + 1) // len(RATES) - ROUNDS * READS * k // len(RATES)
        visited = [
            encoded.values(model.rounded())
            for _ in descend(model, q, y, rate, Budget(steps, 0, 1), plan.seed)
        ]
        offer(pool, encoded, np.array(visited))
    return _chosen(plan, pool.networks(encoded, plan.dataset.class_names))


def _straight_through(plan: TrainingPlan) -> Figures:
    candidates = [model.rounded() for model in _snapshots(plan, quantised=True)]
    return _fewest_errors([_of_network(plan, network) for network in candidates])


def _rounded(plan: TrainingPlan) -> Figures:
    candidates = [model.rounded() for model in _snapshots(plan, quantised=False)]
    return _fewest_errors([_of_network(plan, network) for network in candidates])


def _real(plan: TrainingPlan, *, scaled: bool) -> Figures:
    from gradients import as_tensors

    data = plan.dataset
    train = as_tensors(plan.spec, data.x_train, data.y_train)
    test = as_tensors(plan.spec, data.x_test, data.y_test)
    models = [
        model.with_scales() if scaled else model for model in _snapshots(plan, quantised=False)
    ]
    return _fewest_errors([Figures(m.accuracy(*train), m.accuracy(*test)) for m in models])


def _snapshots(plan: TrainingPlan, *, quantised: bool) -> list[Any]:
    """The model after every epoch, for every learning rate."""
    from copy import deepcopy

    from gradients import Budget, Hidden, as_tensors, descend
    from torch import manual_seed

    manual_seed(plan.seed)
    data = plan.dataset
    q, y = as_tensors(plan.spec, data.x_train, data.y_train)
    epoch = len(y) // BATCH
    models = []
    for rate in RATES:
        model = Hidden(plan.spec, q, quantised=quantised)
        budget = Budget(EPOCHS * epoch, BATCH, epoch)
        models += [deepcopy(model) for _ in descend(model, q, y, rate, budget, plan.seed)]
    return models


def _of_network(plan: TrainingPlan, network: Network) -> Figures:
    data = plan.dataset
    return Figures(
        network.accuracy(data.x_train, data.y_train), network.accuracy(data.x_test, data.y_test)
    )


def _fewest_errors(runs: list[Figures]) -> Figures:
    return max(runs, key=lambda run: run.train)


def _chosen(plan: TrainingPlan, networks: list[Network]) -> Figures:
    """The choice of `train_joint` among `networks`, lowest loss first."""
    network, _ = choose(networks, plan.dataset.x_train, plan.dataset.y_train)
    return _of_network(plan, network)._replace(alone=_of_network(plan, networks[0]).test)


if __name__ == "__main__":
    main()
