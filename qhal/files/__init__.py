"""Reading and writing problems by suffix: `read_problem`, `write_problem` and the table `FORMATS`.

A format is a module with ``read(data, name) -> Qcbo`` and, for most, ``write(problem) -> bytes``;
`data` is the whole file and `name` what to call it in errors. Readers trust nothing: whatever is
wrong with a file, they raise `InputError` with one sentence that names it, and the line if there
are lines. None of them unpickles or evaluates anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from qhal.atomic import write_atomically
from qhal.errors import InputError
from qhal.files import coo, dimod_files, lp, maxcut, mps, npz, qaplib, qbsolv, qplib
from qhal.problems import Qcbo
from qhal.tracing import span

__all__ = ["FORMATS", "Format", "read_problem", "write_problem"]


class Format(NamedTuple):
    """A file format: a reader of its content, a writer or None, and what it is."""

    read: Callable[[bytes, str], Qcbo]
    write: Callable[[Qcbo], bytes] | None
    summary: str


FORMATS: dict[str, Format] = {
    ".lp": Format(lp.read, lp.write, "CPLEX LP, as dimod writes it"),
    ".mps": Format(mps.read, mps.write, "MPS, with QUADOBJ and QCMATRIX"),
    ".qplib": Format(qplib.read, qplib.write, "QPLIB"),
    ".cqm": Format(dimod_files.read_cqm, dimod_files.write_cqm, "dimod constrained model"),
    ".bqm": Format(dimod_files.read_bqm, dimod_files.write_bqm, "dimod binary model"),
    ".coo": Format(coo.read, coo.write, "dimod COOrdinate list"),
    ".qubo": Format(qbsolv.read, qbsolv.write, "qbsolv QUBO"),
    ".mc": Format(maxcut.read, maxcut.write, "Max-Cut graph; also files called G1, G2, ..."),
    ".dat": Format(qaplib.read, None, "QAPLIB quadratic assignment"),
    ".npz": Format(npz.read, npz.write, "qhal problem"),
}
_GSET = re.compile(r"G\d+")


@span("read")
def read_problem(path: str | os.PathLike[str]) -> Qcbo:
    """The problem in the file at `path`, in the format that its suffix says (see `FORMATS`).

    Raises `InputError` if the file is missing, unreadable, damaged, of an unknown suffix, or has
    no variables.
    """
    file = _as_path(path)
    chosen = _format(file)
    name = str(file)
    try:
        problem = chosen.read(_content(file), name)
    except InputError as error:
        if name in str(error):
            raise
        raise InputError(f"{name}: {error}") from None
    except (MemoryError, RecursionError) as error:
        raise InputError(f"{name} is too large or too deeply nested to be read.") from error
    if problem.num_variables == 0:
        raise InputError(f"{name} has no variables: nothing to solve.")
    return problem


def write_problem(problem: Qcbo, path: str | os.PathLike[str]) -> None:
    """Write `problem` to `path`, in the format that its suffix says (see `FORMATS`).

    Raises `InputError` if the format cannot hold the problem, or the file cannot be written.
    """
    file = _as_path(path)
    chosen = _format(file)
    if chosen.write is None:
        writable = ", ".join(suffix for suffix, each in FORMATS.items() if each.write)
        raise InputError(f"{file.suffix} files can only be read; to write, use one of {writable}.")
    if not isinstance(problem, Qcbo):
        raise InputError(
            f"what is written is a Qcbo, not a {type(problem).__name__}: Qcbo.from_qubo, "
            "Qcbo.from_ising and Qcbo.from_cqm make one."
        )
    data = chosen.write(problem)
    write_atomically(file, data)


def _as_path(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"a file is named by its path, not by {path!r:.60}.")
    return Path(path)


def _format(file: Path) -> Format:
    suffix = file.suffix.lower()
    if not suffix and _GSET.fullmatch(file.name):
        suffix = ".mc"
    if suffix not in FORMATS:
        what = f"the suffix {file.suffix!r}" if suffix else "a file without a suffix"
        raise InputError(
            f"cannot tell the format of {file} from {what}: supported are {', '.join(FORMATS)} "
            "and Gset graphs called G1, G2, ..."
        )
    return FORMATS[suffix]


def _content(file: Path) -> bytes:
    # Not even opened unless it is a regular file: reading a pipe or device may never end.
    try:
        if file.exists() and not file.is_file():
            raise InputError(f"{file} is a {'folder' if file.is_dir() else 'device'}, not a file.")
        return file.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {file}: {reason}.") from None
