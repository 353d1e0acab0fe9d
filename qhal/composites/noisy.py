"""`noisy`: the faults of bad machines and bad networks, on demand."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from qhal.composite import Composite
from qhal.composites.options import number, positive, whole
from qhal.errors import InputError
from qhal.oracle import Answer, Oracle, OracleInfo
from qhal.problems.arrays import States
from qhal.problems.qubo import Qubo


class Noisy(Composite):
    """Injects faults into the calls of `child`, to test what is built on it.

    Failures, hangs, garbage and delays follow from `seed` and from how many calls came before, so
    that a call which is made again may fare better. Wrong states and bits follow from `seed` and
    from the call's own seed, so that a seeded child stays seeded. `exact` is taken back.

    Parameters
    ----------
    errors : probability from 0 to 1 that a call fails as if the connection were lost
    hangs : probability that a call gives no answer for `hang_s` seconds, and then fails
        `stop()` wakes it.
    garbage : probability that the answer is none: wrong shapes, wrong values, broken info
    wrong : probability that all states of an answer are replaced by random ones
    bit_errors : probability that a bit of an answer is flipped, for each bit
    delay_s : seconds >= 0; each answer comes late by up to as much
    hang_s : seconds > 0
    seed : whole number >= 0
    """

    name: ClassVar[str] = "noisy"
    frugal: ClassVar[bool] = True

    def __init__(
        self,
        child: Oracle,
        *,
        errors: float = 0.0,
        hangs: float = 0.0,
        garbage: float = 0.0,
        wrong: float = 0.0,
        bit_errors: float = 0.0,
        delay_s: float = 0.0,
        hang_s: float = 3600.0,
        seed: int = 0,
    ) -> None:
        shares = {"errors": errors, "hangs": hangs, "garbage": garbage}
        for key, value in (shares | {"wrong": wrong, "bit_errors": bit_errors}).items():
            number(key, value, 1.0)
        if errors + hangs + garbage > 1:
            raise InputError("errors, hangs and garbage exclude each other: their sum is above 1.")
        self.errors, self.hangs, self.garbage = float(errors), float(hangs), float(garbage)
        self.wrong, self.bit_errors = float(wrong), float(bit_errors)
        self.delay_s, self.hang_s = number("delay_s", delay_s), positive("hang_s", hang_s)
        self.seed = whole("seed", seed, 0)
        self._lock, self._calls = threading.Lock(), 0
        self._sleepers: set[threading.Event] = set()
        super().__init__(
            child,
            **shares,
            wrong=wrong,
            bit_errors=bit_errors,
            delay_s=delay_s,
            hang_s=hang_s,
            seed=seed,
        )

    def describe(self, info: OracleInfo) -> OracleInfo:
        """No proof survives this, and no time limit is safe from a hang or a delay."""
        late = self.hangs > 0 or self.delay_s > 0
        return replace(info, exact=False, honours_time_limit=info.honours_time_limit and not late)

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        with self._lock:
            call, self._calls = self._calls, self._calls + 1
        fate = np.random.default_rng([self.seed, call])
        draw = float(fate.random())
        self._sleep(self.delay_s * float(fate.random()))
        if draw < self.errors:
            raise ConnectionError(f"injected fault of call {call}")
        if draw < self.errors + self.hangs:
            self._sleep(self.hang_s)
            raise TimeoutError(f"injected hang of call {call}")
        samples = self.ask(
            qubo,
            num_reads=num_reads,
            seed=seed,
            time_limit=time_limit,
            initial_states=initial_states,
        )
        if draw < self.errors + self.hangs + self.garbage:
            garbage: Answer = _garbage(samples.states, fate)
            return garbage
        states, own = self._damaged(samples.states, np.random.default_rng([self.seed, 1, seed]))
        return states, self.report(samples, **own)

    def _damaged(self, states: States, rng: np.random.Generator) -> tuple[States, dict[str, Any]]:
        own: dict[str, Any] = {}
        if rng.random() < self.wrong:
            states = rng.integers(0, 2, states.shape, dtype=np.int8)
            own["wrong"] = True
        if self.bit_errors:
            flips = rng.random(states.shape) < self.bit_errors
            states = states ^ flips
            own["flipped_bits"] = int(flips.sum())
        return states, own

    def _sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        alarm = threading.Event()
        with self._lock:
            self._sleepers.add(alarm)
        alarm.wait(seconds)
        with self._lock:
            self._sleepers.discard(alarm)

    def stop(self) -> None:
        """Wake all calls that hang, and stop the child."""
        with self._lock:
            for alarm in self._sleepers:
                alarm.set()
        super().stop()


def _garbage(states: States, rng: np.random.Generator) -> Any:
    """One of the answers that are none."""
    kind = int(rng.integers(8))
    if kind == 0:
        return states[:, :-1]
    if kind == 1:
        return states[:0]
    if kind == 2:
        return states + np.int8(2)
    if kind == 3:
        return np.where(states == states, np.nan, states)
    if kind == 4:
        return states.astype(str)
    if kind == 5:
        return None
    if kind == 6:
        return states, {"energy": math.nan}
    return states, {"lower_bound": time}
