"""Checks the steps of presolve again, one by one, in rational arithmetic.

Shares no code with `qhal.problems.presolve`: it reads the problem's own coefficients and recomputes
what each step claims. What it is left with is what a certificate's multipliers refer to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import scipy.sparse as sp

from qhal.problems.qcbo import FEASIBILITY_TOLERANCE, Qcbo
from qhal.problems.scaling import whole_number_factor

Key: TypeAlias = tuple[int, ...]
Poly: TypeAlias = dict[Key, Fraction]
_EPS = Fraction(1, 2**52)
_ENUMERATED = 4096


class Refused(Exception):
    """Why a certificate proves nothing."""


def require(condition: bool, what: str) -> None:
    """Raise `Refused` with `what` unless `condition`."""
    if not condition:
        raise Refused(what)


@dataclass
class Row:
    """``terms <= side`` or ``terms == side`` to within `miss`; terms by one or two variables.

    With `miss` 0 the terms are whole numbers, and so hold exactly.
    """

    terms: Poly
    side: Fraction
    equal: bool
    miss: Fraction


class Stated:
    """The problem as far as the steps have led: bounds, rows that are left, objective."""

    def __init__(self, problem: Qcbo) -> None:
        self.low = [int(v) for v in problem.lower]
        self.high = [int(v) for v in problem.upper]
        self.step = [int(v) for v in problem.steps]
        self.offset = Fraction(problem.offset)
        self.objective = _poly(sp.coo_array(problem.quadratic))
        for i, value in enumerate(problem.linear.tolist()):
            if value:
                self.objective[(i,)] = Fraction(value)
        rows = problem.constraints
        self.rows: dict[int, Row] = {}
        for k, sense in enumerate(rows.senses):
            line, pairs = rows.linear[[k]].tocoo(), rows.products[[k]].tocoo()
            linear = zip(line.col.tolist(), line.data.tolist(), strict=True)
            terms: Poly = {(i,): Fraction(value) for i, value in linear}
            for t, value in zip(pairs.col.tolist(), pairs.data.tolist(), strict=True):
                i, j = sorted(rows.pairs[t].tolist())
                terms[i, j] = terms.get((i, j), Fraction(0)) + Fraction(value)
            sign = -1 if sense == ">=" else 1
            side = sign * Fraction(float(rows.rhs[k]))
            terms = {key: sign * value for key, value in terms.items() if value}
            self.rows[k] = self._whole(
                Row(terms, side, sense == "==", self._tolerance(terms, side))
            )

    def _reach(self, key: Key) -> int:
        return math.prod(max(abs(self.low[i]), abs(self.high[i])) for i in key)

    def _tolerance(self, terms: Poly, side: Fraction) -> Fraction:
        """See `Qcbo.tolerances` and `Qcbo.rounding`."""
        least = min((abs(v) for v in terms.values()), default=abs(side))
        size = sum((abs(v) * self._reach(key) for key, v in terms.items()), abs(side))
        return Fraction(FEASIBILITY_TOLERANCE) * min(Fraction(1), least) + lost(
            size, [*terms.values(), side], 2**53
        )

    def _whole(self, row: Row) -> Row:
        """`row` in the whole numbers that it means, if no sum of them is in doubt."""
        factor = whole_number_factor(float(value) for value in row.terms.values())
        if factor is None:
            return row
        terms = {key: Fraction(round(value * factor)) for key, value in row.terms.items()}
        doubt = factor * row.miss + sum(
            abs(terms[key] - factor * value) * self._reach(key) for key, value in row.terms.items()
        )
        top, bottom = math.floor(factor * row.side + doubt), math.ceil(factor * row.side - doubt)
        if doubt >= Fraction(1, 2) or 0 in terms.values():
            return row
        if row.equal and top < bottom:  # nothing meets it
            return Row(terms, Fraction(2 * top + 1, 2), True, Fraction(0))
        return Row(terms, Fraction(top), row.equal, Fraction(0))

    def replay(self, steps: Iterable[Sequence[Any]]) -> None:
        """Check and take every one of `steps`, as `qhal.problems.reductions` lists them."""
        for kind, place, *more in steps:
            if kind in ("lower", "upper", "dominated"):
                require(0 <= place < len(self.low), f"there is no variable {place}.")
                valid = self._moved(kind, place, *more)
            else:
                require(all(k in self.rows for k in (place, *more)), f"row {place} is not there.")
                check = _CHECKS.get(kind)
                valid = check is not None and check(self, place, *more)
            require(valid, f"the presolve step {(kind, place, *more)} does not hold.")

    def extremes(
        self, row: Row, narrowed: dict[int, tuple[int, int]] | None = None
    ) -> list[Fraction]:
        """The least and the most of the linear `row` within the bounds, some of them `narrowed`."""
        ends = [Fraction(0), Fraction(0)]
        for key, value in row.terms.items():
            low, high = self._product(key, narrowed or {})
            ends[0] += value * (low if value > 0 else high)
            ends[1] += value * (high if value > 0 else low)
        return ends

    def _product(self, key: Key, narrowed: dict[int, tuple[int, int]]) -> tuple[int, int]:
        spans = [narrowed.get(i, (self.low[i], self.high[i])) for i in key]
        if len(spans) == 1:
            return spans[0]
        corners = [a * b for a in spans[0] for b in spans[1]]
        return min(corners), max(corners)

    def _excluded(self, row: Row, narrowed: dict[int, tuple[int, int]] | None = None) -> bool:
        least, most = self.extremes(row, narrowed)
        return least > row.side + row.miss or (row.equal and most < row.side - row.miss)

    def _moved(self, kind: str, i: int, value: int, *row: int) -> bool:
        low, high, step = self.low[i], self.high[i], self.step[i]
        if not low <= value <= high or (value - low) % step:
            return False
        if kind == "dominated":
            valid = not row and self._dominated(i, value)
            self.low[i] = self.high[i] = value
            return valid
        if len(row) != 1 or row[0] not in self.rows:
            return False
        beyond = (value + step, high) if kind == "upper" else (low, value - step)
        valid = beyond[0] > beyond[1] or self._excluded(self.rows[row[0]], {i: beyond})
        self.low[i], self.high[i] = (low, value) if kind == "upper" else (value, high)
        return valid

    def _dominated(self, i: int, value: int) -> bool:
        """Whether moving x_i to `value`, one of its bounds, breaks no row and costs nothing."""
        down = value == self.low[i]
        if not down and value != self.high[i]:
            return False
        for row in self.rows.values():
            if any(i in key and len(key) > 1 for key in row.terms):
                return False
            weight = row.terms.get((i,), Fraction(0))
            if weight and (row.equal or row.miss or (weight < 0) == down):
                return False
        others = (
            (value + self.step[i], self.high[i]) if down else (self.low[i], value - self.step[i])
        )
        sign = 1 if down else -1
        slope = sign * self.objective.get((i,), Fraction(0))
        for key, weight in self.objective.items():
            if len(key) == 2 and i in key:
                (other,) = {*key} - {i} or {i}
                ends = (self.low[other], self.high[other])
                if other == i:
                    ends = (others[0] + value, others[1] + value)
                slope += min(sign * weight * end for end in ends)
        return slope >= 0 or self.low[i] == self.high[i]

    def _free(self, row: Row) -> tuple[Poly, Fraction]:
        """The terms of variables that can still move, and the side that is left for them."""
        fixed = {key for key in row.terms if all(self.low[i] == self.high[i] for i in key)}
        left = row.side - sum(row.terms[key] * math.prod(self.low[i] for i in key) for key in fixed)
        return {key: value for key, value in row.terms.items() if key not in fixed}, Fraction(left)

    def _linear(self, *numbers: int) -> bool:
        rows = [self.rows[k] for k in numbers]
        return all(len(key) == 1 for row in rows for key in row.terms) and not any(
            row.miss for row in rows
        )

    def _scaled(self, k: int) -> bool:
        row, (terms, side) = self.rows[k], self._free(self.rows[k])
        divisor = math.gcd(*(int(value) for value in terms.values()))
        if not self._linear(k) or not divisor or (row.equal and (side / divisor).denominator > 1):
            return False
        side = Fraction(math.floor(side / divisor))
        scaled = {key: value / divisor for key, value in terms.items()}
        self.rows[k] = Row(scaled, side, row.equal, row.miss)
        return True

    def _clipped(self, k: int) -> bool:
        row, (terms, side) = self.rows[k], self._free(self.rows[k])
        excess = self.extremes(Row(terms, side, False, row.miss))[1] - side
        if row.equal or not self._linear(k) or excess <= 0:
            return False
        for key, value in terms.items():
            i, step = key[0], self.step[key[0]]
            if self.high[i] - self.low[i] == step and abs(value) * step > excess:
                if excess % step:
                    continue
                cut = abs(value) - excess / step
                side -= cut * (self.high[i] if value > 0 else -self.low[i])
                terms[key] = value - cut if value > 0 else value + cut
        self.rows[k] = Row(terms, side, False, row.miss)
        return True

    def _redundant(self, k: int) -> bool:
        row = self.rows.pop(k)
        least, most = self.extremes(row)
        return most <= row.side and (not row.equal or least >= row.side)

    def _ratio(self, k: int, other: int) -> Fraction:
        """t with row = t * other on what is free, 0 if there is none."""
        (one, _), (two, _) = self._free(self.rows[k]), self._free(self.rows[other])
        if one.keys() != two.keys() or not one or not self._linear(k, other):
            return Fraction(0)
        ratios = {one[key] / two[key] for key in one}
        return ratios.pop() if len(ratios) == 1 else Fraction(0)

    def _implied(self, k: int, other: int) -> bool:
        ratio, row, by = self._ratio(k, other), self.rows[k], self.rows[other]
        side, limit = self._free(row)[1], ratio * self._free(by)[1]
        del self.rows[k]
        if k == other or not ratio or (ratio < 0 and not by.equal) or (row.equal and not by.equal):
            return False
        return side == limit if row.equal else side >= limit

    def _joined(self, k: int, other: int) -> bool:
        ratio, row, by = self._ratio(k, other), self.rows[k], self.rows[other]
        met = self._free(row)[1] == ratio * self._free(by)[1]
        self.rows[k] = Row(row.terms, row.side, True, row.miss)
        del self.rows[other]
        return k != other and ratio < 0 and met and not row.equal and not by.equal

    def contradicts(self, k: int, *others: int) -> bool:
        """Whether nothing within the bounds meets row `k`, or it and another one."""
        if not all(number in self.rows for number in (k, *others)) or len(others) > 1:
            return False
        row = self.rows[k]
        if others:
            return self._clash(k, others[0])
        if self._excluded(row):
            return True
        terms, side = self._free(row)
        divisor = math.gcd(*(int(value) for value in terms.values())) if not row.miss else 0
        if row.equal and divisor and (side / divisor).denominator > 1 and self._linear(k):
            return True
        return self._none_meets(row)

    def _clash(self, k: int, other: int) -> bool:
        ratio = self._ratio(k, other)
        if not ratio:
            return False
        row, by = self.rows[k], self.rows[other]
        side, limit = self._free(row)[1], ratio * self._free(by)[1]
        if row.equal and by.equal:
            return side != limit
        if ratio < 0 or by.equal:  # the other row says at least the limit
            return side < limit
        return row.equal and side > limit

    def _none_meets(self, row: Row) -> bool:
        """Whether no assignment of the row's own variables meets it, if they are few."""
        used = sorted({i for key in row.terms for i in key})
        counts = [(self.high[i] - self.low[i]) // self.step[i] + 1 for i in used]
        if math.prod(counts) > _ENUMERATED:
            return False
        for number in range(math.prod(counts)):
            at = {}
            for i, count in zip(used, counts, strict=True):
                number, digit = divmod(number, count)
                at[i] = self.low[i] + digit * self.step[i]
            value = sum(v * math.prod(at[i] for i in key) for key, v in row.terms.items())
            if value - row.side <= row.miss and (not row.equal or row.side - value <= row.miss):
                return False
        return True


_CHECKS: dict[str, Callable[..., bool]] = {
    "scaled": Stated._scaled,
    "clipped": Stated._clipped,
    "redundant": Stated._redundant,
    "implied": Stated._implied,
    "joined": Stated._joined,
}


def lost(size: Fraction, values: Iterable[Fraction], exact: int) -> Fraction:
    """What float64 may lose in sums of `values` that come to `size`; 0 below `exact` units."""
    unit = math.lcm(*(value.denominator for value in values))
    return Fraction(0) if size * unit < exact else 8 * _EPS * size


def _poly(matrix: Any) -> Poly:
    poly: Poly = {}
    for i, j, value in zip(
        matrix.row.tolist(), matrix.col.tolist(), matrix.data.tolist(), strict=True
    ):
        poly[i, j] = Fraction(value)
    return poly
