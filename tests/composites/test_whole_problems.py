"""Exact oracles on whole problems through composites: nothing is bypassed, nothing is lost."""

import resource

import numpy as np
import pytest
from hypothesis import given, settings

import qhal
from qhal.composites import Budget, Portfolio, Presolve, Retry
from qhal.errors import BudgetError, InputError, OracleError, TransientError
from qhal.oracle import ExactAnswer, exactly
from qhal.reference import Exhaustive
from qhal.samples import Status
from tests.problems.strategies import qcbos

RNG = np.random.default_rng(4)
PROBLEM = qhal.Qcbo.from_arrays(
    np.triu(RNG.integers(-5, 6, (9, 9))), A_eq=[np.ones(9)], b_eq=[4], A_le=[np.arange(9)], b_le=[9]
)
IMPOSSIBLE = qhal.Qcbo.from_arrays(np.eye(3), A_eq=[[2, 4, 6]], b_eq=[3])
TRUTH = Exhaustive().solve_exactly(PROBLEM).objective


class Counted(Exhaustive):
    """`exhaustive` that counts what it is asked, and fails the first `failures` times."""

    info = qhal.OracleInfo(
        name="counted", summary="", factory="", exact=True, seeded=True, honours_time_limit=True
    )

    def __init__(self, failures=0):
        self.asked, self.limits, self.failures = 0, [], failures

    def solve_exactly(self, problem, *, time_limit=None, seed=0):
        self.asked += 1
        self.limits.append(time_limit)
        if self.asked <= self.failures:
            raise ConnectionError("lost")
        return super().solve_exactly(problem, time_limit=time_limit, seed=seed)


def chains(folder):
    """Composites that hand whole problems on."""
    return [
        "presolve",
        "budget(calls=3)",
        "retry",
        f"record({folder / 'run.jsonl'})",
        f"cache({folder / 'answers.db'})",
        "portfolio(random)",
        f"budget(seconds=100)|cache({folder / 'more.db'})|record({folder / 'more.jsonl'})|retry",
    ]


@pytest.mark.parametrize("exact", ["exhaustive", "cpsat"])
def test_proofs_pass_through(tmp_path, exact):
    for chain in chains(tmp_path):
        oracle = f"{exact}|{chain}"
        direct = qhal.solve(PROBLEM, oracle=oracle, method="direct", seed=1)
        assert (direct.certified, direct.objective) == (True, TRUTH), chain
        assert PROBLEM.feasible(direct.values())[0]
        certified = qhal.solve(PROBLEM, oracle="random", certify=oracle, seed=2, iterations=1)
        assert certified.lower_bound == TRUTH, chain
        none = qhal.solve(IMPOSSIBLE, oracle=oracle, method="direct", seed=1)
        assert (none.status, none.certified) == (Status.INFEASIBLE, True), chain


@settings(max_examples=150)
@given(qcbos(max_variables=5))
def test_presolve_loses_nothing(problem):
    truth = Exhaustive().solve_exactly(problem)
    answer = Presolve(Exhaustive()).solve_exactly(problem)
    assert answer.status is truth.status
    if truth.values is not None:
        assert problem.feasible(answer.values)[0]
        assert answer.objective == problem.objectives(answer.values)[0] == truth.objective


@pytest.mark.parametrize("chain", ["precision(bits=8)", "decompose(size=5)", "noisy"])
def test_no_proof_passes_through_what_changes_questions_or_answers(chain):
    oracle = f"exhaustive|{chain}"
    with pytest.raises(InputError, match=r"directly \(it is not exact\): choose 'cpsat'"):
        qhal.solve(PROBLEM, oracle=oracle, method="direct")
    with pytest.raises(InputError, match="is not exact, so it proves nothing"):
        qhal.solve(PROBLEM, oracle="random", certify=oracle)


def test_a_composite_hands_nothing_on_unless_it_says_how():
    class Plain(qhal.Composite):
        name = "plain"

    counted = Counted()
    assert Plain(counted).solve_exactly(PROBLEM) is None
    assert counted.asked == 0


# --- budget ---------------------------------------------------------------------------------------


def test_a_budget_counts_whole_problems():
    counted = Counted()
    budget = Budget(counted, calls=2, money=5, call_price=1, read_price=1)
    for _ in range(2):
        assert qhal.solve(PROBLEM, oracle=budget, method="direct").objective == TRUTH
    with pytest.raises(BudgetError, match="the call was not made"):
        qhal.solve(PROBLEM, oracle=budget, method="direct")
    assert counted.asked == 2
    spent = budget.spent()
    assert (spent["calls"], spent["reads"], spent["money"]) == (2, 2, 4)


def test_a_budget_lowers_the_time_limit_of_whole_problems():
    counted = Counted()
    budget = Budget(counted, seconds=7.0)
    solution = qhal.solve(PROBLEM, oracle=budget, method="direct")
    assert 0 < solution.info["budget"]["time_s"] < 7
    qhal.solve(PROBLEM, oracle=budget, method="direct", time_limit=2.0)
    first, second = counted.limits
    assert first == 7.0
    assert second == 2.0
    assert budget.spent()["time_s"] < 7


def test_a_budget_charges_failures_but_not_what_was_never_asked():
    budget = Budget(Counted(failures=1), calls=5)
    with pytest.raises(TransientError):
        budget.solve_exactly(PROBLEM)
    assert budget.spent()["calls"] == 1
    wide = qhal.Qcbo.from_arrays(linear=np.ones(30))
    assert budget.solve_exactly(wide) is None
    assert budget.spent()["calls"] == 1


def test_seconds_of_an_oracle_without_a_time_limit_are_refused():
    class Endless(Counted):
        info = qhal.OracleInfo(name="endless", summary="", factory="", exact=True)

    with pytest.raises(BudgetError, match="cannot be capped"):
        Budget(Endless(), seconds=1.0).solve_exactly(PROBLEM)


def test_a_budget_around_what_solves_no_whole_problems_says_so():
    with pytest.raises(InputError, match="cannot solve this constrained problem directly"):
        qhal.solve(PROBLEM, oracle="random|budget(calls=0)", method="direct")


def test_a_certificate_beyond_the_budget_is_not_asked_for():
    counted = Counted()
    budget = Budget(counted, calls=0)
    solution = qhal.solve(PROBLEM, oracle="random", certify=budget, iterations=2, seed=0)
    assert "the call was not made" in solution.info["certificate"]["error"]
    assert counted.asked == 0
    assert not solution.certified


# --- retry ----------------------------------------------------------------------------------------


def test_whole_problems_are_asked_again():
    counted = Counted(failures=2)
    solution = qhal.solve(PROBLEM, oracle=Retry(counted, wait_s=0), method="direct")
    assert solution.objective == TRUTH
    assert counted.asked == 3
    assert solution.info["retry"]["attempts"] == 3
    with pytest.raises(TransientError, match="That was attempt 2"):
        Retry(Counted(failures=9), attempts=2, wait_s=0).solve_exactly(PROBLEM)


def test_only_attempts_that_were_made_are_charged():
    budget = Budget(Counted(failures=9), calls=2)
    with pytest.raises(BudgetError, match="allows 2 calls"):
        Retry(budget, attempts=9, wait_s=0).solve_exactly(PROBLEM)


# --- record, replay, cache ------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [PROBLEM, IMPOSSIBLE], ids=["solved", "infeasible"])
def test_direct_solves_replay(tmp_path, problem):
    file = tmp_path / "run.jsonl"
    first = qhal.solve(problem, oracle=f"cpsat|record({file})", method="direct", seed=3)
    again = qhal.solve(problem, oracle=f"replay({file})", method="direct", seed=3)
    keys = "status objective lower_bound certified assignment oracle seed certificate".split()
    assert all(getattr(first, key) == getattr(again, key) for key in keys)
    with pytest.raises(OracleError, match="no answer to this question .a whole problem of"):
        qhal.solve(problem, oracle=f"replay({file})", method="direct", seed=4)


def test_certified_runs_replay(tmp_path):
    def run(sampler, certifier):
        return qhal.solve(PROBLEM, oracle=sampler, certify=certifier, seed=3, iterations=4)

    one, two = tmp_path / "samples.jsonl", tmp_path / "proof.jsonl"
    first = run(f"sa|record({one})", f"cpsat|record({two})")
    again = run(f"replay({one})", f"replay({two})")
    assert first.certified
    assert again.certified
    assert first.assignment == again.assignment


def test_that_an_oracle_had_no_answer_replays(tmp_path):
    file = tmp_path / "run.jsonl"
    wide = qhal.Qcbo.from_arrays(linear=np.ones(21), A_le=[np.ones(21)], b_le=[3])
    for oracle in (f"exhaustive|record({file})", f"replay({file})"):
        with pytest.raises(InputError, match="cannot solve this constrained problem directly"):
            qhal.solve(wide, oracle=oracle, method="direct", seed=0)


def test_damaged_answers_to_whole_problems(tmp_path):
    file, database = tmp_path / "run.jsonl", tmp_path / "c.db"
    wrong = ExactAnswer(status=Status.OPTIMAL, values=np.zeros(3, np.int64), objective=0.0)

    class Wrong(Counted):
        def solve_exactly(self, problem, *, time_limit=None, seed=0):
            return wrong

    recorded = qhal.composites.Record(Wrong(), file)
    recorded.solve_exactly(PROBLEM)
    with pytest.raises(OracleError, match="was changed"):
        qhal.composites.Replay(file).solve_exactly(PROBLEM)
    qhal.composites.Cache(Wrong(), database).solve_exactly(PROBLEM)
    answer = qhal.composites.Cache(Counted(), database).solve_exactly(PROBLEM)
    assert answer.objective == TRUTH
    assert answer.info["cache"] == {"hit": False}


def test_the_cache_answers_whole_problems(tmp_path):
    counted = Counted()
    oracle = qhal.composites.Cache(counted, tmp_path / "c.db")
    solutions = [qhal.solve(PROBLEM, oracle=oracle, method="direct", seed=1) for _ in range(2)]
    assert counted.asked == 1
    assert [solution.info["cache"]["hit"] for solution in solutions] == [False, True]
    assert solutions[0].assignment == solutions[1].assignment
    qhal.solve(PROBLEM, oracle=oracle, method="direct", seed=1, time_limit=9.0)
    assert counted.asked == 2


def test_a_full_disk_costs_no_proof(tmp_path):
    oracle = qhal.get_oracle(f"exhaustive|record({tmp_path / 'r.jsonl'})|cache({tmp_path / 'c'})")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, limits[1]))
    try:
        solution = qhal.solve(PROBLEM, oracle=oracle, method="direct", seed=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert solution.certified
    assert solution.objective == TRUTH
    assert "not recorded" in solution.info["record"]["error"]
    assert "not kept" in solution.info["cache"]["error"]


# --- portfolio ------------------------------------------------------------------------------------


class Says(qhal.Oracle):
    """An exact oracle that says what it is told to."""

    info = qhal.OracleInfo(name="says", summary="", factory="", exact=True)

    def __init__(self, answer):
        self.answer = answer

    def _sample(self, qubo, **parameters):
        raise RuntimeError("not this way")

    def solve_exactly(self, problem, *, time_limit=None, seed=0):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_portfolio_joins_what_is_known():
    values = np.zeros(9, dtype=np.int64)
    value = Says(ExactAnswer(status=Status.FEASIBLE, values=values, objective=5.0))
    bound = Says(ExactAnswer(status=Status.NO_FEASIBLE_SOLUTION_FOUND, lower_bound=2.0))
    nothing, broken = Says(None), Says(ValueError("a bug"))
    joined = Portfolio(value, bound, nothing, broken).solve_exactly(PROBLEM)
    assert (joined.objective, joined.lower_bound) == (5.0, 2.0)
    assert Portfolio(bound, nothing).solve_exactly(PROBLEM).lower_bound == 2.0
    assert Portfolio(nothing, nothing).solve_exactly(PROBLEM) is None
    with pytest.raises(OracleError, match="a bug"):
        Portfolio(nothing, broken).solve_exactly(PROBLEM)
    impossible = Says(ExactAnswer(status=Status.INFEASIBLE))
    assert Portfolio(bound, impossible).solve_exactly(PROBLEM).status is Status.INFEASIBLE
    with pytest.raises(OracleError, match="another one solved it"):
        Portfolio(value, impossible).solve_exactly(PROBLEM)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (7, "answered a int, no ExactAnswer"),
        (ExactAnswer(status=Status.FEASIBLE, lower_bound=float("nan")), "the lower bound nan"),
        (TimeoutError("late"), "cannot be reached: TimeoutError: late"),
    ],
)
def test_nonsense_is_refused(answer, error):
    with pytest.raises(OracleError, match=error):
        exactly(Says(answer), PROBLEM, time_limit=None, seed=0)
