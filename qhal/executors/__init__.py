"""Executors run independent tasks, wherever they run: same results, in the order of the tasks."""

from qhal.executors.contract import (
    Again,
    Executor,
    ExecutorInfo,
    Function,
    Retry,
    RetryWarning,
    WorkersLost,
    check_num_workers,
)

__all__ = [
    "Again",
    "Executor",
    "ExecutorInfo",
    "Function",
    "Retry",
    "RetryWarning",
    "WorkersLost",
    "check_num_workers",
]
