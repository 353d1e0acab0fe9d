"""The constrained problem that users write."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.problems.arrays import (
    FloatArray,
    Matrix,
    as_matrix,
    as_vector,
    freeze,
    lowest_bits,
)
from qhal.problems.constraints import ConstraintRows, Constraints
from qhal.problems.ising import Ising
from qhal.problems.qubo import Qubo
from qhal.problems.scaling import whole_number_factor

if TYPE_CHECKING:
    import dimod

Values = npt.NDArray[np.int64]
FEASIBILITY_TOLERANCE = 1e-6
MAX_INTEGER_RANGE = 2**31
MAX_BOUND = 2**53
_ROUNDING = 8 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Qcbo:
    """Minimise x'Qx + c'x + offset over binary and bounded integer x, subject to constraints.

    Build it with `Qcbo.from_arrays` or `Qcbo.from_cqm`, or read it from a file.

    Attributes
    ----------
    quadratic : (n, n) upper triangular matrix Q
        For a binary variable the diagonal is linear (x squared is x); for an integer it is not.
    linear : (n,) array c
    offset : float
    constraints : Constraints
    lower, upper : (n,) int64 arrays
        Bounds, inclusive; 0 and 1 mean a binary variable.
    names : tuple of n hashable labels, usually str; different from each other also as text
    completion : callable or None
        Optional map of values (num_states, n) to values in which the dependent variables are
        recomputed from the free ones (a network's forward pass); must be idempotent.
    spins : (n,) bool array or None
        Which variables take only the values -1 and +1 (their bounds); None means none of them.
    """

    quadratic: Matrix
    linear: FloatArray
    offset: float
    constraints: Constraints
    lower: Values
    upper: Values
    names: tuple[Hashable, ...]
    completion: Callable[[Values], Values] | None = field(default=None, repr=False)
    spins: Any = None

    def __post_init__(self) -> None:
        objective = Qubo(self.quadratic, self.offset)
        n = objective.num_variables
        object.__setattr__(self, "quadratic", objective.matrix)
        object.__setattr__(self, "offset", objective.offset)
        object.__setattr__(self, "linear", freeze(as_vector(self.linear, "the linear part", n)))
        if len(self.names) != n or len(set(map(str, self.names))) != n:
            raise InputError(f"the problem needs {n} variable names, different also as text.")
        for bound in ("lower", "upper"):
            vector = as_vector(getattr(self, bound), f"the {bound} bounds", n)
            if (vector != np.round(vector)).any():
                raise InputError(f"the {bound} bounds must be whole numbers.")
            if (np.abs(vector) > MAX_BOUND).any():
                raise InputError(f"the {bound} bounds must lie within -2^53 and 2^53.")
            object.__setattr__(self, bound, freeze(vector.astype(np.int64)))
        if (self.upper < self.lower).any():
            name = self.names[int(np.argmax(self.upper < self.lower))]
            raise InputError(f"variable {name!r} has a lower bound above its upper bound.")
        if (self.upper - self.lower > MAX_INTEGER_RANGE).any():
            name = self.names[int(np.argmax(self.upper - self.lower))]
            raise InputError(f"integer variable {name!r} needs tighter bounds (range <= 2^31).")
        spins = np.zeros(n) if self.spins is None else as_vector(self.spins, "spins", n)
        object.__setattr__(self, "spins", freeze(spins.astype(bool)))
        if (self.spins & ((self.lower != -1) | (self.upper != 1))).any():
            raise InputError("a spin takes the values -1 and +1, so these must be its bounds.")

    @classmethod
    def from_arrays(
        cls,
        quadratic: Any = None,
        linear: Any = None,
        offset: float = 0.0,
        *,
        A_eq: Any = None,
        b_eq: Any = None,
        A_le: Any = None,
        b_le: Any = None,
        A_ge: Any = None,
        b_ge: Any = None,
        quadratic_constraints: Sequence[tuple[Any, Any, str, float]] = (),
        lower: Any = None,
        upper: Any = None,
        spins: Any = None,
        names: Sequence[Hashable] | None = None,
    ) -> Qcbo:
        """A problem from arrays, dense or scipy sparse.

        Parameters
        ----------
        quadratic : (n, n), upper triangular or symmetric (then pairs count twice), or None
        linear : (n,) or None
        A_eq, b_eq, A_le, b_le, A_ge, b_ge : (r, n) and (r,)
            Rows ``A_eq x == b_eq``, ``A_le x <= b_le``, ``A_ge x >= b_ge``.
        quadratic_constraints : tuples (matrix (n, n), linear (n,) or None, sense, rhs)
            Rows ``x' matrix x + linear'x sense rhs``.
        lower, upper : (n,) whole numbers
            Bounds of integer variables; by default every variable is binary.
        spins : (n,) bool, by default none; a spin takes the values -1 and +1
        names : n labels, by default ``x0, x1, ...``
        """
        given = (quadratic, linear, A_eq, A_le, A_ge)
        sized = next((value for value in given if value is not None), None)
        if sized is None:
            raise InputError("give at least one of quadratic, linear or a constraint matrix.")
        shape = sized.shape if sp.issparse(sized) else np.shape(np.asarray(sized, dtype=object))
        n = int(shape[-1]) if shape else 0
        matrix = sp.csr_array((n, n)) if quadratic is None else Qubo.from_array(quadratic).matrix
        spin = np.zeros(n, bool) if spins is None else as_vector(spins, "spins", n).astype(bool)
        rows = ConstraintRows(n)
        for left, sense, right in ((A_eq, "==", b_eq), (A_le, "<=", b_le), (A_ge, ">=", b_ge)):
            if (left is None) != (right is None):
                raise InputError(f"a {sense!r} constraint needs both its matrix A and its side b.")
            if left is not None:
                rows.add_linear(left, sense, right)
        for constraint in quadratic_constraints:
            if not isinstance(constraint, (tuple, list)) or len(constraint) != 4:
                raise InputError(
                    "a quadratic constraint is a tuple (matrix, linear or None, sense, rhs)."
                )
            rows.add_quadratic(*constraint)
        return cls(
            matrix,
            np.zeros(n) if linear is None else linear,
            offset,
            rows.build(),
            np.where(spin, -1, 0) if lower is None else lower,
            np.ones(n, dtype=np.int64) if upper is None else upper,
            tuple(f"x{i}" for i in range(n)) if names is None else _as_names(names),
            spins=spin,
        )

    @classmethod
    def from_qubo(cls, qubo: Qubo) -> Qcbo:
        """The unconstrained problem `qubo` as a `Qcbo` without constraints."""
        return cls.from_arrays(qubo.matrix, offset=qubo.offset)

    @classmethod
    def from_ising(cls, ising: Ising, names: Sequence[Hashable] | None = None) -> Qcbo:
        """The unconstrained problem `ising` over spins, by default called ``s0, s1, ...``."""
        n = ising.num_variables
        return cls(
            ising.J,
            ising.h,
            ising.offset,
            Constraints.empty(n),
            np.full(n, -1),
            np.full(n, 1),
            tuple(f"s{i}" for i in range(n)) if names is None else tuple(names),
            spins=np.ones(n),
        )

    @classmethod
    def from_cqm(cls, cqm: dimod.ConstrainedQuadraticModel) -> Qcbo:
        """The problem of a `dimod.ConstrainedQuadraticModel` (see `qhal.problems.cqm`)."""
        from qhal.problems.cqm import qcbo_from_cqm

        return qcbo_from_cqm(cqm)

    def to_cqm(self) -> dimod.ConstrainedQuadraticModel:
        """The same problem as a `dimod.ConstrainedQuadraticModel`."""
        from qhal.problems.cqm import cqm_from_qcbo

        return cqm_from_qcbo(self)

    def with_completion(self, completion: Callable[[Values], Values]) -> Qcbo:
        """The same problem with another `completion`."""
        return replace(self, completion=completion)

    @property
    def num_variables(self) -> int:
        """The number of variables, n."""
        return len(self.names)

    @property
    def num_constraints(self) -> int:
        """The number of constraint rows."""
        return len(self.constraints)

    @property
    def is_binary(self) -> npt.NDArray[np.bool_]:
        """Which variables have the bounds 0 and 1, shape (n,)."""
        return np.asarray((self.lower == 0) & (self.upper == 1))

    @property
    def steps(self) -> Values:
        """The distance between neighbouring values of each variable: 2 for spins, else 1."""
        return np.where(self.spins, 2, 1)

    @cached_property
    def tolerances(self) -> FloatArray:
        """By how much each row may be violated and still count as met, shape (num_constraints,).

        10^-6 times its smallest coefficient (its side, if it has none), or 10^-6 if that is less;
        `rounding` comes on top.
        """
        least = _row_minima(self._coefficients, np.abs(self._coefficients.data))
        least = np.where(np.isinf(least), np.abs(self.constraints.rhs), least)
        return FEASIBILITY_TOLERANCE * np.minimum(1.0, least)

    @cached_property
    def rounding(self) -> FloatArray:
        """What float64 may lose in a row's value at worst, shape (num_constraints,).

        0 for rows whose coefficients are whole multiples of a power of two that is not too small.
        """
        rows, reach = self.constraints, np.maximum(np.abs(self.lower), np.abs(self.upper))
        size = self._sizes(reach[np.newaxis, :])[0]
        units = _row_minima(self._coefficients, lowest_bits(self._coefficients.data))
        exact = size < 2.0**53 * np.minimum(units, lowest_bits(rows.rhs))
        return np.where(exact, 0.0, _ROUNDING * size)

    @cached_property
    def objective_step(self) -> Fraction | None:
        """What the objective moves in: objective - offset is always a whole multiple of it.

        0 for a constant objective, None if the coefficients have no common measure.
        """
        matrix = self.quadratic.data if sp.issparse(self.quadratic) else self.quadratic
        sizes = np.unique(np.abs(np.append(matrix, self.linear)))
        sizes = sizes[sizes > 0]
        factor = whole_number_factor(sizes.tolist())
        return None if factor is None else 1 / factor if len(sizes) else Fraction(0)

    @cached_property
    def objective_unit(self) -> float:
        """The median magnitude of the objective's coefficients, 0 if it has none."""
        matrix = self.quadratic.data if sp.issparse(self.quadratic) else self.quadratic
        sizes = np.abs(np.append(matrix, self.linear))
        sizes = sizes[sizes > 0]
        return float(np.quantile(sizes, 0.5, method="lower")) if len(sizes) else 0.0

    def objectives(self, values: Any) -> FloatArray:
        """Objective at `values` (num_states, n), shape (num_states,)."""
        x = self._as_values(values).astype(np.float64)
        products = (self.quadratic.T @ x.T).T if sp.issparse(self.quadratic) else x @ self.quadratic
        energies = np.einsum("ij,ij->i", x, products) + x @ self.linear + self.offset
        return np.asarray(energies, dtype=np.float64)

    def max_violations(self, values: Any) -> FloatArray:
        """Largest violation of any constraint or bound at `values`, >= 0, shape (num_states,)."""
        x = self._as_values(values)
        rows = self.constraints.violations(x).max(axis=1, initial=0.0)
        return np.asarray(np.maximum(rows, self._outside(x)))

    def feasible(self, values: Any) -> npt.NDArray[np.bool_]:
        """Which of `values` meet bounds and rows, these to `tolerances`, shape (num_states,)."""
        x = self._as_values(values)
        tolerances = self.tolerances
        if self.rounding.any():
            tolerances = tolerances + np.where(self.rounding > 0, _ROUNDING * self._sizes(x), 0.0)
        met = (self.constraints.violations(x) <= tolerances).all(axis=1)
        return np.asarray(met & (self._outside(x) == 0))

    def assignment(self, values: Values) -> dict[Hashable, int]:
        """One state's `values` (n,) under the names of the variables."""
        return dict(zip(self.names, values.tolist(), strict=True))

    @cached_property
    def _coefficients(self) -> sp.csr_array:
        """Those of the rows' linear parts and products side by side, without stored zeros."""
        rows = self.constraints
        matrix = sp.csr_array(sp.hstack([rows.linear, rows.products], format="csr"))
        matrix.eliminate_zeros()
        return matrix

    def _sizes(self, values: Values) -> FloatArray:
        """The sum of the magnitudes of a row's terms and side, shape (num_states, m)."""
        x = np.abs(values).astype(np.float64)
        pairs = self.constraints.pairs
        terms = np.hstack([x, x[:, pairs[:, 0]] * x[:, pairs[:, 1]]])
        with np.errstate(over="ignore"):  # such a row is refused where it is used
            sizes = (abs(self._coefficients) @ terms.T).T + np.abs(self.constraints.rhs)
        return np.asarray(sizes, dtype=np.float64)

    def _outside(self, x: Values) -> Values:
        """How far each state is from values that its variables can take, shape (num_states,)."""
        outside = np.maximum(self.lower - x, x - self.upper)
        if self.spins.any():
            outside = np.maximum(outside, self.spins & (x % 2 == 0))
        return np.asarray(outside.max(axis=1, initial=0))

    def _as_values(self, values: Any) -> Values:
        array = as_matrix(np.atleast_2d(np.asarray(values)), "values", self.num_variables)
        if (array != np.round(array)).any():
            raise InputError("values of binary and integer variables must be whole numbers.")
        return np.asarray(array, dtype=np.int64)


def _as_names(names: Any) -> tuple[Hashable, ...]:
    try:
        labels = tuple(names)
        set(labels)
        return labels
    except TypeError:
        raise InputError(
            f"names must be a sequence of hashable labels, such as strings, not {names!r}."
        ) from None


def _row_minima(matrix: sp.csr_array, entries: FloatArray) -> FloatArray:
    """The least of `entries`, one for each stored entry of `matrix`, in each row; inf if none."""
    minima = np.full(matrix.shape[0], np.inf)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    np.minimum.at(minima, rows, entries)
    return minima
