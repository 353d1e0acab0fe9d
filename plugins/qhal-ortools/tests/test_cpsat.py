"""The oracle `cpsat` on QUBOs: minima, bounds, limits."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qhal_ortools.engine import Engine
from qhal_ortools.model import Model

import qhal

EXHAUSTIVE = qhal.get_oracle("exhaustive")
CPSAT = qhal.get_oracle("cpsat")


@st.composite
def qubos(draw):
    """Whole, decimal, dyadic and arbitrary coefficients of very different size, n <= 8."""
    n = draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.normal(size=(n, n)) * 10.0 ** draw(st.integers(-12, 12))
    kind = draw(st.sampled_from(["whole", "decimal", "dyadic", "arbitrary", "mixed"]))
    if kind == "mixed":
        values *= 10.0 ** rng.integers(-20, 20, size=(n, n))
    else:
        step = {"whole": 1.0, "decimal": 0.01, "dyadic": 2.0**-40, "arbitrary": None}[kind]
        values = values if step is None else np.round(rng.normal(size=(n, n)) * 5 / step) * step
    keep = rng.random((n, n)) < draw(st.sampled_from([0.3, 1.0]))
    return qhal.Qubo(np.triu(values * keep), float(values[0, 0]))


@given(qubos())
def test_minimum_is_exact_and_bound_is_tight(qubo):
    least = EXHAUSTIVE.sample(qubo).first[1]
    samples = CPSAT.sample(qubo, seed=0)
    size = float(abs(qubo.matrix).sum()) + abs(qubo.offset)
    assert samples.info["proved"]
    assert samples.first[1] == pytest.approx(least, abs=1e-12 * size)
    assert samples.lower_bound <= least
    assert samples.lower_bound == pytest.approx(least, abs=1e-12 * size)


def test_scaling_error_is_declared_and_pays_for_the_bound():
    qubo = qhal.Qubo(np.triu(np.random.default_rng(1).normal(size=(8, 8))))
    samples = CPSAT.sample(qubo)
    assert 0 < samples.info["scaling_error"] < 1e-12
    whole = qhal.Qubo(np.round(qubo.matrix * 7))
    assert CPSAT.sample(whole).info["scaling_error"] == 0.0


def test_same_seed_same_samples():
    qubo = qhal.Qubo(np.triu(np.random.default_rng(2).normal(size=(20, 20))))
    one, two = (CPSAT.sample(qubo, seed=5, num_reads=4) for _ in range(2))
    assert (one.states == two.states).all()
    assert 1 <= len(one) <= 4


@pytest.mark.parametrize("size", [30, 100, 300])
@pytest.mark.parametrize("limit", [1e-6, 0.05, 0.4])
def test_bound_is_valid_whenever_the_limit_strikes(size, limit):
    # A unit of energy for each pair of neighbours that agree: odd ring, minimum 1.
    ring = np.zeros((size + 1, size + 1))
    for i in range(size + 1):
        j = (i + 1) % (size + 1)
        ring[min(i, j), max(i, j)] += 2
        ring[i, i] -= 1
        ring[j, j] -= 1
    noise = np.triu(np.random.default_rng(size).normal(size=ring.shape), 1)
    qubo = qhal.Qubo(ring + noise, float(size + 1))
    start = time.perf_counter()
    samples = CPSAT.sample(qubo, time_limit=limit)
    assert time.perf_counter() - start < limit + 1.5
    assert not samples.info["proved"] or size == 30
    assert samples.lower_bound is None or samples.lower_bound <= samples.first[1]
    descended = qhal.get_oracle("random").sample(qubo, num_reads=500, seed=1).first[1]
    assert samples.first[1] < descended


def test_initial_states_are_improved_upon():
    qubo = qhal.Qubo(np.triu(np.random.default_rng(3).normal(size=(60, 60))))
    given_states = np.random.default_rng(4).integers(0, 2, (5, 60))
    samples = CPSAT.sample(qubo, initial_states=given_states, time_limit=0.05)
    assert samples.first[1] <= qubo.energies(given_states).min()


@pytest.mark.parametrize("workers", [0, True, 1.5, "2"])
def test_num_workers_is_checked(workers):
    with pytest.raises(qhal.InputError, match="num_workers"):
        qhal.get_oracle("cpsat", num_workers=workers)


def test_two_workers_prove_the_same():
    qubo = qhal.Qubo(np.triu(np.random.default_rng(5).normal(size=(12, 12))))
    oracle = qhal.get_oracle("cpsat", num_workers=2)
    assert not oracle.info.seeded
    two = oracle.sample(qubo)
    assert two.lower_bound == pytest.approx(CPSAT.sample(qubo).lower_bound, abs=1e-9)


def test_control_c_reaches_the_caller():
    qubo = qhal.Qubo(np.triu(np.random.default_rng(6).normal(size=(80, 80))))
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the signal must not come before
        timer.start()
        CPSAT.sample(qubo, time_limit=30)
    assert time.perf_counter() - start < 5


def test_a_search_that_has_not_begun_can_be_stopped():
    engine = Engine()
    engine.stop()
    problem = qhal.Qcbo.from_qubo(qhal.Qubo(np.eye(3)))
    outcome = Model(problem, engine).solve(seed=0, num_workers=1, hint=np.zeros(3, dtype=int))
    assert outcome.solutions == []
    hard = qhal.Qubo(np.triu(np.random.default_rng(6).normal(size=(80, 80))))
    oracle = qhal.get_oracle("cpsat")
    threading.Timer(0.3, oracle.stop).start()
    start = time.perf_counter()
    assert len(oracle.sample(hard, time_limit=60))
    assert time.perf_counter() - start < 30


def test_plugin_module_is_light():
    code = (
        "import sys, qhal_ortools.plugin as p; p.qhal_oracle(); sys.exit('ortools' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
