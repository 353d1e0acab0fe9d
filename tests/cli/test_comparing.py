"""`qhal compare` from the outside."""

import json
import signal
import subprocess
import sys
from itertools import combinations

import pytest

from qhal.comparison import Comparison

BIG = "Minimize\n {}\nBinary\n {}\nEnd\n"


@pytest.fixture
def large(tmp_path):
    """The file of a problem that is too large for the exhaustive oracle."""
    names = [f"x{i}" for i in range(30)]
    path = tmp_path / "large.lp"
    pairs = " + ".join(f"2 {a} * {b}" for a, b in combinations(names, 2))
    path.write_text(BIG.format(f"- {' - '.join(names)} + [ {pairs} ] / 2", " ".join(names)))
    return path


def test_the_document(qhal, problem):
    command = ("compare", problem, "--oracle", "random", "--oracle", "exhaustive", "--seed", 1)
    result = qhal(*command, "--reference", "exhaustive", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["agree"] is True
    assert document["interrupted"] is False
    assert [row["oracle"] for row in document["results"]] == ["exhaustive", "random", "exhaustive"]
    for row in document["results"]:
        assert row["objective"] == -10
        assert row["gap_to_reference"] == 0
        assert row["total_time_s"] > 0
        assert row["error"] is None


def test_the_text(qhal, problem):
    command = ("compare", problem, "--oracle", "random", "--reference", "exhaustive", "--seed", 1)
    text = qhal(*command).stdout
    assert "The oracles agree on the objective -10, proved optimal." in text
    assert "exhaustive (reference)" in text
    text = qhal("compare", problem, "--oracle", "random", "--seed", 1).stdout
    assert "which nobody proved optimal" in text


def test_who_differs_and_what_contradicts(qhal, problem, monkeypatch):
    row = dict.fromkeys(
        "status objective raw_objective gap_to_reference lower_bound oracle_calls".split(), 1.0
    )
    row |= {"oracle": "liar", "reference": False, "total_time_s": 1.0, "error": None}
    false = Comparison((row,), False, ("a is 3 above.",), ("b is a liar.",), ("c failed: d",), True)
    monkeypatch.setattr("qhal.comparison.compare", lambda *arguments, **options: false)
    result = qhal("compare", problem, "--oracle", "random")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-6:] == [
        "c failed: d",
        "The oracles DIFFER:",
        "- a is 3 above.",
        "The results CONTRADICT each other, so a proof is wrong:",
        "- b is a liar.",
        "Interrupted: these are the results so far.",
    ]


def test_an_oracle_that_refuses_is_a_row(qhal, large):
    command = ("compare", large, "--oracle", "exhaustive", "--oracle", "random", "--seed", 1)
    result = qhal(*command, "--json")
    assert result.exit_code == 1
    refused, ran = json.loads(result.stdout)["results"]
    assert "takes at most 24 variables" in refused["error"]
    assert ran["feasible"]
    text = qhal(*command).stdout
    assert "exhaustive failed: oracle 'exhaustive' takes at most 24 variables" in text


def test_nothing_feasible_exits_with_1(qhal, tmp_path):
    path = tmp_path / "infeasible.lp"
    path.write_text("Minimize\n a\nSubject To\n a + b >= 3\nBinary\n a b\nEnd\n")
    result = qhal("compare", path, "--oracle", "random", "--oracle", "exhaustive")
    assert result.exit_code == 1
    assert "proved that the problem has no feasible solution" in result.stdout


def test_settings(qhal, problem, monkeypatch):
    seen = {}

    def spy(*arguments, **options):
        seen.update(options)
        return Comparison((), agree=True)

    monkeypatch.setattr("qhal.comparison.compare", spy)
    monkeypatch.setattr("qhal.cli.comparing._verdict", lambda comparison: [])
    command = (
        "--oracle sa --oracle cim --set num_reads=5 --set cim.num_steps=7 --set sa.num_reads=2"
    )
    assert qhal("compare", problem, *command.split()).exit_code == 0
    assert seen["num_reads"] == 5
    assert seen["oracle_options"] == {"cim": {"num_steps": 7}, "sa": {"num_reads": 2}}


def test_chains(qhal, problem, tmp_path):
    oracles = ("--oracle", "sa", "--oracle", "sa|precision(bits=4)", "--oracle", "sa | retry")
    reference = f"cpsat|cache({tmp_path / 'proofs.db'})"
    result = qhal(
        "compare", problem, *oracles, "--set", "sa.num_sweeps=20", "--reference", reference,
        "--json", "--seed", 1,
    )  # fmt: skip
    assert result.exit_code == 0
    rows = json.loads(result.stdout)["results"]
    assert [row["oracle"] for row in rows] == ["cpsat", "sa", "sa|precision(bits=4)", "sa | retry"]
    assert rows[0]["certified"]


def test_rounds_are_shown_to_whoever_asks(qhal, problem):
    command = ("compare", problem, "--oracle", "random", "--oracle", "sa", "--iterations", 2)
    lines = [line.split(",")[0] for line in qhal(*command, "-v").stderr.splitlines()]
    assert lines == ["random:", "round 1", "round 2", "sa:", "round 1", "round 2"]
    assert qhal(*command).stderr == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", "Missing option '--oracle'"),
        ("--oracle zzzzzz", "no oracle 'zzzzzz'"),
        ("--oracle sa --oracle randon", "no oracle 'randon'; did you mean 'random'?"),
        ("--oracle random --reference random", "is not exact"),
        (
            "--oracle random --set x=1",
            "--set x=1 does not say for which oracle: write --set random.",
        ),
        ("--oracle random --set sa.x=1", "there are options for 'sa', which is not compared."),
        ("--oracle random --set rand.x=1", "not compared; did you mean 'random'?"),
        ("--oracle random --set random.x=1", "oracle 'random' has no option 'x'"),
        ("--oracle random|retry --set x=1", "write --set random.x=1"),
        ("--oracle sa|retry --set sa|retry.x=1", "options of one chain alone are written in it"),
        ("--oracle sa|retry --set sa|retry(a=1).x=1", "options of one chain alone are written in"),
        ("--oracle sa|retry --reference cpsat|precision", "'cpsat|precision' is not exact"),
        ("--oracle random --set num_reads=many", "num_reads must be a whole number"),
    ],
)
def test_bad_input(refused, problem, arguments, expected):
    assert expected in refused("compare", problem, *arguments.split())


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_it_with_the_results_so_far(problem):
    arguments = "--oracle exhaustive --oracle random --oracle sa --iterations 100000000 --json -v"
    command = [sys.executable, "-m", "qhal", "compare", problem, *arguments.split()]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while not run.stderr.readline().startswith("random:"):
            pass
        assert run.stderr.readline().startswith("round 1,")
        run.send_signal(signal.SIGINT)
        stdout, stderr = run.communicate(timeout=30)
    finally:
        run.kill()
    assert "Traceback" not in stderr
    assert "sa:" not in stderr
    assert run.returncode == 1
    document = json.loads(stdout)
    assert document["interrupted"] is True
    assert [row["oracle"] for row in document["results"]] == ["exhaustive", "random"]
    assert document["results"][0]["status"] == "optimal"
