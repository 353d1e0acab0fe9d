"""Ctrl-C in a run: it is heard at once, and the run's own bookkeeping is never cut in half."""

from __future__ import annotations

import contextvars
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

LOOK_UP_S = 0.05


class Interrupt:
    """While entered, SIGINT sets `requested`, and is heard only within `call` and `raising`.

    In other threads than the main one, or under a handler of the caller's own, nothing changes.
    """

    def __init__(self) -> None:
        self.requested = False
        self._raises = False
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

    def call(self, work: Callable[[], T], stop: Callable[[], None], grace_s: float = 0.0) -> T:
        """The result of `work`; at SIGINT calls `stop` and raises KeyboardInterrupt instead.

        Unless the work ends within `grace_s` seconds after `stop`: then its result counts.
        The work runs in a thread of its own, as signals do not reach Python inside a vendor's
        compiled code. What does not heed `stop` goes on unseen until it or the process ends.
        """
        if not self._installed:
            return work()
        if self.requested:
            raise KeyboardInterrupt
        outcome = _Outcome(work)
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(outcome.run,), daemon=True).start()
        # Looked up now and then, and not raised by the handler: an exception within `wait` can
        # leave its lock taken, and a signal just before it blocks is not seen until it ends.
        while not outcome.done.wait(LOOK_UP_S):
            if self.requested:
                stop()
                if not outcome.done.wait(grace_s):
                    raise KeyboardInterrupt
        return outcome.result()

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Within, SIGINT raises KeyboardInterrupt, as it usually does.

        For many short calls, of which `call` would start a thread each.
        """
        self._raises = True
        try:
            if self.requested:
                raise KeyboardInterrupt
            yield
        finally:
            self._raises = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        if self._raises:
            raise KeyboardInterrupt


class _Outcome(Generic[T]):
    """What became of some work done in another thread."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None
        self.done = threading.Event()

    def run(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as error:  # noqa: BLE001 (raised again in the thread that waits)
            self._error = error
        finally:
            self.done.set()

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._result[0]
