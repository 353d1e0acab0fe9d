"""The plugin in examples/, installed by pip into a fresh environment, is selected by name."""

import json
import shutil
from pathlib import Path

from .conftest import run

PLUGIN = Path(__file__).parents[2] / "examples" / "third_party_plugin"


def test_size():
    assert len((PLUGIN / "qhal_metropolis.py").read_text().splitlines()) <= 25
    assert len((PLUGIN / "pyproject.toml").read_text().splitlines()) <= 5


def test_install_and_select_by_name(python, tmp_path):
    _, complaint = run(python, "-m", "qhal", "oracles", "metropolis", fails=True)
    assert "no oracle 'metropolis'" in complaint

    source = tmp_path / "plugin"
    shutil.copytree(PLUGIN, source, ignore=shutil.ignore_patterns("__pycache__"))
    options = "--no-build-isolation --no-deps --no-index --disable-pip-version-check".split()
    run(python, "-m", "pip", "install", "--quiet", *options, source)

    described = json.loads(run(python, "-m", "qhal", "oracles", "metropolis", "--json")[0])
    assert described["available"] is True
    assert (described["distribution"], described["version"]) == ("qhal-metropolis", "1.0")

    report = json.loads(run(python, "-m", "qhal", "check", "metropolis", "--json")[0])
    assert report["passed"] is True

    problem = tmp_path / "problem.lp"
    problem.write_text(
        "Maximize\n 5 a + 4 b + 3 c + [ 4 a * c ] / 2\nSubject To\n 2 a + 3 b + c <= 4\n"
        "Binary\n a b c\nEnd\n"
    )
    command = ["-m", "qhal", "solve", problem, "--oracle", "metropolis", "--seed", "1", "--json"]
    solution = json.loads(run(python, *command)[0])
    assert solution["feasible"] is True
    assert solution["objective"] == -10
    assert solution["assignment"] == {"a": 1, "b": 0, "c": 1}
    assert solution["oracle"] == "metropolis"
    assert solution["versions"]["qhal-metropolis"] == "1.0"
