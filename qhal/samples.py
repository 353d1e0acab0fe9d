"""What comes back: `Samples` from an oracle, `Solution` from the solver."""

from __future__ import annotations

import enum
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qhal.problems.arrays import FloatArray, States


@dataclass(frozen=True, eq=False)
class Samples:
    """An oracle's answer to one QUBO, checked and rescored by core.

    Attributes
    ----------
    states : (num_reads, n) int8 in {0, 1}, sorted by energy
    energies : (num_reads,) float64
        Exact energies of the problem that was asked, recomputed from its coefficients.
    lower_bound : float or None
        A bound that an exact oracle proved on the minimum energy.
    time_s : float
        Wall time of the call in seconds.
    info : dict
        JSON-serialisable: oracle, seed, and what the oracle reports, units in the key names.
    """

    states: States
    energies: FloatArray
    lower_bound: float | None = None
    time_s: float = 0.0
    info: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.energies)

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict, as `qhal.schemas.load("samples")` describes it."""
        known = ("oracle", "seed", "options")
        return {
            "format": "qhal-samples-1",
            "oracle": self.info.get("oracle", ""),
            "oracle_options": dict(self.info.get("options", {})),
            "seed": self.info.get("seed"),
            "num_reads": len(self),
            "num_variables": int(self.states.shape[1]),
            "time_s": self.time_s,
            "lower_bound": self.lower_bound,
            "energies": self.energies.tolist(),
            "states": self.states.tolist(),
            "info": {key: value for key, value in self.info.items() if key not in known},
        }

    @property
    def first(self) -> tuple[States, float]:
        """The best state, shape (n,), and its energy."""
        return self.states[0], float(self.energies[0])


class Status(enum.StrEnum):
    """Why a run ended; `advice` says what to do about it."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    FEASIBLE = "feasible"
    NO_FEASIBLE_SOLUTION_FOUND = "no feasible solution found"

    @property
    def advice(self) -> str:
        """A sentence for the reader."""
        return _ADVICE[self]


_ADVICE = {
    Status.OPTIMAL: "The solution is proved optimal: bound and value meet.",
    Status.INFEASIBLE: "Proved: no assignment satisfies every constraint; relax one of them.",
    Status.FEASIBLE: "Feasible, not proved optimal; certify with an exact oracle "
    "(certify='cpsat') or give more iterations or reads.",
    Status.NO_FEASIBLE_SOLUTION_FOUND: "No sample satisfied every constraint, which proves "
    "nothing; give more iterations or reads, or certify with an exact oracle (certify='cpsat').",
}


class StopReason(enum.StrEnum):
    """What ended the loop."""

    PROVED = "proved: the bound meets the value, or nothing is feasible"
    ITERATIONS = "the iteration limit was reached"
    TIME_LIMIT = "the time limit was reached"
    ORACLE_CALLS = "the limit of oracle calls was reached"
    TARGET = "the target objective was reached"
    CALLBACK = "the callback asked to stop"
    INTERRUPTED = "interrupted by the user"
    ORACLE_FAILED = "the oracle failed; what it had found until then was kept"
    CONTRADICTION = "a constraint cannot be met by any assignment"
    NO_PROGRESS = "nothing better was found for as many epochs as the patience allows"
    SINGLE_CALL = "there are no constraints to enforce: one oracle call answers it"


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """The result of `qhal.solve`; `to_json()` has the keys of ``qhal solve --json``.

    `objective` is the best feasible value after completion and polish, `raw_objective` the best
    among samples that the oracle itself returned feasible; both None if there is none. `gap` is
    (objective - lower_bound) / max(1, |objective|), None without a bound. `certified` is true only
    if a proved bound meets the objective (or, for an infeasible problem, infeasibility is proved).
    `assignment` has the problem's own labels and values: -1 and 1 for spins. `certificate` is the
    proof behind `certified`, JSON that `qhal.qcgd.verifier` has confirmed and can confirm again.
    """

    status: Status
    stop_reason: StopReason
    objective: float | None
    raw_objective: float | None
    lower_bound: float | None
    certified: bool
    max_violation: float | None
    assignment: Mapping[Hashable, int]
    iterations: int
    oracle_calls: int
    oracle_reads: int
    oracle_time_s: float
    total_time_s: float
    num_variables: int
    num_constraints: int
    oracle: str
    seed: int
    method: str
    history: tuple[Mapping[str, Any], ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    certificate: Mapping[str, Any] | None = None

    @property
    def feasible(self) -> bool:
        """Whether a feasible assignment was found."""
        return self.objective is not None

    @property
    def gap(self) -> float | None:
        """Relative distance to the proved bound, or None if nothing is proved."""
        if self.objective is None or self.lower_bound is None:
            return None
        return max(0.0, self.objective - self.lower_bound) / max(1.0, abs(self.objective))

    def values(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The assignment as an array in the problem's order of variables."""
        return np.array(list(self.assignment.values()), dtype=np.int64)

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict without the history; see `qhal.schemas.load("solution")`."""
        keys = (
            "status feasible objective raw_objective lower_bound gap certified max_violation "
            "iterations oracle_calls oracle_reads oracle_time_s total_time_s num_variables "
            "num_constraints assignment seed oracle method versions"
        ).split()
        record: dict[str, Any] = {"format": "qhal-solution-1"}
        record |= {key: getattr(self, key) for key in keys}
        record |= {
            "status": str(self.status),
            "stop_reason": str(self.stop_reason),
            "advice": self.status.advice,
            "assignment": {str(name): value for name, value in self.assignment.items()},
            "versions": dict(self.versions),
            "info": dict(self.info),
        }
        return record

    def plot(self, path: str) -> None:
        """Write the history (incumbent, bound, energies, feasible share) as a picture to `path`."""
        from qhal.qcgd.plot import plot_history

        plot_history(self.history, path)
