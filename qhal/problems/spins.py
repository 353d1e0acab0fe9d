"""Spins as bits, for whoever only knows bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from qhal.problems.constraints import Constraints
from qhal.problems.qcbo import Qcbo, Values


def over_bits(problem: Qcbo) -> Qcbo:
    """`problem` with every spin s replaced by the bit x = (s + 1) / 2 of the same name.

    Objective and rows keep their values; `spin_values` leads back. The completion is left out.
    """
    if not problem.spins.any():
        return replace(problem, completion=None)
    weights = np.where(problem.spins, 2.0, 1.0)
    low = np.where(problem.spins, -1.0, 0.0)
    scale = sp.diags_array(weights)
    quadratic = sp.csr_array(problem.quadratic)
    offset = problem.offset + float(problem.linear @ low + low @ (quadratic @ low))
    return Qcbo(
        sp.csr_array(scale @ quadratic @ scale),
        weights * (problem.linear + (quadratic + quadratic.T) @ low),
        offset,
        _rows_over_bits(problem.constraints, weights, low),
        np.where(problem.spins, 0, problem.lower),
        problem.upper,
        problem.names,
    )


def spin_values(problem: Qcbo, values: Values) -> Values:
    """The values (..., n) of `problem` that `values` of its `over_bits` stand for."""
    return np.where(problem.spins, 2 * values - 1, values)


def _rows_over_bits(rows: Constraints, weights: np.ndarray, low: np.ndarray) -> Constraints:
    """``x_i x_j = (w_i y_i + l_i) (w_j y_j + l_j)`` in every product, and so in the linear part."""
    first, second = rows.pairs.T
    count, n = len(rows.pairs), len(weights)
    places = np.concatenate([np.arange(count)] * 2)
    other = np.concatenate([low[second], low[first]])
    columns = np.concatenate([first, second])
    crossed = sp.csr_array(sp.coo_array((other, (places, columns)), shape=(count, n)))
    linear = sp.csr_array((rows.linear + rows.products @ crossed) @ sp.diags_array(weights))
    linear.eliminate_zeros()
    products = rows.products @ sp.diags_array(weights[first] * weights[second], shape=(count,) * 2)
    constant = rows.linear @ low + rows.products @ (low[first] * low[second])
    return replace(rows, linear=linear, products=sp.csr_array(products), rhs=rows.rhs - constant)
