"""Processes: workers that are killed, tasks that cannot travel, Ctrl-C, and no orphans."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import qhal
from qhal.errors import ExecutorError, InputError, OracleError
from qhal.executors import RetryWarning
from tests.executors import tasks


@pytest.fixture(scope="module")
def executor():
    with qhal.get_executor("processes", num_workers=2) as made:
        yield made


def wait_for(condition):
    end = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < end, "it did not happen within a minute"
        time.sleep(0.02)


def test_a_worker_killed_in_the_middle_changes_nothing(executor, tmp_path):
    def kill_one():
        wait_for(lambda: any(tmp_path.iterdir()))
        os.kill(int(next(tmp_path.iterdir()).name), signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    waits = [0.4 + 0.01 * k for k in range(4)]
    with pytest.warns(RetryWarning, match=r"tasks run again \(a worker process ended: SIGKILL"):
        results = executor.map(tasks.announce, [(str(tmp_path), wait) for wait in waits])
    killer.join()
    assert results == waits
    assert len(executor.retries) >= 1


def test_a_task_that_kills_every_worker_ends_with_a_sentence(executor):
    with pytest.warns(RetryWarning), pytest.raises(ExecutorError, match="lost its workers 3 times"):
        executor.map(tasks.die, [1, 2])
    assert executor.map(tasks.double, [1]) == [2]


@pytest.mark.parametrize(
    ("function", "error", "tries"),
    [(tasks.count_and_refuse, InputError, 1), (tasks.count_and_fail, OracleError, 3)],
)
def test_how_often_a_failing_task_is_tried(executor, tmp_path, function, error, tries):
    warned = pytest.warns(RetryWarning) if tries > 1 else contextlib.nullcontext()
    with warned, pytest.raises(error, match="never works") as caught:
        executor.map(function, [str(tmp_path)])
    assert len(list(tmp_path.iterdir())) == tries
    assert "count_and" in caught.value.__notes__[0]


def test_what_cannot_travel_is_said(executor):
    with pytest.raises(ExecutorError, match="cannot go from one process to another"):
        executor.map(tasks.double, [threading.Lock()])
    assert executor.map(tasks.double, [1]) == [2]


def check_stop(executor, announcements, folder, patience_s):
    """A map of `announcements` in `folder` ends soon if another thread stops it."""
    ended = []

    def work():
        try:
            executor.map(tasks.announce, announcements)
        except KeyboardInterrupt:
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: any(folder.iterdir()))
    executor.stop()
    thread.join(patience_s)
    assert ended == [True]


def test_stopping_from_another_thread(executor, tmp_path):
    check_stop(executor, [(str(tmp_path), 60.0)], tmp_path, 30.0)


def start(name, folder):
    """A program in a process group of its own; returns when two of its tasks are running."""
    program = [sys.executable, "-m", "tests.executors.tasks", name, str(folder)]
    process = subprocess.Popen(program, start_new_session=True, stderr=subprocess.PIPE)
    wait_for(lambda: len(list(folder.iterdir())) == 2)
    return process


def group_is_gone(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_no_orphans(tmp_path, end):
    process = start("processes", tmp_path)
    if end is signal.SIGINT:
        os.killpg(process.pid, end)  # as a terminal does
    else:
        process.kill()
    errors = process.communicate(timeout=60)[1].decode()
    assert process.returncode != 0
    assert errors.count("Traceback") <= 1
    wait_for(lambda: group_is_gone(process.pid))


def test_the_same_worker_has_the_same_task_each_time_if_it_is_free(executor):
    first = executor.map(tasks.where, [0.05, 0.05])
    assert len(set(first)) == 2
    for _ in range(20):
        assert executor.map(tasks.where, [0.0, 0.0]) == first
    many = executor.map(tasks.where, [0.5, *[0.01] * 9])  # the other takes over
    assert many.count(first[0]) == 1


def test_a_worker_killed_between_maps(executor):
    first = executor.map(tasks.where, [0.05, 0.05])
    os.kill(first[0], signal.SIGKILL)
    with pytest.warns(RetryWarning, match=r"1 of 2 tasks run again \(a worker process ended"):
        second = executor.map(tasks.where, [0.05, 0.05])
    assert first[0] not in second
    assert first[1] in second  # it has what it kept


def test_what_cannot_be_read_is_said(executor):
    with pytest.raises(ExecutorError, match=r"cannot go from .* \(TypeError: .*lock"):
        executor.map(tasks.unsendable, [1, 2])
    with pytest.raises(ExecutorError, match=r"cannot go from .* \(ZeroDivisionError"):
        executor.map(tasks.double, [tasks.Unreadable()])
    assert executor.map(tasks.double, [1]) == [2]


def test_a_program_that_forgets_to_close_ends():
    code = (
        "import qhal; from tests.executors import tasks\n"
        "forgotten = qhal.get_executor('processes', num_workers=2)\n"
        "print(forgotten.map(tasks.double, [1, 2]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[2, 4]\n", "")
