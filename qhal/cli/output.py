"""What all commands share: their common options, and where results and progress go."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from qhal.errors import InputError

PIPE_WIDTH = 160
PLOT_SUFFIXES = (".png", ".svg", ".pdf", ".jpg", ".webp")


@dataclass(frozen=True)
class Output:
    """Results go to stdout, as text or as one JSON document; all else goes to stderr."""

    as_json: bool
    quiet: bool
    verbose: bool

    def result(self, document: Any, *texts: Any) -> None:
        """Print `document` if JSON was asked for, else `texts` (anything rich can print)."""
        if self.as_json:
            click.echo(to_json(document))
            return
        from rich.console import Console

        # Into a file or pipe: wide enough that no cell is folded.
        console = Console(highlight=False)
        if not console.is_terminal and "COLUMNS" not in os.environ:
            console.width = PIPE_WIDTH
        for text in texts:
            console.print(text, markup=False)

    def note(self, text: str) -> None:
        """A line on stderr for whoever asked for more."""
        if self.verbose and not self.quiet:
            click.echo(text, err=True)

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
    def progress(self, title: str, total: int | None) -> Iterator[Callable[[Any], None]]:
        """A progress bar on stderr; yields the callback that moves it after each round."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
        )
        hidden = self.quiet or not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
            task = bar.add_task(title, total=total, state="")

            def advance(state: Any) -> None:
                text = (
                    f"round {state.iteration}, best {number(state.incumbent)}, "
                    f"bound {number(state.lower_bound)}, {state.oracle_calls} oracle calls"
                )
                bar.update(task, completed=state.iteration, state=text)
                self.note(text)

            yield advance


def command(name: str) -> Callable[[Callable[..., int | None]], click.Command]:
    """A command with the common options; its function gets `output` and `seed`."""

    def decorate(function: Callable[..., int | None]) -> click.Command:
        @functools.wraps(function)
        def run(*, as_json: bool, quiet: bool, verbose: bool, **values: Any) -> int | None:
            return function(output=Output(as_json, quiet, verbose), **values)

        made = click.command(name)(run)
        made.params += _common_options()
        return made

    return decorate


def _common_options() -> list[click.Parameter]:
    seed_help = "Seed of everything random, from 0 to 2^32 - 1: the same seed, the same result."
    return [
        click.Option(["--seed"], type=int, metavar="N", help=seed_help),
        click.Option(
            ["--json", "as_json"], is_flag=True, help="Print one JSON document and nothing else."
        ),
        click.Option(["--quiet"], is_flag=True, help="Show no progress."),
        click.Option(
            ["-v", "--verbose"], is_flag=True, help="Show every round, and the traceback of errors."
        ),
    ]


def to_json(document: Any) -> str:
    """`document` as JSON; numpy's numbers and arrays are converted, NaN is a bug."""
    return json.dumps(document, indent=2, allow_nan=False, default=lambda value: value.tolist())


def given(**options: Any) -> dict[str, Any]:
    """Those of `options` that the user gave; the others keep the defaults of the API."""
    return {key: value for key, value in options.items() if value is not None}


def parse_settings(settings: Sequence[str]) -> tuple[dict[str, Any], int | None]:
    """``--set key=value`` options: the oracle's own, and num_reads apart.

    A value is JSON (8, 0.5, true, null, [1, 2]) or else a string.
    """
    options: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set takes key=value, not {setting!r}.")
        try:
            options[key.strip()] = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            options[key.strip()] = text
    return options, options.pop("num_reads", None)


def check_outputs(*, plot: Path | None = None, **others: Path | None) -> None:
    """Raise `InputError` now if a file could not be written once the work is done."""
    if plot is not None:
        if plot.suffix.lower() not in PLOT_SUFFIXES:
            raise InputError(f"--plot {plot}: use one of the suffixes {', '.join(PLOT_SUFFIXES)}.")
        if importlib.util.find_spec("matplotlib") is None:
            raise InputError("--plot needs matplotlib: pip install 'qhal-core[plot]'")
    for path in (plot, *others.values()):
        if path is not None:
            _check_writable(path)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    """A rich table, its last column wrapped; None is shown as a dash."""
    from rich.table import Table
    from rich.text import Text

    result = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1))
    for index, column in enumerate(columns):
        result.add_column(column, overflow="fold", no_wrap=index < len(columns) - 1)
    for row in rows:
        result.add_row(*(Text(number(cell)) for cell in row))
    return result


def facts(values: Mapping[str, Any]) -> Any:
    """Keys and values below each other."""
    from rich.table import Table
    from rich.text import Text

    result = Table.grid(padding=(0, 2))
    result.add_column(style="bold", no_wrap=True)
    result.add_column(overflow="fold")
    for key, value in values.items():
        seconds = key.endswith("_s") and isinstance(value, float)
        text = f"{value:.3f}" if seconds else number(value)
        result.add_row(Text(key.replace("_", " ")), Text(text))
    return result


def number(value: Any) -> str:
    """A cell: floats to ten digits, None as a dash, truth as yes or no, lists and dicts listed."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {number(item)}" for key, item in value.items()) or "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(number, value)) or "-"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _check_writable(path: Path) -> None:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: name a file in it.")
        if not path.parent.is_dir():
            raise InputError(f"cannot write {path}: there is no folder {path.parent}.")
        if path.exists() and not os.access(path, os.W_OK):
            raise InputError(f"cannot write {path}: it is read-only.")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"cannot write {path}: no file can be made in {path.parent} ({reason})."
        ) from None
