"""A run of sequential training: one pass over the blocks after the other."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import Any

import numpy as np

from qhal.networks.network import Network
from qhal.qcgd.checkpoint import Snapshot
from qhal.training.blocks import Parameters
from qhal.training.checkpoint import digest
from qhal.training.initial import usable_parameters
from qhal.training.reduction import Reduction
from qhal.training.run import Books, TrainingRun
from qhal.training.sequential import Sequential, Settings
from qhal.training.store import Store, draw, in_order
from qhal.training.tasks import Job

# Without validation samples, so many training samples judge which network is the best.
YARDSTICK = 2**16


class Run(TrainingRun[Settings, Sequential]):
    """See `TrainingRun`; sums over samples are made on the executor."""

    initial: Parameters | None = None

    def begin_with(self, network: Network) -> None:
        """Have the first start begin there; that counts as the best until there is a better one.

        Raises `InputError` unless its weights and biases are ones of the run's spec.
        """
        parameters = usable_parameters(self.spec, network)
        self.initial = self.best = self.state.parameters = parameters

    @property
    def epochs(self) -> int:
        """See `TrainingRun.epochs`; those of all starts."""
        return self.settings.epochs * self.settings.starts

    def _begin(self, validation: Store | None) -> Sequential:
        self.job = self._job(self.store)
        judged = self.store if validation is None else validation
        self.judge = Reduction(self._job(judged), self.executor)
        total = len(judged)
        self.yardstick = (
            in_order(total)
            if validation is not None or total <= YARDSTICK
            else draw(total, YARDSTICK, np.random.default_rng([self.seed, 0]))
        )
        sums = Reduction(self.job, self.executor)
        return Sequential(self.spec, sums, self.oracle, self.settings, self.seed, self._check)

    def _job(self, store: Store) -> Job:
        return Job(secrets.token_hex(8), self.spec, store)

    def _advance(self) -> bool:
        with self.interrupt.raising():
            if self.initial is not None and not self.history:
                self._judge()
                self.best_epoch = 0
            self.state.epoch(len(self.history) + 1)
        return True

    def _score(self) -> tuple[float, float]:
        return self.judge.score(self.yardstick, self.state.parameters)

    def _identity(self) -> dict[str, Any]:
        settings = asdict(self.settings)
        if not settings["exact_samples"]:
            del settings["exact_samples"]  # as in checkpoints from before there were any
        if self.initial is not None:
            settings["initial network"] = digest(self.initial)[:16]
        return settings

    def _snapshot(self) -> Snapshot:
        return Snapshot({"books": asdict(self.state.books)}, {"radii": self.state.radii})

    def _restore(self, snapshot: Snapshot) -> None:
        radii = snapshot.arrays["radii"]
        if radii.shape != self.state.radii.shape:
            raise ValueError("its blocks are not those of the network")
        self.state.radii = np.array(radii, dtype=np.float64)
        self.state.books = Books(**snapshot.facts["books"])
