"""Where results go: files that may not be overwritten, full disks, closed streams."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

FULL = "/dev/full"
needs_full = pytest.mark.skipif(not os.path.exists(FULL), reason="no /dev/full")


@pytest.fixture
def data(tmp_path):
    """A data set of two classes."""
    y = np.arange(20) % 2
    path = tmp_path / "data.npz"
    np.savez(path, x=np.linspace(0, 1, 60).reshape(20, 3), y=y)
    return path


@pytest.fixture
def in_shell(problem):
    """Runs a line in which `qhal` and `FILE` stand for the command and a problem."""

    def run(line: str) -> subprocess.CompletedProcess:
        line = line.replace("qhal ", f"{sys.executable} -m qhal ").replace("FILE", str(problem))
        return subprocess.run(
            ["sh", "-c", line], capture_output=True, text=True, check=False, timeout=60
        )

    return run


# --- what may not be overwritten ------------------------------------------------------------------


def test_inputs_and_other_outputs_are_not_overwritten(refused, problem, tmp_path):
    content = problem.read_bytes()
    (tmp_path / "hard").hardlink_to(problem)
    for place in (problem, tmp_path / "hard", tmp_path / "." / "problem.lp"):
        sentence = refused("solve", problem, "--oracle", "random", "--out", place)
        assert sentence == f"--out {place} would overwrite the input: choose another file."
    same = tmp_path / "same.png"
    sentence = refused("solve", problem, "--out", same, "--plot", tmp_path / "." / "same.png")
    assert "--plot" in sentence
    assert "would overwrite --out" in sentence
    assert problem.read_bytes() == content
    assert not same.exists()


def test_training_does_not_overwrite_either(refused, data, tmp_path):
    assert "--model" in refused("train", "--data", data, "--model", data)
    same = tmp_path / "same.png"
    assert "overwrite --model" in refused("train", "--model", same, "--plot", same)


@needs_full
def test_a_model_is_no_device(refused):
    assert "is a device or pipe" in refused("train", "--model", FULL)


# --- what cannot be written -----------------------------------------------------------------------


@needs_full
@pytest.mark.parametrize(
    "arguments",
    [
        "solve FILE --oracle exhaustive",
        "solve FILE --oracle exhaustive --json",
        "compare FILE --oracle exhaustive",
        "oracles",
        "oracles --json",
        "oracles random",
        "--help",
        "solve --help",
        "solve absent.lp --json",
    ],
)
def test_a_full_stdout_is_one_sentence(in_shell, arguments):
    done = in_shell(f"qhal {arguments} > {FULL}")
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    expected = "No such file" if "absent" in arguments else "cannot write to stdout: No space left"
    assert expected in done.stderr


@needs_full
def test_a_full_disk_costs_the_file_and_not_the_result(in_shell):
    done = in_shell(f"qhal solve FILE --oracle exhaustive --json --out {FULL}")
    assert done.returncode == 1
    assert done.stderr == f"Error: cannot write {FULL}: No space left on device.\n"
    assert json.loads(done.stdout)["objective"] == -10


def test_an_old_result_survives_a_failure(qhal, problem, tmp_path, monkeypatch):
    out = tmp_path / "result.json"
    out.write_text("old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = qhal("solve", problem, "--oracle", "exhaustive", "--out", out)
    assert result.exit_code == 1
    assert "optimal" in result.stdout
    assert out.read_text() == "old"


@needs_full
def test_a_full_stderr_harms_no_result(in_shell):
    done = in_shell(f"qhal solve FILE --oracle exhaustive --json -v 2> {FULL}")
    assert json.loads(done.stdout)["objective"] == -10
    assert in_shell(f"qhal solve absent.lp 2> {FULL}").returncode == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams(in_shell, closed):
    assert in_shell(f"qhal solve FILE --oracle exhaustive {closed}").returncode == 0
    done = in_shell(f"qhal solve absent.lp {closed}")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", ["oracles", "oracles --json", "--help", "oracles random"])
def test_readers_that_leave_early(in_shell, arguments):
    done = in_shell(f"qhal {arguments} | head -c 1")
    assert len(done.stdout) == 1
    assert done.stderr == ""


def test_a_device_takes_the_result(in_shell):
    done = in_shell("qhal solve FILE --oracle exhaustive --quiet --out /dev/stderr > /dev/null")
    assert done.returncode == 0
    assert json.loads(done.stderr)["objective"] == -10


def test_warnings_are_one_line(in_shell):
    done = in_shell("QHAL_PLUGINS=qhal-core,cimm qhal oracles --json")
    assert (
        done.stderr
        == "Warning: QHAL_PLUGINS lists 'cimm', which no plugin is called; did you mean 'cim'?\n"
    )
    assert json.loads(done.stdout)["oracles"]
    strict = in_shell("QHAL_STRICT=1 QHAL_PLUGINS=qhal-core,cimm qhal oracles --json")
    assert strict.returncode == 2
    assert "'cimm'" in json.loads(strict.stdout)["error"]
