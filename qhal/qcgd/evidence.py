"""Certificates: what a run proved, written down so that `qhal.qcgd.verifier` can check it alone.

A certificate is a dict of JSON. Rows and variables are numbered as in the user's problem; bits are
those of the variables in order, then helper bits (products of two), then slack bits, row by row.

- ``format``, ``claim`` ("optimal", "infeasible", "bound"), ``assignment`` (a value for each
  variable), ``objective``, ``bound``, ``step`` (what the objective moves in, a fraction as text)
- ``presolve``: the steps of `qhal.problems.reductions`, which lead to narrower bounds and rows
- ``bits``: the weights of each variable's bits; ``helpers``: the pairs of bits
- ``rows``: ``row``, ``terms`` [[bit, coefficient], ...], ``side``, ``slack`` (weights) and ``step``
  of each lifted row, and its multipliers ``mu`` and ``lambda``; ``forms`` likewise with ``nu``
- ``statement``: what the exact oracle says: every energy of the QUBO ``terms`` + ``offset`` is at
  least ``lower_bound``; ``with_objective`` is false for a proof of infeasibility. Or
  ``contradiction``, rows that need no oracle. Or ``whole_problem``: the oracle solved all of it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from qhal.problems.arrays import FloatArray
from qhal.problems.presolve import Presolved
from qhal.problems.qcbo import Qcbo, Values
from qhal.qcgd.lifting import Lifting

FORMAT = "qhal-certificate-1"
Certificate = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Proof:
    """A bound that an exact oracle `stated` for the QUBO of `multipliers`."""

    multipliers: FloatArray
    stated: float
    with_objective: bool


def by_multipliers(
    presolved: Presolved, lifting: Lifting, proof: Proof, oracle: str
) -> Certificate:
    """The certificate of `proof`, which says nothing of an assignment yet."""
    program = lifting.program
    numbers = {label: k for k, label in enumerate(presolved.source.constraints.labels)}
    labels = presolved.problem.constraints.labels
    origins = [numbers[label] for label in labels]
    multipliers = (proof.multipliers * lifting.scale).tolist()
    m, given = len(program.rhs), program.num_primary + len(program.helpers)
    slacks = {slack.row: slack for slack in program.slacks}
    lines = _lines(program.rows)
    rows = [
        {
            "row": origins[origin],
            "terms": [[i, value] for i, value in lines[k] if i < given],
            "side": float(program.rhs[k]),
            "slack": slacks[k].weights.tolist() if k in slacks else [],
            "step": slacks[k].step if k in slacks else 1.0,
            "mu": multipliers[k],
            "lambda": multipliers[m + k],
        }
        for k, origin in enumerate(program.row_origins.tolist())
    ]
    singles, products = _lines(program.forms.linear), _lines(program.forms.products)
    pairs = program.forms.pairs.tolist()
    forms = [
        {
            "row": None if origin < 0 else origins[origin],
            "terms": [[i, v] for i, v in singles[j]] + [[*pairs[t], v] for t, v in products[j]],
            "side": float(program.forms.rhs[j]),
            "nu": multipliers[2 * m + j],
        }
        for j, origin in enumerate(program.form_origins.tolist())
    ]
    qubo = lifting.qubo(proof.multipliers, proof.with_objective)
    matrix = sp.coo_array(qubo.matrix)
    terms = zip(matrix.row.tolist(), matrix.col.tolist(), matrix.data.tolist(), strict=True)
    return {
        "format": FORMAT,
        "presolve": [list(step) for step in presolved.steps],
        "bits": [[int(v) for _, v in line] for line in _lines(program.code.weights)],
        "helpers": program.helpers.tolist(),
        "rows": rows,
        "forms": forms,
        "statement": {
            "oracle": oracle,
            "with_objective": proof.with_objective,
            "terms": [[i, value] if i == j else [i, j, value] for i, j, value in terms],
            "offset": qubo.offset,
            "lower_bound": proof.stated,
        },
    }


def by_contradiction(presolved: Presolved, row: Any) -> Certificate:
    """The certificate of rows that nothing meets: presolve's conflict, else that of label `row`."""
    labels = [str(label) for label in presolved.source.constraints.labels]
    conflict = list(presolved.conflict) or [labels.index(str(row))]
    steps = [list(step) for step in presolved.steps]
    return {"format": FORMAT, "presolve": steps, "statement": {"contradiction": conflict}}


def by_oracle(oracle: str, lower_bound: float | None) -> Certificate:
    """The certificate of an exact oracle that solved the whole problem itself."""
    statement = {"oracle": oracle, "whole_problem": True, "lower_bound": lower_bound}
    return {"format": FORMAT, "statement": statement}


def claim(
    certificate: Certificate,
    problem: Qcbo,
    what: str,
    values: Values | None,
    objective: float | None,
    bound: float | None,
) -> Certificate:
    """`certificate` with what it is claimed to prove."""
    step = problem.objective_step
    return certificate | {
        "claim": what,
        "assignment": None if values is None else np.asarray(values).tolist(),
        "objective": objective,
        "bound": bound,
        "step": None if step is None else str(step),
    }


def _lines(matrix: sp.csr_array) -> list[list[tuple[int, float]]]:
    """The entries of each row."""
    starts = matrix.indptr.tolist()
    entries = list(zip(matrix.indices.tolist(), matrix.data.tolist(), strict=True))
    return [entries[a:b] for a, b in itertools.pairwise(starts)]
