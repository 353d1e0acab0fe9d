"""When a run has to stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qhal.errors import InputError
from qhal.oracle import check_time_limit
from qhal.problems.arrays import as_scalar

DEFAULT_ITERATIONS = 50


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When to stop, `time_limit` in seconds; None means no limit."""

    iterations: int = DEFAULT_ITERATIONS
    time_limit: float | None = None
    max_oracle_calls: int | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        for name in ("iterations", "max_oracle_calls"):
            value = getattr(self, name)
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if value is not None and (not whole or value < 1):
                raise InputError(f"{name} must be a whole number of at least 1, not {value!r}.")
        check_time_limit(self.time_limit)
        if self.target is not None:
            as_scalar(self.target, "the target")
