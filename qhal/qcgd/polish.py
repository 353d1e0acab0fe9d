"""Local search from a feasible point: single flips, exchanges of two bits, swaps of assignments."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import scipy.sparse as sp

from qhal.problems.arrays import FloatArray
from qhal.problems.qcbo import Qcbo, Values

MAX_PAIR_MOVES = 200_000
_CHECKED_AT_ONCE = 256


class Polish:
    """Descends from feasible values of a binary `problem` to a local minimum over its moves.

    A move flips one bit, exchanges a 1 with a 0, or, where one-hot rows form an assignment, swaps
    two assigned pairs (four flips). Only improving moves that stay feasible are taken, the best
    first.
    """

    def __init__(self, problem: Qcbo) -> None:
        self._problem = problem
        matrix = sp.csr_array(problem.quadratic)
        self._linear = matrix.diagonal() + problem.linear
        self._couplings = sp.csr_array(
            matrix + matrix.T - 2 * sp.diags_array(matrix.diagonal(), shape=matrix.shape)
        )
        self._swaps = _assignment_table(problem)

    def __call__(self, values: Values, deadline: float = math.inf) -> Values:
        """A feasible local minimum reached from the feasible `values` (n,).

        Or what was reached when `time.perf_counter` passes `deadline`.
        """
        current = values.copy()
        while time.perf_counter() < deadline:
            better = self._best_move(current)
            if better is None:
                break
            current = better
        return current

    def _best_move(self, values: Values) -> Values | None:
        x = values.astype(np.float64)
        direction = 1.0 - 2.0 * x
        flips = direction * (self._linear + self._couplings @ x)
        for moves in (self._single(), self._exchanges(values), self._assignment_swaps(values)):
            found = self._first_feasible(values, moves, flips, direction)
            if found is not None:
                return found
        return None

    def _single(self) -> np.ndarray[tuple[int, int], np.dtype[np.intp]]:
        return np.arange(self._problem.num_variables)[:, np.newaxis]

    def _exchanges(self, values: Values) -> np.ndarray[tuple[int, int], np.dtype[np.intp]]:
        ones, zeros = np.flatnonzero(values), np.flatnonzero(values == 0)
        if len(ones) * len(zeros) > MAX_PAIR_MOVES:
            return np.zeros((0, 2), dtype=np.intp)
        grid = np.meshgrid(ones, zeros, indexing="ij")
        return np.stack(grid, axis=-1).reshape(-1, 2)

    def _assignment_swaps(self, values: Values) -> np.ndarray[tuple[int, int], np.dtype[np.intp]]:
        pairs = [(i, self._swaps[i]) for i in np.flatnonzero(values).tolist() if i in self._swaps]
        places = {place: i for i, place in self._swaps.items()}
        moves = []
        for (i, (a, b)), (j, (c, d)) in itertools.combinations(pairs, 2):
            k, m = places.get((a, d)), places.get((c, b))
            if k is not None and m is not None:
                moves.append((i, j, k, m))
        return np.array(moves, dtype=np.intp).reshape(-1, 4)

    def _first_feasible(
        self,
        values: Values,
        moves: np.ndarray[tuple[int, int], np.dtype[np.intp]],
        flips: FloatArray,
        direction: FloatArray,
    ) -> Values | None:
        """The values after the most improving feasible one of `moves` (k, flips), or None."""
        if not len(moves):
            return None
        change = flips[moves].sum(axis=1)
        for a, b in itertools.combinations(range(moves.shape[1]), 2):
            i, j = moves[:, a], moves[:, b]
            coupling = np.asarray(self._couplings[i, j]).ravel()
            change += direction[i] * direction[j] * coupling
        slack = 1e-9 * max(1.0, float(np.abs(change).max()))
        improving = np.flatnonzero(change < -slack)
        improving = improving[np.argsort(change[improving], kind="stable")]
        for start in range(0, len(improving), _CHECKED_AT_ONCE):
            chosen = moves[improving[start : start + _CHECKED_AT_ONCE]]
            moved = np.tile(values, (len(chosen), 1))
            np.put_along_axis(moved, chosen, 1 - moved[np.arange(len(chosen))[:, None], chosen], 1)
            feasible = np.flatnonzero(self._problem.feasible(moved))
            if len(feasible):
                return np.asarray(moved[feasible[0]])
        return None


def _assignment_table(problem: Qcbo) -> dict[int, tuple[int, int]]:
    """For each variable in exactly two one-hot rows, those rows; used as row and column."""
    constraints = problem.constraints
    rows_of: dict[int, list[int]] = {}
    for k, sense in enumerate(constraints.senses):
        part = slice(constraints.linear.indptr[k], constraints.linear.indptr[k + 1])
        weights = constraints.linear.data[part]
        if sense == "==" and len(weights) and (weights == constraints.rhs[k]).all():
            for i in constraints.linear.indices[part].tolist():
                rows_of.setdefault(i, []).append(k)
    return {i: (rows[0], rows[1]) for i, rows in rows_of.items() if len(rows) == 2}
