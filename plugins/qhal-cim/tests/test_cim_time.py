"""Time limits, and memory, for any number of reads."""

import time
import tracemalloc

import numpy as np
import pytest
import qhal_cim.oracle
import qhal_cim.ramp
from qhal_cim import Cim
from qhal_cim.forms import QuadraticForm
from qhal_cim.ramp import Deadline, Ramp

import qhal


def random_qubo(n, seed, density=1.0):
    rng = np.random.default_rng(seed)
    return qhal.Qubo(np.triu(rng.normal(size=(n, n)) * (rng.random((n, n)) < density)))


class Clock:
    """Stands still but for what it is told that steps and descents take."""

    now = 0.0

    def perf_counter(self):
        return self.now


STEP_S, DESCENT_S = 1e-3, 1e-4


@pytest.fixture
def clock(monkeypatch):
    """A clock by which a step takes `STEP_S` and the descent of a read `DESCENT_S`."""
    clock, chunks, descend = Clock(), Ramp.chunks, qhal_cim.oracle.descend

    def slow_chunks(ramp, num_steps, end):
        for progress in chunks(ramp, num_steps, end):
            yield progress
            clock.now += STEP_S * progress.size

    def slow_descend(form, bits, kernel):
        clock.now += DESCENT_S * len(bits)
        return descend(form, bits, kernel)

    monkeypatch.setattr(qhal_cim.ramp, "time", clock)
    monkeypatch.setattr(qhal_cim.oracle, "time", clock)
    monkeypatch.setattr(Ramp, "chunks", slow_chunks)
    monkeypatch.setattr(qhal_cim.oracle, "descend", slow_descend)
    return clock


@pytest.mark.parametrize("density", [0.02, 1.0])
def test_time_limit_shortens_the_ramp(density, clock):
    qubo = random_qubo(300, 6, density)
    samples = Cim(num_steps=10**7).sample(qubo, num_reads=150, seed=0, time_limit=0.5)
    assert 0.45 <= clock.now <= 0.5 * 1.05 + STEP_S
    assert 200 <= samples.info["num_steps"] <= 250  # two batches
    assert len(samples) == 150
    # Cut short, but still a whole ramp: far better than descent from random states.
    control = Cim(num_steps=1).sample(qubo, num_reads=150, seed=0)
    assert samples.energies.mean() < control.energies.mean()


def test_no_time_left_means_fewer_reads_but_the_best_initial_state():
    qubo = random_qubo(300, 6)
    good = Cim(num_steps=100).sample(qubo, num_reads=20, seed=0).states[:1]
    random = np.random.default_rng(0).integers(0, 2, (300, 300))
    samples = Cim().sample(
        qubo, num_reads=2000, time_limit=1e-4, initial_states=np.vstack([random, good])
    )
    assert len(samples) == 125  # the first of 16 batches
    assert samples.energies[0] <= qubo.energies(good)[0]


def test_deadline_leaves_time_for_what_comes_after_the_dynamics():
    form = QuadraticForm(np.zeros((3, 3)), np.zeros(3))
    now = time.perf_counter()
    assert Deadline(now, None, 100, form).share(100, 1, 0.0) is None
    assert Deadline(now - 11, 10, 100, form).allows(50, 0.0)  # the first batch, in any case
    deadline = Deadline(now, 10, 100, form)
    assert deadline.share(50, 2, 1.0) - now == pytest.approx((9.7 - 1) / 2, abs=0.1)
    deadline.finished(50, 2.0)
    assert deadline.share(50, 1, 1.0) - now == pytest.approx(9.7 - 2, abs=0.1)
    assert deadline.allows(50, 1.0)
    assert not deadline.allows(50, 8.0)
    late = Deadline(now - 11, 10, 100, form)
    late.finished(50, 0.0)
    assert not late.allows(50, 0.0)


def test_runs_are_not_shortened_without_end_for_the_sake_of_more_reads():
    form = QuadraticForm(np.zeros((3, 3)), np.zeros(3))
    now = time.perf_counter()
    deadline = Deadline(now, 16, 10**6, form)
    assert deadline.share(128, 10**4, 0.0) - now == pytest.approx(1, abs=0.1)


def test_many_reads_take_the_memory_of_their_states_and_of_a_batch():
    qubo = random_qubo(60, 6, 0.1)
    oracle = Cim(num_steps=1)
    oracle.sample(qubo, num_reads=10, seed=0)
    tracemalloc.start()
    samples = oracle.sample(qubo, num_reads=100_000, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert samples.states.shape == (100_000, 60)
    assert peak < 5 * samples.states.nbytes + 10 * samples.energies.nbytes


@pytest.mark.parametrize("dynamics", ["portfolio", "dopo"])
def test_time_limit_holds_for_any_number_of_reads(dynamics, clock):
    qubo = random_qubo(300, 6, 0.05)
    samples = Cim(dynamics=dynamics).sample(qubo, num_reads=10**6, seed=0, time_limit=0.5)
    assert clock.now <= 0.5 * 1.05 + STEP_S
    assert 128 * 8 <= len(samples) <= 128 * 16  # runs of a sixteenth of the limit, or longer
    assert len(samples.energies) == len(samples)


@pytest.mark.parametrize("fields", ["target", "mean"])
def test_time_limit_that_does_not_bind_changes_nothing(fields):
    qubo = random_qubo(40, 7)
    oracle = Cim(num_steps=333, fields=fields)
    free = oracle.sample(qubo, num_reads=10, seed=3)
    bound = oracle.sample(qubo, num_reads=10, seed=3, time_limit=60)
    assert (free.states == bound.states).all()
