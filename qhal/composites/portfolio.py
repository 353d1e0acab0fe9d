"""`portfolio`: several oracles at once, the best of their answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import numpy as np

from qhal.composite import Composite, as_oracle
from qhal.errors import InputError, OracleError, QhalError
from qhal.oracle import Answer, ExactAnswer, Oracle, OracleInfo, exactly
from qhal.problems.arrays import States
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo
from qhal.samples import Samples, Status

T = TypeVar("T")


_PROVED = (Status.OPTIMAL, Status.INFEASIBLE)


class Portfolio(Composite):
    """Asks several oracles the same question in parallel threads and returns the best reads.

    Each oracle gets all the reads and the whole time limit, and a seed of its own; of all they
    return, the `num_reads` lowest are the answer. An oracle that refuses or fails is noted in the
    info and costs the others nothing; if all do, the first one's error is raised. It is exact if
    one of them is: a bound that one proves holds for all.

    Parameters
    ----------
    oracles : one oracle or more
    """

    name: ClassVar[str] = "portfolio"

    def __init__(self, *oracles: Oracle) -> None:
        if not oracles:
            raise InputError("a portfolio needs oracles: portfolio(cim, sa).")
        self._oracles = tuple(as_oracle(oracle) for oracle in oracles)
        super().__init__(oracles[0])
        self.options = {
            f"{i}": dict(each.options) for i, each in enumerate(oracles) if each.options
        }
        self.default_num_reads = max(oracle.default_num_reads for oracle in oracles)

    @property
    def children(self) -> tuple[Oracle, ...]:
        """The oracles inside."""
        return self._oracles

    def describe(self, info: OracleInfo) -> OracleInfo:
        """What all, or some, of the oracles can do."""
        every = [oracle.info for oracle in self._oracles]
        limits = [each.max_variables for each in every]
        bits = [each.coefficient_bits for each in every]
        return replace(
            info,
            name=f"portfolio({', '.join(each.name for each in every)})",
            summary="the best of several oracles",
            exact=any(each.exact for each in every),
            seeded=all(each.seeded for each in every),
            honours_time_limit=all(each.honours_time_limit for each in every),
            accepts_initial_states=any(each.accepts_initial_states for each in every),
            max_variables=None if None in limits else max(filter(None, limits), default=None),
            coefficient_bits=None if None in bits else max(filter(None, bits), default=None),
            connectivity=info.connectivity
            if len({e.connectivity for e in every}) == 1
            else "mixed",
            remote=any(each.remote for each in every),
        )

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        seeds = np.random.SeedSequence(seed).generate_state(len(self._oracles))

        def ask(index: int) -> Samples | QhalError:
            oracle = self._oracles[index]
            start = initial_states if oracle.info.accepts_initial_states else None
            try:
                return oracle.sample(
                    qubo,
                    num_reads=num_reads,
                    seed=int(seeds[index]),
                    time_limit=time_limit,
                    initial_states=start,
                )
            except QhalError as error:
                return error

        answers = _in_threads(ask, len(self._oracles))
        found = [answer for answer in answers if isinstance(answer, Samples)]
        if not found:
            raise _first_error(answers)
        states = np.concatenate([samples.states for samples in found])
        energies = np.concatenate([samples.energies for samples in found])
        best = np.argsort(energies, kind="stable")[:num_reads]
        own = {"answers": [self._line(*pair) for pair in zip(self._oracles, answers, strict=True)]}
        return states[best], _proof(found) | {self.name: own}

    def solve_exactly(
        self, problem: Qcbo, *, time_limit: float | None = None, seed: int = 0
    ) -> ExactAnswer | None:
        """See `qhal.Oracle.solve_exactly`: the first proof stops the others."""

        def ask(index: int) -> ExactAnswer | QhalError | None:
            try:
                answer = exactly(self._oracles[index], problem, time_limit=time_limit, seed=seed)
            except QhalError as error:
                return error
            if answer is not None and answer.status in _PROVED:
                for other in self._oracles[:index] + self._oracles[index + 1 :]:
                    other.stop()
            return answer

        answers = _in_threads(ask, len(self._oracles))
        found = [answer for answer in answers if isinstance(answer, ExactAnswer)]
        if found:
            return _joined(found)
        if all(answer is None for answer in answers):
            return None
        raise _first_error(answers)

    def _line(self, oracle: Oracle, answer: Samples | QhalError) -> dict[str, Any]:
        if isinstance(answer, QhalError):
            return {"oracle": oracle.info.name, "error": str(answer)}
        return {
            "oracle": oracle.info.name,
            "energy": answer.first[1],
            "time_s": answer.time_s,
            "info": {key: answer.info[key] for key in answer.info if key not in ("oracle",)},
        }


def _in_threads(ask: Callable[[int], T | QhalError], count: int) -> list[T | QhalError]:
    """``[ask(0), ask(1), ...]``, at the same time."""
    answers: dict[int, T | QhalError] = {}

    def work(index: int) -> None:
        try:
            answers[index] = ask(index)
        except BaseException as error:  # noqa: BLE001 (a thread has nobody else to tell)
            answers[index] = OracleError(f"unexpected {type(error).__name__}: {error}.")

    # Daemons, so that one that hangs does not keep the process from ending.
    threads = [
        threading.Thread(target=copy_context().run, args=(work, index), daemon=True)
        for index in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[index] for index in range(count)]


def _proof(found: list[Samples]) -> dict[str, Any]:
    bounds = [samples.lower_bound for samples in found if samples.lower_bound is not None]
    proved = any(s.lower_bound is not None and s.info.get("proved", True) for s in found)
    return {"proved": proved, "lower_bound": max(bounds, default=None)}


def _joined(found: list[ExactAnswer]) -> ExactAnswer:
    """A proof, if there is one; else the best values with the best bound."""
    proof = next((answer for answer in found if answer.status in _PROVED), None)
    solved = [answer for answer in found if answer.objective is not None]
    if proof is None:
        bounds = [answer.lower_bound for answer in found if answer.lower_bound is not None]
        best = min(solved, key=lambda answer: answer.objective or 0.0, default=found[0])
        return replace(best, lower_bound=max(bounds, default=None))
    if proof.status is Status.INFEASIBLE and solved:
        raise OracleError(
            "one oracle of the portfolio calls the problem infeasible, another one solved it: "
            "qhal compare shows which."
        )
    return proof


def _first_error(answers: Sequence[object]) -> QhalError:
    errors = [answer for answer in answers if isinstance(answer, QhalError)]
    return next((error for error in errors if isinstance(error, OracleError)), errors[0])
