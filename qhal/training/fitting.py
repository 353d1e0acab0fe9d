"""From a training plan to a trained network, sequentially or by hedging."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from qhal.errors import InputError
from qhal.executors import Executor
from qhal.executors.serial import Serial
from qhal.networks.spec import Ints
from qhal.networks.training import TrainingPlan
from qhal.oracle import Oracle
from qhal.registry import exact_oracle, get_executor
from qhal.training.hedging import HedgingSettings
from qhal.training.hedging_run import HedgingRun
from qhal.training.result import SequentialResult
from qhal.training.run import Callback, Limits, Run
from qhal.training.sequential import Settings
from qhal.training.store import Store

PROOF_S = 20.0


def train_sequential(
    plan: TrainingPlan,
    oracle: Oracle,
    executor: str | Executor = "serial",
    **options: Any,
) -> SequentialResult:
    """Train the network of `plan` on all samples (or, unless `whole`, on those of the plan).

    See `qhal.train` for the parameters. The test set is only looked at afterwards.
    """
    return _train(plan, oracle, executor, "sequential", Run, Settings, **options)


def train_hedging(
    plan: TrainingPlan, oracle: Oracle, executor: str | Executor = "serial", **options: Any
) -> SequentialResult:
    """`train_sequential`, by progressive hedging instead; `settings` are `HedgingSettings`."""
    return _train(plan, oracle, executor, "hedging", HedgingRun, HedgingSettings, **options)


def _train(
    plan: TrainingPlan,
    oracle: Oracle,
    executor: str | Executor,
    method: str,
    make_run: type[Run] | type[HedgingRun],
    make_settings: type[Any],
    *,
    whole: bool = True,
    executor_options: Mapping[str, Any] | None = None,
    num_reads: int | None = None,
    time_limit: float | None = None,
    max_oracle_calls: int | None = None,
    patience: int | None = None,
    validation: float = 0.0,
    checkpoint: str | os.PathLike[str] | None = None,
    certify: str | Oracle | None = None,
    callback: Callback | None = None,
    **settings: Any,
) -> SequentialResult:
    prover = None if certify is None else exact_oracle(certify)
    data = plan.dataset
    chosen = np.arange(len(data.y_train)) if whole else plan.chosen
    fitted, kept = _split(chosen, validation, plan.seed)
    x, y = data.x_train, data.y_train
    if num_reads is not None:
        settings["num_reads"] = num_reads
    own = Store(x[fitted], y[fitted])
    with _running(executor, executor_options) as runner, _shared(own, runner) as store:
        run = make_run(
            plan.spec,
            store,
            oracle,
            runner,
            settings=make_settings(**settings),
            limits=Limits(
                time_limit=time_limit, max_oracle_calls=max_oracle_calls, patience=patience
            ),
            seed=plan.seed,
            validation=Store(x[kept], y[kept]) if len(kept) else None,
            class_names=data.class_names,
        )
        if checkpoint is not None:
            run.resume(Path(checkpoint))
        trained = run.run(callback)
        bound = None
        if prover is not None and isinstance(run, HedgingRun):
            bound = run.dual_bound(prover, PROOF_S)
    network = trained.network
    return SequentialResult(
        trained=trained,
        method=method,
        dual_bound=bound,
        dataset=data,
        oracle=oracle,
        executor=runner.info.name,
        seed=plan.seed,
        train_accuracy=network.accuracy(x, y),
        test_accuracy=network.accuracy(data.x_test, data.y_test),
    )


@contextmanager
def _running(executor: str | Executor, options: Mapping[str, Any] | None) -> Iterator[Executor]:
    """The executor; one that was named is closed in the end."""
    runner = get_executor(executor, **(options or {}))
    try:
        yield runner
    finally:
        if runner is not executor:
            runner.close()


@contextmanager
def _shared(store: Store, executor: Executor) -> Iterator[Store]:
    """The samples where the workers of `executor` find them."""
    if isinstance(executor, Serial):
        yield store
        return
    with tempfile.TemporaryDirectory(prefix="qhal-") as folder:
        yield store.in_folder(Path(folder))


def _split(chosen: Ints, share: float, seed: int) -> tuple[Ints, Ints]:
    """Indices to train on, and those kept apart."""
    if not 0 <= share < 1:
        raise InputError(f"validation must be a share from 0 to less than 1, not {share!r}.")
    count = round(share * len(chosen))
    if not count:
        return chosen, chosen[:0]
    order = np.random.default_rng([seed, 1]).permutation(chosen)
    return np.sort(order[count:]), np.sort(order[:count])
