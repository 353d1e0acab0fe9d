"""What users assert of their own problems and solutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qhal.api import as_qcbo
from qhal.comparison import Comparison, compare
from qhal.errors import InputError, PluginError
from qhal.oracle import Oracle
from qhal.problems.encoding import encode
from qhal.registry import get_oracle, list_oracles
from qhal.samples import Solution

BASELINE = "random"
DEFAULT_SEED = 0


def assert_oracles_agree(
    problem: Any, oracles: Sequence[str | Oracle] | None = None, **options: Any
) -> Comparison:
    """Assert that `oracles` reach the same objective, and that nothing contradicts a proof.

    Parameters
    ----------
    problem : as for `qhal.solve`
    oracles : names or `Oracle` objects, at least two
        By default every installed oracle that runs on this machine and takes a problem of this
        size, but for ``random``, which is there to be beaten.
    options : of `qhal.compare`, such as `reference`, `num_reads`, `iterations`; the seed is 0

    Returns
    -------
    The `qhal.comparison.Comparison`, for what else there is to assert.

    Raises
    ------
    AssertionError
        Says who is how far above the best, whose proof is contradicted, and who failed.
    InputError
        For bad input, and if fewer than two oracles are left.
    """
    chosen = _suitable(problem) if oracles is None else list(oracles)
    if len(chosen) < 2:
        raise InputError(
            f"it takes two oracles to agree, and here are {len(chosen)} for this problem: "
            "install qhal-cim, qhal-dwave or qhal-ortools, or name two."
        )
    comparison = compare(problem, chosen, **{"seed": DEFAULT_SEED, **options})
    failed = [
        f"{row['oracle']} failed: {row['error']}" for row in comparison.results if row["error"]
    ]
    broken = [*comparison.differences, *comparison.contradictions, *failed]
    if broken or not comparison.agree:
        lines = "\n".join(f"- {text}" for text in broken or comparison.notes)
        raise AssertionError(f"the oracles do not agree:\n{lines}")
    return comparison


def assert_feasible(solution: Solution, problem: Any = None) -> None:
    """Assert that `solution` satisfies every constraint.

    With the `problem` (as for `qhal.solve`) this is found out anew from its coefficients, and so is
    the objective; without it, the solution is taken at its word.
    """
    if not solution.feasible:
        raise AssertionError(
            f"not feasible: {solution.status} (the largest violation of the nearest assignment "
            f"is {solution.max_violation}). {solution.status.advice}"
        )
    if problem is None:
        return
    qcbo = as_qcbo(problem)
    missing = [name for name in qcbo.names if name not in solution.assignment]
    if missing or len(solution.assignment) != qcbo.num_variables:
        raise AssertionError(f"the solution is of another problem: no value for {missing[:3]}.")
    values = [[solution.assignment[name] for name in qcbo.names]]
    if not qcbo.feasible(values)[0]:
        worst = float(qcbo.max_violations(values)[0])
        raise AssertionError(f"not feasible: a constraint or bound is violated by {worst:.6g}.")
    objective = float(qcbo.objectives(values)[0])
    if abs(objective - float(solution.objective or 0.0)) > 1e-9 * max(1.0, abs(objective)):
        raise AssertionError(
            f"the assignment has the objective {objective:.10g}, not {solution.objective:.10g}."
        )


def _suitable(problem: Any) -> list[Oracle | str]:
    bits = encode(as_qcbo(problem)).num_bits
    found: list[Oracle | str] = []
    for name in list_oracles():
        try:
            oracle = get_oracle(name)
        except PluginError:
            continue  # the `oracle` fixture shows it as skipped
        limit = oracle.info.max_variables
        if name != BASELINE and not oracle.info.remote and (limit is None or bits <= limit):
            found.append(oracle)
    return found
