"""A run of hedging: limits, the best so far, checkpoints, Ctrl-C."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError, OracleError
from qhal.executors import Executor
from qhal.networks.network import Network
from qhal.networks.spec import NetworkSpec
from qhal.oracle import Oracle
from qhal.qcgd.checkpoint import Checkpoint, Snapshot
from qhal.qcgd.interrupt import Interrupt
from qhal.samples import StopReason
from qhal.training.blocks import Parameters, network_of
from qhal.training.dual import DualBound
from qhal.training.hedging import Counts, Hedging, HedgingSettings, Place
from qhal.training.run import (
    Callback,
    Epoch,
    Limits,
    Stopped,
    Trained,
    checked_parameters,
    fingerprint,
)
from qhal.training.store import Store


class HedgingRun:
    """One run on `store`; `run` is the loop. `store` and `validation` hold inputs as given."""

    def __init__(
        self,
        spec: NetworkSpec,
        store: Store,
        oracle: Oracle,
        executor: Executor,
        *,
        settings: HedgingSettings,
        limits: Limits,
        seed: int,
        validation: Store | None = None,
        class_names: tuple[str, ...] = ("0", "1"),
    ) -> None:
        self.began, self.earlier_s = time.perf_counter(), 0.0
        self.spec, self.oracle, self.limits, self.settings = spec, oracle, limits, settings
        self.store, self.seed, self.class_names = store, seed, class_names
        self.executor, self.interrupt = executor, Interrupt()
        x, y = store.arrays
        q = _on_grid(spec, x)
        self.state = Hedging(spec, q, y, oracle, self._map, settings, seed, self._check)
        self.judged = (q, y)
        if validation is not None:
            self.judged = (_on_grid(spec, validation.arrays[0]), validation.arrays[1])
        self.best: Parameters = self.state.parameters
        self.best_score, self.best_epoch = (math.inf, math.inf), 0
        self.history: list[Epoch] = []
        self.notes: dict[str, str] = {}
        self.checkpoint: Checkpoint | None = None

    def run(self, callback: Callback | None) -> Trained:
        """Train until the last epoch, a limit, the callback or Ctrl-C ends it."""
        with self.interrupt:
            try:
                reason = self._rounds(callback)
            except KeyboardInterrupt:
                reason = StopReason.INTERRUPTED
            except Stopped as stopped:
                reason = stopped.reason
            except OracleError as error:
                if not self.state.counts.calls:
                    raise
                self.notes["failure"] = str(error)
                reason = StopReason.ORACLE_FAILED
            self._judge()  # an epoch that was cut short counts as well
        counts = self.state.counts
        if counts.left_out:
            self.notes["left out"] = (
                f"{counts.left_out} samples of bundles had no room within max_variables."
            )
        return Trained(
            network=self._network(self.best),
            stop_reason=reason,
            num_variables=counts.num_variables,
            num_constraints=counts.num_constraints,
            oracle_calls=counts.calls,
            oracle_reads=counts.reads,
            oracle_time_s=counts.time_s,
            total_time_s=self._elapsed(),
            history=tuple(asdict(epoch) for epoch in self.history),
            notes=self.notes,
        )

    def dual_bound(self, oracle: Oracle, time_limit: float | None = None) -> DualBound:
        """See `Hedging.dual_bound`."""
        return self.state.dual_bound(oracle, time_limit)

    def _rounds(self, callback: Callback | None) -> StopReason:
        while self.state.place.visit < self.state.visits:
            patience = self.limits.patience
            if patience is not None and len(self.history) - self.best_epoch >= patience:
                return StopReason.NO_PROGRESS
            visited = self.state.advance()
            epoch = None
            if visited and self.state.place.visit % len(self.state.blocks) == 0:
                epoch = self._epoch()
            self._keep()
            if epoch is not None and callback is not None and callback(epoch) is False:
                return StopReason.CALLBACK
            if self.interrupt.requested:
                return StopReason.INTERRUPTED
        return StopReason.ITERATIONS

    def _epoch(self) -> Epoch:
        loss, errors = self._judge()
        epoch = Epoch(
            epoch=len(self.history) + 1,
            epochs=self.settings.epochs,
            loss=loss,
            accuracy=1.0 - errors,
            best_accuracy=1.0 - self.best_score[0],
            oracle_calls=self.state.counts.calls,
            oracle_time_s=self.state.counts.time_s,
            elapsed_s=self._elapsed(),
        )
        self.history.append(epoch)
        return epoch

    def _judge(self) -> tuple[float, float]:
        """Mean loss and share of errors on the samples that judge; keeps the best network."""
        network, (q, y) = self._network(self.state.parameters), self.judged
        outputs = network.outputs(q.astype(np.int64))
        loss = float(self.spec.losses(outputs, y).mean())
        errors = 0.0 if self.spec.regression else float((network.classes(outputs) != y).mean())
        if (errors, loss) < self.best_score:
            self.best, self.best_score = self.state.parameters, (errors, loss)
            self.best_epoch = len(self.history) + 1
        return loss, errors

    def _network(self, parameters: Parameters) -> Network:
        return network_of(self.spec, parameters, self.class_names)

    def _map(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
        """On the executor, and Ctrl-C is heard at once."""
        return self.interrupt.call(
            lambda: self.executor.map(function, tasks), self.executor.stop, grace_s=5.0
        )

    def _check(self, calls: int) -> None:
        """Before so many oracle calls: raise if a limit is reached, or would be passed."""
        limits = self.limits
        budget = limits.max_oracle_calls
        if budget is not None and self.state.counts.calls + calls > budget:
            raise Stopped(StopReason.ORACLE_CALLS)
        if limits.time_limit is not None and self._elapsed() >= limits.time_limit:
            raise Stopped(StopReason.TIME_LIMIT)

    def _elapsed(self) -> float:
        return self.earlier_s + time.perf_counter() - self.began

    # -- checkpoints

    def resume(self, path: Path) -> None:
        """Keep the run in the file at `path` after each round; go on from there if it holds one."""
        settings = asdict(self.settings)
        settings.pop("epochs")  # a finished run may go on
        settings |= {"oracle": self.oracle.info.name, "oracle options": dict(self.oracle.options)}
        settings |= {"method": "hedging", "seed": self.seed}
        self.checkpoint = Checkpoint(path, fingerprint(self.spec, self.store), settings)
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
        state = self.state
        arrays: dict[str, npt.NDArray[Any]] = {}
        for name, parts in (("present", state.parameters), ("best", self.best)):
            arrays |= {f"{name}_{k}": part for k, part in enumerate(parts)}
        if state.hedge is not None:
            arrays |= {f"hedge_{name}": part for name, part in state.hedge.state().items()}
        facts = {
            "counts": asdict(state.counts),
            "place": asdict(state.place),
            "best_score": self.best_score if self.history else None,
            "best_epoch": self.best_epoch,
            "history": [asdict(epoch) for epoch in self.history],
            "elapsed_s": self._elapsed(),
        }
        try:
            self.checkpoint.save(Snapshot(facts, arrays))
        except OSError as error:
            self.notes["checkpoint"] = f"the checkpoint was not written: {error.strerror or error}."

    def _restore(self, snapshot: Snapshot) -> None:
        facts, arrays, state = snapshot.facts, snapshot.arrays, self.state
        state.parameters = checked_parameters(self.spec, arrays, "present")
        self.best = checked_parameters(self.spec, arrays, "best")
        state.counts, state.place = Counts(**facts["counts"]), Place(**facts["place"])
        if not state.place.visit >= 0 or not state.place.round >= 0:
            raise ValueError("its place is none")
        if state.place.round:
            hedge = state.empty_hedge()
            hedge.restore(_of_hedge(arrays))
            state.hedge = hedge
        if facts["best_score"] is not None:
            errors, loss = map(float, facts["best_score"])
            self.best_score = (errors, loss)
        self.best_epoch = int(facts["best_epoch"])
        self.history = [Epoch(**epoch) for epoch in facts["history"]]
        self.earlier_s = float(facts["elapsed_s"])


def _of_hedge(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    prefix = "hedge_"
    return {
        name.removeprefix(prefix): part for name, part in arrays.items() if name.startswith(prefix)
    }


def _on_grid(spec: NetworkSpec, x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return spec.grid(x).astype(np.uint8)
