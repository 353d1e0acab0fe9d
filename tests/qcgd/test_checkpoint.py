"""A run that was stopped anywhere goes on as if it had not been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import qhal
from qhal.archive import write_arrays

RNG = np.random.default_rng(5)
PROBLEM = qhal.Qcbo.from_arrays(
    np.triu(RNG.normal(size=(14, 14))),
    A_eq=[np.ones(14)],
    b_eq=[5],
    A_le=[RNG.integers(0, 9, 14)],
    b_le=[17],
    lower=[-1] + [0] * 13,
    upper=[2] + [1] * 13,
)
OTHER = qhal.Qcbo.from_arrays(linear=[1.0, 1.0], A_eq=[[1, 1]], b_eq=[1])
TIMES = {"oracle_time_s", "elapsed_s"}


def comparable(solution: qhal.Solution) -> dict:
    record = solution.to_json()
    for key in ("oracle_time_s", "total_time_s", "stop_reason"):
        record.pop(key)
    history = [{k: v for k, v in row.items() if k not in TIMES} for row in solution.history]
    return record | {"history": history}


@pytest.mark.parametrize("method", ["level", "frank-wolfe", "fully-corrective"])
@pytest.mark.parametrize("oracle", ["random", "sa", "exhaustive"])
def test_resuming_changes_nothing(tmp_path: Path, method: str, oracle: str) -> None:
    settings = {"oracle": oracle, "method": method, "num_reads": 5, "polish": False}
    problem = OTHER if oracle == "exhaustive" else PROBLEM
    whole = qhal.solve(problem, iterations=9, seed=3, **settings)
    path = tmp_path / "run.ckpt"
    for stop in (1, 4, 5, 9):
        part = qhal.solve(problem, iterations=stop, seed=3, checkpoint=path, **settings)
    assert comparable(part) == comparable(whole)
    again = qhal.solve(problem, iterations=9, checkpoint=path, **settings)  # nothing left to do
    assert comparable(again) == comparable(whole)


def test_reals_are_the_same_to_the_last_digit(tmp_path: Path) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        rows = {"A_eq": [np.ones(12)], "b_eq": [6]}
        problem = qhal.Qcbo.from_arrays(np.triu(rng.normal(size=(12, 12))), **rows)
        settings = {"oracle": "sa", "num_reads": np.int64(6), "polish": False, "seed": seed}
        whole = qhal.solve(problem, **settings, iterations=6)
        path = tmp_path / str(seed)
        for stop in (2, 6, 6):
            part = qhal.solve(problem, **settings, iterations=stop, checkpoint=path)
        assert comparable(part) == comparable(whole)


def test_a_callback_may_stop_anywhere(tmp_path: Path) -> None:
    settings = {"oracle": "sa", "num_reads": 4, "iterations": 6, "seed": 1}
    whole = qhal.solve(PROBLEM, **settings)
    path = tmp_path / "run.ckpt"
    for last in (2, 3, 5):
        qhal.solve(
            PROBLEM,
            **settings,
            checkpoint=path,
            callback=lambda s, n=last: np.bool_(s.iteration < n),
        )
    assert comparable(qhal.solve(PROBLEM, **settings, checkpoint=path)) == comparable(whole)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"method": "frank-wolfe"}, "method 'level', not 'frank-wolfe'"),
        ({"num_reads": 3}, "num_reads 2, not 3"),
        ({"oracle": "sa"}, "oracle 'random', not 'sa'"),
        ({"seed": 8}, "seed 7, not 8"),
        ({"polish": False}, "polish True, not False"),
        ({"method": "direct"}, "keeps no checkpoint"),
    ],
)
def test_other_settings_are_refused(tmp_path: Path, changed: dict, message: str) -> None:
    settings = {"oracle": "random", "num_reads": 2, "seed": 7, "iterations": 2}
    qhal.solve(OTHER, **settings, checkpoint=tmp_path / "a")
    with pytest.raises(qhal.InputError, match=message):
        qhal.solve(OTHER, **settings | changed, checkpoint=tmp_path / "a")
    with pytest.raises(qhal.InputError, match="belongs to another problem"):
        qhal.solve(PROBLEM, **settings, checkpoint=tmp_path / "a")


@pytest.mark.parametrize(
    ("fact", "value"), [("lower_bound", "x"), ("lower_bound", 5.0), ("infeasible", True)]
)
def test_stored_proofs_are_not_trusted(tmp_path: Path, fact: str, value: object) -> None:
    path = tmp_path / "a"
    settings = {"oracle": "random", "num_reads": 8, "seed": 7, "checkpoint": path}
    qhal.solve(OTHER, **settings, iterations=2)
    arrays = dict(np.load(path))
    facts = json.loads(arrays["facts"].tobytes())
    facts["run"][fact] = value
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    path.write_bytes(write_arrays(arrays))
    with pytest.raises(qhal.InputError, match="damaged"):
        qhal.solve(OTHER, **settings, iterations=3)
    with pytest.raises(qhal.InputError, match="must be the path of a file"):
        qhal.solve(OTHER, oracle="random", checkpoint=3)


def test_damaged_checkpoints_are_sentences(tmp_path: Path) -> None:
    path = tmp_path / "a"
    qhal.solve(PROBLEM, oracle="random", num_reads=2, seed=7, iterations=3, checkpoint=path)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [b"nonsense", good[: len(good) // 2], write_arrays({"x": np.zeros(3)})]
    damaged += [write_arrays({"facts": np.frombuffer(text, np.uint8)}) for text in (b"[1]", b"{")]
    facts = {"format": "qhal-checkpoint-1", "settings": {"a": 1}, "run": {"b": 2}, "problem": "x"}
    damaged.append(write_arrays({"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}))
    for _ in range(40):
        bent = bytearray(good)
        bent[int(rng.integers(len(good)))] ^= int(rng.integers(1, 256))
        damaged.append(bytes(bent))
    for content in damaged:
        path.write_bytes(content)
        try:
            qhal.solve(PROBLEM, oracle="random", num_reads=2, seed=7, iterations=3, checkpoint=path)
        except qhal.InputError as error:
            assert str(path) in str(error) or "checkpoint" in str(error)  # noqa: PT017


def test_a_full_disk_costs_the_checkpoint_and_not_the_run(monkeypatch, tmp_path: Path) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("qhal.qcgd.checkpoint.replace_file", full)
    solution = qhal.solve(OTHER, oracle="random", iterations=2, checkpoint=tmp_path / "a")
    assert solution.objective == 1
    assert "No space left" in solution.info["checkpoint"]


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    path, file = tmp_path / "run.ckpt", tmp_path / "problem.npz"
    from qhal.files import write_problem

    write_problem(PROBLEM, file)
    settings = {"oracle": "sa", "num_reads": 3, "seed": 2, "iterations": 40}
    command = f"import qhal; qhal.solve({str(file)!r}, checkpoint={str(path)!r}, **{settings!r})"
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", command])
        seen = path.stat().st_mtime_ns if path.exists() else 0
        while process.poll() is None and (not path.exists() or path.stat().st_mtime_ns == seen):
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.wait()
    assert len(list(tmp_path.glob("run.ckpt"))) == 1
    resumed = qhal.solve(str(file), checkpoint=path, **settings)
    assert comparable(resumed) == comparable(qhal.solve(str(file), **settings))
