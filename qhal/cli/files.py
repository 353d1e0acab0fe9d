"""The files that commands write: refused before the work where they cannot be, never half done."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from qhal.cli.output import tell
from qhal.errors import InputError

PLOT_SUFFIXES = (".png", ".svg", ".pdf", ".jpg", ".webp")


def check_outputs(*, inputs: Iterable[Path] = (), **outputs: Path | None) -> None:
    """Raise `InputError` now if a file could not be written once the work is done.

    `outputs` are the files by their options' names; none may be one of `inputs`, or another.
    """
    taken = {_identity(path): "the input" for path in inputs}
    for name, path in outputs.items():
        if path is None:
            continue
        option = "OUT" if name == "target" else f"--{name}"
        if name == "plot":
            _check_plot(path)
        if name == "model" and path.exists() and not (path.is_file() or path.is_dir()):
            raise InputError(f"{option} {path} is a device or pipe: name a file.")
        other = taken.setdefault(_identity(path), option)
        if other is not option:
            raise InputError(f"{option} {path} would overwrite {other}: choose another file.")
        _check_writable(path)


def save(path: Path | None, write: Callable[[], None]) -> bool:
    """Run `write`, if there is a `path` to write to; whether all went well.

    A failure is said on stderr and no more: the result itself is still to be printed.
    """
    try:
        if path is not None:
            write()
    except InputError as error:
        tell(f"Error: {error}")
        return False
    return True


@contextmanager
def traced(path: Path | None) -> Iterator[list[bool]]:
    """Trace what happens inside into the file at `path`, if there is one, also if it fails.

    The list gets the answer of `save`.
    """
    written: list[bool] = []
    if path is None:
        yield written
        return
    from qhal.tracing import Trace

    trace = Trace()
    try:
        with trace:
            yield written
    finally:
        written.append(save(path, lambda: trace.write(path)))


def _identity(path: Path) -> object:
    """The same for two names of one file."""
    try:
        about = path.stat()
        return about.st_dev, about.st_ino
    except (OSError, ValueError):
        return os.path.realpath(path)


def _check_plot(path: Path) -> None:
    if path.suffix.lower() not in PLOT_SUFFIXES:
        raise InputError(f"--plot {path}: use one of the suffixes {', '.join(PLOT_SUFFIXES)}.")
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("--plot needs matplotlib: pip install 'qhal-core[plot]'")


def _check_writable(path: Path) -> None:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: name a file in it.")
        if not path.parent.is_dir():
            raise InputError(f"cannot write {path}: there is no folder {path.parent}.")
        if path.exists() and not os.access(path, os.W_OK):
            raise InputError(f"cannot write {path}: it is read-only.")
        if path.exists() and not path.is_file():
            return  # a device or pipe
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"cannot write {path}: no file can be made in {path.parent} ({reason})."
        ) from None
