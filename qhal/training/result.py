"""What sequential training or hedging on a data set returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from qhal.datasets import Dataset
from qhal.errors import InputError
from qhal.networks.network import Network
from qhal.oracle import Oracle
from qhal.training.dual import DualBound
from qhal.training.run import Trained


@dataclass(frozen=True, kw_only=True, eq=False)
class SequentialResult:
    """A trained network with the run that found it; `to_json()` is ``qhal train --json``.

    `initial` is a hash of the network that it began with, if that was given.
    """

    trained: Trained
    method: str = "sequential"
    dual_bound: DualBound | None = None
    dataset: Dataset
    oracle: Oracle
    executor: str
    seed: int
    train_accuracy: float
    test_accuracy: float
    initial: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def network(self) -> Network:
        """The best network."""
        return self.trained.network

    def to_json(self) -> dict[str, Any]:
        """The keys of the command line's contract; see `qhal.schemas.load("training")`."""
        spec, run = self.network.spec, self.trained
        extra: dict[str, Any] = {}
        if self.dual_bound is not None:
            extra["dual_bound"] = asdict(self.dual_bound)
        if self.initial is not None:
            extra["initial_network"] = self.initial
        return {
            "format": "qhal-training-1",
            "test_accuracy": self.test_accuracy,
            "train_accuracy": self.train_accuracy,
            "bits_per_parameter": spec.bits_per_parameter,
            "num_parameters": spec.num_parameters,
            "num_variables": run.num_variables,
            "num_constraints": run.num_constraints,
            "method": self.method,
            "epochs": len(run.history),
            "oracle": self.oracle.info.name,
            "oracle_options": dict(self.oracle.options),
            "oracle_calls": run.oracle_calls,
            "oracle_reads": run.oracle_reads,
            "oracle_time_s": run.oracle_time_s,
            "total_time_s": run.total_time_s,
            "executor": self.executor,
            "stop_reason": str(run.stop_reason),
            "notes": dict(run.notes),
            "classes": list(self.dataset.class_names),
            "seed": self.seed,
            "versions": dict(self.versions),
        } | extra

    def save(self, path: str) -> None:
        """Write the network, with where it came from, to `path` (`Network.load` reads it)."""
        keys = "test_accuracy train_accuracy oracle oracle_options oracle_calls seed versions"
        record = self.to_json()
        provenance = {key: record[key] for key in keys.split()} | {"data": self.dataset.source}
        if self.initial is not None:
            provenance["initial_network"] = self.initial
        replace(self.network, provenance=provenance).save(path)

    def plot(self, path: str) -> None:
        """Write history, confusion on the test set and weights as images to `path`."""
        from qhal.training.plot import plot_sequential

        plot_sequential(self, path)

    def report(self, path: str) -> None:
        """There is no page for this method yet; raises `InputError`."""
        raise InputError(f"{self.method} training has no report: leave it out, or ask for a plot.")
