"""Calls that begin where earlier ones ended."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qhal.oracle import Oracle, OracleInfo
from qhal.problems import Qcbo, Qubo
from qhal.problems.encoding import encode
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import run
from qhal.qcgd.starts import KEPT, Starts

ROW = Qcbo.from_arrays(linear=np.arange(8), A_eq=[np.ones(8)], b_eq=[3])


class Listening(Oracle):
    """Answers at random and remembers where it was asked to begin."""

    def __init__(self, accepts: bool) -> None:
        self.info = OracleInfo(
            name="listening", summary="", factory="", seeded=True, accepts_initial_states=accepts
        )
        self.heard: list = []

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        self.heard.append(initial_states)
        return np.random.default_rng(seed).integers(0, 2, (num_reads, qubo.num_variables))


def test_the_default_rule_begins_three_reads_in_ten_at_earlier_states() -> None:
    oracle = Listening(accepts=True)
    solution = run(ROW, oracle, num_reads=20, seed=0, limits=Limits(iterations=6), polish=False)
    first, *later = oracle.heard
    assert first is None
    assert all(len(states) == 6 for states in later)
    assert all(len(np.unique(states, axis=0)) == 6 for states in later)
    best = solution.values()
    assert (later[-1] == best).all(axis=1).any()


@pytest.mark.parametrize(("method", "accepts"), [("level", False), ("frank-wolfe", True)])
def test_nobody_else_is_told_where_to_begin(method: str, accepts: bool) -> None:
    oracle = Listening(accepts)
    run(ROW, oracle, method=method, num_reads=20, seed=0, limits=Limits(iterations=3))
    assert oracle.heard == [None] * 3


def test_a_network_is_begun_at_completed_states() -> None:
    """What no read met can still be where the next reads begin, once completed."""

    def completion(values):
        done = values.copy()
        done[:, 2] = done[:, 0] * done[:, 1]
        return done

    problem = Qcbo.from_arrays(
        linear=[-1, -1, 1],
        quadratic_constraints=[([[0, 1, 0], [0, 0, 0], [0, 0, 0]], [0, 0, -1], "==", 0)],
    )
    problem = replace(problem, completion=completion)
    oracle = Listening(accepts=True)
    run(problem, oracle, num_reads=10, seed=1, limits=Limits(iterations=2))
    bits = oracle.heard[1]
    values = encode(problem).values(bits)
    assert problem.feasible(values).any()


def test_the_lowest_are_chosen_and_no_more_are_kept_than_useful() -> None:
    rng = np.random.default_rng(0)
    starts, qubo = Starts(9), Qubo(np.triu(rng.normal(size=(9, 9))))
    assert starts.choose(qubo, 5) is None
    feasible = rng.integers(0, 2, (300, 9)).astype(np.int8)
    recent = rng.integers(0, 2, (300, 9)).astype(np.int8)
    starts.take(feasible, feasible.sum(axis=1).astype(float), recent)
    everything = starts.choose(qubo, 10**6)
    assert len(everything) <= 2 * KEPT
    assert len(np.unique(everything, axis=0)) == len(everything)
    assert (np.diff(qubo.energies(everything)) >= 0).all()
    assert (starts.choose(qubo, 5) == everything[:5]).all()
    assert starts.choose(qubo, 0) is None
    fewest = np.unique(feasible, axis=0).sum(axis=1)
    kept = starts.state()["starts_objectives"]
    assert sorted(kept) == sorted(fewest)[:KEPT]


def test_damaged_states_are_refused() -> None:
    starts = Starts(3)
    good = starts.state()
    starts.restore(good)
    for key, value in (
        ("starts", np.full((1, 3), 2, dtype=np.int8)),
        ("starts", np.zeros((1, 4), dtype=np.int8)),
        ("starts_recent", np.zeros((1, 3))),
        ("starts_objectives", np.zeros(2)),
    ):
        with pytest.raises(ValueError, match="starting states"):
            starts.restore(good | {key: value})
