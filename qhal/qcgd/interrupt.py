"""Ctrl-C in a run: the oracle stops at once, the run's own bookkeeping is never cut in half."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interrupt:
    """While entered, SIGINT sets `requested`, and raises only while `allow`ed.

    Libraries may turn a KeyboardInterrupt that hits them into some other error, so whoever sees one
    asks `requested`. In other threads, or under a handler of the caller's own, nothing changes.
    """

    def __init__(self) -> None:
        self.requested = False
        self._allowed = False
        self._installed = False

    def __enter__(self) -> Interrupt:
        usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if usual and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._handle)
            self._installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._installed = False

    def allow(self, allowed: bool) -> None:
        """Let SIGINT raise from now on, or no longer; raises at once if it came in between."""
        self._allowed = allowed
        if allowed and self.requested:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        if self._allowed:
            raise KeyboardInterrupt
