"""Dask: killed workers, a restarted scheduler, a worker whose oracle fails, no orphans."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from contextlib import nullcontext

import distributed
import pytest

import qhal
from qhal.errors import ExecutorError, InputError, OracleError
from qhal.executors import RetryWarning
from qhal.executors.attempts import worker_name
from qhal.testing import check_executor
from qhal.training.store import Store
from tests.executors import tasks
from tests.executors.test_processes import check_stop, group_is_gone, start, wait_for
from tests.training.test_reduction import Deadly
from tests.training.test_sequential import make_data, make_run, same, small_chunks  # noqa: F401


@pytest.fixture(scope="module")
def cluster():
    with qhal.get_executor("dask", num_workers=2) as made:
        made.map(tasks.double, [1])
        yield made


@pytest.fixture
def executor(cluster):
    """With two workers: those that an earlier test killed take a while to come back."""
    wait_for(lambda: len(set(cluster.map(_where, range(2)))) == 2)
    return cluster


def test_it_conforms(executor):
    report = check_executor(executor)
    assert report.passed, str(report)
    assert all(check.outcome == "passed" for check in report.checks), str(report)


def kill_one(folder):
    """Kill the first worker that says in `folder` that it runs, in a thread of its own."""

    def kill():
        wait_for(lambda: any(folder.iterdir()))
        os.kill(int(next(folder.iterdir()).name), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    return killer


def test_a_worker_killed_in_the_middle_changes_nothing(executor, tmp_path):
    killer = kill_one(tmp_path)
    waits = [0.4 + 0.01 * k for k in range(4)]
    with pytest.warns(RetryWarning, match=r"tasks run again \(worker tcp.* was lost"):
        results = executor.map(tasks.announce, [(str(tmp_path), wait) for wait in waits])
    killer.join()
    assert results == waits


def test_the_only_worker_that_is_no_suspect_is_killed(executor, tmp_path):
    executor.suspects.clear()
    executor.suspects.add(executor.map(_where, range(4))[0])
    killer = kill_one(tmp_path)
    waits = [0.4, 0.5]
    with pytest.warns(RetryWarning, match="of 2 tasks run again"):
        results = executor.map(tasks.announce, [(str(tmp_path), wait) for wait in waits])
    killer.join()
    executor.suspects.clear()
    assert results == waits


@pytest.mark.parametrize("pause", [0.0, 3.0])
def test_a_worker_killed_between_maps(executor, pause):
    """At once it is lost with its task; after a while it has been replaced."""
    first = executor.map(tasks.where, [0.05, 0.05])
    os.kill(first[0], signal.SIGKILL)
    time.sleep(pause)
    warned = pytest.warns(RetryWarning, match="1 of 2 tasks") if not pause else nullcontext()
    with warned:
        second = executor.map(tasks.where, [0.05, 0.05])
    assert first[0] not in second
    assert first[1] in second


def test_the_same_worker_has_the_same_task_each_time_if_it_is_free(executor):
    first = executor.map(tasks.where, [0.05, 0.05])
    assert len(set(first)) == 2
    for _ in range(20):
        assert executor.map(tasks.where, [0.0, 0.0]) == first
    many = executor.map(tasks.where, [2.0, *[0.01] * 9])  # the other takes over
    assert many.count(first[0]) == 1


def test_stopping_from_another_thread(executor, tmp_path):
    check_stop(executor, [(str(tmp_path), 3.0)] * 9, tmp_path, 2.5)
    assert executor.map(tasks.double, [1, 2]) == [2, 4]  # after the tasks that were running


def test_a_task_that_kills_every_worker_ends_with_a_sentence(executor):
    with pytest.warns(RetryWarning), pytest.raises(ExecutorError, match="lost its workers 3 times"):
        executor.map(tasks.die, [1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RetryWarning)  # Dask ends workers slow to come back
        assert executor.map(tasks.double, [1]) == [2]


def fail_there(task):
    name, k = task
    time.sleep(0.02)
    if worker_name() == name:
        raise OracleError("no licence on this machine")
    return k


def test_a_worker_whose_oracle_fails_is_avoided(executor):
    executor.suspects.clear()
    broken = executor.map(_where, range(4))[0]
    with pytest.warns(RetryWarning, match="no licence on this machine"):
        results = executor.map(fail_there, [(broken, k) for k in range(20)])
    assert results == list(range(20))
    assert executor.suspects == {broken}
    executor.suspects.clear()


def _where(task):
    time.sleep(0.05)
    return worker_name()


def test_what_cannot_travel_is_said(executor):
    for function, task, why in (
        (tasks.unsendable, 1, r"TypeError: .*lock"),
        (tasks.double, threading.Lock(), r"TypeError: .*lock"),
        (tasks.double, tasks.Unreadable(), "ZeroDivisionError"),
        (sys.exit, 3, "SystemExit: 3"),
    ):
        with pytest.raises(ExecutorError, match=rf"cannot travel.* \({why}"):
            executor.map(function, [task, task])
    assert executor.map(tasks.double, [1]) == [2]


class Cluster:
    """A scheduler and a worker in processes of their own."""

    def __init__(self, port, *options):
        self.address, self.processes = f"tcp://127.0.0.1:{port}", []
        self._start("scheduler", "--port", str(port), *options)
        self.start_worker()

    def start_worker(self, num_threads=1):
        self._start("worker", self.address, "--nthreads", str(num_threads), "--no-nanny")

    def _start(self, *command):
        command = [sys.executable, "-m", "dask", *command, "--no-dashboard"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes.append(subprocess.Popen(command, **quiet))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.kill()

    def kill(self):
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_scheduler_that_is_restarted_in_the_middle(port, tmp_path):
    clusters = [Cluster(port)]

    def restart():
        wait_for(lambda: len(list(tmp_path.iterdir())) == 1)
        clusters[0].kill()
        clusters.append(Cluster(port))

    operator = threading.Thread(target=restart)
    operator.start()
    waits = [0.3 + 0.01 * k for k in range(4)]
    try:
        with qhal.get_executor("dask", address=clusters[0].address) as executor:
            with pytest.warns(RetryWarning, match="the connection to the scheduler was lost"):
                results = executor.map(tasks.announce, [(str(tmp_path), wait) for wait in waits])
            assert results == waits
            assert executor.retries
    finally:
        operator.join()
        for cluster in clusters:
            cluster.kill()


def meet(task):
    """Says that it is there, and waits until as many are."""
    folder, name, count = task
    (folder / str(name)).touch()
    wait_for(lambda: len(list(folder.iterdir())) >= count)
    return os.getpid()


def test_as_many_tasks_at_a_time_as_threads_also_of_workers_that_come_later(port, tmp_path):
    with Cluster(port) as cluster, qhal.get_executor("dask", address=cluster.address) as executor:
        executor.map(tasks.double, [1])

        def join():
            wait_for(lambda: any(tmp_path.iterdir()))
            cluster.start_worker(num_threads=2)

        joins = threading.Thread(target=join)
        joins.start()
        where = executor.map(meet, [(tmp_path, k, 3) for k in range(4)])
        joins.join()
        assert {where.count(pid) for pid in where} <= {1, 2, 3}
        assert len(set(where)) == 2
        assert executor.retries == []


def test_a_worker_can_be_reached_while_it_works(port, tmp_path):
    with Cluster(port) as cluster, qhal.get_executor("dask", address=cluster.address) as executor:
        mapped = []
        args = tasks.announce, [(str(tmp_path), 3.0)]
        thread = threading.Thread(target=lambda: mapped.extend(executor.map(*args)))
        thread.start()
        wait_for(lambda: any(tmp_path.iterdir()))
        with distributed.Client(cluster.address, set_as_default=False) as client:
            assert len(client.run(worker_name)) == 1
            assert mapped == []
        thread.join()
        assert mapped == [3.0]


@pytest.mark.slow
def test_a_scheduler_with_an_idle_timeout_sees_that_it_is_needed(port):
    idle = Cluster(port, "--idle-timeout", "4s")
    with idle as cluster, qhal.get_executor("dask", address=cluster.address) as executor:
        assert executor.map(tasks.nap, [12.0]) == [12.0]
        assert executor.retries == []


@pytest.mark.slow
def test_nobody_at_the_address(port):
    with pytest.raises(ExecutorError, match="there is no Dask cluster with workers at tcp"):
        qhal.get_executor("dask", address=f"tcp://127.0.0.1:{port}").map(tasks.double, [1])


@pytest.mark.parametrize("options", [{"address": 3}, {"address": "tcp://x", "num_workers": 2}])
def test_bad_options(options):
    with pytest.raises(InputError, match="address is a text such as"):
        qhal.get_executor("dask", **options)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_no_orphans(tmp_path, end):
    process = start("dask", tmp_path)
    if end is signal.SIGINT:
        os.killpg(process.pid, end)
    else:
        process.kill()
    process.communicate(timeout=60)
    assert process.returncode != 0
    wait_for(lambda: group_is_gone(process.pid))


def _freed(task):
    return os.environ.get("MALLOC_TRIM_THRESHOLD_")


def test_workers_keep_memory_that_they_free(executor):
    assert executor.map(_freed, range(2)) == [os.environ.get("MALLOC_TRIM_THRESHOLD_")] * 2


@pytest.mark.usefixtures("small_chunks")
def test_sequential_training_is_the_same_as_on_serial(executor, tmp_path):
    data = Store(*make_data()).in_folder(tmp_path).arrays
    alone = make_run().run(None)
    calm = make_run(executor=executor, data=data).run(None)
    deadly = Deadly(executor, every=40)
    with pytest.warns(RetryWarning, match="worker tcp.* was lost"):
        shaken = make_run(executor=deadly, data=data).run(None)
    for trained in (calm, shaken):
        assert same(alone, trained)
        assert [e["loss"] for e in alone.history] == [e["loss"] for e in trained.history]
