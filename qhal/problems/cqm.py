"""Both ways between `Qcbo` and `dimod.ConstrainedQuadraticModel`."""

from __future__ import annotations

import copy
from typing import Any

import dimod
import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.problems.constraints import ConstraintRows
from qhal.problems.qcbo import Qcbo


def qcbo_from_cqm(cqm: dimod.ConstrainedQuadraticModel) -> Qcbo:
    """The problem of `cqm`; spins become bits x = (s + 1) / 2 of the same name.

    Raises `InputError` for real variables, soft constraints, and labels whose text collides.
    """
    spins = [v for v in cqm.variables if cqm.vartype(v) is dimod.SPIN]
    if spins:
        cqm = copy.deepcopy(cqm)
        cqm.spin_to_binary(inplace=True)
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
            str(label),
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
        tuple(str(v) for v in order),
    )


def cqm_from_qcbo(qcbo: Qcbo) -> dimod.ConstrainedQuadraticModel:
    """`qcbo` as a dimod model with the same names, labels, objective and rows."""
    cqm = dimod.ConstrainedQuadraticModel()
    binary = qcbo.is_binary
    for name, is_bit, low, high in zip(qcbo.names, binary, qcbo.lower, qcbo.upper, strict=True):
        if is_bit:
            cqm.add_variable(dimod.BINARY, name)
        else:
            cqm.add_variable(dimod.INTEGER, name, lower_bound=int(low), upper_bound=int(high))
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
        cqm.add_constraint(
            _model(qcbo, products, line, 0.0),
            constraints.senses[k],
            float(constraints.rhs[k]),
            label=label,
        )
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
    model = dimod.QuadraticModel(offset=offset)
    squares = {i: value for i, j, value in products if i == j}
    binary = qcbo.is_binary

    def declare(index: int) -> None:
        name = qcbo.names[index]
        if name in model.variables:
            return
        if binary[index]:
            model.add_variable(dimod.BINARY, name)
        else:
            low, high = int(qcbo.lower[index]), int(qcbo.upper[index])
            model.add_variable(dimod.INTEGER, name, lower_bound=low, upper_bound=high)

    for i in np.flatnonzero(linear).tolist():
        declare(i)
        model.add_linear(qcbo.names[i], float(linear[i]))
    for i, j, value in products:
        declare(i)
        declare(j)
        if i != j:
            model.add_quadratic(qcbo.names[i], qcbo.names[j], value)
    for index, value in squares.items():
        if binary[index]:
            model.add_linear(qcbo.names[index], value)
        else:
            model.add_quadratic(qcbo.names[index], qcbo.names[index], value)
    return model
