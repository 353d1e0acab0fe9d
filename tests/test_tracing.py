"""Traces: what is in them is true, and what must not be is not."""

import json
import threading

import pytest
from click.testing import CliRunner

import qhal
from qhal.cli import main
from qhal.tracing import Trace, span

LP = """Minimize
 - 5 a - 4 b + [ - 4 a * c ] / 2
Subject To
 2 a + 3 b + c <= 3
Binary
 a b c
End
"""


def checked(document: dict) -> list[dict]:
    """The spans of a trace that is valid: known keys and units, properly nested in each thread."""
    assert set(document) == {"traceEvents", "displayTimeUnit"}
    spans = []
    for event in document["traceEvents"]:
        assert event["ph"] in ("X", "M")
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert isinstance(event["args"], dict)
        if event["ph"] == "M":
            assert event["name"] == "thread_name"
            continue
        assert event["ts"] >= 0
        assert event["dur"] >= 0
        assert event["cat"] == "qhal"
        spans.append(event)
    assert [event["ts"] for event in spans] == sorted(event["ts"] for event in spans)
    for tid in {event["tid"] for event in spans}:
        ends: list[float] = []
        for event in (each for each in spans if each["tid"] == tid):
            while ends and ends[-1] <= event["ts"]:
                ends.pop()
            end = event["ts"] + event["dur"]
            assert not ends or end <= ends[-1] + 1e-3
            ends.append(end)
    return spans


def names(spans: list[dict]) -> set[str]:
    return {event["name"] for event in spans}


@pytest.fixture
def problem(tmp_path):
    path = tmp_path / "problem.lp"
    path.write_text(LP)
    return path


def test_solve_shows_where_time_went(problem, tmp_path):
    out = tmp_path / "trace.json"
    command = ["solve", problem, "--oracle", "random", "--seed", 1, "--iterations", 3]
    extra = ["--trace", out, "--checkpoint", tmp_path / "run.ckpt", "--certify", "exhaustive"]
    result = CliRunner().invoke(main, [str(word) for word in [*command, *extra, "--json"]])
    assert result.exit_code == 0, result.output
    spans = checked(json.loads(out.read_text()))
    expected = "read presolve encoding assembly oracle harvest polish multipliers checkpoint"
    assert names(spans) == {*expected.split(), "certificate"}
    asked = [event for event in spans if event["name"] == "oracle" and event["args"]]
    whole = [event["args"]["oracle"] for event in asked if event["args"].get("whole_problem")]
    assert whole == ["exhaustive"]
    calls = [event for event in asked if "num_reads" in event["args"]]
    document = json.loads(result.stdout)
    assert len(calls) == document["oracle_calls"] == 3
    assert sum(event["dur"] for event in calls) * 1e-6 == pytest.approx(
        document["oracle_time_s"], abs=0.05
    )
    assert {event["args"]["oracle"] for event in calls} == {"random"}


@pytest.mark.parametrize("method", ["joint", "sequential"])
def test_train_shows_where_time_went(tmp_path, method):
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.random((20, 3))
    np.savez(tmp_path / "data.npz", x=x, y=(x.sum(axis=1) > 1.5).astype(int))
    limits = "--iterations 1 --samples 4" if method == "joint" else "--epochs 1"
    line = f"train --data {tmp_path}/data.npz --hidden 2 --method {method} {limits} --seed 0"
    out = tmp_path / "trace.json"
    command = f"{line} --oracle random --trace {out} --quiet"
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 0, result.output
    found = names(checked(json.loads(out.read_text())))
    expected = {"joint": {"encoding", "harvest"}, "sequential": {"evaluation"}}[method]
    assert found >= {"assembly", "oracle"} | expected


def test_a_run_that_fails_leaves_its_trace(problem, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise OSError("no cable")

    monkeypatch.setattr("qhal.reference.Random._sample", broken)
    out = tmp_path / "trace.json"
    command = ["solve", str(problem), "--oracle", "random", "--trace", str(out)]
    assert CliRunner().invoke(main, command).exit_code == 1
    assert names(checked(json.loads(out.read_text()))) >= {"read", "oracle"}


def test_concurrent_traces_do_not_mix():
    """Each of several threads sees its own solves only."""
    counts = {}

    def work(k: int) -> None:
        with Trace() as trace:
            for _ in range(k):
                qhal.solve(qhal.Qubo([[1.0, -3], [0, 1]]), oracle="random", seed=0)
        counts[k] = sum(event["name"] == "oracle" for event in trace.events)

    threads = [threading.Thread(target=work, args=(k,)) for k in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == {1: 1, 2: 2, 3: 3}


def test_spans_without_a_trace_do_nothing_and_let_errors_through():
    with pytest.raises(ZeroDivisionError), span("nothing"):
        raise ZeroDivisionError
    trace = Trace()
    with pytest.raises(ZeroDivisionError), trace, span("failing", size=3):
        raise ZeroDivisionError
    assert [(event["name"], event["args"]) for event in trace.events] == [("failing", {"size": 3})]
    assert checked(Trace().to_json()) == []


def test_outputs_are_checked_first(problem, tmp_path):
    for place in (problem, tmp_path / "absent" / "trace.json"):
        command = ["solve", str(problem), "--oracle", "random", "--trace", str(place)]
        assert CliRunner().invoke(main, command).exit_code == 2
    assert problem.read_text() == LP
