"""From a `Qcbo` to a `BinaryProgram`: integers to bits, inequalities to slack, quadratics to forms.

A quadratic constraint is kept as it is if its extreme value is the one required (then it is a
non-negative form that must vanish, exact in the lift); otherwise each product x y becomes a helper
bit u with the non-negative form 3u + xy - 2ux - 2uy (Rosenberg 1975), and the row becomes linear.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import scipy.sparse as sp

from qhal.problems.bits import fitted_weights
from qhal.problems.constraints import ConstraintRows
from qhal.problems.program import BinaryProgram, IntegerCode, Slack
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo
from qhal.problems.scaling import whole_number_factor

GRID_STEPS = 2**12
MAX_LOCAL_BITS = 10
MAX_SUM = 2**52
_MAX_EXPONENT = 1000
Pair = tuple[int, int]


def encode(problem: Qcbo) -> BinaryProgram:
    """The program over bits whose feasible points and objective are those of `problem`."""
    code = IntegerCode.of(problem)
    builder = _Builder(int(code.weights.shape[1]))
    for row in _rows_over_bits(problem, code):
        builder.add(row)
    return builder.build(problem, code)


@dataclass
class _Row:
    """``sum(linear) + sum(products) sense rhs`` over bits."""

    linear: dict[int, float]
    products: dict[Pair, float]
    sense: str
    rhs: float
    label: Hashable
    tolerance: float  # in the row's own units
    whole: bool = False
    miss: float = 0.0  # see BinaryProgram.row_misses

    def negated(self, sense: str) -> _Row:
        linear = {i: -value for i, value in self.linear.items()}
        products = {pair: -value for pair, value in self.products.items()}
        return replace(self, linear=linear, products=products, sense=sense, rhs=-self.rhs)


def _rows_over_bits(problem: Qcbo, code: IntegerCode) -> Iterator[_Row]:
    """Each constraint of `problem` with its integers replaced by their bits."""
    constraints = problem.constraints
    linear = sp.csr_array(constraints.linear @ code.weights)
    rhs = constraints.rhs - constraints.linear @ code.lower.astype(np.float64)
    products, tolerances = constraints.products, problem.tolerances + problem.rounding
    for k, (sense, label) in enumerate(zip(constraints.senses, constraints.labels, strict=True)):
        part = slice(linear.indptr[k], linear.indptr[k + 1])
        columns, data = linear.indices[part].tolist(), linear.data[part].tolist()
        coefficients = dict(zip(columns, data, strict=True))
        tolerance = float(tolerances[k])
        row = _Row(coefficients, {}, sense, float(rhs[k]), label, tolerance)
        for t in range(products.indptr[k], products.indptr[k + 1]):
            i, j = constraints.pairs[products.indices[t]].tolist()
            _add_product(row, code, i, j, float(products.data[t]))
        yield row.negated("<=") if sense == ">=" else row


def _add_product(row: _Row, code: IntegerCode, i: int, j: int, value: float) -> None:
    """Add value * x_i * x_j, with x = lower + weights @ bits."""
    left, right = _bits_of(code, i), _bits_of(code, j)
    low_i, low_j = int(code.lower[i]), int(code.lower[j])
    row.rhs -= value * low_i * low_j
    for bits, other in ((left, low_j), (right, low_i)):
        for bit, weight in bits if other else ():
            row.linear[bit] = row.linear.get(bit, 0.0) + value * other * weight
    for a, weight_a in left:
        for b, weight_b in right:
            if a == b:
                row.linear[a] = row.linear.get(a, 0.0) + value * weight_a * weight_b
            else:
                pair = (min(a, b), max(a, b))
                row.products[pair] = row.products.get(pair, 0.0) + value * weight_a * weight_b


def _bits_of(code: IntegerCode, i: int) -> list[tuple[int, float]]:
    part = slice(code.weights.indptr[i], code.weights.indptr[i + 1])
    return list(
        zip(code.weights.indices[part].tolist(), code.weights.data[part].tolist(), strict=True)
    )


class _Builder:
    """Collects equality rows and forms while helper and slack bits are being added."""

    def __init__(self, num_primary: int) -> None:
        self.num_primary = num_primary
        self.linear_rows: list[_Row] = []
        self.forms: list[_Row] = []
        self.helpers: dict[Pair, int] = {}
        self.contradiction: Hashable = None

    def add(self, row: _Row) -> None:
        row.linear = {i: value for i, value in row.linear.items() if value}
        row.products = {pair: value for pair, value in row.products.items() if value}
        if row.products:
            low, high = _extremes(row)
            if self._settled(row, low, high) or self._as_form(row, low, high):
                return
            self._linearise(row)
        self.linear_rows.append(row)

    def _settled(self, row: _Row, low: float, high: float) -> bool:
        """Whether the range of the left-hand side alone decides the row."""
        if row.rhs < low - row.tolerance or (row.sense == "==" and row.rhs > high + row.tolerance):
            self._contradict(row)
            return True
        if row.sense == "<=":
            return high <= row.rhs + row.tolerance
        return max(row.rhs - low, high - row.rhs) <= row.tolerance

    def _as_form(self, row: _Row, low: float, high: float) -> bool:
        """Keep the row as a form if it asks for the extreme value of its left-hand side."""
        if row.sense == "==" and abs(row.rhs - high) <= row.tolerance:
            row, low = row.negated("=="), -high
        if abs(row.rhs - low) > row.tolerance:
            return False
        row.rhs = low
        form = _whole(row)
        if not form.whole:
            form.miss = 2 * form.tolerance
        self.forms.append(form)
        return True

    def _linearise(self, row: _Row) -> None:
        """Replace each product of `row` by a helper bit."""
        for (x, y), value in row.products.items():
            if (x, y) not in self.helpers:
                u = self.num_primary + len(self.helpers)
                self.helpers[x, y] = u
                products = {(x, y): 1.0, (x, u): -2.0, (y, u): -2.0}
                label = f"{row.label}*{x}*{y}"
                self.forms.append(_Row({u: 3.0}, products, "==", 0.0, label, 0.0, True))
            row.linear[self.helpers[x, y]] = value
        row.products = {}

    def build(self, problem: Qcbo, code: IntegerCode) -> BinaryProgram:
        num_bits = self.num_primary + len(self.helpers)
        kept: list[_Row] = []
        slacks: list[Slack] = []
        for row in self.linear_rows:
            whole = _whole(row)
            low = sum(min(0.0, value) for value in whole.linear.values())
            high = sum(max(0.0, value) for value in whole.linear.values())
            if self._settled(whole, low, high) or self._indivisible(whole):
                continue
            whole.miss = 0.0 if whole.whole else whole.tolerance
            if whole.sense == "<=":
                num_bits = self._add_slack(whole, low, len(kept), num_bits, slacks)
            kept.append(whole)
        rows = _matrix([row.linear for row in kept], num_bits)
        forms = ConstraintRows(num_bits)
        for form, line in zip(self.forms, _matrix_rows(self.forms, num_bits), strict=True):
            terms = [(i, j, value) for (i, j), value in form.products.items()]
            forms.add_terms(terms, line, "==", form.rhs)
        return BinaryProgram(
            problem,
            code,
            _objective_over_bits(problem, code, num_bits),
            rows,
            np.array([row.rhs for row in kept]),
            forms.build(),
            np.array(list(self.helpers), dtype=np.intp).reshape(-1, 2),
            tuple(slacks),
            np.array([row.miss for row in kept]),
            np.array([form.miss for form in self.forms]),
            self.contradiction,
        )

    def _indivisible(self, row: _Row) -> bool:
        """Whether an equality over coprime whole numbers has a fractional right-hand side."""
        if row.whole and row.sense == "==" and row.rhs != round(row.rhs):
            self._contradict(row)
            return True
        return False

    def _contradict(self, row: _Row) -> None:
        if self.contradiction is None:
            self.contradiction = row.label

    def _add_slack(
        self, row: _Row, low: float, index: int, num_bits: int, slacks: list[Slack]
    ) -> int:
        """Turn ``<=`` into ``==`` by a slack in 0 .. rhs - low; returns the new number of bits."""
        if row.whole:
            row.rhs = float(np.floor(row.rhs))
            step, span = 1.0, round(row.rhs - low)
        elif row.rhs - low <= row.tolerance:
            row.rhs, row.miss = low, 2 * row.tolerance
            return num_bits
        else:
            step, span = (row.rhs - low) / GRID_STEPS, GRID_STEPS
            row.miss = row.tolerance + step / 2
        weights = fitted_weights(span)
        if len(weights):
            slacks.append(Slack(index, num_bits, weights, step))
        for k, weight in enumerate(weights.tolist()):
            row.linear[num_bits + k] = weight * step
        return num_bits + len(weights)


def _whole(row: _Row) -> _Row:
    """`row` with coprime whole coefficients if a factor does that, else with none below 1.

    Not if a violation of one unit would be within the tolerance on the unscaled row, nor if sums
    of them would no longer be exact in float64.
    """
    values = [*row.linear.values(), *row.products.values()]
    factor = whole_number_factor(values)
    if factor is None or factor * Fraction(row.tolerance) >= Fraction(1, 2):
        return _scaled(row)
    if factor * (sum(abs(Fraction(value)) for value in values) + abs(Fraction(row.rhs))) > MAX_SUM:
        return _scaled(row)
    tolerance = factor * Fraction(row.tolerance)
    linear = {i: float(round(Fraction(value) * factor)) for i, value in row.linear.items()}
    products = {
        pair: float(round(Fraction(value) * factor)) for pair, value in row.products.items()
    }
    rhs = Fraction(row.rhs) * factor
    if row.sense == "<=":
        side = float(math.floor(rhs + tolerance))
    else:
        side = float(round(rhs)) if abs(rhs - round(rhs)) <= tolerance else float(rhs)
        if side == round(side) and abs(rhs - round(rhs)) > tolerance:
            side = float(math.floor(rhs)) + 0.5
    return _Row(linear, products, row.sense, side, row.label, 0.0, True)


def _scaled(row: _Row) -> _Row:
    """`row` times the power of two that brings its smallest coefficient to 1 .. 2.

    Or less, if its largest one would overflow.
    """
    sizes = [abs(value) for value in (*row.linear.values(), *row.products.values(), row.rhs)]
    exponents = [math.frexp(size)[1] for size in sizes if size]
    if not exponents or len(sizes) == 1:
        return row
    least = min(math.frexp(size)[1] for size in sizes[:-1])
    shift = min(1 - least, _MAX_EXPONENT - max(exponents))
    return replace(
        row,
        linear={i: math.ldexp(value, shift) for i, value in row.linear.items()},
        products={pair: math.ldexp(value, shift) for pair, value in row.products.items()},
        rhs=math.ldexp(row.rhs, shift),
        tolerance=math.ldexp(row.tolerance, shift),
    )


def _extremes(row: _Row) -> tuple[float, float]:
    """Bounds on the row's left-hand side; attained if it has at most `MAX_LOCAL_BITS` bits."""
    local = sorted({*row.linear, *(i for pair in row.products for i in pair)})
    if len(local) > MAX_LOCAL_BITS:
        values = [*row.linear.values(), *row.products.values()]
        return sum(min(0.0, v) for v in values), sum(max(0.0, v) for v in values)
    place = {bit: k for k, bit in enumerate(local)}
    return _local_extremes(
        len(local),
        tuple((place[i], value) for i, value in row.linear.items()),
        tuple((place[i], place[j], value) for (i, j), value in row.products.items()),
    )


@lru_cache(maxsize=4096)
def _local_extremes(
    count: int, linear: tuple[tuple[int, float], ...], products: tuple[tuple[int, int, float], ...]
) -> tuple[float, float]:
    bits = (np.arange(2**count)[:, np.newaxis] >> np.arange(count)) & 1
    values = np.zeros(2**count)
    for i, value in linear:
        values += value * bits[:, i]
    for i, j, value in products:
        values += value * (bits[:, i] & bits[:, j])
    return float(values.min()), float(values.max())


def _objective_over_bits(problem: Qcbo, code: IntegerCode, num_bits: int) -> Qubo:
    """x'Qx + c'x + offset with x = lower + weights @ bits, padded with zeros to `num_bits`."""
    quadratic = sp.csr_array(problem.quadratic)
    lower = code.lower.astype(np.float64)
    symmetric = quadratic + quadratic.T
    pairs = sp.coo_array(code.weights.T @ quadratic @ code.weights)
    linear = code.weights.T @ (problem.linear + symmetric @ lower)
    offset = problem.offset + float(problem.linear @ lower + lower @ (quadratic @ lower))
    row = np.concatenate([np.minimum(pairs.row, pairs.col), np.arange(len(linear))])
    column = np.concatenate([np.maximum(pairs.row, pairs.col), np.arange(len(linear))])
    data = np.concatenate([pairs.data, linear])
    shape = (num_bits, num_bits)
    return Qubo(sp.csr_array(sp.coo_array((data, (row, column)), shape=shape)), offset)


def _matrix(rows: list[dict[int, float]], num_bits: int) -> sp.csr_array:
    lengths = [len(row) for row in rows]
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    indices = np.array([i for row in rows for i in row], dtype=np.int64)
    data = np.array([value for row in rows for value in row.values()], dtype=np.float64)
    return sp.csr_array((data, indices, indptr), shape=(len(rows), num_bits))


def _matrix_rows(rows: list[_Row], num_bits: int) -> Iterator[sp.csr_array]:
    for row in rows:
        yield _matrix([row.linear], num_bits)
