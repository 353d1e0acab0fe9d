"""Spins as bits, for whoever only knows bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from qhal.problems.qcbo import Qcbo, Values
from qhal.problems.substitution import Substitution


def over_bits(problem: Qcbo) -> Qcbo:
    """`problem` with every spin s replaced by the bit x = (s + 1) / 2 of the same name.

    Objective and rows keep their values; `spin_values` leads back. The completion is left out.
    """
    if not problem.spins.any():
        return replace(problem, completion=None)
    weights = sp.csr_array(sp.diags_array(np.where(problem.spins, 2.0, 1.0)))
    substitution = Substitution(np.where(problem.spins, -1.0, 0.0), weights)
    objective = substitution.objective(problem)
    rows = substitution.rows(problem.constraints)
    return Qcbo(
        objective.pairs,
        objective.linear,
        problem.offset + objective.constant,
        replace(
            problem.constraints,
            linear=rows.linear,
            products=rows.products,
            pairs=rows.pairs,
            rhs=rows.rhs,
        ),
        np.where(problem.spins, 0, problem.lower),
        problem.upper,
        problem.names,
    )


def spin_values(problem: Qcbo, values: Values) -> Values:
    """The values (..., n) of `problem` that `values` of its `over_bits` stand for."""
    return np.where(problem.spins, 2 * values - 1, values)
