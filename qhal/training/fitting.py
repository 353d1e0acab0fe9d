"""From a training plan to a trained network, sequentially or by hedging."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError
from qhal.executors import Executor
from qhal.executors.serial import Serial
from qhal.networks.network import Network
from qhal.networks.spec import Ints, NetworkSpec
from qhal.networks.training import TrainingPlan
from qhal.oracle import Oracle
from qhal.registry import exact_oracle, get_executor
from qhal.training.blocks import parameters_of
from qhal.training.checkpoint import digest
from qhal.training.hedging import HedgingSettings
from qhal.training.hedging_run import HedgingRun
from qhal.training.result import SequentialResult
from qhal.training.run import Callback, Limits, Trained
from qhal.training.sequential import Settings
from qhal.training.sequential_run import Run
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
    return _train(plan, oracle, executor, "sequential", Settings, **options)


def train_hedging(
    plan: TrainingPlan, oracle: Oracle, executor: str | Executor = "serial", **options: Any
) -> SequentialResult:
    """`train_sequential`, by progressive hedging instead; `settings` are `HedgingSettings`."""
    return _train(plan, oracle, executor, "hedging", HedgingSettings, **options)


def _train(
    plan: TrainingPlan,
    oracle: Oracle,
    executor: str | Executor,
    method: str,
    make_settings: type[Settings] | type[HedgingSettings],
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
    if num_reads is not None:
        settings["num_reads"] = num_reads
    with _prepared(
        plan.spec,
        Store(data.x_train[chosen], data.y_train[chosen]),
        oracle,
        executor,
        executor_options=executor_options,
        settings=make_settings(**settings),
        limits=Limits(time_limit=time_limit, max_oracle_calls=max_oracle_calls, patience=patience),
        seed=plan.seed,
        validation=validation,
        class_names=data.class_names,
        checkpoint=checkpoint,
        initial=plan.initial,
    ) as run:
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
        executor=executor if isinstance(executor, str) else executor.info.name,
        seed=plan.seed,
        train_accuracy=network.accuracy(data.x_train, data.y_train),
        test_accuracy=network.accuracy(data.x_test, data.y_test),
        initial=None if plan.initial is None else digest(parameters_of(plan.initial)),
    )


def fitted(
    spec: NetworkSpec,
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    oracle: Oracle,
    executor: str | Executor = "serial",
    *,
    callback: Callback | None = None,
    **options: Any,
) -> Trained:
    """Train a network of `spec` on the samples `x`, `y`, arrays in memory or memory-mapped.

    Parameters
    ----------
    settings : `Settings` for sequential training, `HedgingSettings` for hedging
    limits : `Limits`
    seed : whole number
    validation : share of the samples that is kept apart and chooses the best epoch, default 0
    class_names : one for each class
    initial : a `Network` of `spec` to begin with, for sequential training
    checkpoint, executor_options, callback : as for `qhal.train`
    """
    with _prepared(spec, Store(x, y), oracle, executor, **options) as run:
        return run.run(callback)


@contextmanager
def _prepared(
    spec: NetworkSpec,
    samples: Store,
    oracle: Oracle,
    executor: str | Executor,
    *,
    settings: Settings | HedgingSettings,
    limits: Limits,
    seed: int,
    validation: float = 0.0,
    class_names: tuple[str, ...] = ("0", "1"),
    checkpoint: str | os.PathLike[str] | None = None,
    executor_options: Mapping[str, Any] | None = None,
    initial: Network | None = None,
) -> Iterator[Run | HedgingRun]:
    """The run, resumed if there is a checkpoint, while its executor is open."""
    x, y = samples.arrays
    train, kept = _split(len(y), validation, seed)
    common: dict[str, Any] = {
        "limits": limits,
        "seed": seed,
        "validation": Store(x[kept], y[kept]) if validation else None,
        "class_names": class_names,
    }
    own = Store(x[train], y[train])
    with _running(executor, executor_options) as runner, _shared(own, runner) as store:
        run: Run | HedgingRun
        if isinstance(settings, HedgingSettings):
            run = HedgingRun(spec, store, oracle, runner, settings=settings, **common)
        else:
            run = Run(spec, store, oracle, runner, settings=settings, **common)
            if initial is not None:
                run.begin_with(initial)
        if checkpoint is not None:
            run.resume(Path(checkpoint))
        yield run


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


def _split(count: int, share: float, seed: int) -> tuple[Ints | slice, Ints | slice]:
    """Which of `count` samples to train on, and which are kept apart."""
    if not 0 <= share < 1:
        raise InputError(f"validation must be a share from 0 to less than 1, not {share!r}.")
    kept = round(share * count)
    if not share:
        return slice(None), slice(0)
    if not 0 < kept < count:
        raise InputError(f"a validation share of {share} leaves {kept} of {count} samples apart.")
    order = np.random.default_rng([seed, 1]).permutation(count)
    return np.sort(order[kept:]), np.sort(order[:kept])
