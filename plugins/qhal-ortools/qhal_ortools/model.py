"""A whole `Qcbo` as a CP-SAT model: linearised products, whole-number coefficients."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from ortools.sat.python import cp_model

from qhal.errors import InputError
from qhal.problems.qcbo import Qcbo
from qhal_ortools.engine import Engine
from qhal_ortools.scaling import WholeNumbers, round_down, whole_numbers

Values = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
_INT64 = 2**62
_LARGEST = 2.0**53


@dataclass(frozen=True)
class Terms:
    """A sum of coefficients times ``x[first] * x[second]``, or ``x[first]`` where second is -1."""

    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]
    coefficients: FloatArray


@dataclass(frozen=True)
class Outcome:
    """What the solver found: its status, distinct solutions (last is best), and a proved bound."""

    status: cp_model.CpSolverStatus
    solutions: list[Values]
    lower_bound: Fraction | None


class OutOfTime(Exception):
    """The time limit was reached before the search began."""


class Model:
    """`problem` of bits and integers in CP-SAT.

    Rows hold to `tolerances` (num_constraints,), and to what float64 loses in `rounding`; by
    default the problem's own.

    Products of bits are linearised by their four implications (Fortet 1960), bits times integers
    switch the integer on and off, and only integer times integer is left to the solver.

    Raises `InputError` for a row that whole numbers cannot express to within the tolerance and for
    products beyond 2^53; `OutOfTime` if `time.perf_counter()` passes `deadline` meanwhile.
    """

    def __init__(
        self,
        problem: Qcbo,
        engine: Engine,
        deadline: float = math.inf,
        tolerances: FloatArray | None = None,
        rounding: FloatArray | None = None,
    ) -> None:
        self.problem = problem
        self._tolerances = problem.tolerances if tolerances is None else tolerances
        self._rounding = problem.rounding if rounding is None else rounding
        self._engine, self._deadline = engine, deadline
        self._model = cp_model.CpModel()
        self._is_bit = problem.is_binary
        bounds = zip(problem.lower.tolist(), problem.upper.tolist(), strict=True)
        self._variables = [self._model.new_int_var(low, high, "") for low, high in bounds]
        self._products: dict[tuple[int, int], cp_model.IntVar] = {}
        for row in range(problem.num_constraints):
            self._add_row(row)
        self._cost = self._minimise()

    @property
    def scaling_error(self) -> float:
        """By how much the whole-number objective, scaled back, may differ from the true one."""
        return self._cost.error

    def solve(self, *, seed: int, num_workers: int, hint: Values) -> Outcome:
        """Search from `hint` until optimality is proved, the deadline, or the engine's stop."""
        self._hint(hint)
        solver = self._engine.solver
        solver.parameters.num_workers = num_workers
        solver.parameters.random_seed = seed % 2**31
        # The linear relaxation is what proves QUBOs: without it 20 dense bits take 20 times longer.
        solver.parameters.linearization_level = 2
        if math.isfinite(self._deadline):
            left = self._deadline - time.perf_counter()
            solver.parameters.max_time_in_seconds = max(left, 1e-3)
        # The response's bound is 0, not empty, if the search ended before there was one; a bound
        # that was reported is real.
        reported: list[float] = []
        solver.best_bound_callback = reported.append
        seen = _Seen(self._variables)
        status = self._engine.run(self._model, seen)
        if status == cp_model.MODEL_INVALID:
            raise InputError(
                f"CP-SAT cannot take this problem ({self._model.validate()}): "
                "give its integer variables tighter bounds."
            )
        if status == cp_model.INFEASIBLE:
            return Outcome(status, [], None)
        bound = None
        if status == cp_model.OPTIMAL:
            bound = self._true_bound(int(solver.response_proto.inner_objective_lower_bound))
        elif reported:
            bound = self._true_bound(math.floor(math.nextafter(max(reported), -math.inf)))
        return Outcome(status, seen.solutions, bound)

    def _true_bound(self, scaled: int) -> Fraction:
        """A bound on the true objective from one on the whole-number objective."""
        error, offset = Fraction(self._cost.error), Fraction(self.problem.offset)
        return scaled / self._cost.scale - error + offset

    def _minimise(self) -> WholeNumbers:
        matrix = sp.coo_array(self.problem.quadratic)
        terms = _terms(
            self.problem.linear,
            np.column_stack([matrix.row, matrix.col]),
            matrix.data,
        )
        cost = whole_numbers(terms.coefficients, self._reach(terms))
        self._model.minimize(self._sum(terms, cost))
        return cost

    def _add_row(self, row: int) -> None:
        rows = self.problem.constraints
        used = rows.products[[row]].tocoo()
        linear = rows.linear[[row]].toarray()[0]
        terms = _terms(linear, rows.pairs[used.coords[-1]], used.data)
        reach = self._reach(terms)
        whole = whole_numbers(terms.coefficients, reach)
        sense, rhs = rows.senses[row], Fraction(float(rows.rhs[row]))
        tolerance, lost = float(self._tolerances[row]), whole.error
        if lost > tolerance / 2:
            raise InputError(
                f"constraint {rows.labels[row]!r} cannot be written in whole numbers to within "
                f"{tolerance:.3g}: scale it to integer or short decimal coefficients."
            )
        if lost:
            # What Qcbo.feasible itself may lose in adding up coefficients that are not dyadic.
            lost += float(np.abs(terms.coefficients) @ reach) * np.finfo(float).eps * len(reach)
        slack = Fraction(tolerance) + Fraction(float(self._rounding[row])) + Fraction(lost)
        low = -_INT64 if sense == "<=" else math.ceil((rhs - slack) * whole.scale)
        high = _INT64 if sense == ">=" else math.floor((rhs + slack) * whole.scale)
        if low > high:  # no whole number between: CP-SAT overlooks that in a row without variables
            self._model.add_bool_or([])
            return
        sides = (max(-_INT64, min(side, _INT64)) for side in (low, high))
        self._model.add_linear_constraint(self._sum(terms, whole), *sides)

    def _sum(self, terms: Terms, whole: WholeNumbers) -> cp_model.LinearExpr:
        used = np.flatnonzero(whole.numbers)
        pairs = zip(terms.first[used].tolist(), terms.second[used].tolist(), strict=True)
        return cp_model.LinearExpr.weighted_sum(
            [self._variables[i] if j < 0 else self._product(i, j) for i, j in pairs],
            whole.numbers[used].tolist(),
        )

    def _product(self, i: int, j: int) -> cp_model.IntVar:
        """The variable x_i x_j, made when first needed."""
        if i == j and self._is_bit[i]:
            return self._variables[i]
        if (i, j) not in self._products:
            if self._engine.stopped or time.perf_counter() > self._deadline:
                raise OutOfTime
            self._products[i, j] = self._new_product(i, j)
        return self._products[i, j]

    def _new_product(self, i: int, j: int) -> cp_model.IntVar:
        model, x, y = self._model, self._variables[i], self._variables[j]
        if self._is_bit[i] and self._is_bit[j]:
            both = model.new_bool_var("")
            model.add_implication(both, x)
            model.add_implication(both, y)
            model.add_bool_or([~x, ~y, both])
            return both
        low, high = _product_range(self._bounds(i), self._bounds(j), i == j)
        product = model.new_int_var(low, high, "")
        if self._is_bit[i] or self._is_bit[j]:
            bit, number = (x, y) if self._is_bit[i] else (y, x)
            model.add(product == number).only_enforce_if(bit)
            model.add(product == 0).only_enforce_if(~bit)
        else:
            model.add_multiplication_equality(product, [x, y])
        return product

    def _bounds(self, i: int) -> tuple[int, int]:
        return int(self.problem.lower[i]), int(self.problem.upper[i])

    def _reach(self, terms: Terms) -> FloatArray:
        """The largest magnitude of each term's product."""
        largest = np.maximum(np.abs(self.problem.lower), np.abs(self.problem.upper)).astype(float)
        reach = largest[terms.first] * np.where(terms.second < 0, 1.0, largest[terms.second])
        if reach.max(initial=0.0) > _LARGEST:
            raise InputError("integer variables and their products must stay below 2^53.")
        return reach

    def _hint(self, values: Values) -> None:
        """Start the search at `values`, products included."""
        for variable, value in zip(self._variables, values.tolist(), strict=True):
            self._model.add_hint(variable, value)
        for (i, j), product in self._products.items():
            self._model.add_hint(product, int(values[i]) * int(values[j]))


def float_bound(bound: Fraction | None, value: float | None) -> float | None:
    """`bound` as a float that is still a bound, and not above `value`, found in float64."""
    if bound is None:
        return None
    down = round_down(bound)
    return down if value is None else min(down, value)


class _Seen(cp_model.CpSolverSolutionCallback):
    """Keeps every improving solution, each better than the one before."""

    def __init__(self, variables: list[cp_model.IntVar]) -> None:
        super().__init__()
        self._variables = variables
        self.solutions: list[Values] = []

    def on_solution_callback(self) -> None:
        """Called by the solver at each improvement."""
        self.solutions.append(np.array([self.value(v) for v in self._variables], dtype=np.int64))


def _terms(linear: FloatArray, pairs: npt.NDArray[np.intp], products: FloatArray) -> Terms:
    (single,) = np.nonzero(linear)
    return Terms(
        np.concatenate([single, pairs[:, 0]]).astype(np.intp),
        np.concatenate([np.full(len(single), -1), pairs[:, 1]]).astype(np.intp),
        np.concatenate([linear[single], products]),
    )


def _product_range(one: tuple[int, int], other: tuple[int, int], square: bool) -> tuple[int, int]:
    corners = [a * b for a in one for b in other]
    low, high = min(corners), max(corners)
    if square:
        low = 0 if one[0] <= 0 <= one[1] else min(one[0] ** 2, one[1] ** 2)
    return low, high
