"""Checking the options of composites, with one sentence for each mistake."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qhal.errors import InputError


def whole(key: str, value: Any, least: int) -> int:
    """`value` as an int of at least `least`, or `InputError`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(f"{key} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def number(key: str, value: Any, most: float = math.inf) -> float:
    """`value` as a finite float from 0 to `most`, or `InputError`."""
    real = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not real or not 0 <= value <= most or not math.isfinite(value):
        limits = "finite number of at least 0" if most == math.inf else f"number from 0 to {most:g}"
        raise InputError(f"{key} must be a {limits}, not {value!r}.")
    return float(value)


def positive(key: str, value: Any) -> float:
    """`value` as a finite float above 0, or `InputError`."""
    real = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not real or not 0 < value < math.inf:
        raise InputError(f"{key} must be a finite number above 0, not {value!r}.")
    return float(value)


def flag(key: str, value: Any) -> bool:
    """`value` as a bool, or `InputError`."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{key} is on or off (True or False), not {value!r}.")
    return bool(value)


def choice(key: str, value: Any, choices: tuple[str, ...]) -> str:
    """`value`, if it is one of `choices`, or `InputError`."""
    if value not in choices:
        raise InputError(f"{key} must be one of {', '.join(choices)}, not {value!r}.")
    return str(value)
