"""Tasks on a Dask cluster; what dies there is noticed, run again and told."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

import dask
import distributed

from qhal.errors import ExecutorError, InputError
from qhal.executors import Executor, Function, WorkersLost, check_num_workers
from qhal_dask.crew import Crew
from qhal_dask.round import Round

_CONNECT_S = 60.0  # for a scheduler that is being restarted, and for its first worker

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
        self._crew: Crew | None = None
        self._settings = ExitStack()

    def _run(self, function: Function, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        crew = self._connected()
        try:
            with closing(Round(crew, self.suspects, function, tasks)) as work:
                work.begin()
                while work.goes_on and not self._stopped.is_set():
                    yield from work.answers()
        except OSError as error:
            self.close()
            raise WorkersLost(f"the connection to the scheduler was lost: {error}") from None
        if work.lost:
            raise WorkersLost(f"worker {', '.join(sorted(work.lost))} was lost")

    def close(self) -> None:
        """See `Executor.close`; a cluster that was running before goes on."""
        crew, self._crew = self._crew, None
        cluster, self._cluster = self._cluster, None
        if crew is not None:
            crew.client.close()
        if cluster is not None:
            cluster.close()
        self._settings.close()

    def _connected(self) -> Crew:
        """Workers, of which there is one at least."""
        if self._crew is not None and self._crew.client.status != "running":
            self.close()  # it was cut off from its scheduler
        try:
            if self._crew is None:
                self._crew = self._connect()
            self._crew.wait(_CONNECT_S)
        except (OSError, RuntimeError, ValueError) as error:
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
        return self._crew

    def _connect(self) -> Crew:
        if self.address is None:
            # Until `close`, as workers that replace others are to have it too.
            self._settings.enter_context(dask.config.set({_ENVIRONMENT: _environment()}))
            self._cluster = distributed.LocalCluster(
                n_workers=self.num_workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
            client = distributed.Client(self._cluster, set_as_default=False)
            return Crew(client, self._cluster)
        give_up = time.monotonic() + _CONNECT_S
        while True:
            try:
                return Crew(distributed.Client(self.address, timeout=5, set_as_default=False))
            except OSError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)


def _environment() -> dict[str, Any]:
    """Dask's for its workers, but freed memory is kept.

    By default they return it to the system at once, and each array that numpy makes costs page
    faults: two thirds of the time of a worker that adds up over samples.
    """
    theirs = dask.config.get(_ENVIRONMENT, {})
    return {name: value for name, value in theirs.items() if name != "MALLOC_TRIM_THRESHOLD_"}
