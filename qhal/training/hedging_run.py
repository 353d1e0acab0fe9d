"""A run of hedging: rounds that make up visits to blocks, and visits that make up epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.networks.spec import NetworkSpec
from qhal.oracle import Oracle
from qhal.qcgd.checkpoint import Arrays, Snapshot
from qhal.training.blocks import network_of
from qhal.training.dual import DualBound
from qhal.training.hedging import Counts, Hedging, HedgingSettings, Place
from qhal.training.run import TrainingRun
from qhal.training.store import Store


class HedgingRun(TrainingRun[HedgingSettings, Hedging]):
    """See `TrainingRun`; bundles are solved on the executor."""

    @property
    def epochs(self) -> int:
        """See `TrainingRun.epochs`."""
        return self.settings.epochs

    def dual_bound(self, oracle: Oracle, time_limit: float | None = None) -> DualBound:
        """See `Hedging.dual_bound`."""
        return self.state.dual_bound(oracle, time_limit)

    def _begin(self, validation: Store | None) -> Hedging:
        x, y = self.store.arrays
        q = _on_grid(self.spec, x)
        self.judged = (q, y)
        if validation is not None:
            self.judged = (_on_grid(self.spec, validation.arrays[0]), validation.arrays[1])
        return Hedging(
            self.spec, q, y, self.oracle, self._map, self.settings, self.seed, self._check
        )

    def _map(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
        """On the executor, and Ctrl-C is heard at once."""
        return self.interrupt.call(
            lambda: self.executor.map(function, tasks), self.executor.stop, grace_s=5.0
        )

    def _advance(self) -> bool:
        visited = self.state.advance()
        return visited and self.state.place.visit % len(self.state.blocks) == 0

    def _score(self) -> tuple[float, float]:
        network = network_of(self.spec, self.state.parameters, self.class_names)
        q, y = self.judged
        outputs = network.outputs(q.astype(np.int64))
        loss = float(self.spec.losses(outputs, y).mean())
        errors = 0.0 if self.spec.regression else float((network.classes(outputs) != y).mean())
        return loss, errors

    def _remarks(self) -> dict[str, str]:
        left_out = self.state.books.left_out
        if not left_out:
            return {}
        return {"left out": f"{left_out} samples of bundles had no room within max_variables."}

    def _identity(self) -> dict[str, Any]:
        settings = asdict(self.settings)
        settings.pop("epochs")  # a finished run may go on
        return settings | {"method": "hedging"}

    def _snapshot(self) -> Snapshot:
        facts = {"counts": asdict(self.state.books), "place": asdict(self.state.place)}
        hedge = self.state.hedge
        parts = {} if hedge is None else hedge.state()
        return Snapshot(facts, {f"hedge_{name}": part for name, part in parts.items()})

    def _restore(self, snapshot: Snapshot) -> None:
        facts, state = snapshot.facts, self.state
        state.books, state.place = Counts(**facts["counts"]), Place(**facts["place"])
        if not state.place.visit >= 0 or not state.place.round >= 0:
            raise ValueError("its place is none")
        if state.place.round:
            hedge = state.empty_hedge()
            hedge.restore(_of_hedge(snapshot.arrays))
            state.hedge = hedge


def _of_hedge(arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    prefix = "hedge_"
    return {
        name.removeprefix(prefix): part for name, part in arrays.items() if name.startswith(prefix)
    }


def _on_grid(spec: NetworkSpec, x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return spec.grid(x).astype(np.uint8)
