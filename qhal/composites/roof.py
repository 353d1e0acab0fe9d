"""Roof duality: variables that have the same value in every minimum, found by a maximum flow.

P. L. Hammer, P. Hansen, B. Simeone, "Roof duality, complementation and persistency in quadratic 0-1
optimization", Mathematical Programming 28, 121 (1984); E. Boros, P. L. Hammer, "Pseudo-Boolean
optimization", Discrete Applied Mathematics 123, 155 (2002), section 5.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from qhal.problems.arrays import FloatArray
from qhal.problems.qubo import Qubo

Integers = npt.NDArray[np.int64]

# Coefficients become integers whose magnitudes add up to at most 2^60: finer than float64 adds up.
_TOTAL_BITS = 60
# scipy's flows are int32; what a source or an arc carries in one round stays below 2^30.
_ROUND_BITS = 30
_STEP_BITS = 12


def persistent(qubo: Qubo) -> npt.NDArray[np.int8]:
    """For each variable its value, 0 or 1, in every minimum of `qubo`, or -1 if not known.

    Strong persistency: the literals that the source of the implication network reaches once a
    maximum flow has filled it. "Every minimum" is meant up to 2^-60 of the sum of all magnitudes.
    """
    n = qubo.num_variables
    values = np.full(n, -1, dtype=np.int8)
    network = _implication_network(*_whole_coefficients(qubo))
    if network.nnz == 0:
        return values
    residual = _fill(network, source=2 * n, sink=2 * n + 1)
    reached = breadth_first_order(residual, 2 * n, return_predecessors=False)
    values[reached[reached < n]] = 1
    values[reached[(reached >= n) & (reached < 2 * n)] - n] = 0
    return values


def _whole_coefficients(qubo: Qubo) -> tuple[Integers, Integers, Integers, Integers]:
    """Linear terms, and of each pair the two variables and the coefficient, as integers."""
    entries = sp.coo_array(qubo.matrix)
    data = entries.data
    scaled = np.ldexp(data, -math.frexp(float(np.abs(data).max(initial=0.0)))[1])
    total = float(np.abs(scaled).sum())
    bits = _TOTAL_BITS - math.ceil(math.log2(total)) - 1 if total else 0
    whole = np.rint(np.ldexp(scaled, bits)).astype(np.int64)
    rows, columns = entries.row.astype(np.int64), entries.col.astype(np.int64)
    linear = np.zeros(qubo.num_variables, dtype=np.int64)
    diagonal = rows == columns
    linear[rows[diagonal]] = whole[diagonal]
    pairs = ~diagonal & (whole != 0)
    return linear, rows[pairs], columns[pairs], whole[pairs]


def _implication_network(
    linear: Integers, first: Integers, second: Integers, pairs: Integers
) -> sp.csr_array:
    """Arcs of the posiform: node i is x_i, n + i its negation, 2n is true (source), 2n + 1 false.

    A term c u v with c > 0 says "u implies not v" and "v implies not u", each with capacity c.
    """
    n = len(linear)
    # A negative pair: c x y = c y - c (1 - x) y.
    linear = linear.copy()
    negative = pairs < 0
    np.add.at(linear, second[negative], pairs[negative])
    u = np.where(negative, n + first, first)
    up, down = np.flatnonzero(linear > 0), np.flatnonzero(linear < 0)
    true = np.full(len(up) + len(down), 2 * n)
    u = np.concatenate([u, up, n + down])
    v = np.concatenate([second, true])
    capacity = np.concatenate([np.abs(pairs), linear[up], -linear[down]])
    tails, heads = np.concatenate([u, v]), np.concatenate([_negated(v, n), _negated(u, n)])
    arcs = sp.coo_array((np.tile(capacity, 2), (tails, heads)), shape=(2 * n + 2,) * 2)
    return sp.csr_array(arcs)


def _negated(literals: npt.NDArray[np.intp], n: int) -> npt.NDArray[np.intp]:
    constant = literals >= 2 * n
    return np.where(constant, literals ^ (2 * n) ^ (2 * n + 1), (literals + n) % (2 * n or 1))


def _fill(capacity: sp.csr_array, source: int, sink: int) -> sp.csr_array:
    """The residual capacities after a maximum flow, by scaling: the leading bits first."""
    residual = sp.csr_array(capacity)
    arcs_out = int(residual.indptr[source + 1] - residual.indptr[source])
    most = 2**_ROUND_BITS // max(1, arcs_out)
    shift = max(0, (int(residual.data.max()) // most).bit_length())
    while True:
        rounded = sp.csr_array(residual, copy=True)
        rounded.data = np.minimum(rounded.data >> shift, most).astype(np.int32)
        rounded.eliminate_zeros()
        flow = maximum_flow(sp.csr_matrix(rounded), source, sink).flow
        moved = sp.csr_array(flow.astype(np.int64))
        moved.data <<= shift
        moved.eliminate_zeros()
        if moved.nnz:
            residual = sp.csr_array(residual - moved)
        elif shift:
            shift = max(0, shift - _STEP_BITS)
        else:
            residual.eliminate_zeros()
            return residual


def substituted(qubo: Qubo, values: npt.NDArray[np.int8]) -> tuple[npt.NDArray[np.intp], Qubo]:
    """The variables that `values` leaves free (-1), and the problem over them."""
    free = np.flatnonzero(values < 0)
    ones = (values == 1).astype(np.float64)
    matrix = sp.csr_array(qubo.matrix)
    touching: FloatArray = (matrix + matrix.T) @ ones
    linear = touching[free]
    inner = sp.csr_array(matrix[free][:, free]) + sp.diags_array(linear, shape=(len(free),) * 2)
    return free, Qubo(sp.csr_array(inner), qubo.offset + float(ones @ (matrix @ ones)))
