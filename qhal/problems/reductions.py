"""The reductions of presolve, on bounds and linear rows; see `qhal.problems.presolve`."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.problems.arrays import FloatArray, lowest_bits
from qhal.problems.bitrows import BitRows
from qhal.problems.qcbo import Qcbo

MAX_ROUNDS = 200
_EXACT = 2.0**53
_EPS = float(np.finfo(np.float64).eps)
Ints: TypeAlias = npt.NDArray[np.int64]
# What was done, in order; rows and variables by their place in the user's problem:
#   ("lower" | "upper", variable, value, row): the row leaves the variable no values beyond
#   ("dominated", variable, value): no optimum is lost if it is that
#   ("scaled", row): whole coprime coefficients on what is not fixed, the side rounded
#   ("clipped", row): coefficients above the row's excess are cut to it
#   ("redundant", row): met by all values within the bounds
#   ("implied", row, other): met wherever the other row is
#   ("joined", row, other): two opposite inequalities are one equality, kept as the first
Step: TypeAlias = tuple[str | int, ...]


class Infeasible(Exception):
    """Nothing meets the `rows` of these numbers, one or two; its text says why."""

    def __init__(self, why: str, *rows: int) -> None:
        super().__init__(why)
        self.rows = rows


class Reductions:
    """Bounds and linear rows (``<=`` and ``==``) while they are being tightened.

    The rows keep their pattern; entries of fixed variables and of dropped rows become 0.
    """

    def __init__(self, problem: Qcbo) -> None:
        constraints = problem.constraints
        self.problem = problem
        self.steps: list[Step] = []
        self.low, self.high = problem.lower.copy(), problem.upper.copy()
        self.numbers = np.flatnonzero(~constraints.quadratic)
        senses = np.array(constraints.senses, dtype="<U2")[self.numbers]
        signs = np.where(senses == ">=", -1.0, 1.0)
        m = len(self.numbers)
        rows = BitRows(
            sp.csr_array(sp.diags_array(signs, shape=(m, m)) @ constraints.linear[self.numbers]),
            sp.csr_array((m, 0)),
            np.zeros((0, 2), dtype=np.intp),
            signs * constraints.rhs[self.numbers],
            senses == "==",
            self.numbers,
            (problem.tolerances + problem.rounding)[self.numbers],
            np.zeros(m, dtype=bool),
        )
        rows.linear.eliminate_zeros()
        scaled = rows.scaled()
        self.matrix = scaled.linear
        self.columns, self.data = self.matrix.indices, self.matrix.data
        self.owner = np.repeat(np.arange(m), np.diff(self.matrix.indptr))
        self.side, self.equal, self.whole = scaled.rhs, rows.equal.copy(), scaled.whole.copy()
        sizes = self._sums(np.abs(self.data) * self._reach()[self.columns]) + np.abs(self.side)
        lengths = np.diff(self.matrix.indptr)
        self.whole &= sizes < _EXACT
        # What a row that is not whole may be missed by, and float64 may lose in adding it up.
        self.slack = scaled.tolerance + np.where(self.whole, 0.0, (lengths + 8) * _EPS * sizes)
        self.alive = self.whole | ~scaled.whole  # what is too large for exact sums stays as it is
        self.dropped, self.changed = np.zeros((2, m), dtype=bool)

    def scale(self) -> None:
        """Take fixed variables out of whole rows, and divide these by their common divisor."""
        fixed = (self.low == self.high)[self.columns] & (self.data != 0)
        fixed &= (self.whole & self.alive)[self.owner]
        self.side -= self._sums(np.where(fixed, self.data * self.low[self.columns], 0.0))
        self.changed[self.owner[fixed]] = True
        self.data[fixed] = 0.0
        lengths = np.diff(self.matrix.indptr)
        divisors = np.zeros(len(self.side), dtype=np.int64)
        whole = np.where(self.whole[self.owner], np.abs(self.data), 0.0).astype(np.int64)
        if len(whole):
            parts = np.gcd.reduceat(whole, self.matrix.indptr[:-1][lengths > 0])
            divisors[lengths > 0] = parts
        chosen = self.whole & self.alive & (divisors > 0)
        missed = chosen & self.equal & (self.side % np.maximum(divisors, 1) != 0)
        if missed.any():
            k = int(np.argmax(missed))
            raise Infeasible(
                "its coefficients have a common divisor that its side does not have.",
                self._number(k),
            )
        for k in np.flatnonzero(chosen & (divisors > 1)).tolist():
            self.data[self.matrix.indptr[k] : self.matrix.indptr[k + 1]] /= divisors[k]
            self.side[k] = self.side[k] // divisors[k]
            self._note(k, "scaled")

    def propagate(self) -> None:
        """Move bounds beyond which a row cannot be met; again until none moves."""
        for _ in range(MAX_ROUNDS):
            least, most = self._activities()
            self._check_possible(least, most)
            room = self.side + self.slack - least
            found = self._moves(room, 1.0)
            above = np.where(self.equal, most - self.side + self.slack, np.inf)
            both = zip(found, self._moves(above, -1.0), strict=True)
            if not self._move(*(np.concatenate(pair) for pair in both)):
                break

    def _check_possible(self, least: FloatArray, most: FloatArray) -> None:
        bad = self.alive & (least > self.side + self.slack)
        bad |= self.alive & self.equal & (most < self.side - self.slack)
        if bad.any():
            k = int(np.argmax(bad))
            raise Infeasible(self._why(self._number(k)), self._number(k))

    def _why(self, row: int) -> str:
        """A sentence on the user's own row, which the present bounds rule out."""
        rows = self.problem.constraints
        line, side, sense = rows.linear[[row]], float(rows.rhs[row]), rows.senses[row]
        ends = np.array([self.low[line.indices], self.high[line.indices]]) * line.data
        least, most = float(ends.min(axis=0).sum()), float(ends.max(axis=0).sum())
        word, extreme = ("least", least) if least > side else ("most", most)
        if (sense != ">=" and least > side) or (sense != "<=" and most < side):
            return (
                f"its left-hand side is at {word} {extreme:.12g} within the bounds that the rest "
                f"of the problem leaves, and has to be {sense} {side:.12g}."
            )
        return "no whole numbers within the bounds that the rest of the problem leaves do that."

    def _moves(self, room: FloatArray, sign: float) -> list[npt.NDArray[np.int64]]:
        """Variables, new bounds, 1 for upper ones, rows, of ``sign * row`` with `room` left."""
        live = np.isfinite(room) & self.alive
        entries = np.flatnonzero((self.data != 0) & live[self.owner])
        rows, variables = self.owner[entries], self.columns[entries]
        coefficients = sign * self.data[entries]
        size, left = np.abs(coefficients), np.maximum(room[rows], 0.0)
        span = (self.high - self.low)[variables].astype(np.float64)
        near = left < size * span  # the others are free already
        rows, variables, size, left = rows[near], variables[near], size[near], left[near]
        upward = coefficients[near] > 0
        steps = np.floor(left / size * (1 + 4 * _EPS))
        whole = self.whole[rows]
        steps[whole] = left[whole].astype(np.int64) // size[whole].astype(np.int64)
        step = self.problem.steps[variables]
        moved = steps.astype(np.int64) // step * step
        bounds = np.where(upward, self.low[variables] + moved, self.high[variables] - moved)
        return [variables.astype(np.int64), bounds, upward.astype(np.int64), rows]

    def _move(
        self,
        variables: npt.NDArray[np.int64],
        bounds: npt.NDArray[np.int64],
        upward: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int64],
    ) -> bool:
        """Take the moves, for each bound the farthest; whether any was one."""
        moved = False
        order = np.lexsort((np.where(upward, bounds, -bounds), upward, variables))
        for t in order.tolist():
            i, bound = int(variables[t]), int(bounds[t])
            # Bounds never cross: then the next activity of the row shows the contradiction.
            if upward[t] and self.low[i] <= bound < self.high[i]:
                self.high[i] = bound
            elif not upward[t] and self.low[i] < bound <= self.high[i]:
                self.low[i] = bound
            else:
                continue
            moved = True
            side = "upper" if upward[t] else "lower"
            self.steps.append((side, i, bound, self._number(int(rows[t]))))
        return moved

    def drop_redundant(self) -> None:
        """Drop rows that everything within the bounds meets."""
        least, most = self._activities()
        spare = np.where(self.whole, 0.0, self.slack)
        met = self.alive & (most <= self.side - spare)
        met &= ~self.equal | (self.whole & (least >= self.side))
        for k in np.flatnonzero(met).tolist():
            self._drop(k, "redundant")

    def clip(self) -> None:
        """Cut the coefficients of two-valued variables to the excess e = max a'x - b of their row.

        With the variable at the value that eases the row, the row is redundant either way; at the
        other one the side moves along, and the excess stays.
        """
        _, most = self._activities()
        excess = most - self.side
        steps = self.problem.steps
        two_valued = (self.high - self.low) == steps
        step = steps[self.columns].astype(np.float64)
        over = excess[self.owner]
        wide = two_valued[self.columns] & (np.abs(self.data) * step > over) & (over % step == 0)
        wide &= (self.alive & self.whole & ~self.equal & (excess > 0))[self.owner]
        if not wide.any():
            return
        cut = np.where(wide, np.abs(self.data) - over / step, 0.0)
        at = np.where(self.data > 0, self.high[self.columns], -self.low[self.columns])
        self.side -= self._sums(cut * at)
        self.data -= np.sign(self.data) * cut
        for k in np.unique(self.owner[wide]).tolist():
            self._note(k, "clipped")

    def compare(self) -> None:
        """Whole rows over the same sum: keep the tightest, join opposite ones that meet."""
        groups: dict[bytes, list[tuple[int, float]]] = {}
        for k in np.flatnonzero(self.alive & self.whole).tolist():
            part = slice(self.matrix.indptr[k], self.matrix.indptr[k + 1])
            used = np.flatnonzero(self.data[part])
            if not len(used):
                continue
            values, columns = self.data[part][used], self.columns[part][used]
            sign = float(np.sign(values[0]))
            key = columns.tobytes() + (sign * values).tobytes()
            groups.setdefault(key, []).append((k, sign))
        for group in groups.values():
            if len(group) > 1:
                self._compare(group)

    def _compare(self, group: list[tuple[int, float]]) -> None:
        """`group` are rows and signs with sign * row over one sum."""
        upper: tuple[float, int] | None = None
        lower: tuple[float, int] | None = None
        order = sorted(group, key=lambda pair: not self.equal[pair[0]])
        for k, sign in order:
            bounds = [sign] if not self.equal[k] else [1.0, -1.0]
            side = sign * float(self.side[k])
            tighter = False
            for direction in bounds:
                if direction > 0 and (upper is None or side < upper[0]):
                    upper, tighter = (side, k), True
                if direction < 0 and (lower is None or side > lower[0]):
                    lower, tighter = (side, k), True
            if upper is not None and lower is not None and upper[0] < lower[0]:
                other = lower[1] if upper[1] == k else upper[1]
                name = str(self.problem.constraints.labels[self._number(other)])
                text = f"it contradicts constraint {name!r}."
                raise Infeasible(text, self._number(k), self._number(other))
            if not tighter:
                kept = upper if bounds[0] > 0 else lower
                assert kept is not None
                self._drop(k, "implied", self._number(kept[1]))
        for k, sign in order:
            best = upper if sign > 0 else lower
            if self.alive[k] and best is not None and best[1] != k and not self.equal[k]:
                self._drop(k, "implied", self._number(best[1]))
        if (
            upper is not None
            and lower is not None
            and upper[0] == lower[0]
            and upper[1] != lower[1]
        ):
            k, other = upper[1], lower[1]
            if self.alive[k] and self.alive[other]:
                self.equal[k] = True
                self._note(k, "joined", self._number(other))
                self._remove(other)

    def fix_dominated(self) -> None:
        """Fix variables that neither row nor objective asks to leave one of their bounds."""
        n = self.problem.num_variables
        rows = self.problem.constraints
        held = np.zeros(n, dtype=bool)
        quadratic = rows.quadratic
        held[rows.linear[np.flatnonzero(quadratic)].indices] = True
        held[rows.pairs[rows.products.indices].ravel()] = True
        live = self.alive[self.owner] & (self.data != 0)
        equal = self.equal[self.owner]
        up, down = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        up[self.columns[live & (equal | (self.data > 0))]] = True  # moving up can break a row
        down[self.columns[live & (equal | (self.data < 0))]] = True
        inexact = (~self.whole & ~self.dropped)[self.owner]
        held[self.columns[inexact]] = True
        least, most, lost = self._slopes()
        open_ = (self.low < self.high) & ~held
        to_low = open_ & ~down & (least[0] >= lost)
        to_high = open_ & ~up & ~to_low & (most[1] <= -lost)
        for i in np.flatnonzero(to_low).tolist():
            self.high[i] = self.low[i]
            self.steps.append(("dominated", i, int(self.low[i])))
        for i in np.flatnonzero(to_high).tolist():
            self.low[i] = self.high[i]
            self.steps.append(("dominated", i, int(self.high[i])))

    def _slopes(self) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...], FloatArray]:
        """Extremes within the bounds of (f(x) - f(x, x_i = bound)) / (x_i - bound), all (n,).

        The least and the most, each for the lower and the upper bound, and what float64 may have
        lost, 0 where every sum is exact.
        """
        problem = self.problem
        matrix = sp.csr_array(problem.quadratic)
        diagonal = np.asarray(matrix.diagonal())
        n = problem.num_variables
        coupled = sp.csr_array(matrix + matrix.T - 2 * sp.diags_array(diagonal, shape=(n, n)))
        up, down = coupled.maximum(0), coupled.minimum(0)
        low, high = self.low.astype(np.float64), self.high.astype(np.float64)
        least = problem.linear + up @ low + down @ high
        most = problem.linear + up @ high + down @ low
        ends = [np.array([low + problem.steps, high]), np.array([high - problem.steps, low])]
        bounds = zip(ends, (low, high), strict=True)
        squares = [np.sort(diagonal * (end + bound), axis=0) for end, bound in bounds]
        reach = self._reach()
        size = np.abs(problem.linear) + abs(coupled) @ reach + 4 * np.abs(diagonal) * (reach + 1)
        data = np.concatenate([matrix.data, problem.linear])
        unit = float(lowest_bits(data[data != 0]).min(initial=np.inf))
        counts = np.diff(coupled.indptr) + 8
        lost = np.where(size < unit * _EXACT, 0.0, counts * _EPS * size + 1e-300)
        lows = tuple(np.asarray(least + square[0]) for square in squares)
        highs = tuple(np.asarray(most + square[1]) for square in squares)
        return lows, highs, lost

    def reduced(self) -> Qcbo:
        """The problem with the present bounds and rows; rows that did not change stay as given."""
        problem, source = self.problem, self.problem.constraints
        count, n = len(source), problem.num_variables
        kept, given = np.ones(count, dtype=bool), np.ones(count)
        kept[self.numbers[self.dropped]] = False
        changed = self.changed & ~self.dropped
        given[self.numbers[changed]] = 0.0
        entries = changed[self.owner]
        places = self.numbers[self.owner[entries]], self.columns[entries]
        own = sp.csr_array(sp.coo_array((self.data[entries], places), shape=(count, n)))
        linear = sp.csr_array(sp.diags_array(given, shape=(count, count)) @ source.linear + own)
        linear.eliminate_zeros()
        rhs, senses = source.rhs.copy(), np.array(source.senses, dtype="<U2")
        rhs[self.numbers[changed]] = self.side[changed]
        senses[self.numbers[changed]] = np.where(self.equal[changed], "==", "<=")
        rows = replace(
            source,
            linear=linear[kept],
            products=source.products[kept],
            senses=tuple(senses[kept].tolist()),
            rhs=rhs[kept],
            labels=tuple(label for label, keep in zip(source.labels, kept, strict=True) if keep),
        )
        spins = problem.spins & (self.low < self.high)
        return replace(problem, constraints=rows, lower=self.low, upper=self.high, spins=spins)

    def _activities(self) -> tuple[FloatArray, FloatArray]:
        """The least and the most of each row's left-hand side within the bounds."""
        at_low, at_high = self.data * self.low[self.columns], self.data * self.high[self.columns]
        return self._sums(np.minimum(at_low, at_high)), self._sums(np.maximum(at_low, at_high))

    def _sums(self, entries: FloatArray) -> FloatArray:
        return np.bincount(self.owner, entries, minlength=len(self.numbers)).astype(np.float64)

    def _reach(self) -> FloatArray:
        return np.maximum(np.abs(self.low), np.abs(self.high)).astype(np.float64)

    def _number(self, k: int) -> int:
        return int(self.numbers[k])

    def _note(self, k: int, kind: str, *more: int) -> None:
        self.changed[k] = True
        self.steps.append((kind, self._number(k), *more))

    def _drop(self, k: int, kind: str, *more: int) -> None:
        self._note(k, kind, *more)
        self._remove(k)

    def _remove(self, k: int) -> None:
        self.alive[k], self.dropped[k] = False, True
        self.data[self.matrix.indptr[k] : self.matrix.indptr[k + 1]] = 0.0
