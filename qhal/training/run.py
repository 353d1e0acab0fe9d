"""The frame of a training run: epochs, limits, the best so far, checkpoints, Ctrl-C."""

from __future__ import annotations

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from qhal.errors import InputError, OracleError
from qhal.executors import Executor
from qhal.networks.network import Network
from qhal.networks.spec import NetworkSpec, check_count
from qhal.oracle import Oracle, check_time_limit
from qhal.qcgd.checkpoint import Checkpoint, Snapshot
from qhal.qcgd.interrupt import Interrupt
from qhal.samples import StopReason
from qhal.training.blocks import Parameters, network_of
from qhal.training.checkpoint import checked_parameters, fingerprint
from qhal.training.store import Store

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

    `patience` is the number of epochs without a better network on the samples that judge.
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


@dataclass
class Books:
    """What a run has asked of its oracle; variables and constraints are the most of a call."""

    calls: int = 0
    reads: int = 0
    time_s: float = 0.0
    num_variables: int = 0
    num_constraints: int = 0

    def enter(
        self, calls: int, reads: int, time_s: float, num_variables: int, num_constraints: int = 0
    ) -> None:
        """Book a few calls."""
        self.calls += calls
        self.reads += reads
        self.time_s += time_s
        self.num_variables = max(self.num_variables, num_variables)
        self.num_constraints = max(self.num_constraints, num_constraints)


class Stopped(Exception):
    """A limit was reached in the middle of an epoch."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason)
        self.reason = reason


class State(Protocol):
    """What every method of training has: present parameters, and books."""

    parameters: Parameters

    @property
    def books(self) -> Books:
        """What the oracle was asked so far."""


SettingsT = TypeVar("SettingsT")
StateT = TypeVar("StateT", bound=State)


class TrainingRun(ABC, Generic[SettingsT, StateT]):
    """One run on `store`; `run` is the loop. A method of training fills in its `state`.

    `store` and `validation` hold inputs as given.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        store: Store,
        oracle: Oracle,
        executor: Executor,
        *,
        settings: SettingsT,
        limits: Limits,
        seed: int,
        validation: Store | None = None,
        class_names: tuple[str, ...] = ("0", "1"),
    ) -> None:
        self.began, self.earlier_s = time.perf_counter(), 0.0
        self.spec, self.oracle, self.limits, self.settings = spec, oracle, limits, settings
        self.store, self.seed, self.class_names = store, seed, class_names
        self.executor, self.interrupt = executor, Interrupt()
        self.state: StateT = self._begin(validation)
        self.best: Parameters = self.state.parameters
        self.best_score, self.best_epoch = (math.inf, math.inf), 0
        self.history: list[Epoch] = []
        self.notes: dict[str, str] = {}
        self.checkpoint: Checkpoint | None = None

    # -- what a method of training says

    @property
    @abstractmethod
    def epochs(self) -> int:
        """How many epochs the run has."""

    @abstractmethod
    def _begin(self, validation: Store | None) -> StateT:
        """The state at the beginning; prepares what `_score` needs as well."""

    @abstractmethod
    def _advance(self) -> bool:
        """Go on to where the run may be kept; whether an epoch has come to its end.

        Asks `_check` before it calls the oracle.
        """

    @abstractmethod
    def _score(self) -> tuple[float, float]:
        """Mean loss and share of errors of the present parameters on the samples that judge."""

    @abstractmethod
    def _identity(self) -> dict[str, Any]:
        """The settings that a run must share with the one in a checkpoint to go on from it."""

    @abstractmethod
    def _snapshot(self) -> Snapshot:
        """What of the state a checkpoint holds, beside the parameters."""

    @abstractmethod
    def _restore(self, snapshot: Snapshot) -> None:
        """Take up what `_snapshot` gave; `ValueError` and its like say that it is damaged."""

    def _remarks(self) -> dict[str, str]:
        """Notes on the run as a whole."""
        return {}

    # -- the loop

    def run(self, callback: Callback | None) -> Trained:
        """Train until the last epoch, a limit, the callback or Ctrl-C ends it."""
        with self.interrupt:
            try:
                reason = self._loop(callback)
            except KeyboardInterrupt:
                reason = StopReason.INTERRUPTED
            except Stopped as stopped:
                reason = stopped.reason
            except OracleError as error:
                if not self.state.books.calls:
                    raise
                self.notes["failure"] = str(error)
                reason = StopReason.ORACLE_FAILED
        if reason is not StopReason.ITERATIONS:  # an epoch that was cut short counts as well
            with suppress(KeyboardInterrupt):  # whoever cannot wait gets the best of those judged
                self._judge()
        books = self.state.books
        return Trained(
            network=network_of(self.spec, self.best, self.class_names),
            stop_reason=reason,
            num_variables=books.num_variables,
            num_constraints=books.num_constraints,
            oracle_calls=books.calls,
            oracle_reads=books.reads,
            oracle_time_s=books.time_s,
            total_time_s=self._elapsed(),
            history=tuple(asdict(epoch) for epoch in self.history),
            notes=self.notes | self._remarks(),
        )

    def _loop(self, callback: Callback | None) -> StopReason:
        while len(self.history) < self.epochs:
            patience = self.limits.patience
            if patience is not None and len(self.history) - self.best_epoch >= patience:
                return StopReason.NO_PROGRESS
            epoch = self._record() if self._advance() else None
            self._keep()
            if epoch is not None and callback is not None and callback(epoch) is False:
                return StopReason.CALLBACK
            if self.interrupt.requested:
                return StopReason.INTERRUPTED
        return StopReason.ITERATIONS

    def _record(self) -> Epoch:
        """Judge at the end of an epoch, and add it to the history."""
        loss, errors = self._judge()
        epoch = Epoch(
            epoch=len(self.history) + 1,
            epochs=self.epochs,
            loss=loss,
            accuracy=1.0 - errors,
            best_accuracy=1.0 - self.best_score[0],
            oracle_calls=self.state.books.calls,
            oracle_time_s=self.state.books.time_s,
            elapsed_s=self._elapsed(),
        )
        self.history.append(epoch)
        _LOG.debug("epoch %d", epoch.epoch, extra={"facts": asdict(epoch)})
        return epoch

    def _judge(self) -> tuple[float, float]:
        """`_score`; keeps the best network."""
        loss, errors = self._score()
        if (errors, loss) < self.best_score:
            self.best, self.best_score = self.state.parameters, (errors, loss)
            self.best_epoch = len(self.history) + 1
        return loss, errors

    def _check(self, calls: int = 1) -> None:
        """Before so many oracle calls: raise if a limit is reached, or would be passed."""
        limits = self.limits
        budget = limits.max_oracle_calls
        if budget is not None and self.state.books.calls + calls > budget:
            raise Stopped(StopReason.ORACLE_CALLS)
        if limits.time_limit is not None and self._elapsed() >= limits.time_limit:
            raise Stopped(StopReason.TIME_LIMIT)

    def _elapsed(self) -> float:
        return self.earlier_s + time.perf_counter() - self.began

    # -- checkpoints

    def resume(self, path: Path) -> None:
        """Keep the run in the file at `path` as it goes on; go on from there if it holds one."""
        settings = self._identity() | {"oracle": self.oracle.info.name, "seed": self.seed}
        settings |= {"oracle options": dict(self.oracle.options)}
        self.checkpoint = Checkpoint(path, fingerprint(self.spec, self.store), settings)
        snapshot = self.checkpoint.load()
        if snapshot is None:
            return
        try:
            self._take_up(snapshot)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise InputError(
                f"the checkpoint {path} is damaged ({error}): remove it to start afresh."
            ) from None

    def _keep(self) -> None:
        """Write the checkpoint; a full disk costs the checkpoint, not the run."""
        if self.checkpoint is None:
            return
        own = self._snapshot()
        arrays = dict(own.arrays)
        for name, parts in (("present", self.state.parameters), ("best", self.best)):
            arrays |= {f"{name}_{k}": part for k, part in enumerate(parts)}
        facts = own.facts | {
            "best_score": self.best_score if self.history else None,
            "best_epoch": self.best_epoch,
            "history": [asdict(epoch) for epoch in self.history],
            "elapsed_s": self._elapsed(),
        }
        try:
            self.checkpoint.save(Snapshot(facts, arrays))
        except OSError as error:
            self.notes["checkpoint"] = f"the checkpoint was not written: {error.strerror or error}."

    def _take_up(self, snapshot: Snapshot) -> None:
        facts, arrays = snapshot.facts, snapshot.arrays
        self.state.parameters = checked_parameters(self.spec, arrays, "present")
        self.best = checked_parameters(self.spec, arrays, "best")
        self._restore(snapshot)
        if facts["best_score"] is not None:
            errors, loss = map(float, facts["best_score"])
            self.best_score = (errors, loss)
        self.best_epoch = int(facts["best_epoch"])
        self.history = [Epoch(**epoch) for epoch in facts["history"]]
        self.earlier_s = float(facts["elapsed_s"])
