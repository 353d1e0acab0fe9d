"""Asking again."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qhal
from qhal.composites import Noisy, Retry
from qhal.errors import OracleError, TransientError
from tests.composites.problems import minimum, qubos, random_qubo

QUBO = random_qubo(6)


class Failing(qhal.Oracle):
    """Fails with the given errors, then answers."""

    info = qhal.OracleInfo(name="failing", summary="", factory="", seeded=True)

    def __init__(self, *errors):
        self.errors, self.seeds = list(errors), []

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        self.seeds.append(seed)
        if self.errors:
            raise self.errors.pop(0)
        return qhal.get_oracle("random")._sample(
            qubo, num_reads=num_reads, seed=seed, time_limit=None, initial_states=None
        )


def test_transient_failures_are_asked_again_with_the_same_seed():
    child = Failing(ConnectionError("a"), TimeoutError("b"), TransientError("c"))
    samples = Retry(child, attempts=4, wait_s=0).sample(QUBO, seed=5)
    assert child.seeds == [5] * 4
    assert samples.info["retry"]["attempts"] == 4
    assert "ConnectionError: a" in samples.info["retry"]["failures"][0]
    assert samples.info["oracle"] == "failing"


@pytest.mark.parametrize("error", [ValueError("bug"), OracleError("no"), qhal.InputError("bad")])
def test_other_errors_pass_at_once(error):
    child = Failing(error)
    with pytest.raises(qhal.QhalError, match=str(error)):
        Retry(child, wait_s=0).sample(QUBO, seed=5)
    assert len(child.seeds) == 1


def test_it_gives_up():
    child = Failing(*[ConnectionError("down")] * 9)
    with pytest.raises(TransientError, match=r"down.*That was attempt 3\."):
        Retry(child, wait_s=0).sample(QUBO, seed=5)
    assert len(child.seeds) == 3


@given(qubos(), st.integers(0, 9), st.integers(0, 99))
def test_faults_leave_no_trace_in_the_answer(qubo, fault_seed, seed):
    child = Noisy(qhal.get_oracle("exhaustive"), errors=0.3, garbage=0.3, seed=fault_seed)
    samples = Retry(child, attempts=50, wait_s=0).sample(qubo, num_reads=3, seed=seed)
    assert samples.first[1] == pytest.approx(minimum(qubo))
    assert samples.lower_bound is None


def test_proofs_pass():
    samples = qhal.get_oracle("exhaustive|retry").sample(QUBO, seed=0)
    assert samples.lower_bound == pytest.approx(minimum(QUBO))


def test_a_hanging_call_is_given_up_and_woken():
    child = Noisy(qhal.get_oracle("random"), hangs=0.5, seed=1)
    oracle = Retry(child, attempts=30, wait_s=0, timeout_s=0.02)
    for seed in range(10):
        assert len(oracle.sample(QUBO, num_reads=2, seed=seed)) == 2
    until = time.monotonic() + 20
    while child._sleepers and time.monotonic() < until:
        time.sleep(0.01)
    assert not child._sleepers


def test_without_an_answer_in_time_the_error_says_so():
    oracle = qhal.get_oracle("random|noisy(hangs=1)|retry(attempts=2, timeout_s=0.02, wait_s=0)")
    with pytest.raises(TransientError, match=r"no answer within 0.02 s\. That was attempt 2"):
        oracle.sample(QUBO, seed=0)


def test_stop_ends_the_attempts():
    child = Failing(*[ConnectionError("down")] * 9)
    oracle = Retry(child, attempts=9, wait_s=60)
    errors = []

    def call():
        try:
            oracle.sample(QUBO, seed=0)
        except TransientError as error:
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    while not child.seeds:
        time.sleep(0.001)
    time.sleep(0.05)
    oracle.stop()
    thread.join(20)
    assert len(errors) == 1
    assert len(child.seeds) <= 2


def test_bad_options():
    for options in ({"attempts": 0}, {"timeout_s": 0}, {"wait_s": -1}, {"max_wait_s": "x"}):
        with pytest.raises(qhal.InputError, match=next(iter(options))):
            Retry(Failing(), **options)
