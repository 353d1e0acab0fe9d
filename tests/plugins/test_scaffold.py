"""`qhal new-plugin`: what it writes installs without a network and passes its own tests."""

import json
import os
import sys

import pytest

from qhal.cli import main
from qhal.errors import InputError
from qhal.registry import KINDS
from qhal.scaffold import new_plugin

from .conftest import run

INSTALL = "--quiet --no-build-isolation --no-deps --no-index --disable-pip-version-check".split()


def test_every_kind_installs_and_passes_its_tests(python, tmp_path):
    folders = [new_plugin(f"new-{kind}", kind, tmp_path) for kind in KINDS]
    run(python, "-m", "pip", "install", *INSTALL, *folders)
    for folder, kind in zip(folders, KINDS, strict=True):
        options = ["-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir", folder]
        out, _ = run(python, "-m", "pytest", *options, folder)
        assert " passed" in out, out
        assert "failed" not in out
        records = json.loads(run(python, "-m", "qhal", "plugins", "--json")[0])["plugins"]
        (record,) = [each for each in records if each["name"] == f"new-{kind}"]
        assert (record["kind"], record["available"]) == (kind, True)
        assert record["distribution"] == f"qhal-new-{kind}"


def test_what_the_command_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["new-plugin", "my-machine", "--json"])
    assert not left.value.code
    document = json.loads(capsys.readouterr().out)
    assert document["folder"] == "qhal-my-machine"
    assert set(document["files"]) == {
        "README.md",
        "pyproject.toml",
        "qhal_my_machine/__init__.py",
        "qhal_my_machine/oracle.py",
        "tests/test_qhal_my_machine.py",
    }
    assert os.listdir(tmp_path) == ["qhal-my-machine"]
    for path in document["files"]:
        assert "$" not in (tmp_path / "qhal-my-machine" / path).read_text()


def test_nothing_is_overwritten(tmp_path):
    made = new_plugin("my-machine", folder=tmp_path)
    (made / "README.md").write_text("mine")
    for kind in KINDS:
        with pytest.raises(InputError, match="is there already"):
            new_plugin("my-machine", kind, tmp_path)
    assert (made / "README.md").read_text() == "mine"
    (tmp_path / "qhal-link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is there already"):
        new_plugin("link", folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("My-Machine", "oracle", "is no name for a plugin"),
        ("../escape", "oracle", "is no name for a plugin"),
        ("a--b", "oracle", "is no name for a plugin"),
        ("-a", "oracle", "is no name for a plugin"),
        ("a" * 61, "oracle", "is no name for a plugin"),
        ("1st", "oracle", "is no name for a plugin"),
        ("", "oracle", "is no name for a plugin"),
        ("random", "oracle", "qhal-core has an oracle 'random' already"),
        ("noisy", "composite", "qhal-core has a composite 'noisy' already"),
        ("core", "oracle", "qhal-core is installed already"),
        ("mine", "orakle", "no plugins of the kind 'orakle'; did you mean 'oracle'?"),
    ],
)
def test_what_is_refused(tmp_path, name, kind, expected):
    with pytest.raises(InputError) as caught:
        new_plugin(name, kind, tmp_path)
    assert expected in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot make .*: No such file or directory"):
        new_plugin("my-machine", folder=tmp_path / "absent")


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    from pathlib import Path

    def full(self, *_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="No space left on device"):
        new_plugin("my-machine", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_knows_every_kind():
    from qhal.cli.scaffolding import KINDS as OFFERED

    assert set(OFFERED) == set(KINDS)
