"""Does an executor give what `serial` gives, in order, also when its workers die?

``print(check_executor("processes"))`` says so, also for an `Executor` object; in the tests of a
plugin::

    from qhal.testing import ExecutorConformance

    class TestBackwards(ExecutorConformance):
        executor = "backwards"
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
import unittest
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from qhal.errors import InputError, OracleError, QhalError
from qhal.executors import Executor, ExecutorInfo, RetryWarning
from qhal.executors.attempts import worker_name
from qhal.registry import get_executor, load
from qhal.testing.subject import CheckFailed, CheckResult, CheckSkipped, expect


@dataclass(frozen=True)
class ExecutorReport:
    """What `check_executor` found; `str()` of it is a table for people."""

    executor: str
    checks: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed (skipped ones do not count)."""
        return all(check.outcome != "failed" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict: executor, passed, and a dict for each check."""
        checks = [check._asdict() for check in self.checks]
        return {"executor": self.executor, "passed": self.passed, "checks": checks}

    def __str__(self) -> str:
        lines = [f"{c.name:10}  {c.outcome:7}  {c.detail}" for c in self.checks]
        return "\n".join([f"executor {self.executor!r}", *lines])


def check_executor(executor: str | Executor | ExecutorInfo) -> ExecutorReport:
    """Run every check on an executor: a name, an `ExecutorInfo`, or an object.

    One that misbehaves, or raises, makes its checks fail; only one that does not exist or cannot be
    made raises (`UnknownNameError`, `PluginError`). The executor is closed afterwards.
    """
    with _made(executor) as made:
        name = made.info.name
        results = [_result(check, made) for check in EXECUTOR_CHECKS]
    return ExecutorReport(name, tuple(results))


class ExecutorConformance:
    """Base class for the tests of a plugin: subclass it, name it ``Test...``, set `executor`.

    pytest then runs one test for each check; a promise not made is a skipped test.
    """

    executor: ClassVar[str | Executor | ExecutorInfo]

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """One test for each check (called by pytest)."""
        if "check" in metafunc.fixturenames:
            metafunc.parametrize("check", list(EXECUTOR_CHECKS))

    def test_conformance(self, check: str) -> None:
        """Run the check named `check`."""
        with _made(self.executor) as made:
            result = _result(check, made)
        if result.outcome == "skipped":
            raise unittest.SkipTest(result.detail)
        assert result.outcome == "passed", result.detail


def results_are_in_order(executor: Executor) -> str:
    """As many results as tasks, each in the place of its task, whichever is done first."""
    for count in (0, 1, 2, 9):
        waits = [(k, 0.03 * (k % 3 == 0)) for k in range(count)]
        got = executor.map(_first_after, iter(waits))
        expect(
            got == list(range(count)),
            f"{count} tasks gave {got}: _run must yield (k, function(tasks[k])), once for each k.",
        )
    return "Results come in the order of the tasks."


def arrays_survive(executor: Executor) -> str:
    """Large arrays, text, None and exceptions as values come back as they are."""
    sizes = [0, 1, 300_000]
    for size, array in zip(sizes, executor.map(np.arange, sizes), strict=True):
        expect(
            isinstance(array, np.ndarray) and np.array_equal(array, np.arange(size)),
            f"an array of {size} numbers came back changed.",
        )
    values = [None, "ü", (1, 2.5), {"a": [1]}, -0.0, 2**80]
    got = executor.map(_same, values)
    expect(repr(got) == repr(values), f"{values} came back as {got}.")
    return "Arrays and values come back as they are."


def seeds_decide(executor: Executor) -> str:
    """A task's seed is all that its random numbers depend on, whoever runs it and when."""
    wanted = [_draw(seed) for seed in range(12)]
    for order in (range(12), range(11, -1, -1)):
        got = executor.map(_draw, order)
        expect(
            got == [wanted[seed] for seed in order],
            "a task with a seed gave other random numbers than the same task in this process.",
        )
    return "The same seeds give the same numbers as in this process."


def nothing_is_touched(executor: Executor) -> str:
    """The tasks and this process's random numbers are as they were."""
    tasks = [np.arange(3.0), np.ones(2)]
    before = [task.copy() for task in tasks]
    np.random.random()  # noqa: NPY002 (so that the state is not that of a seed)
    state = np.random.get_state()[1].tobytes()  # type: ignore[index]  # noqa: NPY002
    executor.map(_sum, tasks)
    expect(
        all(np.array_equal(a, b) for a, b in zip(tasks, before, strict=True)),
        "it changed the tasks it was given.",
    )
    expect(
        np.random.get_state()[1].tobytes() == state,  # type: ignore[index]  # noqa: NPY002
        "it drew from, or seeded, numpy's global random numbers.",
    )
    return "Tasks and global random numbers are left alone."


def first_failure_is_raised(executor: Executor) -> str:
    """Of several tasks that fail, the first one's exception is raised, with type and text."""
    for tasks, kind, text in (
        ([1, 2, "input", "oracle"], InputError, "this input is refused"),
        ([1, "zero", "input"], ZeroDivisionError, "nothing divides by zero"),
    ):
        try:
            executor.map(_fail, tasks)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is judged)
            expect(
                type(error) is kind and str(error) == text,
                f"a task raised {kind.__name__}({text!r}), but map raised {error!r}.",
            )
        else:
            raise CheckFailed(f"a task raised {kind.__name__}, but map did not.")
    expect(executor.map(_same, [7]) == [7], "after a task has failed, it works no more.")
    return "The first failing task's exception is raised as it is."


def failing_workers_are_survived(executor: Executor) -> str:
    """A task that fails by its machine is tried again, and not for ever."""
    with tempfile.TemporaryDirectory() as folder:
        before = len(executor.retries)
        with _expected_retries():
            got = executor.map(_fail_once, [(folder, k) for k in range(3)])
        expect(got == [0, 1, 2], f"tasks that failed once gave {got} in the end.")
        expect(len(executor.retries) > before, "it does not say that tasks were run again.")
    with _expected_retries():
        try:
            executor.map(_fail, ["oracle"])
        except OracleError:
            return "A task that fails by its machine is tried again, and not for ever."
    raise CheckFailed("a task that raises OracleError each time did not end with it.")


def dead_workers_are_survived(executor: Executor) -> str:
    """A worker that is killed costs time, no results."""
    if worker_name() in executor.map(_where, range(4)):
        raise CheckSkipped("It runs tasks in the process that asks for them.")
    with tempfile.TemporaryDirectory() as folder:
        before = len(executor.retries)
        with _expected_retries():
            got = executor.map(_die_once, [(folder, k) for k in range(6)])
        expect(got == list(range(6)), f"after a worker was killed, tasks gave {got}.")
        expect(len(executor.retries) > before, "it does not say that tasks were run again.")
    return "A killed worker's tasks are run again, and it says so."


def closing_is_no_end(executor: Executor) -> str:
    """It can be closed twice, and used again."""
    executor.map(_same, [1])
    executor.close()
    executor.close()
    expect(executor.map(_same, [2]) == [2], "after close, it works no more.")
    return "It can be closed and used again."


def unknown_options_are_refused(executor: Executor) -> str:
    """A mistyped option is an error, not silence."""
    if not executor.info.factory:
        raise CheckSkipped("It was given as an object, so there are no options to mistype.")
    try:
        executor.info.create({"no_such_option": 1})
    except InputError:
        return "An unknown option is refused."
    raise CheckFailed("an unknown option was swallowed: name the options, without **kwargs.")


EXECUTOR_CHECKS: Mapping[str, Callable[[Executor], str]] = {
    "order": results_are_in_order,
    "values": arrays_survive,
    "seeds": seeds_decide,
    "purity": nothing_is_touched,
    "exceptions": first_failure_is_raised,
    "failures": failing_workers_are_survived,
    "deaths": dead_workers_are_survived,
    "close": closing_is_no_end,
    "options": unknown_options_are_refused,
}
"""Every check by its name, in the order in which they run."""


def _made(executor: str | Executor | ExecutorInfo) -> Executor:
    if isinstance(executor, Executor):
        return get_executor(executor)
    info: ExecutorInfo = load("executor", executor) if isinstance(executor, str) else executor
    return info.create()


def _result(name: str, executor: Executor) -> CheckResult:
    try:
        return CheckResult(name, "passed", EXECUTOR_CHECKS[name](executor))
    except CheckSkipped as skipped:
        return CheckResult(name, "skipped", str(skipped))
    except CheckFailed as failed:
        return CheckResult(name, "failed", f"Broken: {failed}")
    except QhalError as error:
        return CheckResult(name, "failed", str(error))
    except Exception as error:  # noqa: BLE001 (an executor may raise anything, which is a finding)
        return CheckResult(name, "failed", f"It raised {type(error).__name__}: {error}")


class _expected_retries(warnings.catch_warnings):
    """Within it, `RetryWarning` is silent: the check looks at the record."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore", RetryWarning)


# --- tasks, with names so that they can travel ----------------------------------------------------


def _same(task: Any) -> Any:
    return task


def _first_after(task: tuple[int, float]) -> int:
    time.sleep(task[1])
    return task[0]


def _draw(seed: int) -> list[float]:
    return [float(each) for each in np.random.default_rng(seed).normal(size=3)]


def _sum(task: np.ndarray[Any, Any]) -> float:
    return float(task.sum())


def _where(task: int) -> str:
    return worker_name()


def _fail(task: Any) -> Any:
    if task == "input":
        raise InputError("this input is refused")
    if task == "oracle":
        raise OracleError("this machine fails")
    if task == "zero":
        raise ZeroDivisionError("nothing divides by zero")
    return task


def _fail_once(task: tuple[str, int]) -> int:
    folder, k = task
    if k == 1 and _first_time(folder):
        raise OracleError("this machine fails once")
    return k


def _die_once(task: tuple[str, int]) -> int:
    folder, k = task
    time.sleep(0.02)
    if k == 2 and _first_time(folder):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return k


def _first_time(folder: str) -> bool:
    """Whether nobody asked before for this folder."""
    os.makedirs(folder, exist_ok=True)  # on another machine there may be none
    try:
        (Path(folder) / "was-here").open("x").close()
    except FileExistsError:
        return False
    return True
