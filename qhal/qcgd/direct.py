"""Exact oracles on whole problems: solving directly, and certifying what QCGD found."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from qhal.errors import InputError, OracleError, UnsupportedError
from qhal.oracle import ExactAnswer, Oracle, checked_seed, exactly
from qhal.problems.qcbo import Qcbo, Values
from qhal.qcgd.certificate import exceeds, meets
from qhal.qcgd.evidence import Certificate, by_oracle, claim
from qhal.qcgd.interrupt import Interrupt
from qhal.qcgd.limits import Limits
from qhal.qcgd.verifier import Refused, verify
from qhal.samples import Solution, Status, StopReason
from qhal.tracing import span

GRACE_S = 5.0


def solve_directly(problem: Qcbo, oracle: Oracle, limits: Limits, seed: int | None) -> Solution:
    """The answer of `oracle`'s own exact method for the whole `problem`.

    Raises `UnsupportedError` if it has none for it.
    """
    start = time.perf_counter()
    used_seed = checked_seed(seed)
    with Interrupt() as interrupt:
        answer = interrupt.call(
            lambda: exactly(oracle, problem, time_limit=limits.time_limit, seed=used_seed),
            oracle.stop,
            GRACE_S,
        )
    if answer is None:
        why = "" if oracle.info.exact else " (it is not exact)"
        raise UnsupportedError(
            f"oracle {oracle.info.name!r} cannot solve this constrained problem directly{why}: "
            "choose 'cpsat', or another method than 'direct'."
        )
    objective, violation = _checked(problem, oracle, answer)
    status = _status(problem, objective, answer)
    certificate = _confirmed(problem, oracle, status, answer.values, objective, answer.lower_bound)
    proved = certificate is not None
    reason = StopReason.INTERRUPTED if interrupt.requested else StopReason.TIME_LIMIT
    elapsed = time.perf_counter() - start
    return Solution(
        status=status,
        stop_reason=StopReason.PROVED if proved else reason,
        objective=objective,
        raw_objective=objective,
        lower_bound=answer.lower_bound,
        certified=proved,
        certificate=certificate,
        max_violation=violation,
        assignment={} if answer.values is None else problem.assignment(answer.values),
        iterations=1,
        oracle_calls=1,
        oracle_reads=0 if answer.values is None else 1,
        oracle_time_s=elapsed,
        total_time_s=elapsed,
        num_variables=problem.num_variables,
        num_constraints=problem.num_constraints,
        oracle=oracle.info.name,
        seed=used_seed,
        method="direct",
        info={"oracle_options": dict(oracle.options), **answer.info},
    )


@span("certificate")
def certified(
    solution: Solution, problem: Qcbo, oracle: Oracle, time_limit: float | None
) -> Solution:
    """`solution` with what `oracle` proves about the whole problem, or why it proves nothing.

    Where the run found nothing feasible, with what `oracle` found.
    """
    record: dict[str, Any] = {"oracle": oracle.info.name}
    try:
        answer = exactly(oracle, problem, time_limit=time_limit, seed=solution.seed)
        if answer is None:
            raise UnsupportedError(
                f"oracle {oracle.info.name!r} cannot prove a bound for this problem: certify with "
                "'cpsat'."
            )
        if answer.status == Status.INFEASIBLE and solution.feasible:
            raise OracleError(
                f"oracle {oracle.info.name!r} calls a problem infeasible that has a feasible "
                "assignment: its plugin is broken."
            )
        objective, violation = _checked(problem, oracle, answer)
        if solution.objective is not None and exceeds(answer.lower_bound, solution.objective):
            raise OracleError(
                f"oracle {oracle.info.name!r} claims the lower bound {answer.lower_bound}, above a "
                "feasible objective: its plugin is broken."
            )
    except (InputError, OracleError) as error:  # the run is not lost because a proof fails
        return replace(
            solution, info={**solution.info, "certificate": record | {"error": str(error)}}
        )
    record |= {"status": str(answer.status), "objective": objective, **answer.info}
    if solution.objective is None and answer.values is not None:
        assignment = problem.assignment(answer.values)
        solution = replace(
            solution,
            status=Status.FEASIBLE,
            objective=objective,
            max_violation=violation,
            assignment=assignment,
        )
    bounds = [b for b in (answer.lower_bound, solution.lower_bound) if b is not None]
    bound = max(bounds, default=None)
    status = solution.status
    if answer.status == Status.INFEASIBLE:
        status = Status.INFEASIBLE
    elif meets(problem, solution.objective, bound):
        status = Status.OPTIMAL
    values = solution.values() if solution.feasible else None
    stated = answer.lower_bound
    certificate = _confirmed(problem, oracle, status, values, solution.objective, stated)
    if certificate is None and solution.feasible:
        status = Status.FEASIBLE
    return replace(
        solution,
        status=status,
        lower_bound=bound,
        certified=certificate is not None,
        certificate=certificate,
        info={**solution.info, "certificate": record},
    )


def _checked(
    problem: Qcbo, oracle: Oracle, answer: ExactAnswer
) -> tuple[float | None, float | None]:
    """Objective and violation of the answer's values, from the problem's own coefficients."""
    if answer.values is None:
        return None, None
    if not problem.feasible(answer.values)[0]:
        raise OracleError(
            f"oracle {oracle.info.name!r} answered an assignment that is not feasible: its plugin "
            "is broken."
        )
    violation = float(problem.max_violations(answer.values)[0])
    return float(problem.objectives(answer.values)[0]), violation


def _confirmed(
    problem: Qcbo,
    oracle: Oracle,
    status: Status,
    values: Values | None,
    objective: float | None,
    bound: float | None,
) -> Certificate | None:
    """The certificate of a `status` that `oracle` proved, None if it did not."""
    if status not in (Status.OPTIMAL, Status.INFEASIBLE):
        return None
    what = "optimal" if status is Status.OPTIMAL else "infeasible"
    evidence = by_oracle(oracle.info.name, bound)
    certificate = claim(evidence, problem, what, values, objective, bound)
    try:
        verify(problem, certificate)
    except Refused:
        return None
    return certificate


def _status(problem: Qcbo, objective: float | None, answer: ExactAnswer) -> Status:
    if answer.status == Status.INFEASIBLE:
        return Status.INFEASIBLE
    if objective is None:
        return Status.NO_FEASIBLE_SOLUTION_FOUND
    proved = meets(problem, objective, answer.lower_bound)
    return Status.OPTIMAL if proved else Status.FEASIBLE
