"""--log-file, and what the library logs by itself: nothing that anybody must hear."""

import json
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

import qhal as package

SECRET = "DEV-5f0c2a7e91"


def lines(path) -> list[dict]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        assert {"time", "level", "logger", "message"} <= set(record)
        assert set(record) <= {"time", "level", "logger", "message", "facts", "traceback"}
        assert datetime.fromisoformat(record["time"]).utcoffset().total_seconds() == 0
        assert re.fullmatch(r"qhal\.[a-z]+", record["logger"])
    return records


def test_every_room_tells_what_it_does(qhal, problem, tmp_path):
    log = tmp_path / "run.jsonl"
    command = f"solve {problem} --oracle random --seed 1 --iterations 2"
    result = qhal(*command.split(), "--log-file", log)
    assert result.exit_code == 0
    records = lines(log)
    by_room = {record["logger"] for record in records}
    assert {"qhal.cli", "qhal.registry", "qhal.oracle", "qhal.qcgd"} <= by_room
    (call, *_) = [record for record in records if record["logger"] == "qhal.oracle"]
    assert set(call["facts"]) == {"num_variables", "num_reads", "seed", "time_s", "lowest_energy"}
    rounds = [record for record in records if record["logger"] == "qhal.qcgd"]
    assert [record["facts"]["iteration"] for record in rounds] == [1, 2]
    assert records[0]["message"].endswith("solve starts")
    assert records[-1]["message"] == "solve is done"


def test_logs_go_on_in_one_file_and_notes_are_still_notes(qhal, tmp_path):
    path, log = tmp_path / "max.lp", tmp_path / "run.jsonl"
    path.write_text("Maximize\n a\nBinary\n a\nEnd\n")
    for _ in range(2):
        result = qhal("solve", path, "--oracle", "exhaustive", "--log-file", log)
        assert result.stderr.count("Note:") == 1
    notes = [record for record in lines(log) if record["level"] == "INFO"]
    assert [record["logger"] for record in notes] == ["qhal.files", "qhal.files"]
    assert "round" not in result.stderr


def test_errors_are_in_the_log_with_their_traceback(qhal, problem, tmp_path):
    log = tmp_path / "run.jsonl"
    assert qhal("solve", problem, "--oracle", "nonesuch", "--log-file", log).exit_code == 2
    last = lines(log)[-1]
    assert "no oracle 'nonesuch'" in last["message"]
    assert "Traceback" in last["traceback"]


def test_nothing_secret_is_logged_or_traced(qhal, problem, tmp_path, monkeypatch):
    """Neither the environment nor the values of options."""
    monkeypatch.setenv("DWAVE_API_TOKEN", SECRET)
    log, trace = tmp_path / "run.jsonl", tmp_path / "trace.json"
    seen = []

    class Guarded(package.Oracle):
        def __init__(self, token: str) -> None:
            seen.append(token)

        def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
            return [[0] * qubo.num_variables]

    monkeypatch.setattr("qhal.reference.Random", Guarded)
    command = ["solve", problem, "--oracle", "random", "--iterations", 2]
    result = qhal(*command, "--set", f"token={SECRET}", "--log-file", log, "--trace", trace)
    assert result.exit_code == 0, result.output
    assert seen == [SECRET]
    assert SECRET not in log.read_text() + trace.read_text()


def test_files_that_are_no_logs_are_left_alone(refused, problem, tmp_path):
    before = problem.read_text()
    sentence = refused("solve", problem, "--oracle", "random", "--log-file", problem)
    assert "is there and is no log" in sentence
    assert problem.read_text() == before
    assert "cannot write --log-file" in refused("plugins", "--log-file", tmp_path / "no" / "log")
    assert "cannot write --log-file" in refused("plugins", "--log-file", tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_costs_the_log_and_not_the_result(qhal, problem):
    result = qhal("solve", problem, "--oracle", "exhaustive", "--json", "--log-file", "/dev/full")
    assert json.loads(result.stdout)["objective"] == -10
    assert result.stderr.count("the log /dev/full ends here: No space left on device") == 1


def test_the_library_is_silent_by_itself():
    code = (
        "import logging, qhal; qhal.solve(qhal.Qubo([[1.0]]), oracle='random', seed=0);"
        "logging.getLogger('qhal.x').warning('heard'); logging.getLogger('qhal').handlers"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_nothing_prints():
    """No print in the library; what it has to say goes through logging, click or rich."""
    root = Path(package.__file__).parent
    for path in root.rglob("*.py"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            calls = re.search(r"(?<![\w.`(\"])print\(", line)
            assert not calls or "``print(" in line, f"{path}:{number}"
