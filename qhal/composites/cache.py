"""`cache`: the same question is asked once; its answer is kept in an SQLite file."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, ClassVar

from qhal.composite import Composite
from qhal.composites.answers import (
    DamagedError,
    pack,
    pack_exact,
    question_hash,
    seal,
    unpack,
    unpack_exact,
    unseal,
    whole_question_hash,
)
from qhal.composites.recording import as_path
from qhal.errors import InputError
from qhal.oracle import Answer, ExactAnswer, Oracle
from qhal.problems.arrays import States
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo

_WAIT_S = 30.0


class Cache(Composite):
    """Answers from a file what `child` was asked before, in this run or any other.

    The same question: problem, `num_reads`, seed, initial states and time limit, put to the same
    oracle with the same options and of the same version. Threads and processes may share the file.
    An entry that is damaged counts as absent; one that cannot be written (a full disk) is reported
    under ``info["cache"]``, and the answer given all the same.

    Parameters
    ----------
    file : path of the SQLite file, made if it is not there
    """

    name: ClassVar[str] = "cache"
    transparent: ClassVar[bool] = True
    frugal: ClassVar[bool] = True

    def __init__(self, child: Oracle, file: str | os.PathLike[str]) -> None:
        self._path = as_path(file)
        super().__init__(child, file=str(self._path))
        about = [child.info.name, child.info.version, dict(child.options)]
        self._whom = json.dumps(about, sort_keys=True, default=str)
        try:
            with self._database() as database:
                database.execute("PRAGMA journal_mode=WAL")
                database.execute(
                    "CREATE TABLE IF NOT EXISTS answers (question TEXT PRIMARY KEY, line BLOB)"
                )
        except sqlite3.Error as error:
            raise InputError(
                f"cannot use {self._path} as a cache: {error}. Name another file."
            ) from None

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        question = self._question(question_hash(qubo, num_reads, seed, initial_states), time_limit)
        found = self._look_up(question)
        if found is not None:
            with suppress(DamagedError, KeyError):
                return _again(found, qubo.num_variables)
        samples = self.ask(
            qubo,
            num_reads=num_reads,
            seed=seed,
            time_limit=time_limit,
            initial_states=initial_states,
        )
        return samples.states, self.report(samples, **self._keep(question, pack(samples)))

    def solve_exactly(
        self, problem: Qcbo, *, time_limit: float | None = None, seed: int = 0
    ) -> ExactAnswer | None:
        """See `qhal.Oracle.solve_exactly`."""
        question = self._question(whole_question_hash(problem, seed), time_limit)
        found = self._look_up(question)
        own: dict[str, Any] = {"hit": True}
        try:
            answer = None if found is None else unpack_exact(found, problem.num_variables)
        except DamagedError:
            answer = None
        if answer is None:
            answer = self.ask_exactly(problem, time_limit=time_limit, seed=seed)
            if answer is None:
                return None
            own = self._keep(question, pack_exact(answer))
        return replace(answer, info={**answer.info, self.name: own})

    def _question(self, asked: str, time_limit: float | None) -> str:
        text = json.dumps([self._whom, asked, time_limit])
        return hashlib.sha256(text.encode()).hexdigest()

    def _keep(self, question: str, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Write `answer`; what to report of that."""
        line = seal({"question": question, "answer": answer})
        try:
            with self._database() as database:
                database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (question, line))
        except sqlite3.Error as error:
            return {"hit": False, "error": f"not kept in {self._path}: {error}."}
        return {"hit": False}

    def _look_up(self, question: str) -> dict[str, Any] | None:
        """The answer that is kept; None if there is none, or it is damaged."""
        try:
            with self._database() as database:
                row = database.execute(
                    "SELECT line FROM answers WHERE question = ?", (question,)
                ).fetchone()
            return None if row is None else dict(unseal(row[0])["answer"])
        except (sqlite3.Error, DamagedError, KeyError, TypeError, ValueError):
            return None

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A connection of this call's own, closed (and what was written kept) after it."""
        database = sqlite3.connect(self._path, timeout=_WAIT_S)
        try:
            with database:
                yield database
        finally:
            database.close()


def _again(kept: Mapping[str, Any], num_variables: int) -> Answer:
    """The answer that was `kept`, with nothing charged this time."""
    states, info = unpack(kept, num_variables)
    bound = kept["lower_bound"]
    proof = {"proved": bound is not None and info.get("proved", True), "lower_bound": bound}
    spent = {"charged_time_s": 0.0} if "charged_time_s" in info else {}
    return states, info | proof | spent | {"cache": {"hit": True}}
