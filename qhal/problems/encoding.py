"""From a `Qcbo` to a `BinaryProgram`: integers to bits, inequalities to slack, quadratics to forms.

A quadratic constraint is kept as it is if its extreme value is the one required (then it is a
non-negative form that must vanish, exact in the lift); otherwise each product x y becomes a helper
bit u with the non-negative form 3u + xy - 2ux - 2uy (Rosenberg 1975), and the row becomes linear.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.problems.arrays import FloatArray
from qhal.problems.bitrows import BitRows
from qhal.problems.bits import fitted_weights
from qhal.problems.constraints import Constraints
from qhal.problems.program import BinaryProgram, IntegerCode, Slack
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo
from qhal.problems.substitution import Substitution

GRID_STEPS = 2**12
UNARY_SPAN = 1


def encode(
    problem: Qcbo,
    source: Qcbo | None = None,
    *,
    unary_span: int = UNARY_SPAN,
    slack_free: bool = False,
) -> BinaryProgram:
    """The program over bits whose feasible points and objective are those of `problem`.

    `source` is the problem that the values in those bits are values of, if `problem` is only a
    tighter statement of it (see `qhal.problems.presolve`). Slack in a range of up to `unary_span`
    whole numbers is a sum of bits of weight 1, else range-fitted binary. `slack_free` keeps
    inequalities as they are, with a multiplier >= 0 and no squares: their forms can be negative.
    What is the default was measured (benchmarks/qcgd/slack.py).
    """
    code = IntegerCode.of(problem)
    substitution = Substitution(code.lower.astype(np.float64), code.weights)
    rows = _over_bits(problem, substitution).scaled()
    rows, low, high, contradiction = _open(rows)
    forms, rows, helpers = _split(rows, low, high, slack_free)
    rows, low, _, later = _open(rows)
    rows, misses, slacks = _with_slack(rows, low, unary_span)
    impossible = later if contradiction is None else contradiction
    objective = substitution.objective(problem)
    num_bits = int(rows.linear.shape[1])
    pairs = sp.coo_array(objective.pairs)
    n = len(objective.linear)
    matrix = sp.coo_array(
        (
            np.concatenate([pairs.data, objective.linear]),
            (np.append(pairs.row, np.arange(n)), np.append(pairs.col, np.arange(n))),
        ),
        shape=(num_bits, num_bits),
    )
    return BinaryProgram(
        source or problem,
        code,
        Qubo(sp.csr_array(matrix), problem.offset + objective.constant),
        rows.linear,
        rows.rhs,
        _as_constraints(forms, num_bits),
        helpers,
        slacks,
        misses,
        2 * forms.tolerance,
        rows.numbers,
        forms.numbers,
        None if impossible is None else problem.constraints.labels[impossible],
    )


def _over_bits(problem: Qcbo, substitution: Substitution) -> BitRows:
    """Each constraint of `problem` with its integers replaced by their bits, >= turned round."""
    constraints = problem.constraints
    over = substitution.rows(constraints)
    senses = np.array(constraints.senses, dtype="<U2")
    signs = np.where(senses == ">=", -1.0, 1.0)
    diagonal = over.pairs[:, 0] == over.pairs[:, 1]
    n = substitution.weights.shape[1]
    squares = sp.csr_array(
        (np.ones(diagonal.sum()), (np.flatnonzero(diagonal), over.pairs[diagonal, 0])),
        shape=(len(over.pairs), n),
    )
    flip = sp.diags_array(signs)
    linear = sp.csr_array(flip @ (over.linear + over.products @ squares))
    products = sp.csr_array(flip @ over.products[:, ~diagonal])
    for matrix in (linear, products):
        matrix.eliminate_zeros()
    return BitRows(
        linear,
        products,
        over.pairs[~diagonal],
        signs * over.rhs,
        senses == "==",
        np.arange(len(constraints)),
        problem.tolerances + problem.rounding + over.dropped,
        np.zeros(len(constraints), dtype=bool),
    )


def _open(rows: BitRows) -> tuple[BitRows, FloatArray, FloatArray, int | None]:
    """The rows that the range of their left-hand sides leaves open, and this range.

    Also the number of the first row that it rules out, or None.
    """
    low, high = rows.extremes()
    fractional = rows.whole & rows.equal & (rows.rhs != np.round(rows.rhs))
    above = rows.equal & (rows.rhs > high + rows.tolerance)
    impossible = (rows.rhs < low - rows.tolerance) | above | fractional
    settled = (high <= rows.rhs + rows.tolerance) & (
        ~rows.equal | (rows.rhs - low <= rows.tolerance)
    )
    first = int(rows.numbers[np.argmax(impossible)]) if impossible.any() else None
    kept = np.flatnonzero(~impossible & ~settled)
    return rows[kept], low[kept], high[kept], first


def _split(
    rows: BitRows, low: FloatArray, high: FloatArray, slack_free: bool
) -> tuple[BitRows, BitRows, npt.NDArray[np.intp]]:
    """Non-negative forms that must vanish, linear rows, and the helper bits that these contain.

    `low` and `high` (m,) are the extreme values of the rows' left-hand sides.
    """
    at_least = np.abs(rows.rhs - low) <= rows.tolerance
    at_most = rows.equal & (np.abs(rows.rhs - high) <= rows.tolerance) & ~at_least
    as_form = rows.quadratic & (at_least | at_most)
    free = slack_free & ~rows.equal & ~rows.quadratic
    chosen = np.flatnonzero(as_form | free)
    signs = np.where(at_most[chosen], -1.0, 1.0)
    flip, forms = sp.diags_array(signs, shape=(len(chosen),) * 2), rows[chosen]
    sides = np.where(at_most[chosen], -high[chosen], low[chosen])
    sides = np.where(free[chosen], rows.rhs[chosen], sides)
    rest = rows[np.flatnonzero(~as_form & ~free)]
    used = np.unique(rest.products.indices)
    helpers = rest.pairs[used]
    n, count = rows.linear.shape[1], len(used)
    units = np.arange(count)
    # 3u + xy - 2ux - 2uy for each helper u of x and y.
    number = n + units
    pairs = np.vstack(
        [
            rows.pairs,
            helpers,
            np.column_stack([helpers[:, 0], number]),
            np.column_stack([helpers[:, 1], number]),
        ]
    ).astype(np.intp)
    own = sp.hstack([sp.eye_array(count), -2 * sp.eye_array(count), -2 * sp.eye_array(count)])
    linear = sp.block_diag([flip @ forms.linear, 3 * sp.eye_array(count)])
    products = sp.block_diag([flip @ forms.products, own])
    size = len(chosen) + count
    all_forms = BitRows(
        sp.csr_array(linear, shape=(size, n + count)),
        sp.csr_array(products, shape=(size, len(pairs))),
        pairs,
        np.append(sides, np.zeros(count)),
        np.ones(size, dtype=bool),
        np.append(forms.numbers, np.full(count, -1)),
        np.append(forms.tolerance, np.zeros(count)),
        np.append(forms.whole, np.ones(count, dtype=bool)),
    )
    lines = BitRows(
        sp.csr_array(sp.hstack([rest.linear, rest.products[:, used]], format="csr")),
        sp.csr_array((len(rest), 0)),
        np.zeros((0, 2), dtype=np.intp),
        rest.rhs,
        rest.equal,
        rest.numbers,
        rest.tolerance,
        rest.whole,
    )
    return all_forms, lines, helpers


def _with_slack(
    rows: BitRows, low: FloatArray, unary_span: int
) -> tuple[BitRows, FloatArray, tuple[Slack, ...]]:
    """Turn each ``<=`` into ``==`` by a slack in 0 .. rhs - low; also the rows' misses."""
    rhs, misses = rows.rhs.copy(), rows.tolerance.copy()
    slacks: list[Slack] = []
    first = int(rows.linear.shape[1])
    for k in np.flatnonzero(~rows.equal).tolist():
        room = rhs[k] - low[k]
        if rows.whole[k]:
            span = round(room)
            unary = np.ones(span, dtype=np.int64) if span <= unary_span else None
            slack = Slack(k, first, fitted_weights(span) if unary is None else unary, 1.0)
        elif room <= rows.tolerance[k]:
            rhs[k], misses[k] = low[k], 2 * rows.tolerance[k]
            continue
        else:
            slack = Slack(k, first, fitted_weights(GRID_STEPS), room / GRID_STEPS)
            misses[k] += slack.step / 2
        if len(slack.weights):
            slacks.append(slack)
            first += len(slack.weights)
    return _with_columns(rows, slacks, rhs), misses, tuple(slacks)


def _with_columns(rows: BitRows, slacks: list[Slack], rhs: FloatArray) -> BitRows:
    owner = np.repeat([s.row for s in slacks], [len(s.weights) for s in slacks]).astype(np.int64)
    data = np.concatenate([np.zeros(0), *(slack.step * slack.weights for slack in slacks)])
    columns = sp.csr_array((data, (owner, np.arange(len(data)))), shape=(len(rows), len(data)))
    linear = sp.csr_array(sp.hstack([rows.linear, columns], format="csr"))
    return BitRows(
        linear,
        rows.products,
        rows.pairs,
        rhs,
        np.ones(len(rows), dtype=bool),
        rows.numbers,
        rows.tolerance,
        rows.whole,
    )


def _as_constraints(forms: BitRows, num_bits: int) -> Constraints:
    """The forms over `num_bits` bits, each pair once."""
    count, width = len(forms), max(num_bits, 1)
    entries = sp.coo_array(forms.products)
    ends = forms.pairs[entries.col]
    keys, columns = np.unique(ends[:, 0] * width + ends[:, 1], return_inverse=True)
    linear = forms.linear
    return Constraints(
        sp.csr_array((linear.data, linear.indices, linear.indptr), shape=(count, num_bits)),
        sp.csr_array((entries.data, (entries.row, columns)), shape=(count, len(keys))),
        np.column_stack([keys // width, keys % width]).astype(np.intp),
        ("==",) * count,
        forms.rhs,
        tuple(f"c{k}" for k in range(count)),
    )
