"""CPLEX's LP files (``.lp``), as dimod writes them and people do by hand.

Understood: an objective with an optional ``[ ... ] / 2`` of products, constraints with an optional
``[ ... ]``, ranges (``low <= x + y <= high``, which become the two rows ``label_low`` and
``label_high``), Bounds, Binary and General sections, comments from a backslash on. Every variable
must be binary or a bounded integer. Written by `dimod.lp`; read by `qhal.files.lp_parser`, because
dimod's reader never returns from many a damaged file and cannot say which line is wrong.
"""

from __future__ import annotations

import math
from dataclasses import replace

import dimod
import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.files.lp_parser import Expression, Model, is_keyword, parse
from qhal.files.rows import note_maximised, whole_bounds
from qhal.problems import Qcbo
from qhal.problems.constraints import ConstraintRows
from qhal.problems.spins import over_bits


def read(data: bytes, name: str) -> Qcbo:
    """The problem in `data`, the content of the ``.lp`` file `name`; to be maximised: negated."""
    model = parse(data, name)
    if model.maximized:
        note_maximised(name)
    order = {variable: index for index, variable in enumerate(model.variables)}
    bounds = [_bounds(model, variable, name) for variable in order]
    rows = ConstraintRows(len(order))
    labels = _labels(model)
    for row, label in zip(model.rows, labels, strict=True):
        products, linear = _terms(row.expression, order)
        rows.add_terms(products, linear, row.sense, row.rhs, label)
    products, linear = _terms(model.objective, order)
    low = [min(i, j) for i, j, _ in products]
    high = [max(i, j) for i, j, _ in products]
    values = [value for *_, value in products]
    return Qcbo(
        sp.csr_array(sp.coo_array((values, (low, high)), shape=(len(order), len(order)))),
        linear.toarray()[0],
        model.objective.constant,
        rows.build(),
        np.array([low for low, _ in bounds]),
        np.array([high for _, high in bounds]),
        tuple(order),
    )


def write(problem: Qcbo) -> bytes:
    """The content of an ``.lp`` file for `problem`; `InputError` if it cannot hold a name.

    The format knows no spins: the bits (s + 1) / 2 are written in their place.
    """
    problem = over_bits(problem)
    names = tuple(map(str, problem.names))
    labels = tuple(map(str, problem.constraints.labels))
    problem = replace(problem, names=names, constraints=replace(problem.constraints, labels=labels))
    for word in (*names, *labels):
        if is_keyword(word):
            raise InputError(f"an .lp file cannot hold the name {word!r}, a keyword: rename it.")
    try:
        return str(dimod.lp.dumps(problem.to_cqm())).encode()
    except ValueError as error:
        raise InputError(f"this problem does not fit into an .lp file: {error}.") from None


def _bounds(model: Model, variable: str, name: str) -> tuple[float, float]:
    low, high = model.bounds.get(variable, (0.0, math.inf))
    kind = model.variables[variable]
    if kind is None:
        raise InputError(
            f"{name}: variable {variable!r} is continuous, as all are that neither Binary nor "
            "General lists: only binary and bounded integer variables are supported."
        )
    if kind == "binary":
        low, high = max(low, 0.0), min(high, 1.0)
    hint = f"add 'low <= {variable} <= high' under Bounds"
    return whole_bounds(low, high, name, variable, hint)


def _labels(model: Model) -> list[str]:
    """The rows' labels; a row without one is called after its position, apart from the others."""
    taken = {row.label for row in model.rows}
    labels = []
    for index, row in enumerate(model.rows):
        label = row.label
        if label is None:
            label = f"c{index}"
            while label in taken:
                label += "_"
        labels.append(label)
    return labels


def _terms(
    expression: Expression, order: dict[str, int]
) -> tuple[list[tuple[int, int, float]], sp.csr_array]:
    columns = [order[variable] for variable in expression.linear]
    values = list(expression.linear.values())
    linear = sp.coo_array((values, ([0] * len(columns), columns)), shape=(1, len(order)))
    products = [(order[u], order[v], value) for (u, v), value in expression.products.items()]
    return products, sp.csr_array(linear)
