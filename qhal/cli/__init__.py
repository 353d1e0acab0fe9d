"""The command `qhal`: contracts in the documentation, work in `qhal.api`.

Exit codes: 0 done; 1 it ran but failed its purpose (nothing feasible, conformance failure, oracles
disagree), was interrupted, or met a bug; 2 wrong usage or input. Whatever goes wrong is one
sentence on stderr; with ``--json`` the same sentence is also ``{"error": ...}`` on stdout, so that
stdout is always one JSON document. numpy, rich and vendors are imported inside commands only.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, TextIO

import click

from qhal import __version__
from qhal.cli.comparing import compare
from qhal.cli.converting import convert
from qhal.cli.listing import check, oracles, plugins
from qhal.cli.output import as_options, tell
from qhal.cli.predicting import predict
from qhal.cli.scaffolding import new_plugin
from qhal.cli.solving import solve
from qhal.cli.training import train
from qhal.errors import OracleError, QhalError

FAILED, WRONG_INPUT = 1, 2
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


class Cli(click.Group):
    """A group in which every error ends as one sentence and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which they were added."""
        return list(self.commands)

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        """Run the command that `args` name and leave with its exit code."""
        arguments = sys.argv[1:] if args is None else list(args)
        extra["standalone_mode"] = False
        _open_streams()
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                code = super().main(arguments, prog_name or "qhal", **extra) or 0
                sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (the last place for a sentence)
            code = _report(error, arguments)
        sys.exit(code)


def _report(error: BaseException, arguments: Sequence[str]) -> int:
    """Say what went wrong; the exit code."""
    verbose = "-v" in arguments or "--verbose" in arguments
    if isinstance(error, BrokenPipeError):
        _silence_stdout()
        return FAILED  # the reader of our output has gone
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return WRONG_INPUT
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "qhal"
        message = error.format_message()
        end = "" if message.endswith((".", "!", "?")) else "."
        code, sentence = WRONG_INPUT, f"{message}{end} See: {command} --help"
        verbose = False
    elif isinstance(error, click.Abort) or _interrupted(error):
        code, sentence = FAILED, "interrupted."
    elif isinstance(error, QhalError):
        code = FAILED if isinstance(error, OracleError) else WRONG_INPUT
        sentence = as_options(str(error))
    elif isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename is None:
        code, sentence = FAILED, f"cannot write to stdout: {error.strerror}."
    else:
        code = FAILED
        sentence = f"unexpected {type(error).__name__}: {error}"
        if not verbose:
            sentence += " (-v shows where)"
    sentence = " ".join(sentence.split())
    if verbose:
        tell("".join(traceback.format_exception(error)).rstrip())
    tell(f"Error: {sentence}")
    try:
        if "--json" in arguments:
            click.echo(json.dumps({"error": sentence}))
        sys.stdout.flush()
    except OSError:
        _silence_stdout()
    return code


def _interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind `error`: Python and libraries may turn it into something else."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _open_streams() -> None:
    """Give whoever closed stdout or stderr a place to write to all the same."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (open until the end)


def _silence_stdout() -> None:
    """Let what is left go nowhere: at its exit Python flushes stdout once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning as one line, without the place in the code."""
    tell(f"Warning: {message}")


@click.group(
    "qhal",
    cls=Cli,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 ran but failed its purpose, 2 wrong usage or input.",
)
@click.version_option(__version__, prog_name="qhal")
def main() -> None:
    """Solve constrained binary problems, and train networks, with any Ising machine by name.

    \b
    Start with:
      qhal oracles
      qhal solve problem.lp --oracle sa
    """


for _command in (solve, compare, train, predict, convert, oracles, plugins, check, new_plugin):
    main.add_command(_command)
