"""QCGD on small problems of every constraint kind, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

import qhal
from qhal.oracle import Oracle, OracleInfo
from qhal.problems import Qcbo
from qhal.problems.encoding import encode
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import run
from qhal.registry import get_oracle
from qhal.samples import Status, StopReason
from tests.problems.strategies import all_values, qcbos

KINDS = ("equality", "at-most", "at-least", "one-hot", "quadratic", "integer", "mixed", "decimal")


def random_problem(kind: str, rng: np.random.Generator) -> Qcbo:
    """A random problem of at most 14 bits, slack included, whose objective is whole."""
    while True:
        n = int(rng.integers(3, 8))
        options: dict = {}
        if kind in ("equality", "mixed"):
            options |= {"A_eq": [rng.integers(0, 4, n)], "b_eq": [int(rng.integers(1, 6))]}
        if kind in ("at-most", "mixed"):
            options |= {"A_le": [rng.integers(-3, 4, n)], "b_le": [int(rng.integers(-1, 4))]}
        if kind == "at-least":
            options |= {"A_ge": [rng.integers(0, 4, n)], "b_ge": [int(rng.integers(1, 5))]}
        if kind == "one-hot":
            options |= {"A_eq": [np.arange(n) < 2, np.arange(n) >= 2], "b_eq": [1, 1]}
        if kind == "quadratic":
            matrix = np.triu(rng.integers(0, 2, (n, n)), 1)
            sense = str(rng.choice(["==", "<=", ">="]))
            options |= {"quadratic_constraints": [(matrix, rng.integers(-1, 2, n), sense, 1)]}
        if kind == "integer":
            options |= {"lower": [-1, *[0] * (n - 1)], "upper": [3, *[1] * (n - 1)]}
            options |= {"A_ge": [np.ones(n)], "b_ge": [2]}
        if kind == "decimal":
            options |= {"A_le": [rng.integers(1, 8, n) / 10], "b_le": [0.9]}
        problem = Qcbo.from_arrays(np.triu(rng.integers(-5, 6, (n, n))), **options)
        if encode(problem).num_bits <= 14:
            return problem


@pytest.mark.parametrize("kind", KINDS)
def test_the_exhaustive_oracle_reaches_the_optimum_and_says_so(kind: str) -> None:
    rng = np.random.default_rng(KINDS.index(kind))
    oracle = get_oracle("exhaustive")
    for seed in range(25):
        problem = random_problem(kind, rng)
        values = all_values(problem)
        feasible = values[problem.feasible(values)]
        solution = run(problem, oracle, num_reads=50, seed=seed)
        assert solution.certified
        assert solution.oracle_calls <= 12
        if len(feasible):
            assert solution.status is Status.OPTIMAL
            assert solution.objective == problem.objectives(feasible).min()
            assert solution.lower_bound == solution.objective
            assert problem.feasible(solution.values()).all()
            assert solution.max_violation == 0
        else:
            assert solution.status is Status.INFEASIBLE
            assert not solution.feasible


@settings(max_examples=60)
@given(qcbos(max_variables=4))
def test_whatever_is_certified_is_true(problem: Qcbo) -> None:
    if encode(problem).num_bits > 12:
        return
    values = all_values(problem)
    objectives = problem.objectives(values)[problem.feasible(values)]
    for method in ("level", "frank-wolfe", "fully-corrective"):
        solution = run(
            problem,
            get_oracle("exhaustive"),
            method=method,
            num_reads=8,
            limits=Limits(iterations=6),
            seed=0,
        )
        if solution.lower_bound is not None and len(objectives):
            assert solution.lower_bound <= objectives.min() + 1e-9
        if solution.status is Status.OPTIMAL:
            assert solution.objective == pytest.approx(objectives.min())
        if solution.status is Status.INFEASIBLE:
            assert len(objectives) == 0


def test_a_heuristic_never_certifies_and_never_calls_infeasible() -> None:
    impossible = Qcbo.from_arrays(
        linear=[1, 1, 1],
        quadratic_constraints=[
            ([[0, 1, 0], [0, 0, 0], [0, 0, 0]], None, "==", 1),
            ([[0, 0, 0], [0, 0, 1], [0, 0, 0]], [1, 0, 0], "==", 0),
        ],
    )
    solution = run(impossible, get_oracle("random"), limits=Limits(iterations=3), seed=0)
    assert solution.status is Status.NO_FEASIBLE_SOLUTION_FOUND
    assert solution.objective is None
    assert not solution.certified
    assert solution.max_violation >= 1
    assert run(impossible, get_oracle("exhaustive"), seed=0).status is Status.INFEASIBLE


@pytest.mark.parametrize("method", ["level", "frank-wolfe", "fully-corrective"])
def test_every_method_solves_a_small_assignment(method: str) -> None:
    rng = np.random.default_rng(1)
    rows = np.vstack([np.kron(np.eye(3), np.ones(3)), np.kron(np.ones(3), np.eye(3))])
    matrix = np.triu(rng.integers(0, 9, (9, 9)))
    problem = Qcbo.from_arrays(matrix, A_eq=rows, b_eq=np.ones(6))
    values = all_values(problem)
    best = problem.objectives(values)[problem.feasible(values)].min()
    solution = run(problem, get_oracle("exhaustive"), method=method, num_reads=60, seed=3)
    assert solution.objective == best


class Interrupting(Oracle):
    """Answers three times, then behaves like Ctrl-C."""

    def __init__(self) -> None:
        self.calls = 0
        self.info = OracleInfo(name="interrupting", summary="", factory="", seeded=True)

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        self.calls += 1
        if self.calls > 3:
            raise KeyboardInterrupt
        return np.random.default_rng(seed).integers(0, 2, (num_reads, qubo.num_variables))


CARDINALITY = Qcbo.from_arrays(linear=np.arange(8), A_eq=[np.ones(8)], b_eq=[3])


def test_an_interrupt_returns_the_incumbent() -> None:
    solution = run(CARDINALITY, Interrupting(), num_reads=100, seed=0)
    assert solution.stop_reason is StopReason.INTERRUPTED
    assert solution.feasible
    assert solution.oracle_calls == 3


def test_limits_and_the_callback_stop_the_run() -> None:
    random = get_oracle("random")
    states = []
    stopped = run(
        CARDINALITY, random, seed=0, callback=lambda s: states.append(s) or len(states) < 4
    )
    assert stopped.stop_reason is StopReason.CALLBACK
    assert stopped.iterations == 4
    by_calls = run(CARDINALITY, random, seed=0, limits=Limits(max_oracle_calls=2))
    assert (by_calls.stop_reason, by_calls.oracle_calls) == (StopReason.ORACLE_CALLS, 2)
    by_target = run(CARDINALITY, random, seed=0, limits=Limits(target=20))
    assert by_target.stop_reason is StopReason.TARGET
    by_time = run(CARDINALITY, random, seed=0, limits=Limits(iterations=10**6, time_limit=0.2))
    assert by_time.stop_reason is StopReason.TIME_LIMIT


def test_raw_and_polished_are_told_apart() -> None:
    solution = run(
        CARDINALITY, get_oracle("random"), num_reads=20, seed=2, limits=Limits(iterations=1)
    )
    raw = run(
        CARDINALITY,
        get_oracle("random"),
        num_reads=20,
        seed=2,
        limits=Limits(iterations=1),
        polish=False,
    )
    assert solution.objective == 3
    assert solution.raw_objective == raw.raw_objective == raw.objective
    assert raw.objective > 3


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = (
        run(CARDINALITY, get_oracle("random"), num_reads=10, seed=5, limits=Limits(iterations=5))
        for _ in range(2)
    )
    for key in ("objective", "raw_objective", "assignment", "oracle_calls"):
        assert getattr(first, key) == getattr(second, key)
    lows = [[state["lowest_energy"] for state in each.history] for each in (first, second)]
    assert lows[0] == lows[1]


def test_an_unconstrained_problem_takes_one_call() -> None:
    solution = qhal.solve(qhal.Qubo([[1, -3], [0, 1]], 2.0), oracle="exhaustive", seed=0)
    assert solution.oracle_calls == 1
    assert solution.objective == 1.0
    assert solution.certified


def test_zero_variables_and_constants() -> None:
    empty = qhal.Qubo(np.zeros((0, 0)), 4.0)
    solution = run(Qcbo.from_qubo(empty), get_oracle("random"))
    assert solution.objective == 4.0
    assert solution.certified
    with pytest.raises(qhal.InputError, match="no variables: nothing to solve"):
        qhal.solve(empty, oracle="random")


def test_a_history_plots(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    solution = run(CARDINALITY, get_oracle("random"), seed=0, limits=Limits(iterations=4))
    target = tmp_path / "history.png"
    solution.plot(str(target))
    assert target.stat().st_size > 5000
    with pytest.raises(qhal.InputError, match="cannot write"):
        solution.plot(str(tmp_path / "no" / "folder.png"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "iterations"),
        ({"time_limit": -1}, "time_limit"),
        ({"num_reads": 0}, "num_reads"),
        ({"seed": -1}, "seed"),
        ({"method": "levle"}, "did you mean 'level'"),
        ({"certify": "random"}, "not exact"),
        ({"method": None}, "no method None"),
        ({"method": "direct"}, "cannot solve this constrained problem directly"),
        ({"callback": 3}, "the callback must be a function"),
        ({"polish": "no"}, "polish must be True or False"),
        ({"target": "x"}, "the target must hold real numbers"),
        ({"target": float("nan")}, "the target contains NaN"),
    ],
)
def test_bad_options_are_sentences(options: dict, message: str) -> None:
    with pytest.raises(qhal.InputError, match=message):
        qhal.solve(CARDINALITY, oracle="random", **options)


def test_a_failure_later_on_keeps_what_was_found() -> None:
    class Breaks(qhal.Oracle):
        def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
            self.calls = getattr(self, "calls", 0) + 1
            if self.calls == 3:
                raise ConnectionError("the machine is cooling down")
            return np.random.default_rng(seed).integers(0, 2, (num_reads, qubo.num_variables))

    solution = qhal.solve(CARDINALITY, oracle=Breaks(), seed=0, num_reads=50)
    assert solution.stop_reason is StopReason.ORACLE_FAILED
    assert solution.feasible
    assert (solution.iterations, solution.oracle_calls) == (2, 2)
    assert "cooling down" in solution.info["failure"]

    class Broken(Breaks):
        calls = 2

    with pytest.raises(qhal.QhalError, match="cooling down"):
        qhal.solve(CARDINALITY, oracle=Broken(), seed=0)


@pytest.mark.parametrize("certifier", ["exhaustive", "cpsat"])
def test_a_certifier_that_fails_costs_the_proof_only(certifier: str) -> None:
    wide = qhal.Qcbo.from_arrays(
        [[1.0, 0.0], [0.0, 1.0]], [-1.0, -1.0], lower=[2**26] * 2, upper=[2**27] * 2
    )
    solution = qhal.solve(wide, oracle="random", certify=certifier, seed=0, num_reads=5)
    assert solution.feasible
    assert not solution.certified
    assert solution.info["certificate"]["oracle"] == certifier
    assert solution.info["certificate"]["error"].endswith(".")


@pytest.mark.parametrize("oracle", ["exhaustive", "cpsat"])
def test_direct_solves_the_whole_problem(oracle: str) -> None:
    solution = qhal.solve(CARDINALITY, oracle=oracle, method="direct", seed=1)
    assert solution.certified
    assert solution.objective == qhal.solve(CARDINALITY, oracle="exhaustive").objective
    assert solution.to_json()["method"] == "direct"
    nothing = qhal.Qcbo.from_arrays(linear=[1.0], A_eq=[[2]], b_eq=[1])
    assert qhal.solve(nothing, oracle=oracle, method="direct").status is Status.INFEASIBLE


def test_many_reads_stay_small_and_give_what_few_give() -> None:
    few = qhal.solve(CARDINALITY, oracle="random", num_reads=64, seed=0, iterations=3)
    many = qhal.solve(CARDINALITY, oracle="random", num_reads=20_000, seed=0, iterations=3)
    assert many.objective <= few.objective


def test_a_certifier_that_finds_what_the_run_did_not() -> None:
    weights = np.random.default_rng(0).integers(10**5, 10**6, 20)
    rare = qhal.Qcbo.from_arrays(linear=np.arange(20.0), A_eq=[weights], b_eq=[weights[::2].sum()])
    solution = qhal.solve(rare, oracle="random", num_reads=1, iterations=1, certify="cpsat", seed=0)
    assert solution.raw_objective is None
    assert solution.certified
    assert solution.max_violation == 0
    assert rare.feasible(solution.values())[0]


@pytest.mark.parametrize("direct", [True, False])
def test_a_method_that_breaks_is_a_sentence(direct: bool) -> None:
    class Breaks(Oracle):
        info = OracleInfo(name="breaks", summary="", factory="", exact=True)

        def _sample(self, qubo, **parameters):
            return np.zeros((1, qubo.num_variables), dtype=np.int8)

        def solve_exactly(self, problem, *, time_limit=None, seed=0):
            raise RuntimeError("out of luck")

    if direct:
        with pytest.raises(qhal.QhalError, match="out of luck"):
            qhal.solve(CARDINALITY, oracle=Breaks(), method="direct")
    else:
        solution = qhal.solve(CARDINALITY, oracle="sa", certify=Breaks(), seed=0)
        assert solution.feasible
        assert "out of luck" in solution.info["certificate"]["error"]
