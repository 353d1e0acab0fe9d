"""Faults on demand."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qhal
from qhal.composites import Noisy
from qhal.errors import AnswerError, TransientError
from qhal.testing import check_oracle
from tests.composites.problems import minimum, qubos, random_qubo

QUBO = random_qubo(8)


def fates(oracle, calls=300):
    """How often each thing happened."""
    counts = {"ok": 0, "lost": 0, "garbled": 0}
    for _ in range(calls):
        try:
            oracle.sample(QUBO, num_reads=2, seed=0)
            counts["ok"] += 1
        except AnswerError:
            counts["garbled"] += 1
        except TransientError:
            counts["lost"] += 1
    return counts


def test_without_faults_nothing_changes():
    plain, noisy = qhal.get_oracle("sa"), qhal.get_oracle("sa|noisy")
    one, other = (oracle.sample(QUBO, num_reads=5, seed=3) for oracle in (plain, noisy))
    assert (one.states == other.states).all()
    assert check_oracle("sa|noisy").passed


def test_shares_of_faults():
    counts = fates(qhal.get_oracle("random|noisy(errors=0.2,hangs=0.2,hang_s=1e-4,garbage=0.2)"))
    assert 80 <= counts["lost"] <= 160
    assert 35 <= counts["garbled"] <= 85
    assert sum(counts.values()) == 300


def test_the_same_seed_gives_the_same_faults():
    made = [qhal.get_oracle(f"random|noisy(errors=0.5,seed={seed})") for seed in (1, 1, 2)]
    orders = []
    for oracle in made:
        order = []
        for _ in range(50):
            try:
                order.append(bool(len(oracle.sample(QUBO, seed=0, num_reads=1))))
            except TransientError:
                order.append(False)
        orders.append(order)
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


@given(qubos(), st.floats(0, 1), st.floats(0, 1), st.integers(0, 99))
def test_no_energy_is_ever_wrong_and_no_proof_survives(qubo, wrong, bit_errors, seed):
    oracle = Noisy(qhal.get_oracle("exhaustive"), wrong=wrong, bit_errors=bit_errors, seed=seed)
    samples = oracle.sample(qubo, num_reads=4, seed=seed)
    assert not oracle.info.exact
    assert samples.lower_bound is None
    assert (samples.energies == qubo.energies(samples.states)).all()
    assert samples.first[1] >= minimum(qubo)
    assert (oracle.sample(qubo, num_reads=4, seed=seed).states == samples.states).all()


def test_bit_errors_have_the_share_asked_for():
    flat = qhal.Qubo(np.zeros((20, 20)))
    plain = qhal.get_oracle("random").sample(flat, num_reads=500, seed=1).states
    noisy = qhal.get_oracle("random|noisy(bit_errors=0.1)")
    found = noisy.sample(flat, num_reads=500, seed=1)
    assert (found.states != plain).mean() == pytest.approx(0.1, abs=0.01)
    assert found.info["noisy"]["flipped_bits"] == (found.states != plain).sum()


def test_stop_wakes_a_hanging_call():
    oracle = qhal.get_oracle("random|noisy(hangs=1)")
    errors = []

    def call():
        try:
            oracle.sample(QUBO, seed=0)
        except TransientError as error:
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    while not oracle._sleepers:
        time.sleep(0.001)
    oracle.stop()
    thread.join(20)
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"errors": 1.5}, "errors must be a number from 0 to 1, not 1.5"),
        ({"errors": "x"}, "errors must be a number from 0 to 1, not 'x'"),
        ({"errors": 0.5, "hangs": 0.6}, "sum is above 1"),
        ({"hang_s": 0}, "hang_s must be a finite number above 0"),
        ({"delay_s": float("nan")}, "delay_s must be a finite number of at least 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_bad_options(options, sentence):
    with pytest.raises(qhal.InputError, match=sentence):
        Noisy(qhal.get_oracle("random"), **options)
