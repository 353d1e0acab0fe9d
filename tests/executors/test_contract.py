"""What core does for every executor, on executors that lose, shuffle and repeat."""

import threading
import time
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qhal
from qhal.errors import ExecutorError, InputError, OracleError, PluginError, UnknownNameError
from qhal.executors import Again, Executor, Retry, RetryWarning, WorkersLost
from tests.executors.tasks import Awkward, double, raise_awkward


class Chaotic(Executor):
    """Answers in random order, loses tasks, has workers die, answers twice."""

    def __init__(self, seed, loss):
        self.rng, self.loss, self.rounds = np.random.default_rng(seed), loss, 0

    def _run(self, function, tasks):
        self.rounds += 1
        for k in self.rng.permutation(len(tasks)).tolist():
            fate = self.rng.random()
            if fate < self.loss / 2:
                raise WorkersLost("it died")
            if fate > self.loss:
                yield k, function(tasks[k])
                if fate > 0.8:
                    yield k, function(tasks[k])


class Named(Executor):
    def __init__(self, run):
        self.run = run

    def _run(self, function, tasks):
        return self.run(function, tasks)


@given(st.integers(0, 10_000), st.integers(0, 30), st.floats(0.0, 0.5))
def test_results_are_those_of_the_serial_executor(seed, count, loss):
    executor = Chaotic(seed, loss)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RetryWarning)
        try:
            results = executor.map(double, range(count))
        except ExecutorError:
            assert executor.rounds >= 3  # it gave up, which by chance it may
            return
    assert results == [2 * k for k in range(count)]
    assert bool(executor.retries) == (executor.rounds > 1)
    assert len(caught) == max(0, executor.rounds - 1)
    assert all(0 <= retry.task < count for retry in executor.retries)


def fail_at(places, error):
    def function(task):
        if task in places:
            raise error(f"task {task}")
        return task

    return function


@given(st.integers(0, 10_000), st.sets(st.integers(0, 9), min_size=1))
def test_the_first_failure_is_raised_whatever_the_order(seed, places):
    executor = Chaotic(seed, 0.0)
    with pytest.raises(KeyError, match=f"task {min(places)}"):
        executor.map(fail_at(places, KeyError), range(10))
    assert executor.retries == []


def test_who_fails_by_its_machine_is_tried_three_times():
    tried = []

    def function(task):
        tried.append(task)
        if task == 1 and tried.count(1) < 3:
            raise OracleError("no answer")
        return task

    executor = qhal.get_executor("serial")
    with pytest.warns(RetryWarning, match=r"1 of 3 tasks run again \(OracleError: no answer\)"):
        assert executor.map(function, range(3)) == [0, 1, 2]
    assert tried == [0, 1, 2, 1, 1]
    assert executor.retries == [Retry(1, "OracleError: no answer")] * 2


@pytest.mark.parametrize(("error", "tries"), [(OracleError, 3), (OSError, 3), (InputError, 1)])
def test_nobody_is_tried_for_ever(error, tries):
    tried = []

    def function(task):
        tried.append(task)
        raise error("never")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RetryWarning)
        with pytest.raises(error, match="never"):
            qhal.get_executor("serial").map(function, [0])
    assert len(tried) == tries


def test_an_executor_that_loses_everything_gives_up():
    def run(function, tasks):
        raise WorkersLost("the power is off")

    with pytest.warns(RetryWarning), pytest.raises(ExecutorError, match="the power is off"):
        Named(run).map(double, [1])
    with pytest.warns(RetryWarning, match="gave no answer"), pytest.raises(ExecutorError):
        Named(lambda function, tasks: ()).map(double, [1])


@pytest.mark.parametrize("answer", [(0, None), (0, 2), (5, "x"), (-1, "x")])
def test_answers_that_are_none_are_the_plugins_fault(answer):
    with pytest.raises(PluginError, match="_run must yield"):
        Named(lambda function, tasks: iter([answer])).map(double, [1])


def test_engines_may_say_that_they_repeated_a_task():
    def run(function, tasks):
        yield 1, Again("a worker left")
        for k, task in enumerate(tasks):
            yield k, function(task)

    executor = Named(run)
    with pytest.warns(RetryWarning, match=r"1 of 2 tasks run again \(a worker left\)"):
        assert executor.map(double, [1, 2]) == [2, 4]
    assert executor.retries == [Retry(1, "a worker left")]


def test_exceptions_that_cannot_travel_keep_their_text():
    with pytest.raises(ExecutorError, match="a task failed: Awkward: this and that"):
        qhal.get_executor("serial").map(raise_awkward, [1])
    assert str(Awkward(1, 2)) == "1 and 2"


def test_a_map_can_be_stopped_from_another_thread():
    executor, done = qhal.get_executor("serial"), []

    def work():
        try:
            executor.map(lambda task: (done.append(task), time.sleep(0.01)), range(100_000))
        except KeyboardInterrupt:
            done.append("stopped")

    thread = threading.Thread(target=work)
    thread.start()
    while not done:
        time.sleep(0.001)
    executor.stop()
    thread.join(10.0)
    assert done[-1] == "stopped"
    assert executor.map(double, [1]) == [2]


def test_getting_one():
    executor = qhal.get_executor("serial")
    assert (executor.info.name, executor.info.distribution) == ("serial", "qhal-core")
    assert qhal.get_executor(executor) is executor
    for call, expected in {
        lambda: qhal.get_executor("seriel"): "did you mean 'serial'",
        lambda: qhal.get_executor("serial", x=1): "has no option 'x'. Its options: none",
        lambda: qhal.get_executor(executor, x=1): "options go with an executor's name",
        lambda: qhal.get_executor(3): "an executor is a name",
        lambda: qhal.get_executor("processes", num_workers=0): "num_workers must be",
        lambda: qhal.get_executor("processes", num_worker=1): "did you mean 'num_workers'",
    }.items():
        with pytest.raises((InputError, UnknownNameError), match=expected):
            call()


def test_a_factory_that_makes_something_else():
    info = qhal.ExecutorInfo(name="x", summary="", factory="builtins:dict")
    with pytest.raises(PluginError, match="made a dict, not a qhal.Executor"):
        info.create()
    info = qhal.ExecutorInfo(name="x", summary="", factory="no_such_vendor:X")
    with pytest.raises(PluginError, match="cannot be loaded"):
        info.create()
