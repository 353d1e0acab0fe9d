"""Both ways between `Qcbo` and `dimod.ConstrainedQuadraticModel`."""

from __future__ import annotations

from typing import Any

import dimod
import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.problems.constraints import ConstraintRows
from qhal.problems.qcbo import Qcbo


def qcbo_from_cqm(cqm: dimod.ConstrainedQuadraticModel) -> Qcbo:
    """The problem of `cqm` with its own labels; spins stay spins.

    Raises `InputError` for real variables, soft constraints, and labels whose text collides.
    """
    order = {variable: index for index, variable in enumerate(cqm.variables)}
    for variable in order:
        if cqm.vartype(variable) is dimod.REAL:
            raise InputError(
                f"variable {str(variable)!r} is real: only binary, spin and bounded integer "
                "variables are supported, so scale it to an integer."
            )
    rows = ConstraintRows(len(order))
    for label, comparison in cqm.constraints.items():
        if comparison.lhs.is_soft():
            raise InputError(f"constraint {str(label)!r} is soft: only hard ones are supported.")
        products, linear, constant = _terms(comparison.lhs, order)
        rows.add_terms(
            products,
            sp.csr_array(linear[np.newaxis, :]),
            comparison.sense.value,
            float(comparison.rhs) - constant,
            label,
        )
    products, linear, offset = _terms(cqm.objective, order)
    n = len(order)
    low = [min(i, j) for i, j, _ in products]
    high = [max(i, j) for i, j, _ in products]
    matrix = sp.coo_array(([value for *_, value in products], (low, high)), shape=(n, n))
    return Qcbo(
        sp.csr_array(matrix),
        linear,
        offset,
        rows.build(),
        np.array([cqm.lower_bound(v) for v in order]),
        np.array([cqm.upper_bound(v) for v in order]),
        tuple(order),
        spins=np.array([cqm.vartype(v) is dimod.SPIN for v in order]),
    )


def cqm_from_qcbo(qcbo: Qcbo) -> dimod.ConstrainedQuadraticModel:
    """`qcbo` as a dimod model with the same names, labels, objective and rows."""
    cqm = dimod.ConstrainedQuadraticModel()
    for index in range(qcbo.num_variables):
        _declare(cqm, qcbo, index)
    matrix = sp.coo_array(qcbo.quadratic)
    products = list(
        zip(matrix.row.tolist(), matrix.col.tolist(), matrix.data.tolist(), strict=True)
    )
    cqm.set_objective(_model(qcbo, products, qcbo.linear, qcbo.offset))
    constraints = qcbo.constraints
    for k, label in enumerate(constraints.labels):
        row = constraints.products[[k]].tocoo()
        pairs = constraints.pairs[row.col]
        products = [(int(i), int(j), float(c)) for (i, j), c in zip(pairs, row.data, strict=True)]
        line = constraints.linear[[k]].toarray()[0]
        model = _model(qcbo, products, line, 0.0)
        cqm.add_constraint(model, constraints.senses[k], float(constraints.rhs[k]), label=label)
    return cqm


def _terms(
    model: Any, order: dict[Any, int]
) -> tuple[list[tuple[int, int, float]], np.ndarray[Any, np.dtype[np.float64]], float]:
    linear = np.zeros(len(order))
    for variable, value in model.iter_linear():
        linear[order[variable]] += value
    products = [(order[u], order[v], float(value)) for u, v, value in model.iter_quadratic()]
    return products, linear, float(model.offset)


def _model(
    qcbo: Qcbo, products: list[tuple[int, int, float]], linear: Any, offset: float
) -> dimod.QuadraticModel:
    """The sum of `products`, `linear` and `offset`; a square of a bit or spin is no product."""
    model = dimod.QuadraticModel(offset=offset)
    if qcbo.num_variables and not products and not linear.any():
        _declare(model, qcbo, 0)  # dimod evaluates a model without variables to 0
    binary = qcbo.is_binary
    for i in np.flatnonzero(linear).tolist():
        _declare(model, qcbo, i)
        model.add_linear(qcbo.names[i], float(linear[i]))
    for i, j, value in products:
        if i == j and qcbo.spins[i]:
            model.offset += value
            continue
        _declare(model, qcbo, i)
        _declare(model, qcbo, j)
        if i == j and binary[i]:
            model.add_linear(qcbo.names[i], value)
        else:
            model.add_quadratic(qcbo.names[i], qcbo.names[j], value)
    return model


def _declare(model: Any, qcbo: Qcbo, index: int) -> None:
    """Add variable `index` to `model` unless it is there."""
    name, low, high = qcbo.names[index], int(qcbo.lower[index]), int(qcbo.upper[index])
    if name in model.variables:
        return
    if qcbo.spins[index]:
        model.add_variable(dimod.SPIN, name)
    elif (low, high) == (0, 1):
        model.add_variable(dimod.BINARY, name)
    else:
        model.add_variable(dimod.INTEGER, name, lower_bound=low, upper_bound=high)
