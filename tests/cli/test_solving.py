"""`qhal solve` from the outside."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from qhal.files import write_problem
from qhal.problems import Qcbo

KEYS = (
    "status feasible objective raw_objective lower_bound gap certified max_violation iterations "
    "oracle_calls oracle_time_s total_time_s num_variables num_constraints assignment seed oracle "
    "versions"
).split()
INFEASIBLE = "Minimize\n a\nSubject To\n 2 a + 2 b = 1\nBinary\n a b\nEnd\n"


def solved(result) -> dict:
    """The document of a run that was told --json; nothing else may be on stdout."""
    document = json.loads(result.stdout)
    assert set(KEYS) <= set(document)
    return document


# --- solve ----------------------------------------------------------------------------------------


def test_the_document(qhal, problem):
    result = qhal("solve", problem, "--oracle", "exhaustive", "--seed", 7, "--json")
    assert result.exit_code == 0
    document = solved(result)
    assert document["status"] == "optimal"
    assert document["objective"] == document["lower_bound"] == -10
    assert document["assignment"] == {"a": 1, "b": 0, "c": 1}
    assert document["feasible"] is True
    assert document["certified"] is True
    assert (document["num_variables"], document["num_constraints"]) == (3, 1)
    assert (document["seed"], document["oracle"]) == (7, "exhaustive")
    assert "qhal-core" in document["versions"]


def test_the_text(qhal, problem):
    result = qhal("solve", problem, "--oracle", "exhaustive")
    assert result.exit_code == 0
    assert result.stderr == ""
    for expected in ("optimal", "-10", "exhaustive", "a = 1, c = 1; the others are 0"):
        assert expected in result.stdout


def test_a_point_of_zeros_is_not_said_twice(qhal, tmp_path):
    path = tmp_path / "zero.lp"
    path.write_text("Minimize\n a + b\nBinary\n a b\nEnd\n")
    text = qhal("solve", path, "--oracle", "exhaustive").stdout
    assert text.endswith("\nall variables are 0\n")


def test_a_point_that_is_not_feasible_is_called_so(qhal, tmp_path):
    path = tmp_path / "hard.lp"
    rows = " a + b + c + d + e + f + g + h = 1\n"
    path.write_text(f"Minimize\n a\nSubject To\n{rows}Binary\n a b c d e f g h\nEnd\n")
    command = ("solve", path, "--oracle", "random", "--set", "num_reads=1")
    result = qhal(*command, "--iterations", 1, "--seed", 1)
    assert result.exit_code == 1
    assert "NOT feasible, but the nearest to it that was found: " in result.stdout
    assert "--certify cpsat" in result.stdout
    assert "certify=" not in result.stdout
    document = json.loads(qhal(*command, "--iterations", 1, "--seed", 1, "--json").stdout)
    assert "--certify cpsat" in document["advice"]


def test_the_row_that_nothing_satisfies_is_named(qhal, tmp_path):
    path = tmp_path / "infeasible.lp"
    path.write_text(INFEASIBLE.replace(" 2 a", " odd: 2 a"))
    result = qhal("solve", path, "--oracle", "random")
    assert result.exit_code == 1
    assert "contradiction" in result.stdout
    assert "odd" in result.stdout


def test_a_certificate_that_is_better_than_the_run(qhal, problem, monkeypatch):
    from qhal import api

    solve = api.solve

    def worse(*arguments, **options):
        solution = solve(*arguments, **options)
        record = {"oracle": "cpsat", "status": "optimal", "objective": -12.0, "lower_bound": -12.0}
        record["error"] = "it said: certify='cpsat'."
        info = {**solution.info, "certificate": record}
        return replace(solution, info=info, certified=False)

    monkeypatch.setattr("qhal.api.solve", worse)
    text = qhal("solve", problem, "--oracle", "random").stdout
    assert "certificate of cpsat: optimal, objective -12, lower bound -12" in text
    assert "it said: --certify cpsat." in text
    assert "cpsat found -12 where this run found -10" in text


def test_the_certificate_is_shown(qhal, problem):
    text = qhal("solve", problem, "--oracle", "random", "--certify", "exhaustive").stdout
    assert "certificate of exhaustive: optimal, objective -10" in text
    assert "where this run found" not in text


def test_an_oracle_that_failed_halfway_is_explained(qhal, problem):
    result = qhal("solve", problem, "--oracle", "sa|budget(calls=2)", "--seed", 1)
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert "the oracle failed; what it had found until then was kept" in text
    assert "failure the call was not made: the budget of 'sa' allows 2 calls" in text


def test_maximised_files_are_said_to_be_negated(qhal, tmp_path):
    path = tmp_path / "max.lp"
    path.write_text("Maximize\n 2 a\nBinary\n a\nEnd\n")
    result = qhal("solve", path, "--oracle", "exhaustive", "--json")
    assert json.loads(result.stdout)["objective"] == -2
    assert result.stderr.startswith("Note: ")
    assert result.stderr.count("to be maximised") == 1
    assert qhal("solve", path, "--oracle", "exhaustive", "--quiet").stderr == ""


def test_the_same_seed_gives_the_same_document(qhal, problem):
    command = ("solve", problem, "--oracle", "random", "--set", "num_reads=3", "--iterations", 4)

    def document(seed):
        run = solved(qhal(*command, "--seed", seed, "--json"))
        return {key: value for key, value in run.items() if not key.endswith("_time_s")}

    assert document(1) == document(1)
    assert document(1)["iterations"] <= 4


def test_many_variables_are_shown_in_part(qhal, tmp_path):
    path = tmp_path / "big.npz"
    write_problem(Qcbo.from_arrays(-np.eye(50), names=[f"x[{i}]" for i in range(50)]), path)
    result = qhal("solve", path, "--oracle", "random", "--set", "num_reads=500")
    assert result.exit_code == 0
    assert "x[0] = 1" in result.stdout
    assert "more (--out writes them all)" in result.stdout


def test_proved_infeasible_exits_with_1(qhal, tmp_path):
    path = tmp_path / "infeasible.lp"
    path.write_text(INFEASIBLE)
    result = qhal("solve", path, "--oracle", "exhaustive", "--json")
    assert result.exit_code == 1
    document = solved(result)
    assert document["feasible"] is False
    assert document["objective"] is None
    assert document["assignment"] == {}
    assert "no assignment" in qhal("solve", path, "--oracle", "exhaustive").stdout


def test_unconstrained_files_are_one_call(qhal, tmp_path):
    path = tmp_path / "graph.mc"
    path.write_text("3 3\n1 2 1\n2 3 1\n1 3 1\n")
    document = solved(qhal("solve", path, "--oracle", "exhaustive", "--json"))
    assert document["objective"] == -2
    assert document["oracle_calls"] == 1


@pytest.mark.parametrize("method", ["level", "frank-wolfe", "fully-corrective"])
def test_methods(qhal, problem, method):
    result = qhal("solve", problem, "--oracle", "exhaustive", "--method", method, "--json")
    assert solved(result)["objective"] == -10


def test_out_and_plot(qhal, problem, tmp_path):
    out, plot = tmp_path / "result.json", tmp_path / "run.png"
    command = ("solve", problem, "--oracle", "random", "--seed", 1, "--out", out, "--plot", plot)
    result = qhal(*command, "--json")
    assert result.exit_code == 0
    assert json.loads(out.read_text()) == json.loads(result.stdout)
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_certify(qhal, problem):
    command = ("solve", problem, "--oracle", "random", "--seed", 1, "--json")
    assert solved(qhal(*command))["certified"] is False
    document = solved(qhal(*command, "--certify", "exhaustive"))
    assert document["certified"] is True
    assert document["lower_bound"] == -10


def test_rounds_are_shown_to_whoever_asks(qhal, problem):
    command = ("solve", problem, "--oracle", "random", "--iterations", 3, "--json")
    rounds = [line.split(",")[0] for line in qhal(*command, "-v").stderr.splitlines()]
    assert rounds == ["round 1", "round 2", "round 3"]
    assert qhal(*command).stderr == ""
    assert qhal(*command, "-v", "--quiet").stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_returns_the_incumbent(problem):
    arguments = "--oracle random --iterations 100000000 --json -v".split()
    command = [sys.executable, "-m", "qhal", "solve", problem, *arguments]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert run.stderr.readline().startswith("round 1")
        run.send_signal(signal.SIGINT)
        stdout, stderr = run.communicate(timeout=30)
    finally:
        run.kill()
    assert "Traceback" not in stderr
    assert run.returncode == 0
    document = json.loads(stdout)
    assert document["objective"] == -10
    assert document["stop_reason"] == "interrupted by the user"


def test_a_reader_that_leaves_early_is_no_error(problem):
    command = f"{sys.executable} -m qhal solve {problem} --oracle exhaustive --json | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{", "")


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--oracle exhuastive", "no oracle 'exhuastive'; did you mean 'exhaustive'?"),
        ("--oracle zzzzzz", "no oracle 'zzzzzz'. Installed: "),
        ("--oracle exhaustive --set sweeps=3", "oracle 'exhaustive' has no option 'sweeps'"),
        ("--oracle exhaustive --set sweeps", "--set takes key=value, not 'sweeps'."),
        ("--oracle exhaustive --set =3", "--set takes key=value, not '=3'."),
        ("--oracle sa --set num_sweeps=3 --set num_sweeps=4", "--set num_sweeps is given twice."),
        ("--oracle sa --set num_raeds=3", "did you mean 'num_reads'?"),
        ("--oracle exhaustive --set num_reads=0", "num_reads must be a whole number of at least 1"),
        ("--oracle exhaustive --set num_reads=many", "num_reads must be a whole number"),
        ("--oracle exhaustive --set num_reads=NaN", "num_reads must be a whole number"),
        ("--oracle exhaustive --seed -1", "seed must be a whole number from 0 to 2^32 - 1, not -1"),
        ("--oracle exhaustive --seed 4294967296", "seed must be a whole number"),
        ("--oracle exhaustive --seed one", "'one' is not a valid integer"),
        ("--oracle exhaustive --time-limit nan", "time_limit must be a positive number"),
        ("--oracle exhaustive --time-limit inf", "time_limit must be a positive number"),
        ("--oracle exhaustive --time-limit 0", "Invalid value for '--time-limit'"),
        ("--oracle exhaustive --iterations 0", "Invalid value for '--iterations'"),
        ("--oracle exhaustive --method fastest", "'fastest' is not one of 'level', "),
        ("--oracle exhaustive --certify random", "oracle 'random' is not exact, so it proves"),
        ("--oracle exhaustive --certify cpsta", "did you mean 'cpsat'?"),
        ("--oracle exhaustive --plot run.txt", "--plot run.txt: use one of the suffixes .png"),
        ("--oracl exhaustive", "No such option '--oracl'"),
        ("--oracle", "Option '--oracle' requires an argument. See: qhal "),
        ("again.lp", "Got unexpected extra argument (again.lp). See: qhal solve --help"),
    ],
)
def test_bad_options(refused, problem, arguments, expected):
    assert expected in refused("solve", problem, *arguments.split())


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("nan.coo", "# vartype=BINARY\n0 0 nan\n", "line 2: 'nan' is not a finite number"),
        ("inf.qubo", "p qubo 0 1 1 0\n0 0 inf\n", "line 2: 'inf' is not a finite number"),
        ("ragged.dat", "2\n0 1\n1\n0 1 1 0\n", "is ragged, truncated or not a QAPLIB file"),
        ("ragged.mc", "2 1\n1 2\n", "line 2: expected 'i j weight', but found 2 words"),
        ("empty.lp", "", "does not close with 'End'"),
        ("zero.mc", "0 0\n", "zero.mc has no variables: nothing to solve."),
        ("real.lp", "Minimize\n x\nEnd\n", "variable 'x' is continuous"),
        ("binary.lp", "\0\1\2", "is not a text file"),
        ("problem.xyz", "", "cannot tell the format"),
        ("damaged.npz", "PK\3\4", "is damaged or not what its suffix says"),
        ("damaged.cqm", "DIMODCQM", "is damaged or not what its suffix says: it ends early"),
    ],
)
def test_bad_files(refused, tmp_path, name, content, expected):
    (tmp_path / name).write_text(content)
    sentence = refused("solve", tmp_path / name, "--oracle", "exhaustive")
    assert expected in sentence
    assert name in sentence


def test_non_square_and_ragged_arrays(refused, tmp_path):
    path = tmp_path / "problem.npz"
    write_problem(Qcbo.from_arrays([[1.0, 2.0], [0, 3]]), path)
    arrays = dict(np.load(path))
    np.savez(path, **arrays | {"pairs": arrays["pairs"][:, :1]})
    assert "pairs in" in refused("solve", path)
    np.savez(path, **arrays | {"pair_values": np.array([np.nan, 1.0, 2.0])})
    assert "pair_values in" in refused("solve", path)


def test_missing_files_and_folders(refused, tmp_path):
    assert "No such file" in refused("solve", tmp_path / "absent.lp")
    assert "is a folder" in refused("convert", tmp_path / "problem.lp", tmp_path)
    (tmp_path / "folder.lp").mkdir()
    assert "is a folder" in refused("solve", tmp_path / "folder.lp")


@pytest.mark.parametrize("option", ["--out", "--plot"])
def test_unwritable_outputs_are_noticed_before_the_run(refused, problem, monkeypatch, option):
    def never(*arguments, **options):
        raise AssertionError("the run has started")

    monkeypatch.setattr("qhal.api.solve", never)
    places = [problem.parent / "absent" / "f.png", problem / "f.png"]
    # No file can be made in /proc, whoever asks.
    places += [path for path in ["/proc/f.png"] if os.path.isdir("/proc")]
    for place in places:
        assert "cannot write" in refused("solve", problem, option, place)
    (problem.parent / "folder.png").mkdir()
    assert "is a folder" in refused("solve", problem, option, problem.parent / "folder.png")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(refused, problem, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o500)
    sentence = refused("solve", problem, "--out", folder / "f.json")
    assert "no file can be made in" in sentence


def test_a_read_only_folder_as_the_system_reports_it(refused, problem, monkeypatch):
    """Like the test above, for whoever runs the tests as root."""

    def denied(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", denied)
    sentence = refused("solve", problem, "--out", problem.parent / "f.json")
    assert "no file can be made in" in sentence
    assert "Permission denied" in sentence


def test_bugs_are_one_sentence_too(qhal, refused, problem, monkeypatch):
    def fails(*arguments, **options):
        raise ZeroDivisionError("a bug\nin two lines")

    monkeypatch.setattr("qhal.api.solve", fails)
    sentence = refused("solve", problem, code=1)
    assert sentence == "unexpected ZeroDivisionError: a bug in two lines (-v shows where)"
    verbose = qhal("solve", problem, "-v").stderr
    assert "Traceback" in verbose
    assert verbose.endswith("Error: unexpected ZeroDivisionError: a bug in two lines\n")
