"""Oracles and their composites as text: ``cim(num_steps=200)|precision(bits=8)|record(run.jsonl)``.

::

    chain    = link { "|" link }
    link     = name [ "(" [ argument { "," argument } ] ")" ]
    argument = [ key "=" ] value  |  chain
    value    = JSON string, list or object  |  bare text up to one of , | ( )

Bare text is a number, true, false, null, on or off if it reads like one, else a string. A chain as
an argument is for composites of several oracles: ``portfolio(sa, tabu(tenure=9)|retry)``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qhal.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
_KEY = re.compile(r"([A-Za-z_]\w*)\s*=")
_BARE = re.compile(r"[^,|()]+")
_WORDS = {"on": True, "off": False}
_MAX_LENGTH, _MAX_DEPTH = 10_000, 20


@dataclass(frozen=True)
class Link:
    """A name with its arguments: values, or a `Chain` where text was one beyond doubt."""

    name: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Chain:
    """An oracle first, then the composites around it, the outermost last."""

    links: tuple[Link, ...]


def is_chain(text: str) -> bool:
    """Whether `text` says more than a plain name."""
    return any(mark in text for mark in "|()")


def parse_chain(text: str) -> Chain:
    """`text` as a chain; raises `InputError` that shows where it goes wrong."""
    if len(text) > _MAX_LENGTH:
        raise InputError(f"an oracle is described in at most {_MAX_LENGTH} characters.")
    parser = _Parser(text)
    chain = parser.chain()
    if parser.next():
        raise parser.error(f"{parser.next()!r} is out of place here")
    return chain


def render(value: Any) -> str:
    """`value` as an argument that `parse_chain` reads back."""
    if isinstance(value, str) and _BARE.fullmatch(value) and _read(value.strip()) == value:
        bare = value[0] not in '"[{' and not _KEY.match(value)
        return value if bare else json.dumps(value)
    return json.dumps(value, default=str)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0

    def next(self) -> str:
        """The next character that is no space; empty at the end."""
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._text[self._at : self._at + 1]

    def error(self, what: str) -> InputError:
        seen = self._text[max(0, self._at - 40) : self._at]
        where = f"after {seen!r}" if seen.strip() else "at the start"
        return InputError(
            f"the oracle {self._text[:80]!r} cannot be read: {what}, {where}. "
            'It is written like "cim|precision(bits=8)|record(run.jsonl)".'
        )

    def chain(self) -> Chain:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self.error("it is nested too deeply")
        links = [self._link()]
        while self.next() == "|":
            self._at += 1
            links.append(self._link())
        self._depth -= 1
        return Chain(tuple(links))

    def _link(self) -> Link:
        self.next()
        name = _NAME.match(self._text, self._at)
        if name is None:
            raise self.error("a name is missing")
        self._at = name.end()
        if self.next() != "(":
            return Link(name.group())
        self._at += 1
        arguments: list[Any] = []
        options: dict[str, Any] = {}
        while self.next() != ")":
            if not self.next():
                raise self.error("a closing parenthesis is missing")
            self._argument(arguments, options)
            if self.next() == ",":
                self._at += 1
            elif self.next() != ")":
                raise self.error("a comma or a closing parenthesis is missing")
        self._at += 1
        return Link(name.group(), tuple(arguments), options)

    def _argument(self, arguments: list[Any], options: dict[str, Any]) -> None:
        key = _KEY.match(self._text, self._at)
        if key is None:
            if options:
                raise self.error("arguments without a name come before those with one")
            arguments.append(self._value(nested=True))
            return
        if key.group(1) in options:
            raise self.error(f"{key.group(1)} is given twice")
        self._at = key.end()
        options[key.group(1)] = self._value(nested=False)

    def _value(self, nested: bool) -> Any:
        if self.next() in ("", ",", ")", "|", "("):
            raise self.error("a value is missing")
        if self.next() in '"[{':
            try:
                decoder = json.JSONDecoder(parse_constant=_no_constant)
                value, self._at = decoder.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                raise self.error("quotes or brackets are not closed") from None
            return value
        bare = _BARE.match(self._text, self._at)
        assert bare is not None
        if self._text[bare.end() : bare.end() + 1] in ("(", "|"):
            if nested and _NAME.fullmatch(bare.group().strip()):
                return self.chain()
            self._at = bare.end()
            raise self.error('a value with one of , | ( ) in it goes in quotes: "a|b"')
        self._at = bare.end()
        return _read(bare.group().strip())


def _read(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(text: str) -> None:
    raise ValueError(text)
