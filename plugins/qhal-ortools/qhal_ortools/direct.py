"""The exact solution of a whole constrained problem, against which everything else is checked."""

from __future__ import annotations

import math
import time

import numpy as np
from ortools.sat.python import cp_model

from qhal.oracle import ExactAnswer
from qhal.problems.qcbo import Qcbo
from qhal.problems.spins import over_bits, spin_values
from qhal.qcgd.certificate import meets
from qhal.samples import Status
from qhal_ortools.engine import Engine
from qhal_ortools.model import Model, Outcome, OutOfTime, Values, float_bound


def solve_qcbo(
    problem: Qcbo,
    *,
    time_limit: float | None = None,
    seed: int = 0,
    num_workers: int = 1,
    engine: Engine | None = None,
) -> ExactAnswer:
    """Solve `problem` with CP-SAT: integer variables, linear and quadratic rows of every sense.

    Rows hold to the tolerance of `Qcbo.feasible`. The objective is computed from the problem's own
    coefficients and `lower_bound` is valid for them, whatever the scaling to whole numbers did;
    ``optimal`` means that the two meet (`qhal.qcgd.certificate`). One worker is deterministic.
    `engine` is a fresh one, for who wants to stop it from another thread.

    Raises
    ------
    InputError
        For a row that whole numbers cannot express to within the tolerance, or products of
        integers beyond 2^53.
    """
    deadline = math.inf if time_limit is None else time.perf_counter() + time_limit
    start = _start(problem)
    try:
        engine = engine or Engine()
        # Rows are judged as the user's variables judge them, not as the bits of spins would.
        tolerances, rounding = problem.tolerances, problem.rounding
        model = Model(over_bits(problem), engine, deadline, tolerances, rounding)
        outcome = model.solve(seed=seed, num_workers=num_workers, hint=start)
    except OutOfTime:
        outcome = Outcome(cp_model.UNKNOWN, [start], None)
    if outcome.status == cp_model.INFEASIBLE:
        return ExactAnswer(status=Status.INFEASIBLE)
    found = [spin_values(problem, values) for values in outcome.solutions]
    kept = [values for values in found if problem.feasible(values)[0]]
    if not kept:
        bound = float_bound(outcome.lower_bound, None)
        return ExactAnswer(status=Status.NO_FEASIBLE_SOLUTION_FOUND, lower_bound=bound)
    best = int(problem.objectives(np.array(kept)).argmin())
    objective = float(problem.objectives(kept[best])[0])  # batches may round the last digit apart
    bound = float_bound(outcome.lower_bound, objective)
    return ExactAnswer(
        status=Status.OPTIMAL if meets(problem, objective, bound) else Status.FEASIBLE,
        values=kept[best],
        objective=objective,
        lower_bound=bound,
    )


def _start(problem: Qcbo) -> Values:
    """Where the search begins: as near to zero as the bounds allow, completed if possible.

    A spin's value stands for its bit.
    """
    values = np.where(problem.spins, 1, np.clip(0, problem.lower, problem.upper))
    if problem.completion is not None:
        values = problem.completion(values[np.newaxis, :])[0]
    return np.asarray(values, dtype=np.int64)
