"""Reading text files line by line, with the file and the line in every complaint."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np

from qhal.errors import InputError

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)


def decode(data: bytes, name: str) -> str:
    """`data` as UTF-8 text; raises `InputError` if it is something else."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not a text file: byte {error.start} is not UTF-8; is its suffix right?"
        ) from None
    if "\0" in text:
        raise InputError(f"{name} is not a text file: it contains zero bytes; is its suffix right?")
    return text


def numbered_lines(data: bytes, name: str) -> Iterator[tuple[int, str]]:
    """The lines of `data` that are not blank, stripped, with their numbers from 1."""
    for number, line in enumerate(decode(data, name).splitlines(), start=1):
        stripped = line.strip()
        if stripped:
            yield number, stripped


def at_line(name: str, line: int, message: str) -> InputError:
    """The error for `message` about line `line` of the file `name`."""
    return InputError(f"{name}, line {line}: {message}")


def is_number(token: str) -> bool:
    """Whether `token` is a decimal number, of whatever size."""
    return _NUMBER.fullmatch(token) is not None


def parse_number(token: str, name: str, line: int) -> float:
    """`token` as a finite float."""
    if not is_number(token):
        raise at_line(name, line, f"{token[:40]!r} is not a finite number.")
    value = float(token)
    if not math.isfinite(value):
        raise at_line(name, line, f"{token[:40]!r} is too large for a number.")
    return value


def parse_whole(token: str, name: str, line: int, what: str) -> int:
    """`token` as a whole number >= 0; `what` says what it should be."""
    if not _WHOLE.fullmatch(token):
        raise at_line(name, line, f"{token[:40]!r} is not {what} (a whole number).")
    return int(token)


def format_number(value: float) -> str:
    """The shortest decimal that reads back as `value`, without exponent: every reader takes it."""
    return np.format_float_positional(value, trim="-")
