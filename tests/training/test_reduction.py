"""Sums over chunks: the same to the last bit whoever adds up how many of them where."""

import os
import pickle
import signal

import numpy as np
import pytest

import qhal
from qhal.executors import Executor, RetryWarning
from qhal.executors.attempts import worker_name
from qhal.executors.serial import Serial
from qhal.training import tasks
from qhal.training.reduction import Reduction
from qhal.training.store import in_order
from qhal.training.tasks import Job, Task
from tests.training.test_sequential import make_run, small_chunks  # noqa: F401 (a fixture)


class Travelling(Executor):
    """Tasks and answers are pickled, as on their way to a worker and back."""

    def __init__(self, num_workers):
        self.num_workers, self.most = num_workers, 0

    def _run(self, function, tasks):
        self.most = max(self.most, len(tasks))
        for k, task in enumerate(tasks):
            yield k, sent(function(sent(task)))


def sent(thing):
    return pickle.loads(pickle.dumps(thing))  # noqa: S301


def everything(run, executor):
    """All sums of a few blocks at changing parameters."""
    reduction = Reduction(run.job, executor)
    rows, parameters = in_order(len(run.job.store)), run.state.parameters
    rng, found = np.random.default_rng(0), []
    for block in run.state.blocks:
        model = reduction.local_model(rows[:3], parameters, block)
        flips = rng.integers(0, 2, (4, len(model.linear)), dtype=np.int8)
        numbers = model.numbers_after(flips)
        found += [model.linear, model.quadratic, reduction.present(rows, parameters)]
        found += [reduction.scores(rows, parameters, block, numbers)]
        parameters = block.replaced(parameters, numbers[0])
    return [*found, np.array(reduction.score(rows, parameters))]


@pytest.mark.parametrize(("num_workers", "most"), [(1, 1), (2, 2), (3, 3), (50, 5), (None, 2)])
@pytest.mark.usefixtures("small_chunks")
def test_any_number_of_workers_adds_up_to_the_same(num_workers, most):
    run = make_run()
    executor = Travelling(num_workers)
    expected, found = everything(run, Serial()), everything(run, executor)
    assert executor.most == most
    assert all(np.array_equal(one, other) for one, other in zip(expected, found, strict=True))
    others = everything(make_run(seed=1), executor)
    assert not all(np.array_equal(one, other) for one, other in zip(expected, others, strict=True))


class Deadly(Executor):
    """Another one, of whose two workers one is killed before every so many-th map."""

    num_workers = 2

    def __init__(self, inner, every):
        self.inner, self.every, self.maps = inner, every, 0

    def _run(self, function, tasks):
        self.maps += 1
        if self.maps % self.every == 0:  # in the middle of the sums, with all that it has kept
            victim = self.inner.map(worker_name_of, range(2))[self.maps % 2]
            os.kill(int(victim.split(":")[1]), signal.SIGKILL)
        yield from enumerate(self.inner.map(function, tasks))


@pytest.mark.usefixtures("small_chunks")
def test_a_worker_that_is_killed_now_and_then_changes_nothing(tmp_path):
    run = make_run()
    run = make_run(data=run.job.store.in_folder(tmp_path).arrays)
    with qhal.get_executor("processes", num_workers=2) as executor:
        deadly = Deadly(executor, every=5)
        with pytest.warns(RetryWarning, match="a worker process ended: SIGKILL"):
            found = everything(run, deadly)
        assert deadly.maps > 20
    expected = everything(run, Serial())
    assert all(np.array_equal(one, other) for one, other in zip(expected, found, strict=True))


def worker_name_of(task):
    return worker_name()


def test_tasks_travel_light():
    run = make_run()
    block, parameters = run.state.blocks[0], run.state.parameters
    candidates = np.array([block.numbers(parameters)] * 2)
    task = Task(run.job, tuple(in_order(300)), parameters, block, candidates)
    light = len(pickle.dumps(task))
    assert block.steps.size  # computed, kept, and not sent
    assert len(pickle.dumps(task)) == light
    first, second = sent(task), sent(task)
    assert first.job is second.job
    assert first.job.key == run.job.key
    for one, other in zip(
        [*parameters, candidates], [*first.parameters, first.candidates], strict=True
    ):
        assert np.array_equal(one, other)
        assert other.dtype == np.int64
    other = sent(Task(Job("x", run.job.spec, run.job.store), (), parameters))
    assert other.job.key == "x"


@pytest.mark.parametrize("number", [0, 127, -127, 128, -129, 32767, -32769, 2**31, -(2**40)])
def test_numbers_of_any_size_arrive(number):
    narrow = tasks._narrow(np.array([[number, 1]]))
    assert narrow.astype(np.int64).tolist() == [[number, 1]]
    assert narrow.itemsize <= (1 if abs(number) < 128 else 8)
