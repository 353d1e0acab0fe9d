"""Where a run's time went, in Chrome's trace format (open it in chrome://tracing or Perfetto).

``with Trace() as trace: qhal.solve(...)``, then ``trace.write("trace.json")``; on the command line
``--trace trace.json``. Spans are measured in the thread that opened the trace and in those that it
starts for oracles; not in other processes. Without a trace a span costs about a microsecond.

Format: "Trace Event Format", complete events (``"ph": "X"``), times in microseconds.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any

from qhal.atomic import write_atomically

_ACTIVE: ContextVar[Trace | None] = ContextVar("qhal_trace", default=None)


class Trace:
    """Collects the spans that end while it is open."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._origin = time.perf_counter_ns()
        self._tokens: list[Token[Trace | None]] = []

    def __enter__(self) -> Trace:
        self._tokens.append(_ACTIVE.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        _ACTIVE.reset(self._tokens.pop())

    def to_json(self) -> dict[str, Any]:
        """The trace as one JSON object."""
        lanes = sorted({event["tid"] for event in self.events}, key=self._first)
        names = [
            {
                "name": "thread_name",
                "ph": "M",
                "pid": os.getpid(),
                "tid": lane,
                "args": {"name": "qhal" if k == 0 else f"oracle thread {k}"},
            }
            for k, lane in enumerate(lanes)
        ]
        events = sorted(self.events, key=lambda event: (event["ts"], -event["dur"]))
        return {"traceEvents": names + events, "displayTimeUnit": "ms"}

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write it to `path`; `InputError` if that is not possible."""
        write_atomically(os.fspath(path), (json.dumps(self.to_json()) + "\n").encode())

    def add(self, name: str, start_ns: int, end_ns: int, facts: dict[str, Any]) -> None:
        """Keep one span; times are those of `time.perf_counter_ns`."""
        self.events.append(
            {
                "name": name,
                "cat": "qhal",
                "ph": "X",
                "ts": (start_ns - self._origin) / 1000,
                "dur": (end_ns - start_ns) / 1000,
                "pid": os.getpid(),
                "tid": threading.get_native_id(),
                "args": facts,
            }
        )

    def _first(self, lane: int) -> float:
        return float(min(event["ts"] for event in self.events if event["tid"] == lane))


@contextmanager
def span(name: str, **facts: str | int | float) -> Iterator[None]:
    """Measure what happens inside, if a `Trace` is open; as a decorator, every call.

    `facts` are numbers and names for the reader, and never what a user might have to keep secret.
    """
    trace = _ACTIVE.get()
    if trace is None:
        yield
        return
    start = time.perf_counter_ns()
    try:
        yield
    finally:
        trace.add(name, start, time.perf_counter_ns(), facts)
