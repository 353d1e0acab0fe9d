"""Running the command in this process."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from qhal.cli import main

LP = """Minimize
 - 5 a - 4 b - 3 c + [ - 4 a * c ] / 2
Subject To
 2 a + 3 b + c <= 4
Binary
 a b c
End
"""


@pytest.fixture(autouse=True)
def _own_width(monkeypatch) -> None:
    """Whatever the terminal's width, the command writes as into a pipe."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def qhal() -> Callable[..., Result]:
    """Runs the command with arguments (or one string of them); never lets a traceback pass."""

    def run(*arguments: Any) -> Result:
        words = arguments[0].split() if len(arguments) == 1 else [str(a) for a in arguments]
        result = CliRunner().invoke(main, words)
        assert isinstance(result.exception, SystemExit | None), result.exception
        if "-v" not in words:
            assert "Traceback" not in result.stderr
        return result

    return run


@pytest.fixture
def refused(qhal) -> Callable[..., str]:
    """Runs the command, which must answer with one sentence and exit code 2; the sentence."""

    def run(*arguments: Any, code: int = 2) -> str:
        result = qhal(*arguments)
        assert result.exit_code == code, result.output
        assert result.stdout == ""
        assert result.stderr.startswith("Error: ")
        assert len(result.stderr.splitlines()) == 1, result.stderr
        as_json = qhal(arguments[0], "--json", *arguments[1:])
        assert as_json.exit_code == code
        assert as_json.stderr == result.stderr
        sentence = json.loads(as_json.stdout)["error"]
        assert result.stderr == f"Error: {sentence}\n"
        return sentence

    return run


@pytest.fixture
def problem(tmp_path):
    """The file of a small problem with one constraint; its optimum is -10."""
    path = tmp_path / "problem.lp"
    path.write_text(LP)
    return path
