"""The grammar of CPLEX's LP files: from text to expressions over names.

Source: IBM, CPLEX file formats reference, "LP file format: algebraic representation".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from qhal.errors import InputError
from qhal.files.text import at_line, numbered_lines, parse_number

_SECTIONS = {
    "minimize": r"minimi[sz]e|minimum|min",
    "maximize": r"maximi[sz]e|maximum|max",
    "constraints": r"subject\s+to:?|such\s+that:?|s\.t\.:?|st\.?",
    "bounds": r"bounds?",
    "binary": r"binar(?:y|ies)|bin",
    "general": r"generals?|gen|integers?|int",
    "end": r"end",
    "unsupported": r"semi-continuous|semis?|sos[12]?|pwlobj|lazy\s+constraints|user\s+cuts",
}
# A keyword starts a line and is followed by white space.
_HEADER = re.compile(
    "(?:" + "|".join(f"(?P<{key}>{words})" for key, words in _SECTIONS.items()) + r")(?=\s|$)",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>(?:[^\W\d]|[!\"#$%&(),;?@'`{}~‘’])[\w.!\"#$%&(),;?@'`{}~‘’]*)"
    r"|(?P<sense><=|=<|>=|=>|==|<|>|=)"
    r"|(?P<sign>[-+])|(?P<mark>[*/^:\[\]])"
)
_SENSES = {"<": "<=", "=<": "<=", ">": ">=", "=>": ">=", "=": "=="}
_FLIPPED = {"<=": ">=", ">=": "<=", "==": "=="}
_INFINITE = ("inf", "infinity")
_KEYWORDS = re.compile("|".join([*_SECTIONS.values(), "free", *_INFINITE]), re.IGNORECASE)


@dataclass
class Expression:
    """A sum of linear terms by name, products by pairs of names, and a constant."""

    linear: dict[str, float] = field(default_factory=dict)
    products: dict[tuple[str, str], float] = field(default_factory=dict)
    constant: float = 0.0

    def negated(self) -> Expression:
        """Minus this expression."""
        return Expression(
            {name: -value for name, value in self.linear.items()},
            {pair: -value for pair, value in self.products.items()},
            -self.constant,
        )


@dataclass
class Row:
    """One constraint, ``expression sense rhs``; sense is ``==``, ``<=`` or ``>=``."""

    label: str | None
    expression: Expression
    sense: str
    rhs: float


@dataclass
class Model:
    """What an LP file says: variables in the order of mention, None until their type is given.

    `objective` is to be minimised; if the file's own is to be `maximized`, it is minus that.
    """

    objective: Expression = field(default_factory=Expression)
    maximized: bool = False
    rows: list[Row] = field(default_factory=list)
    variables: dict[str, str | None] = field(default_factory=dict)
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)


def is_keyword(word: str) -> bool:
    """Whether `word` means something else than a name in an LP file."""
    return _KEYWORDS.fullmatch(word) is not None


def parse(data: bytes, name: str) -> Model:
    """The model in `data`, the content of the ``.lp`` file `name`, its objective minimised."""
    model = Model()
    for section, tokens in _sections(data, name):
        _Section(tokens, model, name).parse(section)
    return model


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def _sections(data: bytes, name: str) -> Iterator[tuple[str, list[_Token]]]:
    section = keyword = ""
    tokens: list[_Token] = []
    for number, line in numbered_lines(data, name):
        text = line.partition("\\")[0].strip()
        header = _HEADER.match(text)
        if header and section != "end":
            if section:
                yield section, tokens
            section, tokens, text = str(header.lastgroup), [], text[header.end() :]
            keyword = header[0]
        if text and section == "unsupported":
            raise at_line(name, number, f"the section {keyword!r} is not supported.")
        if text and section in ("", "end"):
            problem = "nothing may follow 'End'" if section else "expected 'Minimize' or 'Maximize'"
            raise at_line(name, number, f"{problem}.")
        tokens += _tokens(text, name, number)
    if section != "end":
        raise InputError(f"{name} does not close with 'End': it is truncated or no .lp file.")


def _tokens(text: str, name: str, line: int) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = _TOKEN.match(text, position)
        if match is None:
            raise at_line(name, line, f"{text[position : position + 20]!r} cannot be read.")
        yield _Token(str(match.lastgroup), match[0], line)
        position = match.end()


class _Section:
    """Reads one section's tokens into the model."""

    def __init__(self, tokens: list[_Token], model: Model, name: str) -> None:
        self._tokens, self._model, self._name = tokens, model, name
        self._next = 0

    def parse(self, section: str) -> None:
        """Everything in the section called `section`."""
        if section in ("minimize", "maximize"):
            self._objective(maximize=section == "maximize")
        while self._next < len(self._tokens):
            if section == "constraints":
                self._constraint()
            elif section == "bounds":
                self._bound()
            elif section in ("binary", "general"):
                self._model.variables[self._variable()] = section
            else:
                raise self._error("a section's keyword is missing.")

    def _objective(self, *, maximize: bool) -> None:
        self._label()
        objective = self._expression(halved=True)
        self._model.objective = objective.negated() if maximize else objective
        self._model.maximized = maximize

    def _constraint(self) -> None:
        """``[label:] expression sense number``, or ``number sense expression [sense number]``."""
        label = self._label()
        start = self._next
        left = self._expression(halved=False)
        leading = self._next > start and not (left.linear or left.products)
        sense = self._sense()
        if not leading:
            self._add_row(label, left, sense, self._sign() * self._number())
            return
        expression = self._expression(halved=False)
        if self._peek().kind != "sense":
            self._add_row(label, expression, _FLIPPED[sense], left.constant)
            return
        if self._sense() != sense or sense == "==":
            self._next -= 1
            raise self._error("a range is 'low <= expression <= high', or has '>=' twice.")
        limits = [left.constant, self._sign() * self._number()]
        if sense == ">=":
            limits.reverse()
        for limit, side, end in zip(limits, (">=", "<="), ("low", "high"), strict=True):
            self._add_row(label and f"{label}_{end}", expression, side, limit)

    def _add_row(self, label: str | None, expression: Expression, sense: str, rhs: float) -> None:
        self._model.rows.append(Row(label, expression, sense, rhs - expression.constant))

    def _bound(self) -> None:
        """``low <= x <= high``, either half of that, ``x = value`` or ``x free``."""
        given = []
        if self._peek().kind != "name" or self._peek().text.lower() in _INFINITE:
            value = self._limit()
            given.append((_FLIPPED[self._sense()], value))
        variable = self._variable()
        if self._peek().text.lower() == "free":
            self._next += 1
            given = [(">=", -math.inf), ("<=", math.inf)]
        elif self._peek().kind == "sense" or not given:
            given.append((self._sense(), self._limit()))
        low, high = self._model.bounds.get(variable, (0.0, math.inf))
        for sense, value in given:
            low = low if sense == "<=" else value
            high = high if sense == ">=" else value
        self._model.bounds[variable] = low, high

    def _expression(self, *, halved: bool) -> Expression:
        """Terms up to a sense or the section's end; `halved`: brackets are divided by 2."""
        result = Expression()
        start = self._next
        while self._peek().kind in ("sign", "number", "name") or self._peek().text == "[":
            if self._peek(1).text == ":":
                break  # the label of the next row
            if self._next > start and self._peek().kind != "sign":
                raise self._error("expected '+' or '-' between two terms.")
            sign = self._sign()
            if self._peek().text == "[":
                self._brackets(result, sign, halved=halved)
                continue
            coefficient, variable = self._term()
            if variable is None:
                result.constant += sign * coefficient
            else:
                total = result.linear.get(variable, 0.0) + sign * coefficient
                result.linear[variable] = total
        return result

    def _brackets(self, result: Expression, sign: float, *, halved: bool) -> None:
        """``[ 3 x ^ 2 + 2 x * y - x ]``, in the objective followed by ``/ 2``."""
        self._mark("[")
        scale = sign / 2 if halved else sign
        start = self._next
        while self._peek().text != "]":
            if self._next > start and self._peek().kind not in ("sign", "end"):
                raise self._error("expected '+' or '-' between two terms.")
            factor = scale * self._sign()
            coefficient, left = self._term()
            if left is None:
                raise self._error("expected 'x * y', 'x ^ 2' or 'x' between '[' and ']'.")
            if self._peek().text not in ("^", "*"):
                result.linear[left] = result.linear.get(left, 0.0) + factor * coefficient
                continue
            power = self._peek().text == "^"
            self._next += 1
            if power:
                self._mark("2")
            right = left if power else self._variable()
            total = result.products.get((left, right), 0.0) + factor * coefficient
            result.products[left, right] = total
        self._mark("]")
        if halved:
            if self._peek().text != "/":
                raise self._error("brackets in the objective are followed by '/ 2'.")
            self._mark("/")
            self._mark("2")

    def _term(self) -> tuple[float, str | None]:
        """``3 x``, ``x`` or ``3``."""
        value = 1.0 if self._peek().kind == "name" else self._number()
        return value, self._variable() if self._peek().kind == "name" else None

    def _sign(self) -> float:
        sign = 1.0
        while self._peek().kind == "sign":
            sign *= -1.0 if self._take("sign", "a sign") == "-" else 1.0
        return sign

    def _limit(self) -> float:
        sign = self._sign()
        if self._peek().text.lower() in _INFINITE:
            self._next += 1
            return sign * math.inf
        return sign * self._number()

    def _label(self) -> str | None:
        if self._peek(1).text != ":":
            return None
        label = self._take("name", "a label")
        self._mark(":")
        return label

    def _number(self) -> float:
        line = self._peek().line
        return parse_number(self._take("number", "a number"), self._name, line)

    def _variable(self) -> str:
        variable = self._take("name", "a variable")
        self._model.variables.setdefault(variable, None)
        return variable

    def _sense(self) -> str:
        text = self._take("sense", "'<=', '>=' or '='")
        return _SENSES.get(text, text)

    def _mark(self, text: str) -> None:
        if self._peek().text != text:
            raise self._error(f"expected {text!r}.")
        self._next += 1

    def _take(self, kind: str, what: str) -> str:
        token = self._peek()
        if token.kind != kind:
            raise self._error(f"expected {what}.")
        self._next += 1
        return token.text

    def _peek(self, ahead: int = 0) -> _Token:
        position = self._next + ahead
        return self._tokens[position] if position < len(self._tokens) else _Token("end", "", 0)

    def _error(self, message: str) -> InputError:
        token = self._peek()
        if token.kind != "end":
            return at_line(self._name, token.line, f"at {token.text[:20]!r}: {message}")
        line = self._tokens[-1].line if self._tokens else 1
        return at_line(self._name, line, f"the section ends too early: {message}")
