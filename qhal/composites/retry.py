"""`retry`: asks again after failures that may pass."""

from __future__ import annotations

import contextvars
import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from qhal.composite import Composite
from qhal.composites.options import number, positive, whole
from qhal.errors import TransientError
from qhal.oracle import Answer, ExactAnswer, Oracle
from qhal.problems.arrays import States
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo

T = TypeVar("T")


class Retry(Composite):
    """Repeats a call of `child` that failed with a `TransientError`; other errors pass at once.

    Transient are lost connections, timeouts and garbled answers. All attempts have the same seed,
    so that what a seeded child answers does not depend on how often it failed. Between attempts it
    waits, each time twice as long and up to a second more at random (so that many clients do not
    come back at once), as long as the call's time limit allows.

    Parameters
    ----------
    attempts : how often to ask at most, whole number >= 1
    timeout_s : seconds after which an attempt counts as failed, or None to wait for ever
        What runs on after that does so unseen, in a thread of its own.
    wait_s : seconds >= 0 before the second attempt
    max_wait_s : longest wait in seconds
    """

    name: ClassVar[str] = "retry"
    transparent: ClassVar[bool] = True

    def __init__(
        self,
        child: Oracle,
        *,
        attempts: int = 3,
        timeout_s: float | None = None,
        wait_s: float = 1.0,
        max_wait_s: float = 60.0,
    ) -> None:
        self.attempts = whole("attempts", attempts, 1)
        self.timeout_s = None if timeout_s is None else positive("timeout_s", timeout_s)
        self.wait_s, self.max_wait_s = number("wait_s", wait_s), number("max_wait_s", max_wait_s)
        self._lock = threading.Lock()
        self._running: set[threading.Event] = set()
        super().__init__(
            child, attempts=attempts, timeout_s=timeout_s, wait_s=wait_s, max_wait_s=max_wait_s
        )

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        samples, own = self._repeated(
            lambda left: self.ask(
                qubo,
                num_reads=num_reads,
                seed=seed,
                time_limit=left,
                initial_states=initial_states,
            ),
            time_limit,
        )
        return samples.states, self.report(samples, **own)

    def solve_exactly(
        self, problem: Qcbo, *, time_limit: float | None = None, seed: int = 0
    ) -> ExactAnswer | None:
        """See `qhal.Oracle.solve_exactly`."""
        answer, own = self._repeated(
            lambda left: self.ask_exactly(problem, time_limit=left, seed=seed), time_limit
        )
        return None if answer is None else replace(answer, info={**answer.info, self.name: own})

    def _repeated(
        self, call: Callable[[float | None], T], time_limit: float | None
    ) -> tuple[T, dict[str, Any]]:
        """What ``call(time limit)`` returned in the end, and how often it failed before."""
        begin = time.perf_counter()
        stopped = threading.Event()
        failures: list[str] = []

        def attempt() -> T:
            left = None if time_limit is None else time_limit - (time.perf_counter() - begin)
            try:
                return self._within_timeout(
                    lambda: call(left if left is None or left > 0 else 1e-3)
                )
            except TransientError as error:
                failures.append(str(error))
                raise

        with self._lock:
            self._running.add(stopped)
        try:
            outcome: T = self._retrying(stopped, time_limit)(attempt)
        except TransientError as error:
            if len(failures) == 1:
                raise
            raise TransientError(f"{error} That was attempt {len(failures)}.") from error
        finally:
            with self._lock:
                self._running.discard(stopped)
        return outcome, {"attempts": 1 + len(failures), "failures": failures}

    def _retrying(self, stopped: threading.Event, time_limit: float | None) -> Callable[..., Any]:
        import tenacity

        def ends(state: tenacity.RetryCallState) -> bool:
            late = (state.seconds_since_start or 0.0) >= (
                math.inf if time_limit is None else time_limit
            )
            return stopped.is_set() or late or state.attempt_number >= self.attempts

        def pause(seconds: float) -> None:
            stopped.wait(seconds if time_limit is None else min(seconds, time_limit))

        wait = tenacity.wait_combine(
            tenacity.wait_exponential(multiplier=self.wait_s, max=self.max_wait_s),
            tenacity.wait_random(0, min(1.0, self.wait_s)),
        )
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            stop=ends,
            wait=wait,
            sleep=pause,
            reraise=True,
        )

    def _within_timeout(self, call: Callable[[], T]) -> T:
        if self.timeout_s is None:
            return call()
        outcome: list[T | BaseException] = []
        done = threading.Event()

        def work() -> None:
            try:
                outcome.append(call())
            except BaseException as error:  # noqa: BLE001 (raised again by who waits)
                outcome.append(error)
            done.set()

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), daemon=True).start()
        if not done.wait(self.timeout_s):
            with self._lock:
                alone = len(self._running) <= 1
            if alone:  # `stop` would end the calls of other threads as well
                self.child.stop()
            raise TransientError(
                f"oracle {self.child.info.name!r} gave no answer within {self.timeout_s:g} s."
            )
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    def stop(self) -> None:
        """Stop the child, and make no further attempts for calls that are running."""
        with self._lock:
            for event in self._running:
                event.set()
        super().stop()
