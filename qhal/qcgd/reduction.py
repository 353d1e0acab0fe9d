"""Reduced problems: a call about some of the bits, the others held at a good state.

A machine that holds coefficients in few bits sees a problem of fewer bits more exactly: rows get
shorter, and with them the fields that a squared row puts on its bits. On such machines, and there
only, this pays (benchmarks/qcgd/RESULTS.md). Calls take turns:

- bits on which the best feasible states agree are held (sample persistence: Karimi, Rosenberg,
  Quantum Inf. Process. 16, 2017);
- as many ones as zeros of one of these states are free, all of the rarer kind (a large
  neighbourhood, Shaw, CP 1998), so that what is left of a row of equal coefficients asks for about
  half of its free bits: then its fields vanish. Where rows are many, hardly any exchange of bits
  drawn like this is feasible; there this turn is about the whole problem.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.problems.arrays import States
from qhal.problems.program import BinaryProgram
from qhal.problems.qubo import Qubo

STATES = 5
_LEAST = 4

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Reduction:
    """Bits `free` (in ascending order) of a problem whose others are those of `state` (N,)."""

    state: npt.NDArray[np.int8]
    free: Indices

    def part(self, qubo: Qubo) -> Qubo:
        """`qubo` over the free bits: energies are those of the whole states."""
        held = self.state.copy()
        held[self.free] = 0
        matrix: Any = sp.csr_array(qubo.matrix)
        fields = matrix @ held + matrix.T @ held
        inner = matrix[self.free][:, self.free] + sp.diags_array(
            fields[self.free], shape=(len(self.free), len(self.free))
        )
        offset = float(qubo.energies(held[np.newaxis, :])[0])
        return Qubo(inner if qubo.is_sparse else inner.toarray(), offset)

    def whole(self, states: States) -> States:
        """States of the free bits (k, len(free)) as states of all bits (k, N)."""
        full = np.tile(self.state, (len(states), 1))
        full[:, self.free] = states
        return full


def reduction(program: BinaryProgram, best: States, turn: int, seed: int) -> Reduction | None:
    """Which bits the call number `turn` is about; None for all of them.

    `best` are feasible states (k, N), with fewer than `STATES` of them nothing is held.
    """
    if len(best) < STATES:
        return None
    if turn % 2:
        state, free = best[0], np.flatnonzero((best != best[0]).any(axis=0))
    else:
        rng = np.random.default_rng([seed, turn])
        state = best[rng.integers(len(best))]
        free = _balanced(state, program, rng)
    return Reduction(state, free) if 1 < len(free) < len(state) else None


def _balanced(
    state: npt.NDArray[np.int8], program: BinaryProgram, rng: np.random.Generator
) -> Indices:
    """All primary bits of the rarer value, as many of the other; and all helper and slack bits.

    All bits if there are as many rows and forms as bits of the rarer value.
    """
    num_primary = program.num_primary
    ones, zeros = np.flatnonzero(state[:num_primary]), np.flatnonzero(state[:num_primary] == 0)
    rare, common = sorted((ones, zeros), key=len)
    if len(program.rhs) + len(program.forms) >= len(rare):
        return np.arange(len(state))
    drawn = rng.permutation(common)[: max(len(rare), _LEAST)]
    return np.sort(np.concatenate([rare, drawn, np.arange(num_primary, len(state))]))
