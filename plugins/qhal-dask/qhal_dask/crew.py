"""The workers of a Dask cluster: who is there, and tasks for one of them.

A task goes to its worker by `Client.run`, past the queue of the scheduler, in which two that do
nothing cost about 20 ms. As many are given to a worker as it has threads, in which they then run
beside, or after, those of other users.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from distributed.protocol import pickle

from qhal.errors import ExecutorError
from qhal.executors import Function
from qhal.executors.attempts import worker_name

WATCH_S = 1.0  # how old our list of workers may be

_DOUBT_S = 5.0  # for so long a scheduler may name a worker that we have lost
_PAUSE_S = 0.2  # between two looks for the first worker
_AT_A_TIME = 400  # tasks: each holds one of the 512 connections that a client has


class Crew:
    """The workers of a cluster, as its scheduler last named them.

    Parameters
    ----------
    client : of distributed; what it is asked for raises OSError if its scheduler is lost
    cluster : its cluster, if that is our own, whose workers are then replaced

    Attributes
    ----------
    threads : how many each worker has, by its address; who has been there longest comes first
    """

    def __init__(self, client: Any, cluster: Any = None) -> None:
        self.client, self._cluster = client, cluster
        self.threads: dict[str, int] = {}
        self._names: dict[str, str] = {}
        self._lost: dict[str, float] = {}  # when
        self._looked = 0.0
        self._sign_of_life: Any = None

    def look(self) -> bool:
        """See who is there; False if we know that well enough."""
        if self.threads and time.monotonic() < self._looked + WATCH_S:
            return False
        present: Mapping[str, int] = self.client.nthreads()
        if self._cluster is None:
            # Else a scheduler with an idle timeout would end: it does not see what we do.
            self._sign_of_life = self.client.submit(worker_name, pure=False)
        elif len(present) < len(self._cluster.worker_spec):
            # Dask gives up a worker that is slow to come back, and does not replace it.
            self._cluster.scale(len(self._cluster.worker_spec))
        self._looked = now = time.monotonic()
        self._lost = {
            worker: when
            for worker, when in self._lost.items()
            if worker in present and now < when + _DOUBT_S
        }
        order = dict.fromkeys([*self.threads, *present])
        there = present.keys() - self._lost.keys()
        self.threads = {worker: present[worker] for worker in order if worker in there}
        return True

    def wait(self, timeout: float) -> None:
        """See that somebody is there; TimeoutError if nobody comes within `timeout` seconds."""
        give_up = time.monotonic() + timeout
        self.look()
        while not self.threads:
            if time.monotonic() > give_up:
                raise TimeoutError("no worker has come")
            time.sleep(_PAUSE_S)
            self.look()

    def lose(self, worker: str) -> None:
        """It is gone, as far as we can tell."""
        self._lost[worker] = time.monotonic()
        self.threads.pop(worker, None)
        self._names.pop(worker, None)

    def trusted(self, suspects: set[str]) -> Mapping[str, int]:
        """`threads` of those not in `suspects`; if there are no others, that is emptied."""
        if not suspects:
            return self.threads
        new = [worker for worker in self.threads if worker not in self._names]
        if new:
            self._names |= self.client.run(worker_name, workers=new, on_error="ignore")
        trusted = {
            worker: threads
            for worker, threads in self.threads.items()
            if self._names.get(worker) not in suspects
        }
        if not trusted:
            suspects.clear()
        return trusted or self.threads

    def places(self, suspects: set[str]) -> list[str]:
        """The worker of each thread that is to have tasks; all have one before any has two."""
        trusted = self.trusted(suspects)
        turns = range(max(trusted.values(), default=0))
        places = [worker for turn in turns for worker in trusted if turn < trusted[worker]]
        return places[:_AT_A_TIME]

    def ask(self, worker: str, function: Function, task: Any) -> Future[Any]:
        """Have `worker` do a task; what comes is for `outcome`, or OSError if it is lost."""
        try:
            packed = pickle.dumps((function, task))
        except Exception as error:
            raise _cannot_travel(_text(error)) from error
        answer = self._answer(worker, packed)
        return asyncio.run_coroutine_threadsafe(answer, self.client.loop.asyncio_loop)

    async def _answer(self, worker: str, packed: bytes) -> Any:
        try:
            answers = await self.client.run(_perform, packed, workers=[worker], on_error="return")
        except RuntimeError as error:  # the client has closed itself
            raise OSError(str(error)) from None
        return answers[worker]


def outcome(answer: Any) -> Any:
    """What the function gave; raises `ExecutorError` if a worker could not read or send it."""
    if isinstance(answer, bytes):
        try:
            return pickle.loads(answer)
        except Exception as error:
            raise _cannot_travel(_text(error)) from error
    raise _cannot_travel(answer if isinstance(answer, str) else _text(answer))


def is_loss(answer: Any) -> bool:
    """Whether it only says that its worker, or the way to it, is closing or closed."""
    return isinstance(answer, (OSError, RuntimeError))


async def _perform(packed: bytes, dask_worker: Any) -> bytes | str:
    """In a worker's event loop, which stays free: the task goes to a thread of those for tasks.

    Returns the outcome, or a text that says why the task cannot be read or the outcome not be sent.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(dask_worker.executors["default"], _performed, packed)


def _performed(packed: bytes) -> bytes | str:
    try:
        function, task = pickle.loads(packed)
        return pickle.dumps(function(task))
    except (Exception, SystemExit) as error:  # noqa: BLE001 (a class's pickling may do anything)
        return _text(error)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _cannot_travel(why: str) -> ExecutorError:
    return ExecutorError(
        f"a task or its result cannot travel, or a worker cannot run it ({why}): do all have the "
        "same versions of qhal and its plugins?"
    )
