"""`compare`: results side by side, what differs, and what contradicts a proof."""

import dataclasses
import time
from contextlib import contextmanager

import numpy as np
import pytest

import qhal
from qhal.oracle import ExactAnswer
from qhal.problems.qcbo import Qcbo
from qhal.samples import Status

PROBLEM = Qcbo.from_arrays(np.diag([-5.0, -4, -3]), A_le=[[2, 3, 1]], b_le=[4])
BEST = -8.0  # the first and the third


class Fake(qhal.Oracle):
    """Answers `state`, or raises it; solves whole problems as `answer` says."""

    def __init__(self, name, state=(0, 0, 0), answer=None, exact=False):
        self.state, self.answer = state, answer
        self.info = qhal.OracleInfo(name=name, summary="", factory="", exact=exact)

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        if isinstance(self.state, BaseException):
            raise self.state
        states = np.zeros((1, qubo.num_variables), dtype=np.int8)
        states[:, :3] = self.state
        return states, {"proved": False}

    def solve_exactly(self, problem, *, time_limit=None, seed=0):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def answer(status, values=None, bound=None):
    return Fake(
        "truth",
        exact=True,
        answer=ExactAnswer(
            status=status,
            values=None if values is None else np.array(values),
            objective=None if values is None else float(PROBLEM.objectives([values])[0]),
            lower_bound=bound,
        ),
    )


def compare(*oracles, **options):
    return qhal.compare(PROBLEM, list(oracles), polish=False, iterations=2, seed=0, **options)


def names(comparison):
    return [row["oracle"] for row in comparison.results]


GOOD, POOR = Fake("good", (1, 0, 1)), Fake("poor", (1, 0, 0))
NOTHING = Fake("nothing", (1, 1, 1))
OPTIMAL = answer(Status.OPTIMAL, (1, 0, 1), BEST)


# --- agreement ------------------------------------------------------------------------------------


def test_oracles_that_reach_the_same_objective_agree():
    comparison = compare(GOOD, Fake("also", (1, 0, 1)), "exhaustive", reference=OPTIMAL)
    assert comparison.agree
    assert comparison.succeeded
    assert comparison.differences == comparison.contradictions == comparison.notes == ()
    assert names(comparison) == ["truth", "good", "also", "exhaustive"]
    for row in comparison.results:
        assert row["objective"] == BEST
        assert row["gap_to_reference"] == 0
        assert row["error"] is None
    assert [row["reference"] for row in comparison.results] == [True, False, False, False]
    document = comparison.to_json()
    assert document["agree"] is True
    assert len(document["results"]) == 4


def test_who_is_how_far_above_the_best_is_said():
    for options in ({}, {"reference": OPTIMAL}):
        comparison = compare(POOR, GOOD, **options)
        assert not comparison.agree
        finder = "truth" if options else "good"
        assert comparison.differences == (f"poor is 3 above the best, -8 of {finder}.",)
        assert comparison.contradictions == ()
    assert comparison.results[1]["gap_to_reference"] == pytest.approx(3 / 8)


def test_rounding_is_no_difference():
    values = np.array([0.1, 0.2, 0.3])
    problem = Qcbo.from_arrays(np.diag(-np.sqrt(values)))
    shuffled = Fake("good", (1, 1, 1))
    assert qhal.compare(problem, [shuffled, "exhaustive"], polish=False).agree


def test_nothing_feasible_is_a_difference_if_there_is_something():
    comparison = compare(NOTHING, GOOD)
    assert not comparison.agree
    assert comparison.differences == ("nothing found nothing feasible.",)


def test_nothing_feasible_anywhere_is_no_agreement():
    comparison = compare(NOTHING, Fake("also", (1, 1, 0)))
    assert not comparison.agree
    assert not comparison.succeeded
    assert comparison.differences == comparison.contradictions == ()
    assert comparison.notes == ("Nobody found a feasible solution.",)


def test_infeasible_everywhere_is_said_and_no_success():
    problem = Qcbo.from_arrays(np.eye(2), A_eq=[[1, 1]], b_eq=[3])
    comparison = qhal.compare(problem, ["exhaustive", "random"])
    assert not comparison.succeeded
    assert comparison.notes == ("exhaustive proved that the problem has no feasible solution.",)


# --- contradictions -------------------------------------------------------------------------------


def test_a_value_below_a_proof_is_a_contradiction():
    cases = {
        "truth calls -5 optimal, but good found -8.": answer(Status.OPTIMAL, (1, 0, 0), -5.0),
        "truth proved that nothing lies below -7, but good found -8.": answer(
            Status.FEASIBLE, (1, 0, 0), -7.0
        ),
        "truth calls the problem infeasible, but good solved it.": answer(Status.INFEASIBLE),
    }
    for expected, liar in cases.items():
        comparison = compare(GOOD, reference=liar)
        assert comparison.contradictions == (expected,)
        assert not comparison.agree


# --- references that prove nothing ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "values", "bound", "proved"),
    [
        (Status.NO_FEASIBLE_SOLUTION_FOUND, None, None, "nothing"),
        (Status.NO_FEASIBLE_SOLUTION_FOUND, None, -12.0, "only that nothing lies below -12"),
        (Status.FEASIBLE, (1, 0, 0), None, "nothing"),
    ],
)
def test_a_reference_out_of_time_is_no_disagreement(status, values, bound, proved):
    comparison = compare(GOOD, reference=answer(status, values, bound))
    assert comparison.agree
    assert comparison.notes == (f"The reference truth ended early: it proved {proved}.",)
    assert comparison.results[1]["gap_to_reference"] == 0


def test_a_reference_out_of_time_may_still_know_better():
    comparison = compare(POOR, reference=answer(Status.FEASIBLE, (1, 0, 1)))
    assert not comparison.agree
    assert comparison.differences == ("poor is 3 above the best, -8 of truth.",)


def test_a_real_reference_out_of_time():
    rng = np.random.default_rng(0)
    problem = Qcbo.from_arrays(np.triu(rng.normal(size=(60, 60))))
    start = time.perf_counter()
    comparison = qhal.compare(problem, ["sa"], reference="cpsat", time_limit=0.5, seed=0)
    assert time.perf_counter() - start < 60
    assert comparison.contradictions == ()
    assert comparison.results[0]["status"] != "optimal"
    assert "The reference cpsat ended early" in comparison.notes[0]


# --- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (qhal.InputError("too large."), "too large."),
        (ZeroDivisionError("a bug"), "oracle 'broken' failed: ZeroDivisionError: a bug."),
        (MemoryError("no\nmemory"), "oracle 'broken' failed: MemoryError: no memory."),
    ],
)
def test_an_oracle_that_fails_costs_no_other_its_result(error, expected):
    comparison = compare(GOOD, Fake("broken", error), "random", reference=OPTIMAL)
    assert names(comparison) == ["truth", "good", "broken", "random"]
    row = comparison.results[2]
    assert row["status"] == "failed"
    assert expected in row["error"]
    assert row["objective"] is None
    assert comparison.notes[0].startswith("broken failed: ")
    assert comparison.agree  # all that ran
    assert not comparison.succeeded


def test_an_oracle_that_refuses_and_a_reference_that_fails():
    rng = np.random.default_rng(0)
    large = Qcbo.from_arrays(np.triu(rng.integers(-5, 6, (30, 30))))
    reference = Fake("truth", exact=True, answer=qhal.InputError("not whole."))
    comparison = qhal.compare(large, ["exhaustive", "sa"], reference=reference, seed=0)
    by_name = {row["oracle"]: row for row in comparison.results}
    assert "takes at most 24 variables" in by_name["exhaustive"]["error"]
    assert by_name["truth"]["error"] == "not whole."
    assert by_name["sa"]["feasible"]


def test_if_nobody_can_run_that_is_an_error():
    large = Qcbo.from_arrays(np.triu(np.ones((30, 30)), 1) - np.eye(30))
    with pytest.raises(qhal.InputError, match="at most 24 variables"):
        qhal.compare(large, ["exhaustive"])
    with pytest.raises(qhal.InputError, match="no method 'levle'"):
        compare(GOOD, POOR, method="levle")


# --- Ctrl-C ---------------------------------------------------------------------------------------


def test_ctrl_c_ends_the_comparison_with_the_results_so_far():
    comparison = compare(GOOD, Fake("stopped", KeyboardInterrupt()), POOR, reference=OPTIMAL)
    assert comparison.interrupted
    assert not comparison.succeeded
    assert names(comparison) == ["good", "stopped"]
    assert comparison.results[1]["stop_reason"] == "interrupted by the user"


def test_ctrl_c_in_the_reference_keeps_all_others():
    comparison = compare(GOOD, reference=Fake("truth", exact=True, answer=KeyboardInterrupt()))
    assert comparison.interrupted
    assert names(comparison) == ["good"]


# --- options and progress -------------------------------------------------------------------------


def test_options_go_to_the_oracle_they_are_for():
    seen = []

    @contextmanager
    def watch(name):
        reads = []
        yield lambda state: reads.append(state.oracle_calls)
        seen.append((name, len(reads)))

    comparison = compare(
        "random",
        "sa",
        reference="exhaustive",
        oracle_options={"sa": {"num_sweeps": 7, "num_reads": 3}},
        num_reads=5,
        watch=watch,
    )
    assert [name for name, _ in seen] == ["random", "sa", "exhaustive (reference)"]
    assert seen[0][1] == 2
    assert names(comparison) == ["exhaustive", "random", "sa"]


def test_num_reads_of_one_oracle():
    asked = {}

    class Counts(Fake):
        def _sample(self, qubo, *, num_reads, **others):
            asked[self.info.name] = num_reads
            return super()._sample(qubo, num_reads=num_reads, **others)

    from qhal import comparison

    entrants = comparison._entrants(["sa", "random"], None, {"sa": {"num_reads": 3}}, 5)
    assert [entrant.num_reads for entrant in entrants] == [3, 5]
    compare(Counts("one"), Counts("two"), num_reads=9)
    assert asked == {"one": 9, "two": 9}


# --- chains ---------------------------------------------------------------------------------------


def test_rows_are_told_apart(tmp_path):
    cases = {
        ("random", "exhaustive"): ["random", "exhaustive"],
        ("random", "random|precision(bits=4)"): ["random", "random|precision(bits=4)"],
        ("random", "random|budget(calls=3)"): ["random", "random|budget(calls=3)"],
        ("random", "random"): ["random", "random (2)"],
        (GOOD, GOOD, "random"): ["good", "good (2)", "random"],
        ("random|retry", GOOD): ["random", "good"],
    }
    for oracles, labels in cases.items():
        assert names(compare(*oracles)) == labels
    same = compare("exhaustive", reference=f"exhaustive|cache({tmp_path / 'c.db'})")
    assert names(same) == ["exhaustive", "exhaustive"]
    assert [row["reference"] for row in same.results] == [True, False]
    assert same.agree


def test_options_reach_every_chain_of_an_oracle():
    chain = "random|precision(bits=4)"
    comparison = compare(
        "sa", "sa|precision(bits=4)", chain,
        oracle_options={"sa": {"num_sweeps": 7, "num_reads": 3}, chain: {"num_reads": 5}},
    )  # fmt: skip
    reads = {row["oracle"]: row["oracle_reads"] / row["oracle_calls"] for row in comparison.results}
    assert reads == {"sa": 3, "sa|precision(bits=4)": 3, chain: 5}


def test_options_of_one_chain_come_after_those_of_its_oracle():
    chain = "sa|retry"
    options = {"sa": {"num_reads": 3}, chain: {"num_reads": 5}}
    comparison = compare("sa", chain, oracle_options=options)
    assert [row["oracle_reads"] / row["oracle_calls"] for row in comparison.results] == [3, 5]


@pytest.mark.parametrize(
    ("oracles", "options", "expected"),
    [
        (["sa(num_sweeps=3)|retry"], {"sa": {"num_sweeps": 4}}, "'num_sweeps' of 'sa' is given tw"),
        (["portfolio(sa, random)"], {"sa": {"x": 4}}, "Options of what is within 'portfolio"),
        (["portfolio(sa, random)"], {"portfolio": {"x": 4}}, "are written there: portfolio"),
        (["sa|"], {}, "a name is missing"),
        (["sa|random"], {}, "only the start of a chain can be"),
    ],
)
def test_bad_chains(oracles, options, expected):
    with pytest.raises(qhal.InputError, match=expected):
        qhal.compare(PROBLEM, oracles, oracle_options=options)


def test_a_reference_through_composites(tmp_path):
    file = tmp_path / "proof.jsonl"
    first = compare("random", reference=f"exhaustive|budget(calls=1)|record({file})")
    again = compare("random", reference=f"replay({file})")
    assert first.results[0]["certified"]
    keys = "objective status lower_bound certified".split()
    assert all(first.results[0][key] == again.results[0][key] for key in keys)
    spent = compare("random", reference="exhaustive|budget(calls=0)")
    assert "the call was not made" in spent.results[0]["error"]
    with pytest.raises(qhal.InputError, match="is not exact"):
        compare("random", reference="exhaustive|precision(bits=8)")


@pytest.mark.parametrize(
    ("oracles", "options", "expected"),
    [
        ("sa", {}, "the oracles to compare are a list such as \\['sa'\\], not 'sa'"),
        (None, {}, "not None"),
        (3, {}, "not 3"),
        ([], {}, "name at least one oracle"),
        ([3], {}, "an oracle is a name"),
        ([qhal.Oracle], {}, "is a class"),
        (["randon"], {}, "did you mean 'random'"),
        (["random"], {"reference": "random"}, "is not exact"),
        (["random"], {"seed": -1}, "seed must be"),
        (["random"], {"iterations": 0}, "iterations must be"),
        (["random"], {"time_limit": 0}, "time_limit must be"),
        (["random"], {"num_reads": 0}, "num_reads must be"),
        (["random"], {"oracle_options": 3}, "oracle_options are"),
        (["random"], {"watch": 3}, "watch must be a function"),
        (["random"], {"oracle_options": {"random": 3}}, "the options of 'random' are a dict"),
        (["random"], {"oracle_options": {"randon": {}}}, "not compared; did you mean 'random'"),
        (["random"], {"oracle_options": {"x": 1}}, "there are options for 'x', which is not comp"),
        (["random"], {"oracle_options": {"random": {"x": 1}}}, "'random' has no option 'x'"),
    ],
)
def test_bad_input(oracles, options, expected):
    with pytest.raises(qhal.InputError, match=expected):
        qhal.compare(PROBLEM, oracles, **options)


def test_results_are_json():
    import json

    comparison = compare(GOOD, Fake("broken", ZeroDivisionError()), reference=OPTIMAL)
    assert json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    assert dataclasses.is_dataclass(comparison)
