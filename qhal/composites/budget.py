"""`budget`: hard caps on what an oracle may be asked, kept before anything is spent."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NoReturn

from qhal.composite import Composite
from qhal.composites.options import number, whole
from qhal.errors import BudgetError, InputError
from qhal.oracle import Answer, ExactAnswer, Oracle
from qhal.problems.arrays import States
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo

# A shorter time limit than this is not worth a call.
_LEAST_S = 1e-3


@dataclass
class _Spent:
    """What was spent, or is reserved for calls that are running."""

    calls: int = 0
    reads: int = 0
    seconds: float = 0.0


class Budget(Composite):
    """Refuses a call of `child` that might cost more than is left; other calls pass unchanged.

    A call counts when it is made, also if it fails. Before it, the most that it may take is
    reserved: for seconds the child's time limit, which is lowered to what is left, or the child's
    own estimate (`Oracle.charged_seconds`). Afterwards it is settled by ``charged_time_s`` of its
    info, or by the clock. The caps hold for all threads together, for as long as the object lives.
    A whole problem that an exact child solves is one call of one read.

    Parameters
    ----------
    calls : at most so many calls, whole number >= 0
    reads : at most so many reads in all, as asked for, whole number >= 0
    seconds : at most so many seconds of the machine in all, >= 0
    money : at most so much money in all, in the currency of the prices
    call_price, read_price, second_price : money for each call, read and second of the machine
    """

    name: ClassVar[str] = "budget"
    transparent: ClassVar[bool] = True
    frugal: ClassVar[bool] = True

    def __init__(
        self,
        child: Oracle,
        *,
        calls: int | None = None,
        reads: int | None = None,
        seconds: float | None = None,
        money: float | None = None,
        call_price: float = 0.0,
        read_price: float = 0.0,
        second_price: float = 0.0,
    ) -> None:
        caps = {"calls": calls, "reads": reads, "seconds": seconds, "money": money}
        prices = {
            "call_price": call_price,
            "read_price": read_price,
            "second_price": second_price,
        }
        if all(cap is None for cap in caps.values()):
            raise InputError("a budget needs a cap: calls, reads, seconds or money.")
        self.calls = math.inf if calls is None else whole("calls", calls, 0)
        self.reads = math.inf if reads is None else whole("reads", reads, 0)
        self.seconds = math.inf if seconds is None else number("seconds", seconds)
        self.money = math.inf if money is None else number("money", money)
        self.prices = {key: number(key, price) for key, price in prices.items()}
        if (money is None) != (not any(self.prices.values())):
            raise InputError(
                "money needs a price, and a price needs money: budget(money=20, second_price=0.5)."
            )
        self._lock, self._spent = threading.Lock(), _Spent()
        super().__init__(child, **caps, **prices)
        _require_frugal(self)

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        reserved, limit = self._reserve(
            num_reads, time_limit, lambda: self.child.charged_seconds(qubo, num_reads, time_limit)
        )
        start = time.perf_counter()
        charged: float | None = None
        try:
            samples = self.ask(
                qubo,
                num_reads=num_reads,
                seed=seed,
                time_limit=limit,
                initial_states=initial_states,
            )
            charged = samples.info.get("charged_time_s", samples.time_s)
        finally:
            # No machine works longer than we wait for it.
            elapsed = time.perf_counter() - start
            with self._lock:
                self._spent.seconds += (elapsed if charged is None else charged) - reserved
        return samples.states, self.report(samples, **self.spent())

    def solve_exactly(
        self, problem: Qcbo, *, time_limit: float | None = None, seed: int = 0
    ) -> ExactAnswer | None:
        """See `qhal.Oracle.solve_exactly`; what the child has no method for costs nothing."""
        if not self.info.exact:
            return None
        reserved, limit = self._reserve(1, time_limit, lambda: None)
        start = time.perf_counter()
        answer: ExactAnswer | None = None
        asked = 1
        try:
            answer = self.ask_exactly(problem, time_limit=limit, seed=seed)
            asked = 0 if answer is None else 1
        finally:
            with self._lock:
                self._spent.calls -= 1 - asked
                self._spent.reads -= 1 - asked
                self._spent.seconds += asked * (time.perf_counter() - start) - reserved
        if answer is None:
            return None
        return replace(answer, info={**answer.info, self.name: self.spent()})

    def spent(self) -> dict[str, float]:
        """What was spent until now, with what running calls have reserved."""
        with self._lock:
            spent = _Spent(**vars(self._spent))
        record: dict[str, float] = {
            "calls": spent.calls,
            "reads": spent.reads,
            "time_s": spent.seconds,
        }
        return record | ({"money": self._price(spent)} if self.money < math.inf else {})

    def _reserve(
        self, num_reads: int, time_limit: float | None, estimate: Callable[[], float | None]
    ) -> tuple[float, float | None]:
        """The seconds that are now reserved, and the time limit for the call.

        `estimate` says what a child without time limits may charge at most.
        """
        with self._lock:
            spent = self._spent
            if spent.calls + 1 > self.calls:
                self._refuse(f"{self.calls} calls")
            if spent.reads + num_reads > self.reads:
                self._refuse(f"{self.reads} reads, of which {self.reads - spent.reads} are left")
            plan = _Spent(spent.calls + 1, spent.reads + num_reads, spent.seconds)
            if self._price(plan) > self.money * (1 + 1e-12):
                self._refuse(f"{self.money:g} in money")
            seconds, limit = self._reserve_seconds(plan, time_limit, estimate)
            self._spent = _Spent(plan.calls, plan.reads, spent.seconds + seconds)
        return seconds, limit

    def _reserve_seconds(
        self, plan: _Spent, time_limit: float | None, estimate: Callable[[], float | None]
    ) -> tuple[float, float | None]:
        left = self.seconds - plan.seconds
        if self.prices["second_price"]:
            left = min(left, (self.money - self._price(plan)) / self.prices["second_price"])
        if left == math.inf:
            return 0.0, time_limit
        what = (
            f"{self.seconds:g} seconds" if self.seconds < math.inf else f"{self.money:g} in money"
        )
        if self.child.info.honours_time_limit:
            limit = min(left, math.inf if time_limit is None else time_limit)
            if limit < _LEAST_S:
                self._refuse(what)
            return limit, limit
        most = estimate()
        if most is None:
            raise BudgetError(
                f"the seconds of {self.child.info.name!r} cannot be capped: it honours no time "
                "limit and gives no estimate. Cap its calls or reads."
            )
        if most > left:
            self._refuse(f"{what}, and this call may take {most:.3g} s")
        return most, time_limit

    def _price(self, spent: _Spent) -> float:
        prices = self.prices
        return (
            spent.calls * prices["call_price"]
            + spent.reads * prices["read_price"]
            + spent.seconds * prices["second_price"]
        )

    def _refuse(self, cap: str) -> NoReturn:
        raise BudgetError(
            f"the call was not made: the budget of {self.child.info.name!r} allows {cap}, "
            f"and {self._spent.calls} calls are spent or running. Give it more, or stop here."
        )

    def __reduce__(self) -> Any:
        raise InputError(
            "a budget is not copied and not sent to other processes, where it would be spent "
            "again: use threads, or give each process a budget of its own."
        )


def _require_frugal(outer: Composite) -> None:
    for child in outer.children:
        if isinstance(child, Composite):
            if not child.frugal:
                raise InputError(
                    f"{child.name!r} may turn one call into several, which a budget around it "
                    f"would not see: put the budget inside, 'cim|budget(...)|{child.name}'."
                )
            _require_frugal(child)
