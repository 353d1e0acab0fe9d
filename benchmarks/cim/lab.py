"""What the sections share: who is there, and how figures are written in tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from instances import Instance, gset
from measure import Contender, TimeToSolution, quartiles, tune
from peers import Setting, Solver
from rich.console import Console


@dataclass
class Lab:
    """Where to print, who is there, where the graphs are, and the settings tuned so far."""

    console: Console
    peers: Sequence[Solver]
    gset: Path
    quick: bool
    tuned: dict[tuple[str, str], Setting] = field(default_factory=dict)

    def graph(self, name: str) -> Instance | None:
        """A Gset graph; says so if its file is missing."""
        instance = gset(self.gset, name)
        if instance is None:
            self.console.print(f"[yellow]{name} skipped: no file {name} in that folder.[/yellow]")
        return instance

    def contenders(self, family: str, solvers: Sequence[Solver]) -> list[Contender]:
        """Everyone at the defaults and, unless in a hurry, at the setting tuned for `family`."""
        chosen = [Contender(solver, "default", {}) for solver in solvers]
        if not self.quick:
            chosen += [
                Contender(solver, "tuned", tune(solver, family, self.tuned)) for solver in solvers
            ]
        return chosen


def setting_of(contender: Contender) -> str:
    """Its setting, as the tables show it."""
    if not contender.setting:
        return contender.label
    values = ", ".join(f"{key} {value}" for key, value in contender.setting.items())
    return f"{contender.label}: {values}"


def pairwise(contender: Contender, base: Contender) -> np.ndarray:
    """Ratios of the times per read of calls made in the same turn."""
    count = min(len(contender.calls), len(base.calls))
    return contender.cpu_per_read[:count] / base.cpu_per_read[:count]


def ratio(result: TimeToSolution, base: TimeToSolution) -> str:
    """Of two times to solution."""
    return ("> " if result.is_bound else "") + spread(result.resampled / base.resampled)


def spread(values: np.ndarray) -> str:
    """Median and quartiles of `values`."""
    middle, low, high = quartiles(values)
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"
