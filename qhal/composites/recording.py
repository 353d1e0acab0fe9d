"""`record` keeps every answer of an oracle in a file, `replay` gives them again without it.

A recording is a text of JSON lines. The first describes the oracle; each other one is an answer
with the hash of its question, which is the problem, `num_reads`, the seed and the initial states,
or a whole constrained problem and the seed (but no time limit: the answers of a run on the clock
replay as well). Every line ends with its own SHA-256. A line that was cut off, by whatever ended
the process, is passed over; the next one starts afresh.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

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
from qhal.errors import InputError, OracleError
from qhal.oracle import Answer, ExactAnswer, Oracle, OracleInfo
from qhal.problems.arrays import States
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo

FORMAT = "qhal-recording-1"
# Bytes of a line that are still read: the packed states of 10^9 bits.
_MAX_LINE = 2**28
logger = logging.getLogger("qhal.composites")


class Record(Composite):
    """Appends every answer of `child` to a recording, safe on disk before the answer is returned.

    If that fails (a full disk), the answer is returned all the same, with the reason under
    ``info["record"]``: it may have cost money. Several threads and processes may write to one
    recording. Answers and what the oracle reports of them are kept, its options are not.

    Parameters
    ----------
    file : path of the recording; one of the same oracle is continued
    """

    name: ClassVar[str] = "record"
    transparent: ClassVar[bool] = True
    frugal: ClassVar[bool] = True

    def __init__(self, child: Oracle, file: str | os.PathLike[str]) -> None:
        self._path = as_path(file)
        self._lock = threading.Lock()
        super().__init__(child, file=str(self._path))
        self._begin()

    def _begin(self) -> None:
        """Write the first line, or check the one that is there."""
        about = asdict(self.child.info)
        reads = self.child.default_num_reads
        self._first = seal({"format": FORMAT, "oracle": about, "default_num_reads": reads})
        try:
            with self._lock, _locked(self._path) as file:
                known = _header(file, self._path)
                if known is None:
                    _append(file, self._first)
        except OSError as error:
            raise InputError(f"cannot record to {self._path}: {error.strerror or error}.") from None
        if known is not None and known["oracle"]["name"] != about["name"]:
            raise InputError(
                f"{self._path} is a recording of {known['oracle']['name']!r}, not of "
                f"{about['name']!r}: name another file."
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
        samples = self.ask(
            qubo,
            num_reads=num_reads,
            seed=seed,
            time_limit=time_limit,
            initial_states=initial_states,
        )
        failure = self._keep(
            {
                "question": question_hash(qubo, num_reads, seed, initial_states),
                "asked": {"num_reads": num_reads, "seed": seed, "time_limit_s": time_limit},
                "answer": pack(samples),
            }
        )
        return samples.states, self.report(samples, **failure)

    def solve_exactly(
        self, problem: Qcbo, *, time_limit: float | None = None, seed: int = 0
    ) -> ExactAnswer | None:
        """See `qhal.Oracle.solve_exactly`; that the child has no method is recorded as well."""
        answer = self.ask_exactly(problem, time_limit=time_limit, seed=seed)
        if answer is None and not self.info.exact:
            return None
        failure = self._keep(
            {
                "question": whole_question_hash(problem, seed),
                "asked": {"whole_problem": True, "seed": seed, "time_limit_s": time_limit},
                "answer": None if answer is None else pack_exact(answer),
            }
        )
        if answer is None or not failure:
            return answer
        return replace(answer, info={**answer.info, self.name: failure})

    def _keep(self, record: Mapping[str, Any]) -> dict[str, str]:
        """Append `record`; what went wrong, under "error"."""
        try:
            with self._lock, _locked(self._path) as file:
                if not file.seek(0, os.SEEK_END):  # somebody removed it
                    _append(file, self._first)
                _append(file, seal(record))
        except OSError as error:
            reason = f"not recorded to {self._path}: {error.strerror or error}."
            logger.warning("an answer of %s was %s", self.child.info.name, reason)
            return {"error": reason}
        return {}

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())


class Replay(Oracle):
    """Gives the answers of a recording again, bit for bit, to the same questions.

    What was asked several times is answered in the order of the recording, then from its start
    again. A question that is not in it is an `OracleError`.

    Parameters
    ----------
    file : path of a recording that `record` made
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self._path = as_path(file)
        self._places: dict[str, list[int]] = defaultdict(list)
        self._asked: dict[str, int] = defaultdict(int)
        self._known: dict[str, Any] = {}
        self._damaged = 0
        self._lock = threading.Lock()
        header = self._read()
        self.info = _info(header, self._path)
        self.default_num_reads = int(header["default_num_reads"])
        self.options = {}

    def _read(self) -> dict[str, Any]:
        header: dict[str, Any] | None = None
        try:
            with open(self._path, "rb") as file:
                for place, line in _lines(file):
                    try:
                        record = unseal(line)
                    except DamagedError:
                        self._damaged += 1
                        continue
                    if record.get("format") == FORMAT:
                        header = header or record
                    elif "question" in record:
                        self._places[record["question"]].append(place)
                        self._known = record.get("asked", {})
        except OSError as error:
            raise InputError(f"cannot read {self._path}: {error.strerror or error}.") from None
        if header is None:
            raise InputError(
                f"{self._path} is not a recording of qhal, or its start is damaged: make one with "
                "'...|record(file)'."
            )
        return header

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        question = question_hash(qubo, num_reads, seed, initial_states)
        asked = f"{qubo.num_variables} variables, num_reads {num_reads}, seed {seed}"
        with self._answer(question, asked) as answer:
            states, info = unpack(answer, qubo.num_variables)
            proved = answer["lower_bound"] is not None and bool(info.get("proved", True))
            return states, info | {"proved": proved, "lower_bound": answer["lower_bound"]}

    def solve_exactly(
        self, problem: Qcbo, *, time_limit: float | None = None, seed: int = 0
    ) -> ExactAnswer | None:
        """See `qhal.Oracle.solve_exactly`."""
        if not self.info.exact:
            return None
        asked = f"a whole problem of {problem.num_variables} variables, seed {seed}"
        with self._answer(whole_question_hash(problem, seed), asked) as answer:
            return None if answer is None else unpack_exact(answer, problem.num_variables)

    @contextmanager
    def _answer(self, question: str, asked: str) -> Iterator[Any]:
        """The next answer to `question`; what is wrong with it becomes an `OracleError`."""
        with self._lock:
            places = self._places.get(question, [])
            turn, self._asked[question] = self._asked[question], self._asked[question] + 1
        if not places:
            raise OracleError(self._missing(asked))
        try:
            with open(self._path, "rb") as file:
                file.seek(places[turn % len(places)])
                answer = unseal(file.readline(_MAX_LINE))["answer"]
            yield answer
        except (OSError, DamagedError, KeyError, TypeError) as error:
            raise OracleError(f"the recording {self._path} was changed: {error}.") from None

    def _missing(self, asked: str) -> str:
        damaged = f" {self._damaged} of its lines are damaged." if self._damaged else ""
        last = ", ".join(f"{key} {value}" for key, value in self._known.items())
        return (
            f"the recording {self._path} has no answer to this question ({asked}): a replay needs "
            "the problem, the settings and the seed of the run that was recorded. Its last "
            f"question: {last or 'none'}.{damaged}"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())


def as_path(file: Any) -> Path:
    """`file` as an absolute path, or `InputError`."""
    if not isinstance(file, (str, os.PathLike)) or not str(file).strip() or "\0" in str(file):
        raise InputError(f"file must be the path of a file, not {file!r:.80}.")
    path = Path(os.path.expanduser(file)).absolute()
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a regular file: name another one.")
    return path


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """`path` open for appending, with no other process of ours in it."""
    with open(path, "a+b", buffering=0) as file:
        try:
            import fcntl
        except ImportError:  # not on Windows, where one process is to write a recording
            yield file
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _append(file: BinaryIO, line: bytes) -> None:
    """Add `line`, all of it or (if there is an error) nothing."""
    end = file.seek(0, os.SEEK_END)
    if end:
        file.seek(end - 1)
        if file.read(1) != b"\n":
            line = b"\n" + line  # leave behind what was cut off
    try:
        rest = memoryview(line)
        while rest:
            rest = rest[file.write(rest) :]
        if os.path.isfile(file.name):
            os.fsync(file.fileno())
    except OSError:
        if os.path.isfile(file.name):
            file.truncate(end)
        raise


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line that is not empty, with its place."""
    place = 0
    while line := file.readline(_MAX_LINE):  # a longer one comes in pieces, which are damaged
        if line.strip():
            yield place, line
        place += len(line)


def _header(file: BinaryIO, path: Path) -> dict[str, Any] | None:
    """The first whole line; None in an empty file; `InputError` if it is no recording."""
    file.seek(0)
    some = False
    for _, line in _lines(file):
        some = True
        try:
            record = unseal(line)
        except DamagedError:
            continue
        if record.get("format") == FORMAT:
            _info(record, path)
            return record
    if some and not _torn(file):
        raise InputError(f"{path} is there and is no recording of qhal: name another file.")
    return None


def _torn(file: BinaryIO) -> bool:
    """Whether all that is there is the start of a first line."""
    file.seek(0)
    start = file.read(64)
    return start.startswith(b'{"default_num_reads"') and b"\n" not in start


def _info(header: Mapping[str, Any], path: Path) -> OracleInfo:
    """What the recorded oracle said of itself, as the replay can say it."""
    kinds: dict[str, Any] = {
        "exact": bool,
        "seeded": bool,
        "honours_time_limit": bool,
        "accepts_initial_states": bool,
        "coefficient_bits": (int, type(None)),
        "max_variables": (int, type(None)),
        "remote": bool,
    }
    try:
        about = dict(header["oracle"])
        known = {field.name: about[field.name] for field in fields(OracleInfo)}
        for key, value in known.items():
            if not isinstance(value, kinds.get(key, str)):
                raise ValueError(key)
        if int(header["default_num_reads"]) < 1:
            raise ValueError("default_num_reads")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the first line of {path} is not of a recording: {error}.") from None
    info = OracleInfo(**known)
    return replace(
        info,
        summary=f"a recording of {info.name}",
        factory=f"{Replay.__module__}:{Replay.__qualname__}",
        remote=False,
    )


def recorded_answers(path: str | os.PathLike[str]) -> int:
    """How many whole answers the recording at `path` holds."""
    return sum(len(places) for places in Replay(path)._places.values())
