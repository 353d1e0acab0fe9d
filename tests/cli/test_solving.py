"""`qhal solve`, `compare` and `convert` from the outside."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from qhal.files import read_problem, write_problem
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
        ("again.lp", "Got unexpected extra argument (again.lp) See: qhal solve --help"),
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


# --- compare --------------------------------------------------------------------------------------


def test_compare(qhal, problem):
    command = ("compare", problem, "--oracle", "random", "--oracle", "exhaustive", "--seed", 1)
    result = qhal(*command, "--reference", "exhaustive", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["agree"] is True
    assert [row["oracle"] for row in document["results"]] == ["exhaustive", "random", "exhaustive"]
    for row in document["results"]:
        assert row["objective"] == -10
        assert row["gap_to_reference"] == 0
        assert row["total_time_s"] > 0
    text = qhal(*command).stdout
    assert "The oracles agree." in text
    assert "exhaustive" in text


def test_disagreement_exits_with_1(qhal, problem, monkeypatch):
    from qhal.api import Comparison

    row = dict.fromkeys(
        "status objective raw_objective gap_to_reference lower_bound oracle_calls".split(), 1.0
    )
    row |= {"oracle": "liar", "total_time_s": 1.0}
    disagreement = Comparison((row,), agree=False)
    monkeypatch.setattr("qhal.api.compare", lambda *arguments, **options: disagreement)
    result = qhal("compare", problem, "--oracle", "random")
    assert result.exit_code == 1
    assert "DISAGREE" in result.stdout


def test_compare_bad_input(refused, problem):
    assert "Missing option '--oracle'" in refused("compare", problem)
    assert "no oracle 'zzzzzz'" in refused("compare", problem, "--oracle", "zzzzzz")
    random = ("compare", problem, "--oracle", "random")
    assert "is not exact" in refused(*random, "--reference", "random")


# --- convert --------------------------------------------------------------------------------------


def test_convert(qhal, problem, tmp_path):
    target = tmp_path / "copy.cqm"
    result = qhal("convert", problem, target, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "input": str(problem),
        "output": str(target),
        "num_variables": 3,
        "num_constraints": 1,
    }
    assert set(read_problem(target).names) == {"a", "b", "c"}


def test_convert_bad_input(refused, problem, tmp_path):
    assert "hold only unconstrained" in refused("convert", problem, tmp_path / "a.bqm")
    assert "can only be read" in refused("convert", problem, tmp_path / "a.dat")
    assert "cannot tell the format" in refused("convert", problem, tmp_path / "a")
    assert "Missing argument 'OUT'" in refused("convert", problem)
