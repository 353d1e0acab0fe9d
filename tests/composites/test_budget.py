"""Caps that hold."""

import pickle
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qhal
from qhal.composites import Budget
from qhal.errors import BudgetError
from tests.composites.problems import minimum, qubos, random_qubo

QUBO = random_qubo(6)


class Clocked(qhal.Oracle):
    """Charges what it is told to, by a clock of its own."""

    info = qhal.OracleInfo(name="clocked", summary="", factory="", honours_time_limit=True)

    def __init__(self, charge_s=1.0, fails=False):
        self.charge_s, self.fails, self.calls, self.limits = charge_s, fails, 0, []

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        self.calls += 1
        self.limits.append(time_limit)
        if self.fails:
            raise ConnectionError("lost")
        states = np.zeros((num_reads, qubo.num_variables), dtype=np.int8)
        return states, {"charged_time_s": min(self.charge_s, time_limit or np.inf)}


def spend(oracle, calls=20, num_reads=5):
    """How many of `calls` were allowed."""
    allowed = 0
    for _ in range(calls):
        try:
            oracle.sample(QUBO, num_reads=num_reads, seed=0)
            allowed += 1
        except BudgetError:
            pass
    return allowed


@pytest.mark.parametrize(
    ("caps", "allowed"),
    [
        ({"calls": 7}, 7),
        ({"calls": 0}, 0),
        ({"reads": 34}, 6),
        ({"seconds": 3.5}, 4),
        ({"money": 1.0, "call_price": 0.25}, 4),
        ({"money": 1.0, "read_price": 0.1}, 2),
        ({"money": 3.0, "second_price": 1.0}, 3),
        ({"money": 10.0, "call_price": 1.0, "second_price": 1.0}, 5),
        ({"calls": 9, "reads": 10}, 2),
    ],
)
def test_what_is_allowed(caps, allowed):
    child = Clocked()
    assert spend(Budget(child, **caps)) == allowed == child.calls


def test_a_call_is_never_given_more_time_than_is_left():
    child = Clocked(charge_s=2.0)
    budget = Budget(child, seconds=5.0)
    budget.sample(QUBO, seed=0, time_limit=1.0)
    budget.sample(QUBO, seed=0)
    budget.sample(QUBO, seed=0)
    assert child.limits == [1.0, 4.0, 2.0]
    with pytest.raises(BudgetError, match="allows 5 seconds, and 3 calls are spent"):
        budget.sample(QUBO, seed=0)
    assert budget.spent() == {"calls": 3, "reads": 300, "time_s": 5.0}


def test_calls_that_fail_count():
    child = Clocked(fails=True)
    budget = Budget(child, calls=3)
    for _ in range(3):
        with pytest.raises(qhal.QhalError, match="lost"):
            budget.sample(QUBO, seed=0)
    with pytest.raises(BudgetError, match="allows 3 calls"):
        budget.sample(QUBO, seed=0)
    assert child.calls == 3


def test_seconds_of_an_oracle_without_limit_or_estimate_are_refused():
    child = Clocked()
    child.info = qhal.OracleInfo(name="timeless", summary="", factory="")
    with pytest.raises(BudgetError, match="honours no time limit and gives no estimate"):
        Budget(child, seconds=3.0).sample(QUBO, seed=0)
    assert child.calls == 0
    child.charged_seconds = lambda qubo, num_reads, time_limit: 2.0
    budget = Budget(child, seconds=3.5)
    budget.sample(QUBO, seed=0)
    assert child.limits == [None]
    assert spend(budget, calls=5) == 1
    with pytest.raises(BudgetError, match=r"3.5 seconds, and this call may take 2 s"):
        budget.sample(QUBO, seed=0)
    assert child.calls == 2


def test_many_threads_share_one_budget():
    class Slow(Clocked):
        def _sample(self, qubo, **parameters):
            time.sleep(0.001)
            return super()._sample(qubo, **parameters)

    child = Slow()
    budget = Budget(child, calls=25)
    allowed = []
    threads = [threading.Thread(target=lambda: allowed.append(spend(budget))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(allowed) == 25 == child.calls


@given(qubos(), st.integers(0, 99))
def test_what_passes_is_unchanged_and_stays_proved(qubo, seed):
    samples = qhal.get_oracle("exhaustive|budget(calls=9, reads=99)").sample(
        qubo, num_reads=3, seed=seed
    )
    assert samples.lower_bound == pytest.approx(minimum(qubo))
    assert samples.info["budget"]["reads"] == 3
    assert samples.info["oracle"] == "exhaustive"


@pytest.mark.parametrize("text", ["retry", "presolve", "decompose(size=3)", "noisy|retry|noisy"])
def test_a_budget_around_what_multiplies_calls_is_refused(text):
    with pytest.raises(qhal.InputError, match="put the budget inside"):
        qhal.get_oracle(f"sa|{text}|budget(calls=3)")
    qhal.get_oracle(f"sa|budget(calls=3)|{text}")


def test_a_budget_is_not_copied():
    with pytest.raises(qhal.InputError, match="each process a budget of its own"):
        pickle.dumps(Budget(Clocked(), calls=3))


def test_an_empty_budget_keeps_the_incumbent():
    problem = qhal.Qcbo.from_arrays(-np.eye(6), A_eq=[np.ones(6)], b_eq=[3])
    solution = qhal.solve(problem, oracle="sa|budget(calls=2)", seed=1, iterations=9)
    assert solution.oracle_calls <= 2
    assert solution.objective == -3
    with pytest.raises(BudgetError):
        qhal.solve(problem, oracle="sa|budget(calls=0)", seed=1)


@pytest.mark.parametrize(
    ("caps", "sentence"),
    [
        ({}, "needs a cap"),
        ({"calls": 1.5}, "calls must be a whole number"),
        ({"seconds": -1}, "seconds must be a finite number of at least 0"),
        ({"money": 3}, "money needs a price"),
        ({"calls": 3, "read_price": 1}, "a price needs money"),
    ],
)
def test_bad_options(caps, sentence):
    with pytest.raises(qhal.InputError, match=sentence):
        Budget(Clocked(), **caps)
