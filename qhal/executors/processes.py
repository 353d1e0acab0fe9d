"""Processes on this machine, by joblib's loky."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from qhal.errors import ExecutorError, PluginError
from qhal.executors.contract import Executor, Function, WorkersLost, check_num_workers

_IDLE_S = 300
_WATCH_S = 0.5
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
        self.num_workers = check_num_workers(num_workers) or int(self._loky.cpu_count())
        self._pool: Any = None

    def _run(self, function: Function, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        if self.suspects:  # in a new process a task may do better
            self.suspects.clear()
            self.close()
        if self._pool is None:
            self._pool = self._start()
        pool, complete = self._pool, False
        try:
            futures = {pool.submit(function, task): k for k, task in enumerate(tasks)}
            for future in self._loky.as_completed(futures):
                try:
                    outcome = future.result()
                except (self._loky.BrokenProcessPool, self._loky.CancelledError) as error:
                    raise WorkersLost(_reason(error)) from None
                except Exception as error:
                    if pool is not self._pool:
                        raise WorkersLost("they were told to stop") from None
                    raise ExecutorError(
                        "a task, its function or its result cannot go from one process to another "
                        f"({type(error).__name__}: {error})."
                    ) from error
                yield futures[future], outcome
            complete = True
        except (self._loky.BrokenProcessPool, RuntimeError) as error:  # from submit
            raise WorkersLost(_reason(error)) from None
        finally:
            if not complete:
                self.close()

    def stop(self) -> None:
        """See `Executor.stop`."""
        super().stop()
        self.close()

    def close(self) -> None:
        """See `Executor.close`; tasks that are running are given up."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, kill_workers=True)

    def _start(self) -> Any:
        return self._loky.ProcessPoolExecutor(
            self.num_workers,
            timeout=_IDLE_S,
            initializer=_begin,
            initargs=(os.getpid(),),
            env={name: os.environ.get(name, "1") for name in _THREADS},
        )


def _begin(parent: int) -> None:
    """In a new worker: Ctrl-C is the parent's affair, and without a parent there is no work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_S)
    os._exit(1)


def _reason(error: BaseException) -> str:
    """That a worker ended, and how, if loky knows."""
    codes = re.search(r"exit codes of the workers are \{([^}]*)\}", str(error))
    return f"a worker process ended: {codes[1]}" if codes else "a worker process ended"


def _import_loky() -> Any:
    try:
        from joblib.externals import loky
    except ImportError as error:
        raise PluginError(
            f"the executor 'processes' needs joblib ({error}): pip install 'qhal-core[parallel]'"
        ) from None
    return loky
