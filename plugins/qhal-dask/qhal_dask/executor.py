"""Tasks on a Dask cluster; what dies there is noticed, run again and told."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import dask
import distributed
from distributed.protocol import pickle
from distributed.scheduler import KilledWorker

from qhal.errors import ExecutorError, InputError
from qhal.executors import Again, Executor, Function, WorkersLost, check_num_workers
from qhal.executors.attempts import worker_name

_CONNECT_S = 60.0  # for a scheduler that is being restarted, and for its first worker
_PATIENCE_S = 5.0  # without any answer, before we ask whether there still are workers

_ENVIRONMENT = "distributed.nanny.pre-spawn-environ"


class Dask(Executor):
    """A cluster of one-threaded workers on this machine, or any cluster that is running.

    Parameters
    ----------
    address : of a running scheduler, such as "tcp://10.0.0.1:8786"; None starts a local cluster
    num_workers : of the local cluster; None (default) means one for each core
    """

    def __init__(self, address: str | None = None, num_workers: int | None = None) -> None:
        if address is not None and (not isinstance(address, str) or num_workers is not None):
            raise InputError(
                "address is a text such as 'tcp://10.0.0.1:8786', and num_workers goes without it: "
                "a running cluster has the workers that it has."
            )
        self.address, self.num_workers = address, check_num_workers(num_workers)
        self._cluster: Any = None
        self._client: Any = None
        self._futures: list[Any] = []

    def _run(self, function: Function, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        client = self._connected()
        known = _num_events(client)
        sendable, workers = partial(_sendable, function), self._trusted(client)
        self._futures = client.map(sendable, tasks, pure=False, workers=workers)
        places = {future.key: k for k, future in enumerate(self._futures)}
        try:
            for future, outcome in self._answers(workers):
                yield places[future.key], _checked(future, outcome)
            for place, reason in _given_out_again(client, known, places):
                yield place, Again(reason)
        except OSError as error:
            raise WorkersLost(f"the scheduler was lost: {error}") from None
        finally:
            self._release()

    def stop(self) -> None:
        """See `Executor.stop`."""
        super().stop()
        self._release()

    def close(self) -> None:
        """See `Executor.close`; a cluster that was running before goes on."""
        client, self._client = self._client, None
        cluster, self._cluster = self._cluster, None
        if client is not None:
            client.close()
        if cluster is not None:
            cluster.close()

    def _answers(self, workers: Sequence[str] | None) -> Iterator[tuple[Any, Any]]:
        """Futures as they are done, with their results; `workers` are all that may do them."""
        waiting = set(self._futures)
        while waiting:
            done = distributed.as_completed(
                list(waiting),
                loop=self._client.loop,
                with_results=True,
                raise_errors=False,
                timeout=_PATIENCE_S,
            )
            try:
                for future, outcome in done:
                    waiting.discard(future)
                    yield future, outcome
            except TimeoutError:
                client = self._connected()
                # One that was restarted has another address, for which nothing would be done.
                if workers and not client.scheduler_info()["workers"].keys() & set(workers):
                    raise WorkersLost("the workers that tasks were given to were lost") from None

    def _connected(self) -> Any:
        """A client of a cluster that has workers."""
        if self._client is not None and self._client.status != "running":
            self.close()  # it was cut off from its scheduler
        try:
            if self._client is None:
                self._client = self._connect()
            elif self._cluster is not None:
                # Dask gives up a worker that is slow to come back, and does not replace it.
                self._cluster.scale(len(self._cluster.worker_spec))
            self._client.wait_for_workers(1, timeout=_CONNECT_S)
        except (OSError, TimeoutError, RuntimeError, ValueError) as error:
            self.close()
            what = f"{type(error).__name__}: {error}"
            if self.address is None:
                raise ExecutorError(
                    f"no Dask cluster can be started here ({what}): in a script of your own, call "
                    'this under `if __name__ == "__main__":`, as its workers import the script.'
                ) from None
            raise ExecutorError(
                f"there is no Dask cluster with workers at {self.address} ({what}): start one with "
                "'dask scheduler' and 'dask worker', or check the address."
            ) from None
        return self._client

    def _connect(self) -> Any:
        if self.address is None:
            with dask.config.set({_ENVIRONMENT: _environment()}):
                self._cluster = distributed.LocalCluster(
                    n_workers=self.num_workers,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
            return distributed.Client(self._cluster, set_as_default=False)
        give_up = time.monotonic() + _CONNECT_S
        while True:
            try:
                return distributed.Client(self.address, timeout=5, set_as_default=False)
            except OSError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)

    def _trusted(self, client: Any) -> list[str] | None:
        """The workers that are not suspect; None, which means all, if there are no others."""
        if not self.suspects:
            return None
        names = client.run(worker_name)
        trusted = [address for address, name in names.items() if name not in self.suspects]
        if not trusted:
            self.suspects.clear()
        return trusted or None

    def _release(self) -> None:
        futures, self._futures = self._futures, []
        if futures and self._client is not None and self._client.status == "running":
            self._client.cancel(futures, force=True)


def _environment() -> dict[str, Any]:
    """Dask's for its workers, but freed memory is kept.

    By default they return it to the system at once, and each array that numpy makes costs page
    faults: two thirds of the time of a worker that adds up over samples.
    """
    theirs = dask.config.get(_ENVIRONMENT, {})
    return {name: value for name, value in theirs.items() if name != "MALLOC_TRIM_THRESHOLD_"}


def _sendable(function: Function, task: Any) -> Any:
    """``function(task)``; Dask would wait for ever for a result that cannot be sent."""
    outcome = function(task)
    pickle.dumps(outcome)
    return outcome


def _checked(future: Any, outcome: Any) -> Any:
    """The outcome of a task; raises if Dask has none."""
    if future.status == "finished":
        return outcome
    if future.status != "error":
        raise WorkersLost("the connection to the scheduler was lost")
    error = outcome[1] if isinstance(outcome, tuple) else future.exception()
    if isinstance(error, KilledWorker):
        raise ExecutorError(
            f"a task's worker died {error.allowed_failures + 1} times: the task may be too large "
            "for the workers, or its oracle may end their processes."
        )
    raise ExecutorError(
        f"a task or its result cannot travel, or a worker cannot run it "
        f"({type(error).__name__}: {error}): do all have the same versions of qhal and its plugins?"
    )


def _num_events(client: Any) -> int:
    return len(client.get_events("all"))


def _given_out_again(client: Any, known: int, places: dict[Any, int]) -> list[tuple[int, str]]:
    """Tasks that Dask itself has run again since it had `known` events, as their worker died."""
    again: dict[int, str] = {}
    for _, event in client.get_events("all")[known:]:
        if event.get("action") == "remove-worker":
            keys = [*event.get("processing-tasks", ()), *event.get("lost-computed-tasks", ())]
            reason = f"worker {event.get('worker')} was lost"
            again |= {places[key]: reason for key in keys if key in places}
    return sorted(again.items())
