"""`presolve`: what roof duality and the graph decide need not be asked."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from qhal.composite import Composite
from qhal.composites.roof import persistent, substituted
from qhal.oracle import Answer, ExactAnswer, Oracle
from qhal.problems.arrays import States
from qhal.problems.presolve import presolve
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo
from qhal.reference import Exhaustive
from qhal.samples import Samples, Status

# Components up to this size are solved by looking at every state.
SMALL = 12


class Presolve(Composite):
    """Fixes variables by roof duality and asks `child` for each connected component of the rest.

    Fixed variables have their value in every minimum, so nothing is lost, and a bound that an exact
    child proves for every component is a bound of the whole. Components of up to 12 variables are
    solved by brute force. The best states of all components make the best row of the answer, the
    second best the second, and so on. Whole problems are asked with the tighter bounds and rows of
    `qhal.problems.presolve`.
    """

    name: ClassVar[str] = "presolve"

    def __init__(self, child: Oracle) -> None:
        super().__init__(child)

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        deadline = math.inf if time_limit is None else time.perf_counter() + time_limit
        values = persistent(qubo)
        free, rest = substituted(qubo, values)
        blocks = _components(rest)
        states = np.tile(values, (num_reads, 1))
        seeds = np.random.SeedSequence(seed).generate_state(len(blocks) + 1)
        rng = np.random.default_rng([seed, len(blocks)])
        waiting = sum(len(block) for block in blocks if len(block) > SMALL)
        # Untouched problems are passed on as they are, with their own seed.
        whole = len(blocks) == 1 and len(free) == qubo.num_variables
        asked: list[Samples] = []
        bounds: list[float | None] = [rest.offset]
        for block, own_seed in zip(blocks, seeds, strict=False):
            part = qubo if whole else _part(rest, block)
            if len(block) <= SMALL:
                samples = _ground_states(part)
                rows = rng.integers(len(samples), size=num_reads)
            else:
                left = max(1e-3, deadline - time.perf_counter()) * len(block) / waiting
                columns = free[block]
                samples = self.ask(
                    part,
                    num_reads=num_reads,
                    seed=seed if whole else int(own_seed),
                    time_limit=None if time_limit is None else left,
                    initial_states=None if initial_states is None else initial_states[:, columns],
                )
                waiting -= len(block)
                asked.append(samples)
                rows = np.arange(num_reads) % len(samples)
            states[:, free[block]] = samples.states[rows]
            bound = samples.lower_bound
            bounds.append(None if bound is None else bound - (qubo.offset if whole else 0.0))
        return states, self._report(asked, bounds, len(values) - len(free), blocks)

    def solve_exactly(
        self, problem: Qcbo, *, time_limit: float | None = None, seed: int = 0
    ) -> ExactAnswer | None:
        """See `qhal.Oracle.solve_exactly`."""
        presolved = presolve(problem)
        own = {self.name: dict(presolved.summary)}
        if presolved.reason is not None:
            return ExactAnswer(status=Status.INFEASIBLE, info=own)
        answer = self.ask_exactly(presolved.problem, time_limit=time_limit, seed=seed)
        return None if answer is None else replace(answer, info={**answer.info, **own})

    def _report(
        self,
        asked: list[Samples],
        bounds: list[float | None],
        fixed: int,
        blocks: list[npt.NDArray[np.intp]],
    ) -> dict[str, Any]:
        known = [bound for bound in bounds if bound is not None]
        sizes = sorted((len(block) for block in blocks), reverse=True)
        complete = len(known) == len(bounds)
        return {
            "proved": complete and all(samples.info.get("proved", True) for samples in asked),
            "lower_bound": math.fsum(known) if complete else None,
            self.name: {"fixed": fixed, "components": sizes[:100], "calls": len(asked)},
            "calls": [dict(samples.info) for samples in asked],
            **_charged(asked),
        }


def _components(qubo: Qubo) -> list[npt.NDArray[np.intp]]:
    """The variables of each connected component, ascending; largest components last."""
    if qubo.num_variables == 0:
        return []
    _, labels = connected_components(sp.csr_array(qubo.matrix), directed=False)
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    return sorted(np.split(order, cuts), key=len)


def _part(qubo: Qubo, block: npt.NDArray[np.intp]) -> Qubo:
    return Qubo(sp.csr_array(qubo.matrix)[block][:, block])


def _ground_states(qubo: Qubo) -> Samples:
    """All minima of a small problem, as an exact oracle gives them."""
    samples = Exhaustive().sample(qubo, num_reads=2**qubo.num_variables, seed=0)
    ground = int(np.count_nonzero(samples.energies == samples.energies[0]))
    least = float(samples.energies[0])
    return Samples(samples.states[:ground], samples.energies[:ground], least)


def _charged(asked: list[Samples]) -> dict[str, float]:
    times = [s.info["charged_time_s"] for s in asked if "charged_time_s" in s.info]
    return {"charged_time_s": math.fsum(times)} if times else {}
