"""Files of QPLIB, the library of quadratic programming instances (``.qplib``).

One value, pair or triple to a line, in an order that the problem's type says (three letters: the
objective, the variables, the constraints); what follows on a line is a comment, as are lines that
start with ``!``, ``%`` or ``#``. Variables must be binary or bounded integers. A constraint with
two different finite sides becomes the rows ``label_low`` and ``label_high``.

Every quadratic entry listed, on the diagonal or off it, counts with one half and once: the entry
``2 1 v`` is the term v/2 x_1 x_2. For the library's documentation (qplib.zib.de/doc.html) defines
the objective as x'Qx / 2 + b'x + q with a Q that is lower triangular. Read as one triangle of a
symmetric Q, products would count twice; the published solution point of QPLIB_3834 then has the
value 6962.459179 (as other implementers report) and not the published 3760.715066. Source of the
format: F. Furini et al., QPLIB: a library of quadratic programming instances, Math. Program.
Comput. 11 (2019), appendix B.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.files.rows import check_words, constraints_within, note_maximised, whole_bounds
from qhal.files.text import (
    at_line,
    format_number,
    is_number,
    numbered_lines,
    parse_number,
    parse_whole,
)
from qhal.problems import Qcbo
from qhal.problems.arrays import FloatArray
from qhal.problems.spins import over_bits

_COMMENTS = "!%#"
_TYPE = re.compile("[LDCQ][CBMIG][NBLDCQ]")
_CONTINUOUS, _BINARY = 0, 2
_SENSES = {"minimize": False, "maximize": True}
_INFINITY = sys.float_info.max
# Variables and rows without coefficients take no space in a file, so its size bounds their number
# only loosely.
_FREE = 100_000


def read(data: bytes, name: str) -> Qcbo:
    """The problem in `data`, the content of the ``.qplib`` file `name`; maximised: negated."""
    lines = _Lines(data, name)
    lines.word("a name")
    kind = lines.word("a type").upper()
    if not _TYPE.fullmatch(kind):
        raise lines.error(f"{kind[:20]!r} is no problem type of QPLIB, such as QBL")
    sense = lines.word("a sense")
    if sense.lower() not in _SENSES:
        raise lines.error("the sense is 'minimize' or 'maximize'")
    constrained, maximized = kind[2] not in "NB", _SENSES[sense.lower()]
    n = lines.size("variables")
    m = lines.size("constraints") if constrained else 0
    quadratic, halves = lines.entries((n, n), "quadratic terms") if kind[0] != "L" else _NOTHING
    linear = lines.vector(n, "linear coefficients")
    offset = lines.number(lines.word("the objective's constant"))
    products, values = np.zeros((0, 3), dtype=np.int64), np.zeros(0)
    if constrained and kind[2] != "L":
        products, values = lines.entries((m, n, n), "quadratic terms of constraints")
    places, terms = lines.entries((m, n), "terms of constraints") if constrained else _NOTHING
    infinity = lines.limit(lines.word("the value of infinity"))
    sides = (
        [lines.vector(m, "sides", lines.limit) for _ in range(2)]
        if constrained
        else [np.zeros(0)] * 2
    )
    bounds = [lines.vector(n, "bounds", lines.limit) for _ in range(2)] if kind[1] != "B" else []
    types = lines.vector(n, "types") if kind[1] in "MG" else np.full(n, _type(kind[1]))
    for size in (n, m, n)[:: 1 if constrained else 2]:
        lines.vector(size, "starting values", lines.limit)
    names = lines.names(n, "x") if lines.left else _defaults(n, "x")
    labels = lines.names(m, "c") if lines.left else _defaults(m, "c")
    lines.finish()
    low, high = _bounds(bounds, types, infinity, names, name)
    if maximized:
        note_maximised(name)
    sign = -1.0 if maximized else 1.0
    i, j = np.sort(quadratic, axis=1).T
    return Qcbo(
        sign * _matrix(halves / 2, (i, j), (n, n)),
        sign * linear,
        sign * offset,
        constraints_within(
            _matrix(terms, tuple(places.T), (m, n)),
            products,
            values / 2,
            _unbounded(sides[0], infinity),
            _unbounded(sides[1], infinity),
            labels,
        ),
        low.astype(np.int64),
        high.astype(np.int64),
        tuple(names),
    )


_NOTHING = np.zeros((0, 2), dtype=np.int64), np.zeros(0)


class _Lines:
    """The lines of a file, each of them read for what it has to hold."""

    def __init__(self, data: bytes, name: str) -> None:
        self._name, self._size = name, len(data)
        lines = numbered_lines(data, name)
        self._lines = [(number, line.split()) for number, line in lines if line[0] not in _COMMENTS]
        self._next, self._number = 0, 1

    @property
    def left(self) -> bool:
        """Whether there are lines left."""
        return self._next < len(self._lines)

    def word(self, what: str) -> str:
        """The first word of the next line."""
        return self._take(1, what)[0]

    def number(self, token: str) -> float:
        """A finite number."""
        return parse_number(token, self._name, self._number)

    def limit(self, token: str) -> float:
        """A number that may be too large for a float: the library's own value of infinity is."""
        return float(token) if is_number(token) else self.number(token)

    def size(self, what: str) -> int:
        """How many there are of something that need not take a line each."""
        count = parse_whole(self.word(f"a number of {what}"), self._name, self._number, "a count")
        if count > max(self._size, _FREE):
            raise self.error(f"{count} {what} are more than the file can hold")
        return count

    def entries(
        self, sizes: tuple[int, ...], what: str, parse: Callable[[str], float] | None = None
    ) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """A count, then so many lines of indices, from 1 to `sizes`, and a value."""
        count = self._count(what)
        places = np.zeros((count, len(sizes)), dtype=np.int64)
        values = np.zeros(count)
        for row in range(count):
            *indices, value = self._take(len(sizes) + 1, f"entry {row + 1} of {count} {what}")
            places[row] = [self._index(*each) for each in zip(indices, sizes, strict=True)]
            values[row] = (parse or self.number)(value)
        return places, values

    def vector(
        self, size: int, what: str, parse: Callable[[str], float] | None = None
    ) -> FloatArray:
        """A default value, then the entries that differ from it."""
        vector = np.full(size, (parse or self.number)(self.word(f"the default of {what}")))
        places, values = self.entries((size,), f"{what} that are not the default", parse)
        vector[places[:, 0]] = values
        return vector

    def names(self, size: int, letter: str) -> list[str]:
        """The names of variables or constraints, by default the letter and the number."""
        names = _defaults(size, letter)
        for _ in range(self._count("names")):
            index, name = self._take(2, "an index and a name")
            names[self._index(index, size)] = name
        return names

    def finish(self) -> None:
        """Refuse lines beyond the last section."""
        if self.left:
            self._number = self._lines[self._next][0]
            raise self.error("nothing may follow the names of the constraints")

    def error(self, message: str) -> InputError:
        """A complaint about the line that was read last."""
        return at_line(self._name, self._number, f"{message}.")

    def _count(self, what: str) -> int:
        """How many lines follow; more than there are is damage."""
        token = self.word(f"the number of {what}")
        count = parse_whole(token, self._name, self._number, f"the number of {what}")
        if count > len(self._lines) - self._next:
            raise self.error(
                f"{count} {what} are announced, but only {len(self._lines) - self._next} lines "
                "follow: the file is truncated or damaged"
            )
        return count

    def _take(self, count: int, what: str) -> list[str]:
        if not self.left:
            raise InputError(f"{self._name} ends before {what}: it is truncated or damaged.")
        self._number, words = self._lines[self._next]
        self._next += 1
        if len(words) < count:
            raise self.error(f"expected {what}, but found {len(words)} words")
        return words[:count]

    def _index(self, token: str, size: int) -> int:
        index = parse_whole(token, self._name, self._number, "an index")
        if not 1 <= index <= size:
            raise self.error(f"the index {index} is not one from 1 to {size}")
        return index - 1


def _defaults(size: int, letter: str) -> list[str]:
    return [f"{letter}{k}" for k in range(1, size + 1)]


def _type(letter: str) -> float:
    return {"C": _CONTINUOUS, "B": _BINARY, "I": 1}[letter]


def _bounds(
    bounds: list[FloatArray], types: FloatArray, infinity: float, names: list[str], name: str
) -> tuple[FloatArray, FloatArray]:
    """The variables' bounds; those of binary ones are 0 and 1, whatever the file says."""
    n = len(names)
    low, high = (bound.copy() for bound in bounds) if bounds else (np.zeros(n), np.ones(n))
    for k in np.flatnonzero(types != _BINARY).tolist():
        if types[k] != 1:
            raise InputError(
                f"{name}: variable {names[k]!r} is continuous: only binary and bounded integer "
                "variables are supported."
            )
        below, above = _unbounded(low[k : k + 1], infinity), _unbounded(high[k : k + 1], infinity)
        hint = "the file has none for it"
        low[k], high[k] = whole_bounds(float(below[0]), float(above[0]), name, names[k], hint)
    binary = types == _BINARY
    low[binary], high[binary] = 0.0, 1.0
    return low, high


def _unbounded(sides: FloatArray, infinity: float) -> FloatArray:
    """`sides`, infinite where they are at least the file's value of infinity."""
    return np.where(np.abs(sides) >= abs(infinity), np.copysign(np.inf, sides), sides)


def _matrix(
    values: FloatArray, places: tuple[npt.NDArray[np.int64], ...], shape: tuple[int, int]
) -> sp.csr_array:
    return sp.csr_array(sp.coo_array((values, places), shape=shape))


def write(problem: Qcbo) -> bytes:
    """The content of a ``.qplib`` file for `problem`; `InputError` if it cannot hold a name.

    The format knows no spins: the bits (s + 1) / 2 are written in their place.
    """
    problem = over_bits(problem)
    rows = problem.constraints
    names, labels = list(map(str, problem.names)), list(map(str, rows.labels))
    check_words([*names, *labels], ".qplib")
    objective = sp.coo_array(problem.quadratic)
    objective.eliminate_zeros()
    binary = bool(problem.is_binary.all())
    last = "Q" if rows.quadratic.any() else "L" if labels else "N" if binary else "B"
    kind = f"{'Q' if objective.nnz else 'L'}{'B' if binary else 'I'}{last}"
    n, m = len(names), len(labels)
    lines = ["qhal", kind, "minimize", f"{n} # variables"]
    if labels:
        lines.append(f"{m} # constraints")
    if objective.nnz:
        lines += _listed(
            (objective.col, objective.row), _doubled(objective.data), "quadratic terms"
        )
    lines += _vector(problem.linear, 0.0, "linear coefficients")
    lines.append(f"{format_number(problem.offset)} # constant of the objective")
    if labels:
        lines += _constraint_lines(problem, quadratic=last == "Q")
    lines.append(f"{_INFINITY!r} # infinity")
    if labels:
        senses = np.array(rows.senses)
        lines += _vector(np.where(senses == "<=", -_INFINITY, rows.rhs), -_INFINITY, "left sides")
        lines += _vector(np.where(senses == ">=", _INFINITY, rows.rhs), _INFINITY, "right sides")
    if not binary:
        lines += _vector(problem.lower.astype(float), 0.0, "lower bounds")
        lines += _vector(problem.upper.astype(float), 1.0, "upper bounds")
    for what in ("variables", "rows", "bounds")[:: 1 if labels else 2]:
        lines += [f"0 # starting values of {what}", "0 # others"]
    for words, letter in ((names, "x"), (labels, "c")):
        named = [(k, word) for k, word in enumerate(words, 1) if word != f"{letter}{k}"]
        lines += [f"{len(named)} # names", *(f"{k} {word}" for k, word in named)]
    return "\n".join([*lines, ""]).encode()


def _constraint_lines(problem: Qcbo, *, quadratic: bool) -> Iterator[str]:
    rows = problem.constraints
    products, linear = sp.coo_array(rows.products), sp.coo_array(rows.linear)
    if quadratic:
        pairs = rows.pairs[products.col]
        places = (products.row, pairs[:, 1], pairs[:, 0])
        yield from _listed(places, _doubled(products.data), "quadratic terms of constraints")
    linear.eliminate_zeros()
    yield from _listed((linear.row, linear.col), linear.data, "linear terms of constraints")


def _listed(
    places: tuple[npt.NDArray[np.intp], ...], values: FloatArray, what: str
) -> Iterator[str]:
    yield f"{len(values)} # {what}"
    for *indices, value in zip(*(each.tolist() for each in places), values, strict=True):
        yield f"{' '.join(str(index + 1) for index in indices)} {format_number(value)}"


def _vector(values: npt.NDArray[np.float64], default: float, what: str) -> Iterator[str]:
    others = np.flatnonzero(values != default)
    yield f"{default!r} # {what}"
    yield from _listed((others,), values[others], f"other {what}")


def _doubled(values: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        doubled = np.asarray(2 * values, dtype=np.float64)
    if not np.isfinite(doubled).all():
        raise InputError("a .qplib file cannot hold a coefficient this large: scale the problem.")
    return doubled
