"""The executor contract: one verb, `_run`; order, errors and lost work are dealt with by core."""

from __future__ import annotations

import importlib
import inspect
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from types import TracebackType
from typing import Any, Self, TypeAlias

from qhal.errors import ExecutorError, InputError, PluginError, did_you_mean
from qhal.executors.attempts import Done, Raised, attempt, worker_name

Function: TypeAlias = Callable[[Any], Any]

TRIES = 3
"""How often a task is tried that fails for reasons of its worker, and how often in a row a round
may lose all of its tasks."""


class WorkersLost(Exception):
    """Raised by `Executor._run` when workers have died; its text says what is known of it."""


class RetryWarning(UserWarning):
    """Tasks were run again; the results are what they would have been without."""


@dataclass(frozen=True)
class Again:
    """What `Executor._run` may yield of a task that it has itself given out again."""

    reason: str


@dataclass(frozen=True)
class Retry:
    """A task that was given out again: its place among the tasks of its `map`, and why."""

    task: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class ExecutorInfo:
    """What a plugin says of its executor; `factory` is ``"module:Class"``."""

    name: str
    summary: str
    factory: str
    distribution: str = ""
    version: str = ""

    def create(self, options: Mapping[str, Any] | None = None) -> Executor:
        """Import the factory and make the executor with `options` (keyword arguments).

        Raises `InputError` for an option the factory does not have, `PluginError` if it cannot be
        imported or makes something that is not an `Executor`.
        """
        module_name, _, attribute = self.factory.partition(":")
        try:
            factory = getattr(importlib.import_module(module_name), attribute)
        except Exception as error:
            raise PluginError(
                f"executor {self.name!r} cannot be loaded from {self.factory!r}: "
                f"{type(error).__name__}: {error}."
            ) from error
        _check_options(self.name, factory, options or {})
        executor = factory(**(options or {}))
        if not isinstance(executor, Executor):
            raise PluginError(
                f"{self.factory!r} made a {type(executor).__name__}, not a qhal.Executor: "
                f"the plugin {self.distribution!r} must subclass qhal.Executor."
            )
        executor.info = self
        return executor


class Executor(ABC):
    """Maps a function over tasks. Authors implement `_run`; users call `map`.

    A context manager; its workers, if it has any, start when they are first needed.

    Attributes
    ----------
    num_workers : how many tasks run at a time; None if that is not known. Who has so many tasks of
        equal size at a time, task after task on the same data, may expect that the k-th goes to the
        worker that had the k-th before, if it is free.
    """

    info: ExecutorInfo = ExecutorInfo(name="unregistered", summary="", factory="")
    num_workers: int | None = None

    @abstractmethod
    def _run(self, function: Function, tasks: Sequence[Any]) -> Iterable[tuple[int, Any]]:
        """Yield ``(k, function(tasks[k]))`` for each k, in any order, as they finish.

        `function` never raises. Raise `WorkersLost` if workers have died, or leave out what they
        had: what is missing is asked for again. If the generator is closed early, the rest is not
        wanted: clean up in a ``finally``. If an engine beneath gives tasks out again by itself,
        yield ``(k, Again(reason))`` as well, at any time.
        """

    def map(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """``[function(task) for task in tasks]``, wherever it runs.

        Functions and tasks travel to the workers and should be small: large data as the path of a
        file, randomness as a seed. The function must not depend on anything else, as a task may
        run twice: if its worker dies, or, up to three times, if it raises `OracleError` or
        `OSError`, which may be a fault of the worker. Then `retries` says so, and a `RetryWarning`.

        Raises
        ------
        Exception
            What the first of the tasks that fail raises; those before it have then succeeded.
        ExecutorError
            If workers die three times before any task is finished, or a task cannot travel.
        """
        book = _Book(list(tasks))
        self._stopped.clear()
        losses = 0
        while book.missing:
            known, reason = book.progress, ""
            given = book.give_out()
            try:
                self._round(function, book, given)
            except WorkersLost as lost:
                reason = str(lost)
            if self._stopped.is_set():
                raise KeyboardInterrupt
            losses = losses + 1 if book.progress == known else 0
            if losses < TRIES:
                self._report(book, reason or "the workers gave no answer")
            elif book.missing:
                raise ExecutorError(
                    f"executor {self.info.name!r} lost its workers {TRIES} times without finishing "
                    f"a task ({reason or 'no answer'}): task {book.missing[0]} may be too large "
                    "for them, or its oracle may end their processes."
                )
        return book.results()

    def stop(self) -> None:
        """Have a `map` that is running in another thread end soon, by KeyboardInterrupt."""
        self._stopped.set()

    def close(self) -> None:  # noqa: B027 (a choice, not a duty)
        """End all workers; a later `map` starts new ones."""

    @cached_property
    def retries(self) -> list[Retry]:
        """All tasks so far that were given out again."""
        return []

    @cached_property
    def suspects(self) -> set[str]:
        """Workers (``host:pid``) on which tasks have failed; better avoided."""
        return set()

    @cached_property
    def _stopped(self) -> threading.Event:
        return threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _round(self, function: Function, book: _Book, given: list[int]) -> None:
        """Give out the tasks `given` and book what comes back."""
        answers = self._run(partial(attempt, function), [book.tasks[k] for k in given])
        try:
            for place, outcome in answers:
                known = isinstance(outcome, (Done, Raised, Again))
                if not known or not 0 <= place < len(given):
                    raise PluginError(
                        f"executor {self.info.name!r} is broken: _run must yield (k, "
                        f"function(tasks[k])), not {(place, outcome)!r:.60}."
                    )
                if isinstance(outcome, Again):
                    book.complaints[given[place]] = outcome.reason
                    continue
                if isinstance(outcome, Raised) and outcome.may_be_the_worker:
                    self.suspects.add(outcome.worker)
                book.take(given[place], outcome)
                if self._stopped.is_set() or book.rest_unwanted:
                    break
        finally:
            if isinstance(answers, Generator):
                answers.close()

    def _report(self, book: _Book, reason: str) -> None:
        """Say which tasks of a round were, or will be, run again, and why."""
        reasons = dict.fromkeys(book.missing, reason) | book.complaints
        book.complaints = {}
        if not reasons:
            return
        self.retries.extend(Retry(k, why) for k, why in sorted(reasons.items()))
        causes = "; ".join(dict.fromkeys(reasons.values()))
        warnings.warn(
            f"executor {self.info.name!r}: {len(reasons)} of {len(book.tasks)} tasks run again "
            f"({causes}).",
            RetryWarning,
            stacklevel=3,
        )


class _Book:
    """Who has answered what in one `map`."""

    def __init__(self, tasks: list[Any]) -> None:
        self.tasks = tasks
        self.outcomes: dict[int, Done | Raised] = {}
        self.complaints: dict[int, str] = {}
        self._tries = [0] * len(tasks)
        self._end = len(tasks)  # tasks from here on are not wanted: one before them failed
        self._out: set[int] = set()

    @property
    def progress(self) -> int:
        """Answers so far, those included after which a task is tried again."""
        return len(self.outcomes) + sum(self._tries)

    @property
    def missing(self) -> list[int]:
        """The tasks whose outcome is wanted."""
        return [k for k in range(self._end) if k not in self.outcomes]

    def give_out(self) -> list[int]:
        """Begin a round: the tasks that are missing."""
        self._out = set(self.missing)
        return sorted(self._out)

    @property
    def rest_unwanted(self) -> bool:
        """Whether what is still out is not wanted any more, as an earlier task failed."""
        return self._end < len(self.tasks) and not self._out

    def take(self, k: int, outcome: Done | Raised) -> None:
        """Book the outcome of task k; a second one of the same task is dropped."""
        if k not in self._out:
            return
        self._out.discard(k)
        if isinstance(outcome, Raised):
            self._tries[k] += 1
            if outcome.may_be_the_worker and self._tries[k] < TRIES:
                self.complaints[k] = f"{type(outcome.error).__name__}: {outcome.error}"
                return
            self._end = min(self._end, k + 1)
            self._out = {other for other in self._out if other < k}
            self.complaints = {k: why for k, why in self.complaints.items() if k < self._end}
        self.outcomes[k] = outcome

    def results(self) -> list[Any]:
        """All results, or the exception of the first task that failed."""
        results = []
        for k in range(self._end):
            outcome = self.outcomes[k]
            if isinstance(outcome, Raised):
                if outcome.worker != worker_name():
                    outcome.error.add_note(f"On {outcome.worker}:\n{outcome.trace}")
                raise outcome.error
            results.append(outcome.value)
        return results


def check_num_workers(num_workers: int | None) -> int | None:
    """`num_workers`, None or a whole number of at least 1; `InputError` for anything else."""
    whole = isinstance(num_workers, int) and not isinstance(num_workers, bool)
    if num_workers is not None and (not whole or num_workers < 1):
        raise InputError(f"num_workers must be a whole number of at least 1, not {num_workers!r}.")
    return num_workers


def _check_options(name: str, factory: Any, options: Mapping[str, Any]) -> None:
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
        raise InputError(
            f"an executor's options are a dict such as {{'num_workers': 2}}, not {options!r}."
        )
    known = inspect.signature(factory).parameters if options else {}
    for option in options:
        if option not in known:
            raise InputError(
                f"executor {name!r} has no option {option!r}{did_you_mean(option, known)} "
                f"Its options: {', '.join(known) or 'none'}."
            )
