"""What all commands share: their common options, and where results and progress go."""

from __future__ import annotations

import functools
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from qhal import __version__
from qhal.errors import InputError

PIPE_WIDTH = 160
_LOG = logging.getLogger("qhal.cli")
# Arguments of the API that sentences name, and that are options here.
_ARGUMENT = re.compile(r"\b(certify|classes)='([^']*)'")


@dataclass(frozen=True)
class Output:
    """Results go to stdout, as text or as one JSON document; all else goes to stderr."""

    as_json: bool
    quiet: bool
    verbose: bool
    notes: list[str] = field(default_factory=list)

    def result(self, document: Any, *texts: Any) -> None:
        """Print `document` if JSON was asked for, else `texts` (anything rich can print)."""
        for note in self.notes:
            if not self.quiet:
                tell(f"Note: {note}")
        if self.as_json:
            click.echo(to_json(document))
            return
        from rich.console import Console

        # Into a file or pipe: wide enough that no cell is folded.
        console = Console(highlight=False, emoji=False)
        if not console.is_terminal and "COLUMNS" not in os.environ:
            console.width = PIPE_WIDTH
        for text in texts:
            console.print(text, markup=False)

    def detail(self, text: str) -> None:
        """A line on stderr for whoever asked for more."""
        if self.verbose and not self.quiet:
            tell(text)

    @contextmanager
    def warnings(self) -> Iterator[None]:
        """Python's warnings as single lines on stderr."""
        import warnings

        def show(message: Warning | str, *_: Any, **__: Any) -> None:
            if not self.quiet:
                click.echo(f"Warning: {message}", err=True)

        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show
            yield

    @contextmanager
    def progress(
        self, title: str, total: int | None, describe: Callable[[Any], tuple[int, str]]
    ) -> Iterator[Callable[[Any], None]]:
        """A progress bar on stderr; yields the callback that moves it after each round.

        `describe` says of a state how many rounds are done, and what to show.
        """
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
        )
        hidden = self.quiet or not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
            task = bar.add_task(title, total=total, state="")

            def advance(state: Any) -> None:
                done, text = describe(state)
                bar.update(task, completed=done, state=text)
                self.detail(text)

            yield advance


def describe_round(state: Any) -> tuple[int, str]:
    """Of a `RunState`: a round of QCGD."""
    return state.iteration, (
        f"round {state.iteration}, best {_short(state.incumbent)}, "
        f"bound {_short(state.lower_bound)}, {state.oracle_calls} oracle calls"
    )


def describe_epoch(state: Any) -> tuple[int, str]:
    """Of an `Epoch`: a pass over all units."""
    return state.epoch, (
        f"epoch {state.epoch} of {state.epochs}, loss {state.loss:.4f}, "
        f"accuracy {state.accuracy:.2%} (best {state.best_accuracy:.2%}), "
        f"{state.oracle_calls} oracle calls, {state.eta_s:.0f} s to go"
    )


class _Notes(logging.Handler):
    """Collects what the library notes for its users, each once."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.INFO)
        self._notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self._notes:
            self._notes.append(text)


def command(name: str) -> Callable[[Callable[..., int | None]], click.Command]:
    """A command with the common options; its function gets `output` and `seed`."""

    def decorate(function: Callable[..., int | None]) -> click.Command:
        @functools.wraps(function)
        def run(
            *, as_json: bool, quiet: bool, verbose: bool, log_file: Path | None, **values: Any
        ) -> int | None:
            output = Output(as_json, quiet, verbose)
            with _logging(output, name, log_file):
                return function(output=output, **values)

        made = click.command(name)(run)
        made.params += _common_options()
        return made

    return decorate


@contextmanager
def _logging(output: Output, name: str, log_file: Path | None) -> Iterator[None]:
    """What the library logs becomes notes and, if there is a `log_file`, lines in it."""
    logger = logging.getLogger("qhal")
    handlers: list[logging.Handler] = [_Notes(output.notes)]
    if log_file is not None:
        from qhal.cli.logs import JsonLines

        handlers.append(JsonLines(log_file))
    level = logger.level
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(logging.INFO if log_file is None else logging.DEBUG)
    try:
        _LOG.debug("qhal %s: %s starts", __version__, name)
        yield
        _LOG.debug("%s is done", name)
    except BaseException as error:
        _LOG.debug("%s ends with %s: %s", name, type(error).__name__, error, exc_info=True)
        raise
    finally:
        logger.setLevel(level)
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


def _common_options() -> list[click.Parameter]:
    seed_help = "Seed of everything random, from 0 to 2^32 - 1: the same seed, the same result."
    return [
        click.Option(["--seed"], type=int, metavar="N", help=seed_help),
        click.Option(
            ["--json", "as_json"], is_flag=True, help="Print one JSON document and nothing else."
        ),
        click.Option(["--quiet"], is_flag=True, help="Show no progress and no notes."),
        click.Option(
            ["-v", "--verbose"], is_flag=True, help="Show every round, and the traceback of errors."
        ),
        click.Option(
            ["--log-file"],
            type=click.Path(path_type=Path),
            metavar="F",
            help="Append what happens to F, one JSON object a line.",
        ),
    ]


def tell(text: str) -> None:
    """A line on stderr; if that is full or closed, nobody reads it, and no result is lost."""
    with suppress(OSError):
        click.echo(text, err=True)


def to_json(document: Any) -> str:
    """`document` as JSON; numpy's numbers and arrays are converted, NaN is a bug."""
    return json.dumps(document, indent=2, allow_nan=False, default=lambda value: value.tolist())


def as_options(sentence: str) -> str:
    """A sentence of the API with its arguments spelled as options: ``--certify cpsat``."""
    return _ARGUMENT.sub(r"--\1 \2", sentence)


def given(**options: Any) -> dict[str, Any]:
    """Those of `options` that the user gave; the others keep the defaults of the API."""
    return {key: value for key, value in options.items() if value is not None}


def parse_settings(settings: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """``--set key=value`` options, or those of another `option`.

    A value is JSON (8, 0.5, true, null, [1, 2]) or else a string. Raises `InputError` for anything
    else, and for a key that is given twice.
    """
    options: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = (part.strip() for part in setting.partition("="))
        if not equals or not key:
            raise InputError(f"{option} takes key=value, not {setting!r}.")
        if key in options:
            raise InputError(f"{option} {key} is given twice.")
        try:
            options[key] = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            options[key] = text
    return options


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.10g}"
