"""The reference executor, and the entries of those in core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from qhal.executors.contract import Executor, ExecutorInfo, Function
from qhal.hookspecs import hookimpl


class Serial(Executor):
    """One task after the other, in this process."""

    num_workers = 1

    def _run(self, function: Function, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        for k, task in enumerate(tasks):
            yield k, function(task)


class SerialPlugin:
    """Registers `Serial` as ``serial``."""

    @staticmethod
    @hookimpl
    def qhal_executor() -> ExecutorInfo:
        """See `qhal.hookspecs.qhal_executor`."""
        return ExecutorInfo(
            name="serial",
            summary="one task after the other in this process",
            factory="qhal.executors.serial:Serial",
        )


class ProcessesPlugin:
    """Registers `qhal.executors.processes.Processes` as ``processes``."""

    @staticmethod
    @hookimpl
    def qhal_executor() -> ExecutorInfo:
        """See `qhal.hookspecs.qhal_executor`."""
        return ExecutorInfo(
            name="processes",
            summary="processes on this machine, one for each core",
            factory="qhal.executors.processes:Processes",
        )
