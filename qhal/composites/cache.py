"""`cache`: the same question is asked once; its answer is kept in an SQLite file."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from qhal.composite import Composite
from qhal.composites.answers import DamagedError, pack, question_hash, seal, unpack, unseal
from qhal.composites.recording import as_path
from qhal.errors import InputError
from qhal.oracle import Answer, Oracle
from qhal.problems.arrays import States
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
            raise InputError(f"cannot use {self._path} as a cache: {error}.") from None

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        asked = [self._whom, question_hash(qubo, num_reads, seed, initial_states), time_limit]
        question = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        found = self._look_up(question, qubo.num_variables)
        if found is not None:
            return found
        samples = self.ask(
            qubo,
            num_reads=num_reads,
            seed=seed,
            time_limit=time_limit,
            initial_states=initial_states,
        )
        own: dict[str, Any] = {"hit": False}
        line = seal({"question": question, "answer": pack(samples)})
        try:
            with self._database() as database:
                database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (question, line))
        except sqlite3.Error as error:
            own["error"] = f"not kept in {self._path}: {error}."
        return samples.states, self.report(samples, **own)

    def _look_up(self, question: str, num_variables: int) -> Answer | None:
        try:
            with self._database() as database:
                row = database.execute(
                    "SELECT line FROM answers WHERE question = ?", (question,)
                ).fetchone()
            if row is None:
                return None
            record = unseal(row[0])
            states, info = unpack(record["answer"], num_variables)
            bound = record["answer"]["lower_bound"]
        except (sqlite3.Error, DamagedError, KeyError):
            return None
        proof = {"proved": bound is not None and info.get("proved", True), "lower_bound": bound}
        # Nothing was charged this time.
        spent = {"charged_time_s": 0.0} if "charged_time_s" in info else {}
        return states, info | proof | spent | {"cache": {"hit": True}}

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A connection of this call's own, closed (and what was written kept) after it."""
        database = sqlite3.connect(self._path, timeout=_WAIT_S)
        try:
            with database:
                yield database
        finally:
            database.close()
