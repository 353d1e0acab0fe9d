"""The form that lifts: bits only, equality rows, and non-negative quadratic forms that vanish."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.problems.arrays import FloatArray, States
from qhal.problems.bits import fitted_bits, fitted_weights
from qhal.problems.constraints import Constraints
from qhal.problems.qcbo import Qcbo, Values
from qhal.problems.qubo import Qubo


@dataclass(frozen=True, eq=False)
class IntegerCode:
    """Values of a problem's variables as bits: value = lower + weights @ bits.

    `weights` is an (n, num_bits) csr_array whose row i holds the range-fitted weights of
    variable i at consecutive columns, in units of its step; a binary variable is its own bit.
    """

    lower: Values
    weights: sp.csr_array

    @classmethod
    def of(cls, problem: Qcbo) -> IntegerCode:
        """The code for the bounds of `problem`; the bit of a spin s is (s + 1) / 2."""
        spans = (problem.upper - problem.lower) // problem.steps
        counts = np.frexp(spans.astype(np.float64))[1]
        starts = np.concatenate([[0], np.cumsum(counts)])
        steps = np.repeat(problem.steps, counts)
        data = np.ones(int(starts[-1]))
        for i in np.flatnonzero(spans > 1).tolist():
            data[starts[i] : starts[i + 1]] = fitted_weights(int(spans[i]))
        shape = (len(spans), len(data))
        weights = sp.csr_array((steps * data, np.arange(shape[1]), starts), shape=shape)
        return cls(problem.lower, weights)

    @property
    def is_identity(self) -> bool:
        """Whether every variable is one bit and equals it."""
        one_each = bool((np.diff(self.weights.indptr) == 1).all())
        return one_each and not self.lower.any() and bool((self.weights.data == 1).all())

    def decode(self, bits: States) -> Values:
        """Values (num_states, n) of `bits` (num_states, num_bits)."""
        if self.is_identity:
            return bits.astype(np.int64)
        decoded = (self.weights @ bits.T.astype(np.float64)).T + self.lower
        return np.asarray(np.rint(decoded), dtype=np.int64)

    def encode(self, values: Values) -> States:
        """Bits (num_states, num_bits) of `values` (num_states, n)."""
        if self.is_identity:
            return values.astype(np.int8)
        starts, weights = self.weights.indptr, self.weights.data
        bits = np.zeros((len(values), len(weights)), dtype=np.int8)
        spans = np.asarray(self.weights.sum(axis=1)).ravel().astype(np.int64)
        offsets = np.clip(values - self.lower, 0, spans)
        single = np.flatnonzero(np.diff(starts) == 1)
        bits[:, starts[single]] = offsets[:, single] > 0
        for i in np.flatnonzero(np.diff(starts) > 1).tolist():
            part = slice(starts[i], starts[i + 1])
            bits[:, part] = fitted_bits(offsets[:, i], weights[part].astype(np.int64))
        return bits


@dataclass(frozen=True)
class Slack:
    """The slack of one row: bits `first` .. `first + len(weights)` in units of `step`."""

    row: int
    first: int
    weights: npt.NDArray[np.int64]
    step: float


@dataclass(frozen=True, eq=False)
class BinaryProgram:
    """Minimise `objective` over N bits subject to ``rows @ x == rhs`` and ``forms == 0``.

    The bits are, in this order, the primary bits (`code`), helper bits (products of two primary
    bits, `helpers`), and slack bits. Made by `qhal.problems.encoding.encode`.

    Attributes
    ----------
    source : Qcbo
    objective : Qubo over the N bits; equals the source's objective
    rows : (m, N) csr_array; rhs : (m,)
        Whole numbers wherever the source's coefficients allow, so the least violation is 1.
    forms : Constraints
        Every row's value minus its rhs is >= 0 on all bits, and must be 0.
    row_misses : (m,); form_misses : (num_forms,)
        By how much the completed bits of a feasible assignment may still miss the row or form: 0
        for whole numbers. A row whose coefficients no common factor makes whole has a tolerance,
        and its slack, if it has one, is a grid.
    row_origins : (m,); form_origins : (num_forms,)
        The number of the encoded problem's row that each comes from, -1 for the forms of helpers.
    contradiction : label or None
        The label of a row that no assignment can meet.
    """

    source: Qcbo
    code: IntegerCode
    objective: Qubo
    rows: sp.csr_array
    rhs: FloatArray
    forms: Constraints
    helpers: npt.NDArray[np.intp]
    slacks: tuple[Slack, ...]
    row_misses: FloatArray
    form_misses: FloatArray
    row_origins: npt.NDArray[np.intp]
    form_origins: npt.NDArray[np.intp]
    contradiction: Hashable

    @property
    def is_whole(self) -> bool:
        """Whether every row and form is one of whole numbers, so that feasible bits miss none."""
        return not self.row_misses.any() and not self.form_misses.any()

    @property
    def num_bits(self) -> int:
        """N: primary, helper and slack bits together."""
        return self.objective.num_variables

    @property
    def num_primary(self) -> int:
        """The bits that code the source's variables."""
        return int(self.code.weights.shape[1])

    def values(self, bits: States) -> Values:
        """The source's values (num_states, n) in `bits` (num_states, N)."""
        return self.code.decode(bits[:, : self.num_primary])

    def complete(self, values: Values) -> States:
        """Bits (num_states, N) of `values` (num_states, n), helper and slack bits recomputed.

        A slack takes the value nearest to what its row needs, so the bits are feasible exactly if
        the values are (but for `row_misses`).
        """
        primary = self.code.encode(values)
        products = primary[:, self.helpers[:, 0]] & primary[:, self.helpers[:, 1]]
        num_slack = self.num_bits - self.num_primary - len(self.helpers)
        bits = np.hstack([primary, products, np.zeros((len(values), num_slack), dtype=np.int8)])
        if self.slacks:
            missing = self.rhs - (self.rows @ bits.T.astype(np.float64)).T
            for slack in self.slacks:
                span = int(slack.weights.sum())
                steps = np.clip(np.rint(missing[:, slack.row] / slack.step), 0, span)
                stop = slack.first + len(slack.weights)
                bits[:, slack.first : stop] = fitted_bits(steps, slack.weights)
        return bits

    def row_residuals(self, bits: npt.NDArray[Any]) -> FloatArray:
        """``rows @ x - rhs``, shape (num_states, m)."""
        return np.asarray((self.rows @ bits.T.astype(np.float64)).T - self.rhs)

    def form_residuals(self, bits: npt.NDArray[Any]) -> FloatArray:
        """Values of the forms, >= 0, shape (num_states, num_forms)."""
        return np.asarray(self.forms.values(bits) - self.forms.rhs)
