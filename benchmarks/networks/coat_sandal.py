"""Coat against sandal, 3 hidden units of 1-bit weights: what each oracle and each part adds.

    python benchmarks/networks/coat_sandal.py [--seeds 5] [--rounds 10] [--reads 100]

Every row uses the same samples, the same number of evaluated weight assignments, and the same
final choice (lowest loss on the whole training set among the 200 best by QCBO objective), except
"raw", which takes the weights of the lowest-energy state of all calls as the oracle returned it.
A run of tabu or cpsat, which would take many minutes, gets at most `--seconds` for all its calls.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean, stdev
from time import perf_counter

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from qhal.datasets import Dataset, load_dataset
from qhal.networks import EncodedNetwork, encode_network, make_spec
from qhal.networks.training import CandidatePool, draw_samples, select, train_joint
from qhal.oracle import Oracle
from qhal.problems.encoding import encode
from qhal.qcgd.lifting import Lifting
from qhal.qcgd.loop import Limits
from qhal.qcgd.rules.level import Level
from qhal.registry import get_oracle, load

ORACLES = {
    "cim, 8 bits": ("cim", {"coefficient_bits": 8}),
    "cim, double": ("cim", {}),
    "sa": ("sa", {}),
    "tabu": ("tabu", {}),
    "cpsat": ("cpsat", {}),
}
SAMPLES = 20
SLOW = ("tabu", "cpsat")


@click.command()
@click.option("--seeds", default=5, show_default=True)
@click.option("--rounds", default=10, show_default=True)
@click.option("--reads", default=100, show_default=True)
@click.option(
    "--seconds", default=60.0, show_default=True, help="A run's limit for tabu and cpsat."
)
def main(seeds: int, rounds: int, reads: int, seconds: float) -> None:
    """Print the table."""
    dataset = load_dataset("fashion-mnist")
    spec = make_spec(
        dataset.x_train, load("activation", "hard-tanh"), load("loss", "hinge"), hidden=3
    )
    table = Table("method", "test accuracy", "spread", "training loss", "oracle calls", "time / s")
    rows: dict[str, Callable[[int], tuple[float, float, int]]] = {}
    for label, (name, options) in ORACLES.items():
        oracle = get_oracle(name, **options)

        def through(seed: int, oracle: Oracle = oracle) -> tuple[float, float, int]:
            limit = seconds if oracle.info.name in SLOW else None
            result = train_joint(
                dataset,
                spec,
                oracle,
                samples=SAMPLES,
                limits=Limits(iterations=rounds, time_limit=limit),
                num_reads=reads,
                seed=seed,
            )
            loss = result.solution.objective
            calls = result.solution.oracle_calls
            return result.test_accuracy, float("nan") if loss is None else loss, calls

        rows[f"QCGD through {label}"] = through
    machine = get_oracle("cim", coefficient_bits=8)

    def encoded(seed: int) -> EncodedNetwork:
        chosen = draw_samples(dataset.y_train, SAMPLES, seed)
        return encode_network(spec, dataset.x_train[chosen], dataset.y_train[chosen])

    rows["cim, 8 bits, first multipliers held, completion"] = lambda seed: _held(
        dataset, encoded(seed), machine, rounds, reads, seed, completed=True
    )
    rows["cim, 8 bits, first multipliers held, raw"] = lambda seed: _held(
        dataset, encoded(seed), machine, rounds, reads, seed, completed=False
    )
    rows["random weights, completion"] = lambda seed: _random(
        dataset, encoded(seed), rounds * reads, seed
    )
    for label, row in rows.items():
        start = perf_counter()
        figures = [row(seed) for seed in range(seeds)]
        accuracies = [accuracy for accuracy, _, _ in figures]
        table.add_row(
            label,
            f"{mean(accuracies):.2%}",
            f"{stdev(accuracies) if seeds > 1 else 0:.2%}",
            f"{mean(loss for _, loss, _ in figures):.3f}",
            str(figures[0][2]),
            f"{(perf_counter() - start) / seeds:.1f}",
        )
        Console(stderr=True).print(label, [f"{accuracy:.2%}" for accuracy in accuracies])
    Console().print(table)


def _held(
    dataset: Dataset,
    encoded: EncodedNetwork,
    oracle: Oracle,
    rounds: int,
    reads: int,
    seed: int,
    *,
    completed: bool,
) -> tuple[float, float, int]:
    """The same calls at the multipliers QCGD starts from, which never change."""
    lifting = Lifting(encode(encoded.problem))
    qubo = lifting.qubo(lifting.on_grid(Level(lifting, exact=False).multipliers))
    pool = CandidatePool(encoded.spec.num_weight_bits)
    lowest = (np.inf, np.zeros(0, dtype=np.int64))
    for call in range(rounds):
        samples = oracle.sample(qubo, num_reads=reads, seed=1000 * seed + call)
        values = lifting.program.values(samples.states)
        if samples.first[1] < lowest[0]:
            lowest = (samples.first[1], values[0])
        _offer(pool, encoded, values)
    if completed:
        return _best(dataset, encoded, pool, rounds)
    network = encoded.network(lowest[1], dataset.class_names)
    whole = encoded.values(network)[np.newaxis, :]
    loss = float(encoded.problem.objectives(whole)[0])
    return network.accuracy(dataset.x_test, dataset.y_test), loss, rounds


def _random(
    dataset: Dataset, encoded: EncodedNetwork, count: int, seed: int
) -> tuple[float, float, int]:
    """Fair coins for the weight bits, completed and chosen from like the rest."""
    pool = CandidatePool(encoded.spec.num_weight_bits)
    shape = (count, encoded.problem.num_variables)
    _offer(pool, encoded, np.random.default_rng(seed).integers(0, 2, shape))
    return _best(dataset, encoded, pool, 0)


def _offer(pool: CandidatePool, encoded: EncodedNetwork, values: np.ndarray) -> None:
    assert encoded.problem.completion is not None
    whole = encoded.problem.completion(values.astype(np.int64))
    pool(whole, encoded.problem.objectives(whole))


def _best(
    dataset: Dataset, encoded: EncodedNetwork, pool: CandidatePool, calls: int
) -> tuple[float, float, int]:
    network = select(pool.networks(encoded, dataset.class_names), dataset)
    return network.accuracy(dataset.x_test, dataset.y_test), pool.lowest_loss, calls


if __name__ == "__main__":
    main()
