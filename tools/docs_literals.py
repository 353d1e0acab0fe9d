"""An extension of griffe: literal blocks of docstrings (``::``) become blocks of Markdown."""

from __future__ import annotations

import textwrap
from typing import Any

import griffe


class LiteralBlocks(griffe.Extension):  # type: ignore[misc,unused-ignore]  # Any without griffe
    """Named in mkdocs.yml."""

    def on_object(self, *, obj: griffe.Object, **parts: Any) -> None:
        """Rewrite the docstring of `obj` (called by griffe)."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """`text` with the block after each ``::`` between fences.

    Where a docstring is all code after its first line, cleaning it has taken the indentation away:
    then the block is the rest of it.
    """
    head, mark, rest = text.partition("::\n\n")
    if not mark:
        return text
    lines = rest.split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip())
    inside = [not line.strip() or len(line) - len(line.lstrip()) >= indent for line in lines]
    end = inside.index(False) if indent and False in inside else len(lines)
    block = textwrap.dedent("\n".join(lines[:end])).strip("\n")
    language = "toml" if block.startswith("[") else "python"
    tail = fenced("\n".join(lines[end:]))
    return f"{head}:\n\n```{language}\n{block}\n```\n\n{tail}"
