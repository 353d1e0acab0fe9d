"""The kit accepts what we ship and rejects executors that lie."""

import numpy as np
import pytest

import qhal
from qhal.errors import ExecutorError
from qhal.executors import Executor
from qhal.executors.serial import Serial
from qhal.testing import EXECUTOR_CHECKS, ExecutorConformance, check_executor


@pytest.mark.parametrize("name", ["serial", "processes"])
def test_our_own_pass(name):
    report = check_executor(name)
    assert report.passed, str(report)
    assert report.to_json()["executor"] == name
    skipped = {check.name for check in report.checks if check.outcome == "skipped"}
    assert skipped == ({"deaths"} if name == "serial" else set())


class TestSerial(ExecutorConformance):
    executor = "serial"


class Shuffled(Executor):
    def _run(self, function, tasks):
        for k, task in enumerate(tasks):
            yield len(tasks) - 1 - k, function(task)


class Forgetful(Executor):
    def _run(self, function, tasks):
        for k, task in enumerate(tasks[:8]):
            yield k, function(task)
        self.close()

    def map(self, function, tasks):
        return [each.value for _, each in self._run(lambda task: _Done(function(task)), [*tasks])]


class _Done:
    def __init__(self, value):
        self.value = value


class Reseeding(Serial):
    def _run(self, function, tasks):
        np.random.seed(0)  # noqa: NPY002
        yield from super()._run(function, tasks)


class Writing(Serial):
    def _run(self, function, tasks):
        for k, task in enumerate(tasks):
            yield k, function(task)
            if isinstance(task, np.ndarray):
                task[:] = 0.0


class Rounding(Serial):
    def map(self, function, tasks):
        results = super().map(function, tasks)
        return [np.float32(each) if isinstance(each, float) else each for each in results]


class Wrapping(Serial):
    def map(self, function, tasks):
        try:
            return super().map(function, tasks)
        except Exception as error:
            raise ExecutorError(str(error)) from error


class Silent(Serial):
    @property
    def retries(self):
        return []


class Spent(Serial):
    closed = False

    def close(self):
        self.closed = True

    def _run(self, function, tasks):
        if self.closed:
            raise RuntimeError("closed")
        return super()._run(function, tasks)


LIARS = {
    Shuffled: "order",
    Forgetful: "order",
    Reseeding: "purity",
    Writing: "purity",
    Rounding: "values",
    Wrapping: "exceptions",
    Silent: "failures",
    Spent: "close",
}


@pytest.mark.parametrize("liar", LIARS)
def test_liars_are_rejected(liar):
    report = check_executor(liar())
    failed = {check.name for check in report.checks if check.outcome == "failed"}
    assert LIARS[liar] in failed, str(report)
    assert set(EXECUTOR_CHECKS) == {check.name for check in report.checks}


def test_swallowed_options():
    info = qhal.ExecutorInfo(name="x", summary="", factory=f"{__name__}:Swallowing")
    assert "options" in {c.name for c in check_executor(info).checks if c.outcome == "failed"}


class Swallowing(Serial):
    def __init__(self, no_such_option=None):
        pass
