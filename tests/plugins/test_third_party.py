"""The plugin in examples/, installed by pip into a fresh environment, is selected by name."""

import json
import shutil
import site
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[2] / "examples" / "third_party_plugin"


def run(python, *arguments, fails=False):
    done = subprocess.run([python, *arguments], capture_output=True, text=True, check=False)
    assert fails == (done.returncode != 0), done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a new environment that also sees the packages of this one."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "venv", with_pip=False)
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    python = folder / "venv" / scripts / "python"
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")[0].strip()
    folders = {
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        *site.getsitepackages(),
    }
    # Not a plain path: the editable installs of this environment are .pth files themselves.
    lines = [f"import site; site.addsitedir({path!r})" for path in sorted(folders)]
    Path(purelib, "parent.pth").write_text("\n".join(lines))
    return python


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
