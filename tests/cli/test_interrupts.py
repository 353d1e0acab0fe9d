"""Ctrl-C at various moments: one sentence at most, never a traceback."""

import json
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

SLOW = """
import time
import numpy as np
import qhal

class Slow(qhal.Oracle):
    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        print("sampling", flush=True)
        while True:
            time.sleep(0.01)

@qhal.hookimpl
def qhal_oracle():
    return qhal.OracleInfo(name="slow", summary="never answers", factory=__name__ + ":Slow")
"""


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """An installed oracle that says on stdout that it samples, and never answers."""
    info = tmp_path / "site" / "fake_slow-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-slow\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[qhal.oracles]\nslow = fake_slow\n")
    (info.parent / "fake_slow.py").write_text(SLOW)
    monkeypatch.setenv("PYTHONPATH", str(info.parent), prepend=":")


def interrupted(arguments):
    """Exit code, stdout and stderr of a command that got SIGINT while the slow oracle sampled."""
    command = [sys.executable, "-m", "qhal", *map(str, arguments)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert run.stdout.readline() == "sampling\n"
        run.send_signal(signal.SIGINT)
        stdout, stderr = run.communicate(timeout=60)
    finally:
        run.kill()
    assert "Traceback" not in stderr
    return run.returncode, stdout, stderr


def test_training_before_anything_was_learned(slow):
    code, stdout, stderr = interrupted(["train", "--oracle", "slow", "--samples", 4, "--json"])
    assert code == 1
    assert stderr.strip() == "Error: interrupted."
    assert json.loads(stdout) == {"error": "interrupted."}


def test_solving_before_the_first_answer(slow, problem):
    code, stdout, stderr = interrupted(["solve", problem, "--oracle", "slow", "--json"])
    assert code == 1
    assert stderr == ""
    document = json.loads(stdout)
    assert document["stop_reason"] == "interrupted by the user"
    assert document["objective"] is None


def test_comparing_before_the_first_answer(slow, problem):
    oracles = ["--oracle", "exhaustive", "--oracle", "slow", "--oracle", "random"]
    code, stdout, _ = interrupted(["compare", problem, *oracles, "--json"])
    assert code == 1
    document = json.loads(stdout)
    assert [row["oracle"] for row in document["results"]] == ["exhaustive", "slow"]
    assert document["interrupted"] is True


@pytest.mark.parametrize("delay", [0.05, 0.1, 0.2, 0.4, 0.8])
def test_while_the_command_is_still_starting(problem, delay):
    command = [sys.executable, "-m", "qhal", "solve", problem, "--oracle", "cim", "--json"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(delay)
        run.send_signal(signal.SIGINT)
        stdout, stderr = run.communicate(timeout=60)
    finally:
        run.kill()
    # Until qhal.__main__ has imported `signal`, Python's own handler is in charge.
    starting = (
        "_get_module_details", "site.py", "init_import_site", "import runpy module",
        "import signal\n",
    )  # fmt: skip
    assert "Traceback" not in stderr or any(place in stderr for place in starting)
    assert run.returncode in (0, 1, -signal.SIGINT)
    if stdout:
        assert json.loads(stdout)


def test_ctrl_c_that_became_another_error(refused, problem, monkeypatch):
    def fails(*arguments, **options):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise RuntimeError("an import failed") from error

    monkeypatch.setattr("qhal.api.solve", fails)
    assert refused("solve", problem, code=1) == "interrupted."
