"""What the docstring of an oracle's class says of it, in numpydoc's layout."""

from __future__ import annotations

import inspect
import re
from itertools import zip_longest

_HEADING = re.compile(r"^-{3,}\s*$")
# ``literal``, `name` and :role:`name` become the bare words.
_QUOTED = re.compile(r"(?::\w+:)?(`{1,2})([^`]+)\1")


def parameters(cls: type) -> dict[str, str]:
    """The meaning of each parameter under "Parameters" in the docstring of `cls`, as one line.

    An entry is a line ``name : type`` or ``one, two : type`` without indent, its description
    indented below. What is missing is missing: the docstring may be anybody's.
    """
    lines = _section(inspect.getdoc(cls) or "", "Parameters")
    meanings: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        text = line.strip()
        if text and not line[0].isspace():
            head, _, text = text.partition(" : ")
            names = [name.strip(" *:") for name in head.split(",")]
        for name in names:
            meanings[name] = _joined(meanings.get(name, ""), text)
    return {name: _QUOTED.sub(r"\2", meaning) for name, meaning in meanings.items() if meaning}


def _joined(one: str, other: str) -> str:
    """Two lines as one; a type before the sentence that describes it gets a full stop."""
    end = "." if one[-1:].isalnum() and other[:1].isupper() else ""
    return f"{one}{end} {other}".strip()


def _section(text: str, heading: str) -> list[str]:
    """The lines below `heading`, up to the next heading."""
    lines = text.splitlines()
    found: list[str] = []
    inside = False
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        if _HEADING.match(following):
            inside = line.strip() == heading
        elif inside and not _HEADING.match(line):
            found.append(line)
    return found
