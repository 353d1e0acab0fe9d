"""Processes on this machine, started by joblib's loky, each at the end of a pipe."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.util import Finalize
from typing import Any

from qhal.errors import ExecutorError, PluginError
from qhal.executors.contract import Executor, Function, WorkersLost, check_num_workers
from qhal.executors.shares import Shares

_WATCH_S = 0.5
_LAST_WORDS_S = 5.0  # until a process whose pipe has closed tells how it ended
# Linear algebra in a worker uses the worker's core only: others have tasks of their own.
_THREADS = "OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS NUMBA_NUM_THREADS".split()


class Processes(Executor):
    """Worker processes that live until `close`, or until this process ends in whatever way.

    Parameters
    ----------
    num_workers : how many; None (default) means one for each core that this process may use
    """

    def __init__(self, num_workers: int | None = None) -> None:
        self._loky = _import_loky()
        self.num_workers: int = check_num_workers(num_workers) or int(self._loky.cpu_count())
        self._workers: dict[int, _Worker] = {}
        Finalize(self, _end, args=(self._workers,), exitpriority=1)

    def _run(self, function: Function, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        if self.suspects:  # in a new process a task may do better
            self.suspects.clear()
            self.close()
        shares = Shares(len(tasks), self.num_workers)
        busy: dict[Any, tuple[int, int]] = {}  # by connection: the worker and its task

        def give(place: int) -> None:
            k = shares.next(place)
            if k is not None:
                self._workers[place].send((function, tasks[k]))
                busy[self._workers[place].connection] = place, k

        lost, complete = "", False
        try:
            for place in range(min(self.num_workers, len(tasks))):
                if place not in self._workers:
                    self._workers[place] = self._start()
                give(place)
            while busy:
                for connection in wait(list(busy)):
                    place, k = busy.pop(connection)
                    try:
                        outcome = self._workers[place].receive()
                    except EOFError:
                        lost = self._workers.pop(place).end()
                        continue
                    give(place)
                    yield k, outcome
            complete = True
        finally:
            if not complete:
                self.close()
        if lost:
            raise WorkersLost(f"a worker process ended: {lost}")

    def stop(self) -> None:
        """See `Executor.stop`."""
        super().stop()
        for worker in list(self._workers.values()):
            worker.kill()

    def close(self) -> None:
        """See `Executor.close`; tasks that are running are given up."""
        _end(self._workers)

    def _start(self) -> _Worker:
        context = self._loky.backend.get_context("loky")
        ours, theirs = context.Pipe()
        environment = {name: os.environ.get(name, "1") for name in _THREADS}
        process = context.Process(target=_serve, args=(theirs, os.getpid()), env=environment)
        process.start()
        theirs.close()
        return _Worker(process, ours, self._loky)


@dataclass(frozen=True)
class _Worker:
    """A process and our end of its pipe; `loky` pickles what pickle cannot."""

    process: Any
    connection: Any
    loky: Any

    def send(self, message: tuple[Function, Any]) -> None:
        try:
            packed = self.loky.backend.reduction.dumps(message)
        except Exception as error:
            raise _cannot_travel(_text(error)) from error
        with contextlib.suppress(OSError):  # that it has ended is seen where its answer should be
            self.connection.send_bytes(packed)

    def receive(self) -> Any:
        """Its answer; EOFError if it has ended."""
        try:
            packed = self.connection.recv_bytes()
        except OSError:
            raise EOFError from None
        try:
            answer = pickle.loads(packed)  # noqa: S301 (from our own worker)
        except Exception as error:
            raise _cannot_travel(_text(error)) from error
        if isinstance(answer, _Untold):
            raise _cannot_travel(answer.why)
        return answer

    def kill(self) -> None:
        """It and whatever it has started."""
        if self.process.is_alive():
            self.loky.backend.utils.kill_process_tree(self.process)

    def end(self) -> str:
        """Have it gone; how it ended."""
        self.process.join(_LAST_WORDS_S)
        self.kill()
        self.process.join()
        self.connection.close()
        code = self.process.exitcode
        return signal.Signals(-code).name if code and code < 0 else f"exit code {code}"


@dataclass(frozen=True)
class _Untold:
    """What a worker answers if it cannot read its task or send its result."""

    why: str


def _serve(connection: Any, parent: int) -> None:
    """In a worker: Ctrl-C is the parent's affair, and without a parent there is no work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    dumps = _import_loky().backend.reduction.dumps
    while True:
        try:
            packed = connection.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            function, task = pickle.loads(packed)  # noqa: S301 (from our parent)
            answer = dumps(function(task))
        except Exception as error:  # noqa: BLE001 (a class's pickling may do anything)
            answer = dumps(_Untold(_text(error)))
        connection.send_bytes(answer)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_S)
    os._exit(1)


def _end(workers: dict[int, _Worker]) -> None:
    for worker in workers.values():
        worker.kill()
    while workers:
        workers.popitem()[1].end()


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _cannot_travel(why: str) -> ExecutorError:
    return ExecutorError(
        f"a task, its function or its result cannot go from one process to another ({why})."
    )


def _import_loky() -> Any:
    try:
        from joblib.externals import loky
    except ImportError as error:
        raise PluginError(
            f"the executor 'processes' needs joblib ({error}): pip install 'qhal-core[parallel]'"
        ) from None
    return loky
