"""MPS files (``.mps``) in free format, with ``QUADOBJ``, ``QMATRIX`` and ``QCMATRIX`` sections.

Fields are separated by white space; a set's name before right-hand sides, ranges and bounds may be
left out. Every variable must be a bounded integer: between the markers ``INTORG`` and ``INTEND``,
or by a bound ``BV``, ``LI`` or ``UI``; one between markers that no bound mentions is binary.
``RANGES`` become two rows, ``label_low`` and ``label_high``. Rows of type N but the first are
skipped, as everywhere.

We read the format ourselves: HiGHS, which reads it as well, says nothing about a coefficient in an
unknown row, a second coefficient in one place, ``1.0abc`` or a coefficient below 1e-9, leaves out
what it does not understand, and cannot be in one process with the HiGHS inside ortools.

Sources: IBM, CPLEX file formats reference, "MPS file format"; on sound files HiGHS agrees (tests).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.files.rows import check_words, constraints_within, note_maximised, whole_bounds
from qhal.files.text import at_line, decode, parse_number
from qhal.problems import Qcbo
from qhal.problems.spins import over_bits

_SECTIONS = ("NAME OBJSENSE ROWS COLUMNS RHS RANGES BOUNDS QUADOBJ QMATRIX QCMATRIX ENDATA").split()
_SENSES = {"MAX": True, "MAXIMIZE": True, "MIN": False, "MINIMIZE": False}
# Type of bound: whether it has a value, and what it makes of (low, high, value).
_BOUNDS: dict[str, tuple[bool, Callable[[float, float, float], tuple[float, float]]]] = {
    "LO": (True, lambda low, high, value: (value, high)),
    "LI": (True, lambda low, high, value: (value, high)),
    "UP": (True, lambda low, high, value: (low, value)),
    "UI": (True, lambda low, high, value: (low, value)),
    "FX": (True, lambda low, high, value: (value, value)),
    "BV": (False, lambda low, high, value: (0.0, 1.0)),
    "FR": (False, lambda low, high, value: (-math.inf, math.inf)),
    "MI": (False, lambda low, high, value: (-math.inf, high)),
    "PL": (False, lambda low, high, value: (low, math.inf)),
}
_Key = TypeVar("_Key")


@dataclass
class _Model:
    """What the sections said so far; rows and variables by name, entries by their positions."""

    objective: str | None = None
    skipped: set[str] = field(default_factory=set)
    maximized: bool = False
    rows: dict[str, int] = field(default_factory=dict)
    senses: list[str] = field(default_factory=list)
    variables: dict[str, int] = field(default_factory=dict)
    integer: list[bool] = field(default_factory=list)
    linear: dict[tuple[int, int], float] = field(default_factory=dict)
    costs: dict[int, float] = field(default_factory=dict)
    offset: float = 0.0
    rhs: dict[int, float] = field(default_factory=dict)
    ranges: dict[int, float] = field(default_factory=dict)
    bounds: dict[int, tuple[float, float]] = field(default_factory=dict)
    quadratic: dict[tuple[int, int], float] = field(default_factory=dict)
    products: dict[tuple[int, int, int], float] = field(default_factory=dict)


def read(data: bytes, name: str) -> Qcbo:
    """The problem in `data`, the content of the ``.mps`` file `name`; to be maximised: negated."""
    model = _Reader(name).read(data)
    n, m = len(model.variables), len(model.rows)
    bounds = [_bounds(model, variable, name) for variable in model.variables]
    if model.maximized:
        note_maximised(name)
    sign = -1.0 if model.maximized else 1.0
    sides = [_sides(model, row) for row in range(m)]
    products = np.array(list(model.products), dtype=np.int64).reshape(-1, 3)
    linear = np.zeros(n)
    linear[list(model.costs)] = list(model.costs.values())
    return Qcbo(
        sign * _matrix(model.quadratic, (n, n)),
        sign * linear,
        sign * model.offset,
        constraints_within(
            _matrix(model.linear, (m, n)),
            products,
            np.array(list(model.products.values())),
            np.array([low for low, _ in sides]),
            np.array([high for _, high in sides]),
            list(model.rows),
        ),
        np.array([low for low, _ in bounds]),
        np.array([high for _, high in bounds]),
        tuple(model.variables),
    )


class _Reader:
    """Reads line by line; a section's name starts in the first column, its lines do not."""

    def __init__(self, name: str) -> None:
        self._name, self._line, self._section = name, 0, ""
        self._model, self._in_integers, self._quadratic_row = _Model(), False, -1

    def read(self, data: bytes) -> _Model:
        sections = {
            "OBJSENSE": self._objsense,
            "ROWS": self._rows,
            "COLUMNS": self._columns,
            "RHS": self._rhs,
            "RANGES": self._ranges,
            "BOUNDS": self._bounds,
            "QUADOBJ": self._quadobj,
            "QMATRIX": self._qmatrix,
            "QCMATRIX": self._qcmatrix,
        }
        for number, line in enumerate(decode(data, self._name).splitlines(), start=1):
            self._line, tokens = number, line.split()
            if not tokens or line.startswith("*"):
                continue
            if self._section == "ENDATA":
                raise self._error("nothing may follow ENDATA")
            if not line[0].isspace():
                self._begin(tokens)
            elif self._section in sections:
                sections[self._section](tokens)
            else:
                raise self._error("expected a section, such as ROWS, in the first column")
        if self._section != "ENDATA":
            raise InputError(
                f"{self._name} does not close with ENDATA: it is truncated or no .mps file."
            )
        return self._model

    def _begin(self, tokens: list[str]) -> None:
        section = tokens[0].upper()
        if section not in _SECTIONS:
            raise self._error(f"the section {tokens[0][:20]!r} is not supported")
        self._section = section
        if section == "OBJSENSE" and len(tokens) > 1:
            self._objsense(tokens[1:])
        if section == "QCMATRIX":
            if len(tokens) != 2:
                raise self._error("expected 'QCMATRIX row'")
            self._quadratic_row = self._row(tokens[1])

    def _objsense(self, tokens: list[str]) -> None:
        if len(tokens) != 1 or tokens[0].upper() not in _SENSES:
            raise self._error("the sense of the objective is MAX or MIN")
        self._model.maximized = _SENSES[tokens[0].upper()]

    def _rows(self, tokens: list[str]) -> None:
        model = self._model
        if len(tokens) != 2 or tokens[0].upper() not in ("N", "L", "G", "E"):
            raise self._error("expected a row's type (N, L, G or E) and its name")
        kind, row = tokens[0].upper(), tokens[1]
        if row in model.rows or row in model.skipped or row == model.objective:
            raise self._error(f"a second row is called {row!r}")
        if kind != "N":
            model.rows[row] = len(model.rows)
            model.senses.append(kind)
        elif model.objective is None:
            model.objective = row
        else:
            model.skipped.add(row)

    def _columns(self, tokens: list[str]) -> None:
        model = self._model
        if len(tokens) == 3 and tokens[1].strip("'").upper() == "MARKER":
            marker = tokens[2].strip("'").upper()
            if marker not in ("INTORG", "INTEND"):
                raise self._error("a marker is 'INTORG' or 'INTEND'")
            self._in_integers = marker == "INTORG"
            return
        variable = tokens[0]
        if model.variables.setdefault(variable, len(model.variables)) == len(model.integer):
            model.integer.append(self._in_integers)
        column = model.variables[variable]
        for row, value in self._pairs(tokens[1:]):
            if row in model.skipped:
                continue
            if row == model.objective:
                self._once(model.costs, column, value, f"{variable!r} in the objective")
            else:
                self._once(
                    model.linear, (self._row(row), column), value, f"{variable!r} in row {row!r}"
                )

    def _rhs(self, tokens: list[str]) -> None:
        for row, value in self._pairs(tokens[len(tokens) % 2 :]):
            if row == self._model.objective:
                self._model.offset = -value
            elif row not in self._model.skipped:
                self._once(self._model.rhs, self._row(row), value, f"the side of row {row!r}")

    def _ranges(self, tokens: list[str]) -> None:
        for row, value in self._pairs(tokens[len(tokens) % 2 :]):
            self._once(self._model.ranges, self._row(row), value, f"the range of row {row!r}")

    def _bounds(self, tokens: list[str]) -> None:
        """``type [set] column [value]``; the set may be missing, a value be there for nothing."""
        model, kind = self._model, tokens[0].upper()
        if kind not in _BOUNDS:
            raise self._error(f"bounds of type {tokens[0][:20]!r} are not supported")
        has_value, change = _BOUNDS[kind]
        rest = tokens[1:]
        named = len(rest) == 3 or (not has_value and len(rest) == 2 and rest[1] in model.variables)
        if named:
            rest = rest[1:]
        if len(rest) not in ((2,) if has_value else (1, 2)):
            raise self._error(f"expected '{kind} set column{' value' if has_value else ''}'")
        column = self._variable(rest[0])
        value = self._number(rest[1]) if has_value else 0.0
        low, high = model.bounds.get(column, (0.0, math.inf))
        if kind in ("UP", "UI") and value < 0 and low == 0:
            raise self._error(f"{rest[0]!r} has an upper bound below 0: give its lower bound first")
        model.bounds[column] = change(low, high, value)
        if kind in ("BV", "LI", "UI"):
            model.integer[column] = True

    def _quadobj(self, tokens: list[str]) -> None:
        """One triangle of Q in x'Qx / 2: an entry off the diagonal stands for two."""
        i, j, value = self._entry(tokens)
        self._add_product(i, j, value / 2 if i == j else value)

    def _qmatrix(self, tokens: list[str]) -> None:
        """All of Q in x'Qx / 2."""
        i, j, value = self._entry(tokens)
        self._add_product(i, j, value / 2)

    def _qcmatrix(self, tokens: list[str]) -> None:
        """All of Q in a row's x'Qx, which has no half."""
        i, j, value = self._entry(tokens)
        key = self._quadratic_row, min(i, j), max(i, j)
        self._model.products[key] = self._model.products.get(key, 0.0) + value

    def _add_product(self, i: int, j: int, value: float) -> None:
        key = min(i, j), max(i, j)
        self._model.quadratic[key] = self._model.quadratic.get(key, 0.0) + value

    def _entry(self, tokens: list[str]) -> tuple[int, int, float]:
        if len(tokens) != 3:
            raise self._error(f"expected two columns and a value, but found {len(tokens)} words")
        return self._variable(tokens[0]), self._variable(tokens[1]), self._number(tokens[2])

    def _pairs(self, tokens: list[str]) -> Iterator[tuple[str, float]]:
        if len(tokens) not in (2, 4):
            raise self._error("expected one or two pairs of a row and a value")
        for row, value in zip(tokens[::2], tokens[1::2], strict=True):
            yield row, self._number(value)

    def _once(self, values: dict[_Key, float], key: _Key, value: float, what: str) -> None:
        if key in values:
            raise self._error(f"a second value for {what}")
        values[key] = value

    def _row(self, row: str) -> int:
        if row not in self._model.rows:
            raise self._error(f"there is no row {row[:40]!r}")
        return self._model.rows[row]

    def _variable(self, variable: str) -> int:
        if variable not in self._model.variables:
            raise self._error(f"there is no column {variable[:40]!r}")
        return self._model.variables[variable]

    def _number(self, token: str) -> float:
        return parse_number(token, self._name, self._line)

    def _error(self, message: str) -> InputError:
        return at_line(self._name, self._line, f"{message}.")


def _bounds(model: _Model, variable: str, name: str) -> tuple[float, float]:
    column = model.variables[variable]
    if not model.integer[column]:
        raise InputError(
            f"{name}: variable {variable!r} is continuous, as all are that stand outside the "
            "markers INTORG and INTEND: only binary and bounded integer variables are supported."
        )
    low, high = model.bounds.get(column, (0.0, 1.0))
    return whole_bounds(low, high, name, variable, "add LI and UI lines for it under BOUNDS")


def _sides(model: _Model, row: int) -> tuple[float, float]:
    """The lowest and the highest value that `row` may take."""
    kind, rhs, width = model.senses[row], model.rhs.get(row, 0.0), model.ranges.get(row)
    if kind == "E":
        return rhs + min(width or 0.0, 0.0), rhs + max(width or 0.0, 0.0)
    if kind == "L":
        return -math.inf if width is None else rhs - abs(width), rhs
    return rhs, math.inf if width is None else rhs + abs(width)


def _matrix(entries: dict[tuple[int, int], float], shape: tuple[int, int]) -> sp.csr_array:
    indices = np.array(list(entries), dtype=np.int64).reshape(-1, 2).T
    return sp.csr_array(sp.coo_array((np.array(list(entries.values())), indices), shape=shape))


def write(problem: Qcbo) -> bytes:
    """The content of an ``.mps`` file for `problem`; `InputError` if it cannot hold a name.

    The format knows no spins: the bits (s + 1) / 2 are written in their place.
    """
    problem = over_bits(problem)
    names, labels = list(map(str, problem.names)), list(map(str, problem.constraints.labels))
    check_words([*names, *labels], ".mps", forbidden="*$'")
    objective = "obj"
    while objective in labels:
        objective += "_"
    kinds = {"==": "E", "<=": "L", ">=": "G"}
    lines = ["NAME qhal", "ROWS", f" N {objective}"]
    for label, sense in zip(labels, problem.constraints.senses, strict=True):
        lines.append(f" {kinds[sense]} {label}")
    lines += ["COLUMNS", *_column_lines(problem, names, labels, objective)]
    lines += ["RHS", *([f" RHS {objective} {-problem.offset!r}"] if problem.offset else [])]
    for label, value in zip(labels, problem.constraints.rhs.tolist(), strict=True):
        lines.append(f" RHS {label} {value!r}")
    lines += ["BOUNDS", *_bound_lines(problem, names)]
    lines += _quadratic_lines(problem, names, labels)
    return "\n".join([*lines, "ENDATA", ""]).encode()


def _column_lines(
    problem: Qcbo, names: list[str], labels: list[str], objective: str
) -> Iterator[str]:
    """All columns between markers, each with its cost, 0 or not: then none is missing."""
    yield " MARKER 'MARKER' 'INTORG'"
    columns = sp.csc_array(problem.constraints.linear)
    for j, (name, cost) in enumerate(zip(names, problem.linear.tolist(), strict=True)):
        yield f" {name} {objective} {cost!r}"
        for k in range(columns.indptr[j], columns.indptr[j + 1]):
            yield f" {name} {labels[columns.indices[k]]} {float(columns.data[k])!r}"
    yield " MARKER 'MARKER' 'INTEND'"


def _bound_lines(problem: Qcbo, names: list[str]) -> Iterator[str]:
    bounds = zip(names, problem.lower.tolist(), problem.upper.tolist(), strict=True)
    for name, low, high in bounds:
        if (low, high) == (0, 1):
            yield f" BV BND {name}"
        else:
            yield f" LI BND {name} {low}"
            yield f" UI BND {name} {high}"


def _quadratic_lines(problem: Qcbo, names: list[str], labels: list[str]) -> Iterator[str]:
    matrix = sp.coo_array(problem.quadratic)
    matrix.eliminate_zeros()
    if matrix.nnz:
        yield "QUADOBJ"
    for i, j, value in zip(
        matrix.row.tolist(), matrix.col.tolist(), matrix.data.tolist(), strict=True
    ):
        yield f" {names[i]} {names[j]} {_finite(2 * value if i == j else value)!r}"
    rows = problem.constraints
    for row in np.flatnonzero(rows.quadratic).tolist():
        yield f"QCMATRIX {labels[row]}"
        for k in range(rows.products.indptr[row], rows.products.indptr[row + 1]):
            i, j = rows.pairs[rows.products.indices[k]].tolist()
            value = float(rows.products.data[k])
            if i == j:
                yield f" {names[i]} {names[i]} {value!r}"
            else:
                yield f" {names[i]} {names[j]} {value / 2!r}"
                yield f" {names[j]} {names[i]} {value / 2!r}"


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise InputError("an .mps file cannot hold a coefficient this large: scale the objective.")
    return float(value)
