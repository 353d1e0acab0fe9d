"""Reduced problems: a call about some of the bits, the others held at a good state.

A machine that holds coefficients in few bits sees a problem of fewer bits more exactly: rows get
shorter, and with them the fields that a squared row puts on its bits. And where hardly any sample
is feasible, as with networks, whose feasible states are known from their completion, it is easier
to stay so with most bits held. Elsewhere it does not pay (benchmarks/qcgd/RESULTS.md). Calls take
turns:

- bits on which the best feasible states agree are held (sample persistence: Karimi, Rosenberg,
  Quantum Inf. Process. 16, 2017);
- as many ones as zeros of one of these states are free, all of the rarer kind (a large
  neighbourhood, Shaw, CP 1998), so that what is left of a row of equal coefficients asks for about
  half of its free bits: then its fields vanish. Where rows are many, hardly any exchange of bits
  drawn like this is feasible; there this turn is about the whole problem, or, if feasible samples
  are rare, about what the best two states do not agree on.

While few states are known to be feasible, every second call is about such a neighbourhood of the
best one, or of the one that comes nearest, and the others about the whole problem.
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
RARE = 0.05
_LEAST = 4

Indices = npt.NDArray[np.intp]
State = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Reduction:
    """Bits `free` (in ascending order) of a problem whose others are those of `state` (N,)."""

    state: State
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


def reduction(
    program: BinaryProgram,
    best: States,
    nearest: State | None,
    turn: int,
    seed: int,
    rare: bool = False,
) -> Reduction | None:
    """Which bits the call number `turn` is about; None for all of them.

    `best` are feasible states (k, N), and `nearest` (N,) is the least violated one, None before the
    first call. `rare` says whether hardly any sample is feasible.
    """
    rng = np.random.default_rng([seed, turn])
    if len(best) < STATES:
        state = best[0] if len(best) else nearest
        return None if turn % 2 or state is None else _neighbourhood(program, state, rng)
    if turn % 2:
        return _about(best[0], _disputed(best))
    around = _neighbourhood(program, best[rng.integers(len(best))], rng)
    if around is None and rare:
        return _about(best[0], _disputed(best[:2]))
    return around


def _neighbourhood(
    program: BinaryProgram, state: State, rng: np.random.Generator
) -> Reduction | None:
    """As many ones as zeros of `state` (N,), drawn by `rng`; None if rows are many."""
    ones, zeros = (np.flatnonzero(state[: program.num_primary] == bit) for bit in (1, 0))
    fewer, more = sorted((ones, zeros), key=len)
    if len(program.rhs) + len(program.forms) >= len(fewer):
        return None
    drawn = rng.permutation(more)[: max(len(fewer), _LEAST)]
    others = np.arange(program.num_primary, len(state))  # helper and slack bits
    return _about(state, np.sort(np.concatenate([fewer, drawn, others])))


def _about(state: State, free: Indices) -> Reduction | None:
    return Reduction(state, free) if 1 < len(free) < len(state) else None


def _disputed(states: States) -> Indices:
    """The bits on which `states` do not agree."""
    return np.flatnonzero((states != states[0]).any(axis=0))
