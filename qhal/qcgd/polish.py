"""Local search from a feasible point: single steps, exchanges of two, swaps of assignments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.problems.arrays import FloatArray
from qhal.problems.qcbo import Qcbo, Values

MAX_PAIRS = 200_000
_NOISE = 1e-10
_CHECKED_AT_ONCE = 256
Variables: TypeAlias = npt.NDArray[np.intp]


class Polish:
    """Descends from feasible values of `problem` to a local minimum over its moves.

    A move steps one variable up or down (flips a bit or a spin, changes an integer by a power of
    two), steps one up and another down, or, where one-hot rows form an assignment, swaps two
    assigned pairs (four flips). Only improving moves that stay feasible are taken, the best first.
    Of more than `MAX_PAIRS` exchanges only those of the variables that gain most are looked at.
    """

    def __init__(self, problem: Qcbo) -> None:
        self._problem = problem
        matrix = sp.csr_array(problem.quadratic)
        self._diagonal = np.asarray(matrix.diagonal())
        self._couplings = sp.csr_array(matrix + matrix.T)
        reach = np.maximum(np.abs(problem.lower), np.abs(problem.upper)).astype(np.float64)
        sizes = np.abs(problem.linear) + abs(self._couplings) @ reach
        self._noise = _NOISE * float(sizes.max(initial=0.0))
        self._movable, self._sizes = _step_sizes(problem)
        rows = problem.constraints
        self._rows = rows.linear
        self._columns = sp.csc_array(rows.linear)
        self._has_products = bool(rows.quadratic.any())
        slack = problem.tolerances + problem.rounding
        linear, senses = ~rows.quadratic, np.array(rows.senses, dtype="<U2")
        self._least = np.where(linear & (senses != "<="), rows.rhs - slack, -np.inf)
        self._most = np.where(linear & (senses != ">="), rows.rhs + slack, np.inf)
        self._swaps = _assignment_table(problem)

    def __call__(self, values: Values, halted: Callable[[], bool] = lambda: False) -> Values:
        """A feasible local minimum reached from the feasible `values` (n,).

        Or what was reached when `halted` said that time is up.
        """
        at = _Point(values.copy(), self._gradient(values), self._rows @ values.astype(np.float64))
        while not halted():
            move = self._single(at) or self._exchange(at, halted) or self._swap(at, halted)
            if move is None:
                break
            self._take(at, *move)
        return at.values

    def _gradient(self, values: Values) -> FloatArray:
        return np.asarray(self._problem.linear + self._couplings @ values.astype(np.float64))

    def _take(self, at: _Point, variables: Variables, steps: Values) -> None:
        at.values[variables] += steps
        for i, step in zip(variables.tolist(), steps.tolist(), strict=True):
            for matrix, vector in ((self._couplings, at.gradient), (self._columns, at.sides)):
                part = slice(matrix.indptr[i], matrix.indptr[i + 1])
                vector[matrix.indices[part]] += step * matrix.data[part]

    def _steps(self, at: _Point) -> tuple[Variables, Values, FloatArray]:
        """All single steps within the bounds: variables, steps (down ones first), changes."""
        values, sizes = at.values[self._movable], self._sizes
        down = values - sizes >= self._problem.lower[self._movable]
        up = values + sizes <= self._problem.upper[self._movable]
        variables = np.concatenate([self._movable[down], self._movable[up]])
        steps = np.concatenate([-sizes[down], sizes[up]])
        changes = steps * at.gradient[variables] + steps**2 * self._diagonal[variables]
        return variables, steps, changes

    def _single(self, at: _Point) -> tuple[Variables, Values] | None:
        variables, steps, changes = self._steps(at)
        improving = np.flatnonzero(changes < -self._noise)
        improving = improving[self._allowed(at, variables[improving], steps[improving])]
        order = improving[np.argsort(changes[improving], kind="stable")]
        if not self._has_products:
            order = order[:1]
        return self._first_feasible(at, variables[order, None], steps[order, None], lambda: False)

    def _allowed(self, at: _Point, variables: Variables, steps: Values) -> npt.NDArray[np.bool_]:
        """Which single steps keep every linear row, shape (num_steps,)."""
        starts = self._columns.indptr[variables]
        counts = self._columns.indptr[variables + 1] - starts
        owner = np.repeat(np.arange(len(variables)), counts)
        before = np.concatenate([[0], np.cumsum(counts)[:-1]])
        entries = np.arange(counts.sum()) + np.repeat(starts - before, counts)
        rows = self._columns.indices[entries]
        sides = at.sides[rows] + steps[owner] * self._columns.data[entries]
        broken = (sides < self._least[rows]) | (sides > self._most[rows])
        return np.asarray(np.bincount(owner[broken], minlength=len(variables)) == 0)

    def _exchange(self, at: _Point, halted: Callable[[], bool]) -> tuple[Variables, Values] | None:
        if not self._problem.num_constraints:
            return None
        variables, steps, changes = self._steps(at)
        downs, ups = np.flatnonzero(steps < 0), np.flatnonzero(steps > 0)
        if len(downs) * len(ups) > MAX_PAIRS:
            few = max(math.isqrt(MAX_PAIRS), MAX_PAIRS // max(len(downs), len(ups)))
            downs = downs[np.argsort(changes[downs], kind="stable")[:few]]
            ups = ups[np.argsort(changes[ups], kind="stable")[: MAX_PAIRS // max(1, len(downs))]]
        coupled = self._couplings[variables[downs]][:, variables[ups]].toarray()
        total = changes[downs, None] + changes[ups] + np.outer(steps[downs], steps[ups]) * coupled
        total[variables[downs, None] == variables[ups]] = np.inf
        first, second = np.nonzero(total < -self._noise)
        order = np.argsort(total[first, second], kind="stable")
        moves = np.column_stack([downs[first[order]], ups[second[order]]])
        return self._first_feasible(at, variables[moves], steps[moves], halted)

    def _swap(self, at: _Point, halted: Callable[[], bool]) -> tuple[Variables, Values] | None:
        """Exchange the columns of two rows of an assignment."""
        ones = np.flatnonzero(at.values == 1).tolist()
        pairs = [(i, self._swaps[i]) for i in ones if i in self._swaps]
        places = {place: i for i, place in self._swaps.items()}
        found = []
        for (i, (a, b)), (j, (c, d)) in itertools.combinations(pairs, 2):
            k, m = places.get((a, d)), places.get((c, b))
            if k is not None and m is not None and not at.values[k] and not at.values[m]:
                found.append((i, j, k, m))
        if not found:
            return None
        moves, steps = np.array(found), np.array([-1, -1, 1, 1])
        changes = (steps * at.gradient[moves] + self._diagonal[moves]).sum(axis=1)
        for a, b in itertools.combinations(range(4), 2):
            coupling = np.asarray(self._couplings[moves[:, a], moves[:, b]]).ravel()
            changes += steps[a] * steps[b] * coupling
        improving = np.flatnonzero(changes < -self._noise)
        moves = moves[improving[np.argsort(changes[improving], kind="stable")]]
        return self._first_feasible(at, moves, np.broadcast_to(steps, moves.shape), halted)

    def _first_feasible(
        self, at: _Point, variables: Variables, steps: Values, halted: Callable[[], bool]
    ) -> tuple[Variables, Values] | None:
        """The first of the moves (k, steps) that stays feasible, None if there is none in time."""
        width = variables.shape[1]
        for start in range(0, len(variables), _CHECKED_AT_ONCE):
            if halted():
                return None
            chosen = variables[start : start + _CHECKED_AT_ONCE]
            by = steps[start : start + _CHECKED_AT_ONCE]
            count = len(chosen)
            moved = sp.csr_array(
                (by.ravel(), chosen.ravel(), np.arange(0, count * width + 1, width)),
                shape=(count, len(at.values)),
            )
            sides = at.sides + (self._rows @ moved.T).T.toarray()
            kept = np.flatnonzero(((sides >= self._least) & (sides <= self._most)).all(axis=1))
            for k in kept.tolist():
                if self._stays_feasible(at, chosen[k], by[k]):
                    return chosen[k], by[k]
        return None

    def _stays_feasible(self, at: _Point, variables: Variables, steps: Values) -> bool:
        """The judgement of the problem itself, on the one move that is about to be taken."""
        moved = at.values.copy()
        moved[variables] += steps
        return bool(self._problem.feasible(moved)[0])


class _Point:
    """Where a descent is: values, gradient of the objective, left-hand sides of linear rows."""

    def __init__(self, values: Values, gradient: FloatArray, sides: FloatArray) -> None:
        self.values, self.gradient, self.sides = values, gradient, np.asarray(sides)


def _step_sizes(problem: Qcbo) -> tuple[Variables, Values]:
    """Variables and the sizes by which they may step, a variable for each of its sizes."""
    spans = (problem.upper - problem.lower) // problem.steps
    counts = np.frexp(spans.astype(np.float64))[1]  # sizes 1, 2, 4, ... up to the span
    variables = np.repeat(np.arange(len(spans)), counts)
    powers = np.arange(len(variables)) - np.repeat(np.cumsum(counts) - counts, counts)
    return variables, problem.steps[variables] << powers


def _assignment_table(problem: Qcbo) -> dict[int, tuple[int, int]]:
    """For each bit in exactly two one-hot rows, those rows; used as row and column."""
    constraints, binary = problem.constraints, problem.is_binary
    rows_of: dict[int, list[int]] = {}
    for k, sense in enumerate(constraints.senses):
        part = slice(constraints.linear.indptr[k], constraints.linear.indptr[k + 1])
        weights = constraints.linear.data[part]
        if sense == "==" and len(weights) and (weights == constraints.rhs[k]).all():
            for i in constraints.linear.indices[part].tolist():
                rows_of.setdefault(i, []).append(k)
    return {i: (rows[0], rows[1]) for i, rows in rows_of.items() if len(rows) == 2 and binary[i]}
