"""Joint training: all samples in one QCBO, solved by QCGD."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.datasets import Dataset
from qhal.errors import InputError
from qhal.networks.counting import count_spins
from qhal.networks.encoded import EncodedNetwork
from qhal.networks.fip import encode_network
from qhal.networks.network import Network
from qhal.networks.selection import choose
from qhal.networks.spec import Ints, NetworkSpec
from qhal.networks.units import Layout
from qhal.oracle import Oracle
from qhal.problems.arrays import FloatArray, distinct_rows
from qhal.problems.qcbo import Values
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import Callback, run
from qhal.samples import Solution, StopReason

POOL_SIZE = 200
LARGE_PROBLEM = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingResult:
    """A trained network with the run that found it; `to_json()` is ``qhal train --json``.

    `samples` of the training set were in the QCBO; of `num_candidates` networks one was chosen.
    """

    network: Network
    solution: Solution
    dataset: Dataset
    num_spins: Mapping[str, int]
    samples: int
    num_candidates: int
    train_accuracy: float
    test_accuracy: float

    def to_json(self) -> dict[str, Any]:
        """The keys of the command line's contract, and what explains them.

        `qhal.schemas.load("training")` describes them.
        """
        spec, solution = self.network.spec, self.solution
        return {
            "format": "qhal-training-1",
            "test_accuracy": self.test_accuracy,
            "train_accuracy": self.train_accuracy,
            "bits_per_parameter": spec.bits_per_parameter,
            "num_parameters": spec.num_parameters,
            "num_variables": solution.num_variables,
            "num_constraints": solution.num_constraints,
            "method": "joint",
            "num_spins": dict(self.num_spins),
            "samples": self.samples,
            "num_candidates": self.num_candidates,
            "training_loss": solution.objective,
            "oracle": solution.oracle,
            "oracle_options": solution.info["oracle_options"],
            "oracle_calls": solution.oracle_calls,
            "oracle_reads": solution.oracle_reads,
            "oracle_time_s": solution.oracle_time_s,
            "total_time_s": solution.total_time_s,
            "stop_reason": str(solution.stop_reason),
            "classes": list(self.dataset.class_names),
            "seed": solution.seed,
            "versions": dict(solution.versions),
        }

    def save(self, path: str) -> None:
        """Write the network, with where it came from, to `path` (`Network.load` reads it)."""
        keys = "test_accuracy train_accuracy oracle oracle_options oracle_calls seed versions"
        record = self.to_json()
        provenance = {key: record[key] for key in keys.split()} | {"data": self.dataset.source}
        replace(self.network, provenance=provenance).save(path)

    def plot(self, path: str) -> None:
        """Write history, confusion on the test set and weights as images to `path`."""
        from qhal.networks.plot import plot_training

        plot_training(self, path)

    def report(self, path: str) -> None:
        """Write everything about the run to `path` as one self-contained page (.html)."""
        from qhal.networks.report import write_report

        write_report(self, path)


class CandidatePool:
    """The distinct weight assignments of lowest training loss that a run has visited."""

    def __init__(self, num_weight_bits: int) -> None:
        self._num_weight_bits = num_weight_bits
        self._values: Values = np.zeros((0, 0), dtype=np.int64)
        self._losses: FloatArray = np.zeros(0)

    def __call__(self, values: Values, losses: FloatArray) -> None:
        """Take completed `values` (k, num_variables) with their training losses."""
        bits = values[:, : self._num_weight_bits]
        if len(self._losses):
            bits = np.vstack([self._values, bits])
            losses = np.concatenate([self._losses, losses])
        kept = np.sort(distinct_rows(bits)[0])
        kept = kept[np.argsort(losses[kept], kind="stable")][:POOL_SIZE]
        self._values, self._losses = bits[kept], losses[kept]

    def __len__(self) -> int:
        return len(self._losses)

    @property
    def lowest_loss(self) -> float:
        """The lowest training loss in the pool, infinite if it is empty."""
        return float(self._losses[0]) if len(self._losses) else float("inf")

    def networks(self, encoded: EncodedNetwork, class_names: tuple[str, ...]) -> list[Network]:
        """The pool as networks, lowest training loss first."""
        return [encoded.network(bits, class_names) for bits in self._values]


def draw_samples(y: Ints, count: int, seed: int) -> Ints:
    """Indices of `count` training samples, in random order.

    Equally many of each class, or all of a class that has fewer.
    """
    rng = np.random.default_rng(seed)
    classes, sizes = np.unique(y, return_counts=True)
    if not len(classes) <= count <= len(y):
        each = ", one of each class at least" if len(classes) > 1 else ""
        raise InputError(f"samples must be from {len(classes)} to {len(y)}{each}; not {count}.")
    share = np.zeros(len(classes), dtype=np.int64)
    while (missing := count - int(share.sum())) > 0:
        open_classes = np.flatnonzero(share < sizes)
        share[open_classes] += missing // len(open_classes)
        share[open_classes[: missing % len(open_classes)]] += 1
        share = np.minimum(share, sizes)
    drawn = [
        rng.choice(np.flatnonzero(y == label), wanted, replace=False)
        for label, wanted in zip(classes, share.tolist(), strict=True)
    ]
    return np.asarray(rng.permutation(np.concatenate(drawn)))


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """What is going to be trained on what; nothing is encoded yet.

    `initial` is the network of `spec` that training begins with, if it is not a random one.
    """

    dataset: Dataset
    spec: NetworkSpec
    samples: int
    seed: int
    initial: Network | None = None

    @property
    def chosen(self) -> Ints:
        """Indices of the training samples in the QCBO, (samples,)."""
        return draw_samples(self.dataset.y_train, self.samples, self.seed)

    def num_spins(self) -> dict[str, int]:
        """Binary variables of the QCBO by part, by formula."""
        data, chosen = self.dataset, self.chosen
        return count_spins(self.spec, data.x_train[chosen], data.y_train[chosen])

    def to_json(self, largest: dict[str, int] | None = None) -> dict[str, Any]:
        """The figures of ``qhal train --dry-run``.

        Spins are those of the QCBO by part, or, of training by many problems, those of the
        `largest` of each kind, of which the largest counts.
        """
        spins, total = (self.num_spins(), sum) if largest is None else (largest, max)
        return {
            "num_variables": total(spins.values()),
            "num_spins": spins,
            "bits_per_parameter": self.spec.bits_per_parameter,
            "num_parameters": self.spec.num_parameters,
            "samples": self.samples,
            "classes": list(self.dataset.class_names),
            "seed": self.seed,
        }


@dataclass(frozen=True, eq=False)
class Visited:
    """The networks that a run has visited, lowest QCBO objective first, and the run."""

    networks: list[Network]
    solution: Solution
    num_spins: dict[str, int]


def visit(
    spec: NetworkSpec,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    oracle: Oracle,
    *,
    limits: Limits,
    seed: int,
    num_reads: int | None = None,
    method: str = "level",
    callback: Callback | None = None,
    layout: Layout | None = None,
    class_names: tuple[str, ...] = ("0", "1"),
) -> Visited:
    """Minimise the spline loss of `spec` on the samples `x`, `y` as one QCBO through `oracle`.

    The at most 200 best distinct weight assignments are kept. The time limit counts from here,
    encoding included.
    """
    start, limit = time.perf_counter(), limits.time_limit
    deadline = None if limit is None else start + limit
    encoded = encode_network(spec, x, y, layout=layout, deadline=deadline)
    _warn_if_large(encoded.num_spins)
    if limit is not None:
        limits = replace(limits, time_limit=max(1e-3, limit - (time.perf_counter() - start)))
    pool = CandidatePool(spec.num_weight_bits)
    solution = run(
        encoded.problem,
        oracle,
        method=method,
        num_reads=num_reads,
        limits=limits,
        seed=seed,
        callback=callback,
        observer=pool,
        diverse=True,  # many good networks are wanted: the lowest loss alone generalises worse
    )
    if not len(pool) and solution.stop_reason is StopReason.INTERRUPTED:
        raise KeyboardInterrupt  # there is no result to return
    if not len(pool):
        raise InputError("the run was stopped before its first oracle call ended: nothing learned.")
    solution = replace(solution, total_time_s=time.perf_counter() - start)
    return Visited(pool.networks(encoded, class_names), solution, encoded.num_spins)


def train_joint(
    plan: TrainingPlan,
    oracle: Oracle,
    *,
    limits: Limits,
    num_reads: int | None = None,
    method: str = "level",
    means: bool = True,
    callback: Callback | None = None,
) -> TrainingResult:
    """Train as `plan` says, all samples in one QCBO, through `oracle`.

    Of the networks that the run visited, and with `means` of their requantised means, the one with
    the fewest errors on the whole training set is kept (see `qhal.networks.selection`). The test
    set is only looked at afterwards.
    """
    start, dataset, chosen = time.perf_counter(), plan.dataset, plan.chosen
    visited = visit(
        plan.spec,
        dataset.x_train[chosen],
        dataset.y_train[chosen],
        oracle,
        limits=limits,
        seed=plan.seed,
        num_reads=num_reads,
        method=method,
        callback=callback,
        class_names=dataset.class_names,
    )
    network, _ = choose(visited.networks, dataset.x_train, dataset.y_train, means=means)
    return TrainingResult(
        network=network,
        solution=replace(visited.solution, total_time_s=time.perf_counter() - start),
        dataset=dataset,
        num_spins=visited.num_spins,
        samples=plan.samples,
        num_candidates=len(visited.networks),
        train_accuracy=network.accuracy(dataset.x_train, dataset.y_train),
        test_accuracy=network.accuracy(dataset.x_test, dataset.y_test),
    )


class LargeProblemWarning(UserWarning):
    """The QCBO has so many spins that a run may take very long."""


def _warn_if_large(spins: Mapping[str, int]) -> None:
    count = sum(spins.values())
    if count > LARGE_PROBLEM:
        parts = ", ".join(f"{number:,} {part}" for part, number in spins.items() if number)
        warnings.warn(
            f"the problem has {count:,} spins ({parts}), and a call may take minutes: train on "
            "fewer samples, hidden units or input bits (a dry run tells the size).",
            LargeProblemWarning,
            stacklevel=4,
        )
