"""The command `qhal`: contracts in the documentation, work in `qhal.api`.

Exit codes: 0 done; 1 it ran but failed its purpose (nothing feasible, conformance failure, oracles
disagree), was interrupted, or met a bug; 2 wrong usage or input. Whatever goes wrong is one
sentence on stderr; with ``--json`` the same sentence is also ``{"error": ...}`` on stdout, so that
stdout is always one JSON document. numpy, rich and vendors are imported inside commands only.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from qhal import __version__
from qhal.cli.listing import check, oracles, plugins
from qhal.cli.solving import compare, convert, solve
from qhal.cli.training import predict, train
from qhal.errors import QhalError

FAILED, WRONG_INPUT = 1, 2


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
        try:
            code = super().main(arguments, prog_name or "qhal", **extra) or 0
            sys.stdout.flush()
        except Exception as error:  # noqa: BLE001 (the last place that can turn it into a sentence)
            code = _report(error, arguments)
        sys.exit(code)


def _report(error: Exception, arguments: Sequence[str]) -> int:
    """Say what went wrong; the exit code."""
    verbose = "-v" in arguments or "--verbose" in arguments
    if isinstance(error, BrokenPipeError):
        # The reader of our output has gone; nothing may be written at interpreter exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return WRONG_INPUT
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "qhal"
        code, sentence = WRONG_INPUT, f"{error.format_message()} See: {command} --help"
    elif isinstance(error, click.Abort):
        code, sentence = FAILED, "interrupted."
    elif isinstance(error, QhalError):
        code, sentence = WRONG_INPUT, str(error)
    else:
        code = FAILED
        sentence = f"unexpected {type(error).__name__}: {error}"
        if not verbose:
            sentence += " (-v shows where)"
    sentence = " ".join(sentence.split())
    if verbose:
        traceback.print_exception(error)
    click.echo(f"Error: {sentence}", err=True)
    if "--json" in arguments:
        click.echo(json.dumps({"error": sentence}))
    return code


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


for _command in (solve, compare, train, predict, convert, oracles, plugins, check):
    main.add_command(_command)
