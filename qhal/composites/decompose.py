"""`decompose`: problems larger than a machine, a block of variables at a time."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import breadth_first_order

from qhal.composite import Composite
from qhal.composites.options import choice, whole
from qhal.errors import InputError
from qhal.oracle import Answer, Oracle, OracleInfo
from qhal.problems.arrays import FloatArray, States, distinct_rows
from qhal.problems.qubo import Qubo

Indices = npt.NDArray[np.intp]
METHODS = ("energy-impact", "connected")


class Decompose(Composite):
    """Improves one state of a large problem block by block, the other variables held.

    Each pass splits the variables into blocks, asks `child` for each block with the fields of what
    is held, and keeps the best answer if it is no worse. The run ends after `passes`, after a pass
    without progress, or when the time is up; the answer is the best distinct states that were seen.
    Problems that fit go to the child as they are. A heuristic: never exact.

    Parameters
    ----------
    size : variables of a block, whole number >= 1; default the child's `max_variables`
    method : "energy-impact" or "connected"
        Blocks of the variables whose flips would lower the energy most (or raise it least) first,
        as in dwave-hybrid's EnergyImpactDecomposer; or blocks that hang together in the graph,
        grown from a random variable.
    passes : passes over all variables at most, whole number >= 1
    """

    name: ClassVar[str] = "decompose"

    def __init__(
        self,
        child: Oracle,
        *,
        size: int | None = None,
        method: str = "energy-impact",
        passes: int = 10,
    ) -> None:
        limit = child.info.max_variables if isinstance(child, Oracle) else None
        if size is None and limit is None:
            raise InputError(
                f"{child.info.name!r} takes any number of variables: say how large a block is to "
                "be, decompose(size=100)."
            )
        self.size = whole("size", limit if size is None else size, 1)
        if limit is not None and self.size > limit:
            raise InputError(
                f"size must be at most {limit}, what {child.info.name!r} takes, not {size}."
            )
        self.method = choice("method", method, METHODS)
        self.passes = whole("passes", passes, 1)
        super().__init__(child, size=size, method=method, passes=passes)

    def describe(self, info: OracleInfo) -> OracleInfo:
        """Any size, and no proof."""
        return replace(info, exact=False, max_variables=None, accepts_initial_states=True)

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        if qubo.num_variables <= self.size:
            samples = self.ask(
                qubo,
                num_reads=num_reads,
                seed=seed,
                time_limit=time_limit,
                initial_states=initial_states,
            )
            return samples.states, self.report(samples, calls=1)
        search = _Search(qubo, num_reads, seed, initial_states)
        deadline = math.inf if time_limit is None else time.perf_counter() + time_limit
        calls, charged, done = 0, 0.0, 0
        while done < self.passes:
            before = search.energy
            blocks = search.blocks(self.method, self.size)
            for block in blocks:
                left = (deadline - time.perf_counter()) / len(blocks)
                if calls and left <= 0:
                    done = self.passes
                    break
                samples = self.ask(
                    search.subproblem(block),
                    num_reads=num_reads,
                    seed=int(search.rng.integers(2**32)),
                    time_limit=None if left == math.inf else max(left, 1e-3),
                    initial_states=search.state[np.newaxis, block],
                )
                calls += 1
                charged += samples.info.get("charged_time_s", 0.0)
                search.take(block, samples.states, samples.energies)
            done += 1
            if not search.energy < before:
                break
        info: dict[str, Any] = {self.name: {"calls": calls, "size": self.size}}
        return search.pool, info | ({"charged_time_s": charged} if charged else {})


class _Search:
    """The state that is improved, and the best states seen on the way."""

    def __init__(
        self, qubo: Qubo, num_reads: int, seed: int, initial_states: States | None
    ) -> None:
        self.qubo, self.num_reads = qubo, num_reads
        self.rng = np.random.default_rng(seed)
        matrix = sp.csr_array(qubo.matrix)
        self._matrix = matrix
        pairs = sp.csr_array(sp.triu(matrix, k=1))
        self._couplings = sp.csr_array(pairs + pairs.T)
        if initial_states is not None and len(initial_states):
            self.pool = initial_states
        else:
            self.pool = self.rng.integers(0, 2, (1, qubo.num_variables), dtype=np.int8)
        self._energies = qubo.energies(self.pool)
        best = int(np.argmin(self._energies))
        self.state, self.energy = self.pool[best].copy(), float(self._energies[best])

    def blocks(self, method: str, size: int) -> list[Indices]:
        """All variables, in blocks of at most `size`, each ascending."""
        if method == "connected":
            order = self._walk()
        else:
            gains = (1 - 2 * self.state) * self._fields()
            order = np.argsort(gains, kind="stable")
        count = math.ceil(len(order) / size)
        return [np.sort(block) for block in np.array_split(order, count)]

    def subproblem(self, block: Indices) -> Qubo:
        """The energy of the whole as a function of the bits in `block`."""
        held = self.state.astype(np.float64)
        held[block] = 0
        outside: FloatArray = (self._couplings[block] @ held).astype(np.float64)
        inner = self._matrix[block][:, block] + sp.diags_array(outside, shape=(len(block),) * 2)
        part = Qubo(sp.csr_array(inner))
        here = float(part.energies(self.state[block])[0])
        return Qubo(part.matrix, self.energy - here)

    def take(self, block: Indices, states: States, energies: FloatArray) -> None:
        """Note an answer for `block`, its states sorted by energy."""
        few = states[: self.num_reads]
        full = np.tile(self.state, (len(few), 1))
        full[:, block] = few
        self.pool = np.concatenate([self.pool, full])
        self._energies = np.concatenate([self._energies, energies[: len(few)]])
        if energies[0] <= self.energy:
            self.state = full[0].copy()
            self.energy = float(self.qubo.energies(self.state)[0])
        first, _ = distinct_rows(self.pool)
        keep = first[np.argsort(self._energies[first], kind="stable")[: self.num_reads]]
        self.pool, self._energies = self.pool[keep], self._energies[keep]

    def _fields(self) -> FloatArray:
        fields: FloatArray = self.qubo.linear + self._couplings @ self.state.astype(np.float64)
        return fields

    def _walk(self) -> Indices:
        """All variables in the order of breadth-first walks from random ones."""
        n = self.qubo.num_variables
        seen = np.zeros(n, dtype=bool)
        parts: list[Indices] = []
        for start in self.rng.permutation(n):
            if not seen[start]:
                part = breadth_first_order(
                    self._couplings, start, directed=False, return_predecessors=False
                )
                seen[part] = True
                parts.append(part)
        return np.concatenate(parts)
