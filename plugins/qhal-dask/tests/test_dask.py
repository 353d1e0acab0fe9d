"""Dask: killed workers, a restarted scheduler, a worker whose oracle fails, no orphans."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import qhal
from qhal.errors import ExecutorError, InputError, OracleError
from qhal.executors import RetryWarning
from qhal.executors.attempts import worker_name
from qhal.testing import check_executor
from tests.executors import tasks
from tests.executors.test_processes import group_is_gone, start, wait_for


@pytest.fixture(scope="module")
def cluster():
    with qhal.get_executor("dask", num_workers=2) as made:
        made.map(tasks.double, [1])
        yield made


@pytest.fixture
def executor(cluster):
    """With two workers: those that an earlier test killed take a while to come back."""
    cluster._connected().wait_for_workers(2, timeout=60)
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
    with pytest.warns(RetryWarning, match="2 of 2 tasks run again"):
        results = executor.map(tasks.announce, [(str(tmp_path), wait) for wait in waits])
    killer.join()
    executor.suspects.clear()
    assert results == waits


def test_a_task_that_kills_every_worker_ends_with_a_sentence(executor):
    with pytest.raises(ExecutorError, match="worker died 4 times"):
        executor.map(tasks.die, [1])
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
    with pytest.raises(ExecutorError, match="cannot travel"):
        executor.map(tasks.unsendable, [1])
    assert executor.map(tasks.double, [1]) == [2]


class Cluster:
    """A scheduler and a worker in processes of their own."""

    def __init__(self, port):
        self.address = f"tcp://127.0.0.1:{port}"
        common = [sys.executable, "-m", "dask"]
        self.processes = [
            self._start(*common, "scheduler", "--port", str(port), "--no-dashboard"),
            self._start(
                *common, "worker", self.address, "--nthreads", "1", "--no-dashboard", "--no-nanny"
            ),
        ]

    def _start(self, *command):
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

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
