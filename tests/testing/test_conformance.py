"""The conformance kit rejects every liar and passes every oracle that is installed."""

import json
import unittest

import numpy as np
import pytest

import qhal
from qhal.testing import CHECKS, OracleConformance, Subject, check_oracle, checks
from qhal.testing.problems import all_states, rank, revealing

from .liars import LIARS


@pytest.mark.parametrize("name", LIARS)
def test_every_liar_is_caught_by_the_check_meant_for_it(name, monkeypatch):
    monkeypatch.setattr(checks, "GRACE_S", 0.2)  # for the liar that sleeps it away
    info, check = LIARS[name]
    report = check_oracle(info)
    failed = {result.name for result in report.checks if result.outcome == "failed"}
    assert check in failed, str(report)
    assert not report.passed


def test_every_check_catches_a_liar():
    assert {check for _, check in LIARS.values()} == set(CHECKS)


def test_installed_oracles_conform(oracle_name):
    report = check_oracle(oracle_name)
    assert report.passed, str(report)


def test_chance_passes_whatever_its_luck():
    """`beats-chance` is no gamble: fair coins pass it from any seed."""

    class Shifted(qhal.Oracle):
        shift = 0

        def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
            rng = np.random.default_rng([self.shift, seed])
            return rng.integers(0, 2, (num_reads, qubo.num_variables))

    for Shifted.shift in range(20):
        assert CHECKS["beats-chance"](Subject(Shifted()))


def test_a_deterministic_heuristic_is_no_liar():
    """Greedy descent from zeros: seeded in that nothing is random, and one row a call."""

    class Greedy(qhal.Oracle):
        info = qhal.OracleInfo(name="greedy", summary="descent", factory="", seeded=True)

        def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
            state = np.zeros((1, qubo.num_variables), dtype=np.int8)
            while True:
                flips = state ^ np.eye(qubo.num_variables, dtype=np.int8)
                energies = qubo.energies(flips)
                if energies.min() >= qubo.energies(state)[0]:
                    return state
                state = flips[[energies.argmin()]]

    report = check_oracle(Greedy())
    assert report.passed, str(report)


def test_report():
    report = check_oracle(LIARS["Spins"][0])
    record = json.loads(json.dumps(report.to_json()))
    assert record["oracle"] == "Spins"
    assert record["passed"] is False
    assert [check["name"] for check in record["checks"]] == list(CHECKS)
    assert {"name", "outcome", "detail"} == set(record["checks"][0])
    values = next(check for check in report.checks if check.name == "values")
    assert values.outcome == "failed"
    assert "convert spins" in values.detail
    assert "values" in str(report)
    assert "convert spins" in str(report)


def test_details_are_sentences():
    for name in ("random", "exhaustive"):
        for check in check_oracle(name).checks:
            assert check.detail[0].isupper()
            assert check.detail.endswith(".")


def test_an_unknown_oracle_raises():
    with pytest.raises(qhal.errors.UnknownNameError, match="no oracle 'nonesuch'"):
        check_oracle("nonesuch")


def test_small_machines_are_checked_as_far_as_they_go():
    info = qhal.OracleInfo(
        name="small",
        summary="three",
        factory="qhal.reference:Exhaustive",
        exact=True,
        max_variables=3,
    )
    report = check_oracle(info)
    assert report.passed, str(report)
    assert {check.name for check in report.checks if check.outcome == "skipped"} >= {"beats-chance"}


class TestRandom(OracleConformance):
    """What a plugin's own tests look like."""

    oracle = "random"


def test_the_base_class_fails_and_skips():
    class TestLiar(OracleConformance):
        oracle = LIARS["AllZeros"][0]

    TestLiar().test_conformance("shape")
    with pytest.raises(AssertionError, match="better than the best of"):
        TestLiar().test_conformance("beats-chance")
    with pytest.raises(unittest.SkipTest, match="does not claim to be seeded"):
        TestLiar().test_conformance("seed-repeats")


def test_revealing_problems_and_ranks():
    qubo, energies = revealing(6, seed=0)
    assert (np.sort(qubo.energies(all_states(6))) == energies).all()
    assert rank(energies[0], energies) == 0.0
    assert rank(energies[-1], energies) == 63 / 64
    assert rank(qubo.offset, energies) >= 0.5
