"""A run of sequential training: epochs, limits, the best so far, checkpoints, Ctrl-C."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError, OracleError
from qhal.executors import Executor
from qhal.networks.network import Network
from qhal.networks.spec import NetworkSpec, check_count
from qhal.oracle import Oracle, check_time_limit
from qhal.qcgd.checkpoint import Checkpoint, Snapshot
from qhal.qcgd.interrupt import Interrupt
from qhal.samples import StopReason
from qhal.training.blocks import Parameters, network_of
from qhal.training.reduction import Reduction
from qhal.training.sequential import Books, Sequential, Settings
from qhal.training.store import Store, draw, in_order
from qhal.training.tasks import Job

# Without validation samples, so many training samples judge which network is the best.
YARDSTICK = 2**16

_LOG = logging.getLogger("qhal.training")


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What a callback sees after each pass; the history is a sequence of these as dicts.

    `loss` and `accuracy` are those of the network after the pass, on the validation samples if
    there are any, else on the training samples; `best_accuracy` is the best so far.
    """

    epoch: int
    epochs: int
    loss: float
    accuracy: float
    best_accuracy: float
    oracle_calls: int
    oracle_time_s: float
    elapsed_s: float

    @property
    def eta_s(self) -> float:
        """Seconds that the remaining epochs will take, as those before did."""
        return self.elapsed_s / max(1, self.epoch) * (self.epochs - self.epoch)


Callback: TypeAlias = Callable[[Epoch], bool | None]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When to stop before the last epoch; None means no limit.

    `patience` is the number of epochs without a better network on the yardstick.
    """

    time_limit: float | None = None
    max_oracle_calls: int | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        check_time_limit(self.time_limit)
        for name in ("max_oracle_calls", "patience"):
            if getattr(self, name) is not None:
                check_count(getattr(self, name), name, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """The best network of a run, and the run."""

    network: Network
    stop_reason: StopReason | str
    num_variables: int
    num_constraints: int = 0
    oracle_calls: int
    oracle_reads: int
    oracle_time_s: float
    total_time_s: float
    history: tuple[Mapping[str, Any], ...]
    notes: Mapping[str, str]


class Stopped(Exception):
    """A limit was reached in the middle of an epoch."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason)
        self.reason = reason


class Run:
    """One run on `store`; `run` is the loop."""

    def __init__(
        self,
        spec: NetworkSpec,
        store: Store,
        oracle: Oracle,
        executor: Executor,
        *,
        settings: Settings,
        limits: Limits,
        seed: int,
        validation: Store | None = None,
        class_names: tuple[str, ...] = ("0", "1"),
    ) -> None:
        self.began, self.earlier_s = time.perf_counter(), 0.0
        self.spec, self.oracle, self.limits, self.settings = spec, oracle, limits, settings
        self.seed, self.class_names, self.interrupt = seed, class_names, Interrupt()
        self.job = Job(secrets.token_hex(8), spec, store)
        self.state = Sequential(
            spec, Reduction(self.job, executor), oracle, settings, seed, self._check
        )
        judged = store if validation is None else validation
        self.judge = Reduction(Job(secrets.token_hex(8), spec, judged), executor)
        total = len(judged)
        self.yardstick = (
            in_order(total)
            if validation is not None or total <= YARDSTICK
            else draw(total, YARDSTICK, np.random.default_rng([seed, 0]))
        )
        self.best: Parameters = self.state.parameters
        self.best_score = (math.inf, math.inf)
        self.best_epoch = 0
        self.history: list[Epoch] = []
        self.notes: dict[str, str] = {}
        self.checkpoint: Checkpoint | None = None

    def run(self, callback: Callback | None) -> Trained:
        """Train until the last epoch, a limit, the callback or Ctrl-C ends it."""
        with self.interrupt:
            try:
                reason = self._epochs(callback)
            except KeyboardInterrupt:
                reason = StopReason.INTERRUPTED
            except Stopped as stopped:
                reason = stopped.reason
            except OracleError as error:
                if not self.state.books.calls:
                    raise
                self.notes["failure"] = str(error)
                reason = StopReason.ORACLE_FAILED
        with suppress(KeyboardInterrupt):  # whoever cannot wait gets the best of those judged
            self._judge()  # an epoch that was cut short counts as well
        books = self.state.books
        return Trained(
            network=network_of(self.spec, self.best, self.class_names),
            stop_reason=reason,
            num_variables=books.num_variables,
            oracle_calls=books.calls,
            oracle_reads=books.reads,
            oracle_time_s=books.time_s,
            total_time_s=self._elapsed(),
            history=tuple(asdict(epoch) for epoch in self.history),
            notes=self.notes,
        )

    def _epochs(self, callback: Callback | None) -> StopReason:
        epochs = self.settings.epochs * self.settings.starts
        while len(self.history) < epochs:
            reason = self._exhausted()
            if reason is not None:
                return reason
            number = len(self.history) + 1
            with self.interrupt.raising():
                self.state.epoch(number)
            loss, errors = self._judge()
            epoch = Epoch(
                epoch=number,
                epochs=epochs,
                loss=loss,
                accuracy=1.0 - errors,
                best_accuracy=1.0 - self.best_score[0],
                oracle_calls=self.state.books.calls,
                oracle_time_s=self.state.books.time_s,
                elapsed_s=self._elapsed(),
            )
            self.history.append(epoch)
            _LOG.debug("epoch %d", number, extra={"facts": asdict(epoch)})
            self._keep()
            if callback is not None and callback(epoch) is False:
                return StopReason.CALLBACK
            if self.interrupt.requested:
                return StopReason.INTERRUPTED
        return StopReason.ITERATIONS

    def _judge(self) -> tuple[float, float]:
        """Mean loss and share of errors on the yardstick; keeps the best network."""
        loss, errors = self.judge.score(self.yardstick, self.state.parameters)
        if (errors, loss) < self.best_score:
            self.best, self.best_score = self.state.parameters, (errors, loss)
            self.best_epoch = len(self.history) + 1
        return loss, errors

    def _exhausted(self) -> StopReason | None:
        patience = self.limits.patience
        if patience is not None and len(self.history) - self.best_epoch >= patience:
            return StopReason.NO_PROGRESS
        return None

    def _check(self) -> None:
        """Before each oracle call: raise if a limit is reached."""
        limits = self.limits
        if (
            limits.max_oracle_calls is not None
            and self.state.books.calls >= limits.max_oracle_calls
        ):
            raise Stopped(StopReason.ORACLE_CALLS)
        if limits.time_limit is not None and self._elapsed() >= limits.time_limit:
            raise Stopped(StopReason.TIME_LIMIT)

    def _elapsed(self) -> float:
        return self.earlier_s + time.perf_counter() - self.began

    # -- checkpoints

    def resume(self, path: Path) -> None:
        """Keep the run in the file at `path` after each epoch; go on from there if it holds one."""
        settings = asdict(self.settings)
        settings |= {"oracle": self.oracle.info.name, "oracle options": dict(self.oracle.options)}
        self.checkpoint = Checkpoint(
            path, fingerprint(self.job.spec, self.job.store), settings | {"seed": self.seed}
        )
        snapshot = self.checkpoint.load()
        if snapshot is None:
            return
        try:
            self._restore(snapshot)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise InputError(
                f"the checkpoint {path} is damaged ({error}): remove it to start afresh."
            ) from None

    def _keep(self) -> None:
        """Write the checkpoint; a full disk costs the checkpoint, not the run."""
        if self.checkpoint is None:
            return
        arrays: dict[str, npt.NDArray[Any]] = {"radii": self.state.radii}
        for name, parts in (("present", self.state.parameters), ("best", self.best)):
            arrays |= {f"{name}_{k}": part for k, part in enumerate(parts)}
        facts = {
            "books": asdict(self.state.books),
            "best_score": self.best_score,
            "best_epoch": self.best_epoch,
            "history": [asdict(epoch) for epoch in self.history],
            "elapsed_s": self._elapsed(),
        }
        try:
            self.checkpoint.save(Snapshot(facts, arrays))
        except OSError as error:
            self.notes["checkpoint"] = f"the checkpoint was not written: {error.strerror or error}."

    def _restore(self, snapshot: Snapshot) -> None:
        facts, arrays = snapshot.facts, snapshot.arrays
        self.state.parameters = checked_parameters(self.spec, arrays, "present")
        self.best = checked_parameters(self.spec, arrays, "best")
        if arrays["radii"].shape != self.state.radii.shape:
            raise ValueError("its blocks are not those of the network")
        self.state.radii = np.array(arrays["radii"], dtype=np.float64)
        self.state.books = Books(**facts["books"])
        errors, loss = map(float, facts["best_score"])
        self.best_score, self.best_epoch = (errors, loss), int(facts["best_epoch"])
        self.history = [Epoch(**epoch) for epoch in facts["history"]]
        self.earlier_s = float(facts["elapsed_s"])


def checked_parameters(spec: NetworkSpec, arrays: Mapping[str, Any], name: str) -> Parameters:
    """Those that a checkpoint keeps under `name`; ValueError unless they are ones of `spec`."""
    parts = tuple(np.array(arrays[f"{name}_{k}"], dtype=np.int64) for k in range(len(spec.layers)))
    for part, layer in zip(parts, spec.layers, strict=True):
        shape = (layer.outputs, layer.inputs + 1)
        if part.shape != shape or not np.isin(part[:, :-1], layer.weights.levels).all():
            raise ValueError("its weights are not those of the network")
        if not np.isin(part[:, -1], layer.biases.levels).all():
            raise ValueError("its biases are not those of the network")
    return parts


def fingerprint(spec: NetworkSpec, store: Store) -> str:
    """A hash of the architecture and of a part of the samples."""
    x, y = store.arrays
    digest = hashlib.sha256()
    rows = draw(len(y), YARDSTICK, np.random.default_rng(0))[0].indices()
    parts: tuple[npt.NDArray[Any], ...] = (spec.grid.low, spec.grid.high, x[rows], y[rows])
    for array in parts:
        digest.update(np.ascontiguousarray(array).tobytes())
    facts = [
        [vars(layer) for layer in spec.layers],
        [[hidden.activation.name, hidden.unit, hidden.resolution] for hidden in spec.hidden],
        [spec.loss.name, spec.output_unit, spec.regression, vars(spec.spline), spec.grid.bits],
        [x.shape, str(x.dtype), str(y.dtype)],
    ]
    digest.update(json.dumps(facts).encode())
    return digest.hexdigest()
