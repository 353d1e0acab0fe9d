"""The oracle `cpsat`."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from ortools.sat.python import cp_model

from qhal import InputError, Oracle, Qcbo, Qubo
from qhal.oracle import Answer, ExactAnswer, OracleInfo
from qhal.problems.arrays import States
from qhal_ortools.direct import solve_qcbo
from qhal_ortools.engine import Engine
from qhal_ortools.model import Model, OutOfTime, float_bound


class CpSat(Oracle):
    """OR-Tools' CP-SAT: proved minima, exact for QUBOs and for whole constrained problems.

    Parameters
    ----------
    num_workers : int >= 1
        Threads of the solver. One is deterministic; more prove faster, but in varying order.

    `_sample` answers the best state first and then the worse ones passed on the way to it, at
    most `num_reads` in all. ``info["scaling_error"]`` bounds what scaling the coefficients to
    whole numbers may have changed; ``info["lower_bound"]`` already allows for it.
    """

    def __init__(self, *, num_workers: int = 1) -> None:
        if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 1:
            raise InputError(f"num_workers must be a whole number >= 1, not {num_workers!r}.")
        self.num_workers = num_workers
        self._engine = Engine()

    def describe(self, info: OracleInfo) -> OracleInfo:
        """Only one worker gives the same samples for the same seed."""
        return replace(info, seeded=self.num_workers == 1)

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        deadline = math.inf if time_limit is None else time.perf_counter() + time_limit
        self._engine = engine = Engine()
        start = _start(qubo, initial_states)
        try:
            model = Model(Qcbo.from_qubo(qubo), engine, deadline)
        except OutOfTime:
            return start[np.newaxis, :], {"proved": False}
        outcome = model.solve(seed=seed, num_workers=self.num_workers, hint=start.astype(np.int64))
        found = np.unique([start, *outcome.solutions], axis=0).astype(np.int8)
        energies = qubo.energies(found)
        best = np.argsort(energies, kind="stable")[:num_reads]
        return found[best], {
            "proved": outcome.status == cp_model.OPTIMAL,
            "lower_bound": float_bound(outcome.lower_bound, float(energies.min())),
            "scaling_error": model.scaling_error,
        }

    def solve_exactly(
        self, problem: Qcbo, *, time_limit: float | None = None, seed: int = 0
    ) -> ExactAnswer:
        """See `qhal_ortools.direct.solve_qcbo`."""
        self._engine = Engine()
        return solve_qcbo(
            problem,
            time_limit=time_limit,
            seed=seed,
            num_workers=self.num_workers,
            engine=self._engine,
        )

    def stop(self) -> None:
        """See `qhal.Oracle.stop`."""
        self._engine.stop()


def _start(qubo: Qubo, initial_states: States | None) -> States:
    """The best of `initial_states`, or zeros, after steepest single-flip descent."""
    if initial_states is None or len(initial_states) == 0:
        state = np.zeros(qubo.num_variables, dtype=np.int8)
    else:
        state = initial_states[int(np.argmin(qubo.energies(initial_states)))].copy()
    pairs = sp.csr_array(qubo.matrix)
    pairs = sp.csr_array(pairs + pairs.T)
    pairs.setdiag(0.0)
    field = qubo.linear + pairs @ state
    for _ in range(10 * len(state)):  # enough, and rounding cannot keep it going round in circles
        change = np.where(state, -field, field)
        flip = int(np.argmin(change))
        if not change[flip] < 0:
            break
        state[flip] ^= 1
        touched = slice(pairs.indptr[flip], pairs.indptr[flip + 1])
        field[pairs.indices[touched]] += pairs.data[touched] * (1 if state[flip] else -1)
    return state
