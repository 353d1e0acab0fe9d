"""Executors run independent tasks; `serial` is the reference."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from qhal.errors import PluginError
from qhal.hookspecs import hookimpl


class Executor(Protocol):
    """Maps a function over tasks and returns the results in the order of the tasks."""

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> list[Any]:
        """``[function(task) for task in tasks]``, wherever it runs."""
        ...


@dataclass(frozen=True, kw_only=True)
class ExecutorInfo:
    """What a plugin says of its executor; `factory` is ``"module:Class"``."""

    name: str
    summary: str
    factory: str
    distribution: str = ""
    version: str = ""

    def create(self) -> Executor:
        """Import the factory and make the executor."""
        module_name, _, attribute = self.factory.partition(":")
        try:
            executor: Executor = getattr(importlib.import_module(module_name), attribute)()
        except Exception as error:
            raise PluginError(
                f"executor {self.name!r} cannot be loaded from {self.factory!r}: "
                f"{type(error).__name__}: {error}."
            ) from error
        return executor


class Serial:
    """One task after the other, in this process."""

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> list[Any]:
        """``[function(task) for task in tasks]``."""
        return [function(task) for task in tasks]


class SerialPlugin:
    """Registers `Serial` as ``serial``."""

    @staticmethod
    @hookimpl
    def qhal_executor() -> ExecutorInfo:
        """See `qhal.hookspecs.qhal_executor`."""
        return ExecutorInfo(
            name="serial",
            summary="one task after the other in this process",
            factory="qhal.executor:Serial",
        )
