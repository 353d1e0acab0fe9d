"""One attempt at one task, where it runs: whatever happens, it returns, and can travel back."""

from __future__ import annotations

import os
import platform
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qhal.errors import BudgetError, ExecutorError, OracleError


@dataclass(frozen=True)
class Done:
    """A result."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """An exception, the worker (``host:pid``) on which it was raised, and where in the code."""

    error: Exception
    worker: str
    trace: str

    @property
    def may_be_the_worker(self) -> bool:
        """Whether another worker may do better: an oracle or something of the system failed."""
        if isinstance(self.error, BudgetError):
            return False
        return isinstance(self.error, (OracleError, OSError))


def attempt(function: Callable[[Any], Any], task: Any) -> Done | Raised:
    """What becomes of ``function(task)``."""
    try:
        return Done(function(task))
    except Exception as error:  # noqa: BLE001 (raised again where `map` was called)
        trace = "".join(traceback.format_tb(error.__traceback__))
        return Raised(_portable(error), worker_name(), trace)


def worker_name() -> str:
    """This process, as ``host:pid``."""
    return f"{platform.node()}:{os.getpid()}"


def _portable(error: Exception) -> Exception:
    """`error`, or an `ExecutorError` of the same text if it could not be rebuilt elsewhere."""
    plain = all(isinstance(part, (str, int, float, type(None))) for part in error.args)
    try:
        rebuilt = type(error)(*error.args)
    except Exception:  # noqa: BLE001 (an exception's class may do anything)
        plain = False
    if not plain or str(rebuilt) != str(error):
        error = ExecutorError(f"a task failed: {type(error).__name__}: {error}.").with_traceback(
            error.__traceback__
        )
    return error
