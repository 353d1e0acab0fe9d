"""Rows of constraints, linear and quadratic alike, stored sparse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.problems.arrays import FloatArray, as_matrix, as_square, as_vector, freeze

SENSES = ("==", "<=", ">=")


@dataclass(frozen=True, eq=False)
class Constraints:
    """Rows ``linear @ x + products @ (x[i] * x[j]) sense rhs``; a linear row has no products.

    Attributes
    ----------
    linear : (m, n) csr_array
    products : (m, p) csr_array
        Coefficients of the p products; row k is linear if its products are empty.
    pairs : (p, 2) int array
        The variables i <= j of each product, each pair once (i == j: the square of an integer).
    senses : tuple of "==", "<=" or ">=", length m
    rhs : (m,) array
    labels : tuple of m hashable labels, usually str, different from each other also as text
    """

    linear: sp.csr_array
    products: sp.csr_array
    pairs: npt.NDArray[np.intp]
    senses: tuple[str, ...]
    rhs: FloatArray
    labels: tuple[Hashable, ...]

    def __post_init__(self) -> None:
        for part in (self.linear, self.products, self.pairs, self.rhs):
            freeze(part)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def quadratic(self) -> npt.NDArray[np.bool_]:
        """Which rows have products, shape (m,)."""
        return np.asarray(np.diff(self.products.indptr) > 0)

    def values(self, states: npt.NDArray[Any]) -> FloatArray:
        """Left-hand sides at `states` (num_states, n), shape (num_states, m)."""
        bits = np.asarray(states, dtype=np.float64)
        left = (self.linear @ bits.T).T
        if len(self.pairs):
            pair_values = bits[:, self.pairs[:, 0]] * bits[:, self.pairs[:, 1]]
            left = left + (self.products @ pair_values.T).T
        return np.asarray(left, dtype=np.float64)

    def violations(self, states: npt.NDArray[Any]) -> FloatArray:
        """By how much each row is violated at `states`, >= 0, shape (num_states, m)."""
        excess = self.values(states) - self.rhs
        senses = np.array(self.senses, dtype="<U2")
        excess[:, senses == ">="] *= -1
        equal = senses == "=="
        excess[:, equal] = np.abs(excess[:, equal])
        return np.maximum(excess, 0.0)

    @classmethod
    def empty(cls, num_variables: int) -> Constraints:
        """No rows over `num_variables` variables."""
        return ConstraintRows(num_variables).build()


class ConstraintRows:
    """Collects rows, then builds frozen `Constraints`."""

    def __init__(self, num_variables: int) -> None:
        self._num_variables = num_variables
        self._linear: list[sp.csr_array] = []
        self._pairs: dict[tuple[int, int], int] = {}
        self._products: list[tuple[int, int, float]] = []
        self._senses: list[str] = []
        self._rhs: list[float] = []
        self._labels: list[Hashable] = []

    def add_linear(
        self, matrix: Any, sense: str, rhs: Any, labels: Sequence[Hashable] | None = None
    ) -> None:
        """Add the rows ``matrix @ x sense rhs``; matrix (r, n) or (n,), rhs (r,) or a number."""
        if not sp.issparse(matrix) and np.ndim(matrix) == 1:
            matrix = [matrix]
        rows = as_matrix(matrix, "a constraint matrix", self._num_variables)
        count = int(rows.shape[0])
        right = np.full(count, rhs) if np.ndim(rhs) == 0 else rhs
        vector = as_vector(right, "a constraint's right-hand side", count)
        self._linear.append(sp.csr_array(rows))
        self._append(sense, vector.tolist(), labels)

    def add_quadratic(
        self, matrix: Any, linear: Any, sense: str, rhs: float, label: Hashable = None
    ) -> None:
        """Add ``x' matrix x + linear'x sense rhs``; matrix (n, n), linear (n,) or None."""
        square = sp.coo_array(as_square(matrix, "a constraint's quadratic part"))
        if square.shape[0] != self._num_variables:
            raise InputError(
                f"a constraint's quadratic part must be {self._num_variables} x "
                f"{self._num_variables}, but is {square.shape[0]} x {square.shape[0]}."
            )
        terms = zip(square.row.tolist(), square.col.tolist(), square.data.tolist(), strict=True)
        row = np.zeros(self._num_variables) if linear is None else linear
        self.add_terms(
            [(i, j, value) for i, j, value in terms],
            sp.csr_array(as_matrix([row], "a constraint's linear part", self._num_variables)),
            sense,
            rhs,
            label,
        )

    def add_terms(
        self,
        products: Iterable[tuple[int, int, float]],
        linear: sp.csr_array,
        sense: str,
        rhs: float,
        label: Hashable = None,
    ) -> None:
        """Add one row from product terms ``(i, j, coefficient)`` and a (1, n) linear part."""
        row = len(self._senses)
        for i, j, value in products:
            pair = (i, j) if i <= j else (j, i)
            column = self._pairs.setdefault(pair, len(self._pairs))
            self._products.append((row, column, value))
        self._linear.append(linear)
        side = as_vector([rhs], "a constraint's right-hand side").tolist()
        self._append(sense, side, None if label is None else [label])

    def _append(self, sense: str, rhs: list[float], labels: Sequence[Hashable] | None) -> None:
        if sense not in SENSES:
            raise InputError(f"unknown constraint sense {sense!r}: use '==', '<=' or '>='.")
        first = len(self._senses)
        if labels is None:
            labels = [f"c{first + k}" for k in range(len(rhs))]
        if len(labels) != len(rhs):
            raise InputError(f"{len(rhs)} constraint rows need as many labels, not {len(labels)}.")
        self._senses += [sense] * len(rhs)
        self._rhs += rhs
        self._labels += labels

    def build(self) -> Constraints:
        """The collected rows; raises `InputError` if two share a label."""
        counts = Counter(map(str, self._labels))
        if len(counts) != len(self._labels):
            twice = counts.most_common(1)[0][0]
            raise InputError(f"two constraints share the label {twice!r}: labels must be unique.")
        count = len(self._labels)
        blocks = self._linear or [sp.csr_array((0, self._num_variables))]
        linear = sp.csr_array(sp.vstack(blocks, format="csr"))
        rows, columns, values = zip(*self._products, strict=True) if self._products else ([],) * 3
        products = sp.csr_array((values, (rows, columns)), shape=(count, len(self._pairs)))
        products.eliminate_zeros()
        pairs = np.array(list(self._pairs), dtype=np.intp).reshape(-1, 2)
        return Constraints(
            linear, products, pairs, tuple(self._senses), np.array(self._rhs), tuple(self._labels)
        )
