"""Calls about some of the bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import qhal
from qhal.networks import encode_network, make_spec
from qhal.oracle import Oracle, OracleInfo
from qhal.problems import Qcbo, Qubo
from qhal.problems.encoding import encode
from qhal.qcgd.lifting import Lifting
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import run
from qhal.qcgd.reduction import STATES, Reduction, reduction
from qhal.registry import get_oracle, load

ROW = Qcbo.from_arrays(linear=np.arange(40) % 7, A_eq=[np.ones(40)], b_eq=[10])


@settings(max_examples=80)
@given(st.integers(1, 12), st.booleans(), st.integers(0, 10**6))
def test_energies_are_those_of_the_whole(n: int, sparse: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.integers(-9, 10, (n, n)) * (rng.random((n, n)) < 0.6)).astype(float)
    qubo = Qubo(sp.csr_array(matrix) if sparse else matrix, 3.5)
    state = rng.integers(0, 2, n).astype(np.int8)
    part = Reduction(state, np.flatnonzero(rng.random(n) < 0.5))
    small = part.part(qubo)
    states = rng.integers(0, 2, (20, len(part.free))).astype(np.int8)
    whole = part.whole(states)
    assert (small.energies(states) == qubo.energies(whole)).all()
    held = np.setdiff1d(np.arange(n), part.free)
    assert (whole[:, held] == state[held]).all()
    assert (whole[:, part.free] == states).all()


def cardinality_states(count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.array([rng.permutation(np.arange(40) < 10) for _ in range(count)]).astype(np.int8)


def test_turns_hold_what_agrees_and_balance_ones_and_zeros() -> None:
    program, best = encode(ROW), cardinality_states(STATES)
    agreeing = reduction(program, best, None, 1, 0)
    assert (agreeing.free == np.flatnonzero((best != best[0]).any(axis=0))).all()
    balanced = reduction(program, best, None, 2, 0)
    assert balanced.state[balanced.free].sum() == 10
    assert len(balanced.free) == 20
    assert (balanced.free == reduction(program, best, None, 2, 0).free).all()
    assert (balanced.free != reduction(program, best, None, 4, 0).free).any()


def test_many_rows_leave_the_second_turn_whole() -> None:
    rows = np.vstack([np.kron(np.eye(4), np.ones(4)), np.kron(np.ones(4), np.eye(4))])
    program = encode(Qcbo.from_arrays(linear=np.arange(16), A_eq=rows, b_eq=np.ones(8)))
    rng = np.random.default_rng(2)
    best = np.array([np.eye(4)[rng.permutation(4)].ravel() for _ in range(STATES)]).astype(np.int8)
    assert reduction(program, best, None, 2, 0) is None
    assert reduction(program, best, None, 3, 0) is not None


def test_few_states_take_turns_with_the_whole_and_states_all_alike_hold_nothing() -> None:
    program, best = encode(ROW), cardinality_states(STATES)
    for turn in (1, 2):
        assert (reduction(program, best[:-1], None, turn, 0) is None) == bool(turn % 2)
    assert reduction(program, np.repeat(best[:1], STATES, axis=0), None, 1, 0) is None


def test_balance_lowers_the_range_of_a_cardinality_row() -> None:
    lifting = Lifting(encode(ROW))
    qubo = lifting.qubo(2.0 * lifting.signed)
    part = reduction(lifting.program, cardinality_states(STATES), None, 2, 0).part(qubo)
    ranges = []
    for problem in (qubo, part):
        spins = problem.to_ising()
        ranges.append(np.abs(spins.h).max() / abs(spins.J).max())
    assert ranges[1] < ranges[0] / 3


class Counting(Oracle):
    """Random states with ten ones; remembers the sizes of what it was asked."""

    def __init__(self, bits: int | None) -> None:
        self.info = OracleInfo(
            name="counting", summary="", factory="", seeded=True, coefficient_bits=bits
        )
        self.sizes: list[int] = []

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        n = qubo.num_variables
        self.sizes.append(n)
        rng = np.random.default_rng(seed)
        return np.array([rng.permutation(np.arange(n) < 10) for _ in range(num_reads)]).astype(int)


@pytest.mark.parametrize(
    ("bits", "diverse", "whole"), [(None, False, True), (8, False, False), (8, True, True)]
)
def test_only_machines_of_few_bits_are_asked_about_parts(
    bits: int | None, diverse: bool, whole: bool
) -> None:
    oracle = Counting(bits)
    solution = run(ROW, oracle, num_reads=20, diverse=diverse, seed=0, limits=Limits(iterations=8))
    assert oracle.sizes[0] == 40
    assert all(size == 40 for size in oracle.sizes) == whole
    assert solution.feasible


def test_a_run_on_a_machine_of_few_bits_resumes_bit_for_bit(tmp_path: Path) -> None:
    settings = {"num_reads": 8, "seed": 3, "polish": False}
    settings |= {"oracle": "cim", "oracle_options": {"coefficient_bits": 6}}
    whole = qhal.solve(ROW, iterations=8, **settings)
    for stop in (3, 5, 8):
        part = qhal.solve(ROW, iterations=stop, checkpoint=tmp_path / "run", **settings)
    times = {"oracle_time_s", "elapsed_s"}
    assert part.assignment == whole.assignment
    for one, other in zip(part.history, whole.history, strict=True):
        assert all(one[key] == other[key] for key in one if key not in times)


@pytest.mark.parametrize("seed", range(4))
def test_networks_are_met_by_the_oracle_itself(seed: int) -> None:
    """Hundreds of forms: that completion finds feasible states is not enough."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, (8, 5)).astype(float)
    y = (x[:, :3].sum(axis=1) + 0.5 * rng.normal(size=8) > 1.5).astype(int)
    y[:2] = 0, 1
    spec = make_spec(x, load("activation", "hard-tanh"), load("loss", "hinge"), hidden=2)
    problem = encode_network(spec, x, y).problem
    solution = run(
        problem, get_oracle("cim"), num_reads=20, seed=seed, limits=Limits(iterations=24)
    )
    assert solution.raw_objective is not None


def test_until_something_is_feasible_every_second_call_is_about_the_nearest_state() -> None:
    program, nothing = encode(ROW), np.zeros((0, 40), dtype=np.int8)
    nearest = (np.arange(40) < 12).astype(np.int8)
    assert reduction(program, nothing, None, 0, 0) is None
    assert reduction(program, nothing, nearest, 1, 0) is None
    part = reduction(program, nothing, nearest, 2, 0)
    assert (part.state == nearest).all()
    assert len(part.free) == 24
    assert part.state[part.free].sum() == 12


@pytest.mark.parametrize("seed", range(3))
def test_six_bits_are_enough_for_a_long_row(seed: int) -> None:
    graph = np.triu(np.random.default_rng(seed).random((160, 160)) < 0.25, k=1)
    problem = Qcbo.from_arrays(-graph.astype(float), A_eq=np.ones((1, 160)), b_eq=[40])
    oracle = get_oracle("cim", coefficient_bits=6)
    solution = run(problem, oracle, num_reads=20, seed=seed, limits=Limits(iterations=10))
    assert solution.raw_objective is not None
