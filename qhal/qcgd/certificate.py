"""What is proved: lower bounds from an exact oracle, and infeasibility."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from qhal.problems.arrays import FloatArray
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo
from qhal.qcgd.evidence import Proof
from qhal.qcgd.lifting import Lifting
from qhal.samples import Samples
from qhal.tracing import span

MEETS = 1e-8
_EXACT_UNITS = 2.0**52


@span("certificate")
def proved_bound(
    lifting: Lifting, qubo: Qubo, multipliers: FloatArray, samples: Samples
) -> float | None:
    """The lower bound on the problem that `samples` of `qubo` prove, or None.

    Any multipliers with lambda, nu >= 0 give one: on feasible bits the QUBO is the objective. It
    needs a bound proved by an exact oracle, and is lowered by what feasible bits may miss rows that
    are not whole by, and by what float64 may have lost in adding coefficients that are not on a
    common dyadic grid (nothing, if they are).
    """
    if samples.lower_bound is None:
        return None
    if (multipliers[lifting.signed] < 0).any():
        return None
    bound = samples.lower_bound - rounding_margin(qubo, lifting.unit) - lifting.slop(multipliers)
    return _next_attainable(lifting.program.source, bound)


def rounding_margin(qubo: Qubo, unit: float) -> float:
    """By how much a float64 energy of `qubo` can be wrong; 0 if every partial sum is exact.

    `unit` is what all its coefficients are whole multiples of by construction, 0 if nothing is.
    """
    data = qubo.matrix.data if qubo.is_sparse else qubo.matrix.ravel()
    total = float(np.abs(data).sum()) + abs(qubo.offset)
    if total < unit * _EXACT_UNITS:
        return 0.0
    return float(np.finfo(np.float64).eps) * (qubo.num_variables + 4) * total


def _next_attainable(problem: Qcbo, bound: float) -> float:
    """`bound` rounded up to the next value that an objective of whole multiples can take."""
    step = problem.objective_step
    if step is None:
        return bound
    if not step:
        return max(bound, problem.offset)
    steps = (Fraction(bound) - Fraction(problem.offset)) / step - Fraction(1, 10**6)
    return float(math.ceil(steps) * step + Fraction(problem.offset))


def meets(problem: Qcbo, objective: float | None, bound: float | None) -> bool:
    """Whether a proved bound meets the objective: to less than the objective's step.

    An objective without a step counts to 1e-8 of its typical coefficient.
    """
    if objective is None or bound is None:
        return False
    step = problem.objective_step
    slack = MEETS * problem.objective_unit if step is None else float(step) / 2
    return objective - bound <= slack + 4 * math.ulp(objective)


def exceeds(bound: float | None, objective: float) -> bool:
    """Whether a bound lies above a value that was reached by more than float64 may round."""
    return bound is not None and bound - objective > 1e-9 * max(1.0, abs(objective))


def proves_infeasible(
    lifting: Lifting, ask: Callable[[Qubo], Samples]
) -> tuple[bool, Samples, Qubo, Proof | None]:
    """Ask an exact oracle for the least total violation; whether it is proved to be too much.

    Also the samples, the QUBO whose they are, and the proof.
    """
    multipliers = lifting.signed.astype(np.float64) / lifting.scale
    qubo = lifting.qubo(multipliers, with_objective=False)
    samples = ask(qubo)
    if samples.lower_bound is None:
        return False, samples, qubo, None
    proof = Proof(multipliers, samples.lower_bound, with_objective=False)
    unit = 1.0 if lifting.program.is_whole else 0.0
    bound = samples.lower_bound - rounding_margin(qubo, unit)
    return bound > lifting.slop(multipliers), samples, qubo, proof
