"""Where the next call may begin: states of earlier calls, for oracles that accept them.

A machine that is started at a good state, and not from noise, searches near it (reverse annealing:
Perdomo-Ortiz et al., Quantum Inf. Process. 10, 2011). The best feasible states are what a weaker
penalty must not lose; and the rounds' QUBOs resemble each other, so what was low is mostly low
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.problems.arrays import FloatArray, States, distinct_rows
from qhal.problems.qubo import Qubo

KEPT = 40


class Starts:
    """Up to `KEPT` distinct feasible states of least objective, and up to as many others."""

    def __init__(self, num_bits: int) -> None:
        self._feasible: States = np.zeros((0, num_bits), dtype=np.int8)
        self._recent = self._feasible
        self._objectives: FloatArray = np.zeros(0)

    def take(self, feasible: States, objectives: FloatArray, recent: States) -> None:
        """Merge in `feasible` states with their `objectives`; `recent` replaces the others."""
        states = np.vstack([self._feasible, feasible])
        merged = np.concatenate([self._objectives, objectives])
        first = distinct_rows(states)[0]
        best = first[np.argsort(merged[first], kind="stable")[:KEPT]]
        self._feasible, self._objectives = states[best], merged[best]
        self._recent = recent[:KEPT]

    def best(self, count: int) -> States:
        """The `count` feasible states of least objective, or as many as there are."""
        return self._feasible[:count]

    def choose(self, qubo: Qubo, count: int) -> States | None:
        """The `count` kept states of lowest energy of `qubo`, None if there are none."""
        states = np.vstack([self._feasible, self._recent])
        if not len(states) or count < 1:
            return None
        states = states[distinct_rows(states)[0]]
        return states[np.argsort(qubo.energies(states), kind="stable")[:count]]

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Everything kept, as arrays; `restore` takes them back."""
        return {
            "starts": self._feasible,
            "starts_objectives": self._objectives,
            "starts_recent": self._recent,
        }

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what `state` returned; raises `ValueError` if it does not fit."""
        n = self._feasible.shape[1]
        feasible, recent = arrays["starts"], arrays["starts_recent"]
        objectives = arrays["starts_objectives"]
        for states in (feasible, recent):
            if states.dtype != np.int8 or states.shape != (len(states), n) or (states & ~1).any():
                raise ValueError("its starting states are no states of this problem")
        if objectives.dtype != np.float64 or objectives.shape != (len(feasible),):
            raise ValueError("its starting states and their objectives differ in number")
        self._feasible, self._recent, self._objectives = feasible, recent, objectives
