"""dimod's binary files: ``.bqm`` (versions 1 and 2) and ``.cqm`` (version 2).

They are decoded here, after the format's description in dimod's ``to_file`` methods, because
dimod's own loaders trust their input: damaged counts or indices crash the interpreter. They also
return the constraints of a ``.cqm`` in an order that changes from process to process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import dimod
import numpy as np
import numpy.typing as npt

from qhal.archive import read_members
from qhal.errors import InputError
from qhal.files.entries import ising_of, problem_from_pairs, qubo_of
from qhal.ocean import bqm_from_ising, bqm_from_qubo
from qhal.problems import Qcbo

_VARTYPES = (dimod.BINARY, dimod.SPIN, dimod.INTEGER, dimod.REAL)
_MEMBER = re.compile(r"constraints/(?P<label>.+)/(?P<part>[a-z]+)")
_FLOATS, _INTEGERS = ("float32", "float64"), ("int8", "int16", "int32", "int64")


class _Reader:
    """Takes pieces off the front of some bytes and complains when too few are left."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self._name, self._position = data, name, 0

    def take(self, count: int) -> bytes:
        piece = self._data[self._position : self._position + count]
        if count < 0 or len(piece) < count:
            raise _damaged(self._name, "it ends early")
        self._position += count
        return piece

    def array(self, dtype: Any, count: int) -> npt.NDArray[Any]:
        return np.frombuffer(self.take(np.dtype(dtype).itemsize * count), dtype)

    def header(self, magic: bytes) -> tuple[int, dict[str, Any]]:
        """The major version and the JSON header behind `magic`."""
        if self.take(len(magic)) != magic:
            raise _damaged(self._name, f"it does not start with {magic.decode()}")
        major = self.take(2)[0]
        header = _parse_json(self.take(int(self.array("<u4", 1)[0])), self._name)
        if not isinstance(header, dict):
            raise _damaged(self._name, "its header is not a JSON object")
        return major, header

    def section(self, magic: bytes, length: str = "<u4") -> _Reader:
        """The section called `magic`, its length counted in `length`."""
        if self.take(4) != magic:
            raise _damaged(self._name, f"its section {magic.decode()} is missing")
        return _Reader(self.take(int(self.array(length, 1)[0])), self._name)

    def rest(self) -> bytes:
        return self._data[self._position :]


def read_bqm(data: bytes, name: str) -> Qcbo:
    """The problem in `data`, the content of the ``.bqm`` file `name`."""
    reader = _Reader(data, name)
    version, header = reader.header(b"DIMODBQM")
    if version not in (1, 2):
        raise InputError(f"{name} is a .bqm file of version {version}; 1 and 2 can be read.")
    n, m = _shape(header, name)
    bias, index = _dtype(header, "dtype", _FLOATS, name), _dtype(header, "itype", _INTEGERS, name)
    start = _dtype(header, "ntype", _INTEGERS, name)
    if header.get("vartype") not in ("BINARY", "SPIN"):
        raise _damaged(name, "its vartype is neither BINARY nor SPIN")
    offset = float(reader.array(bias, 1)[0])
    linear = reader.array([("start", start), ("bias", bias)], n)
    # Every interaction is stored twice, in the neighbourhoods of both its variables.
    stored = reader.array([("other", index), ("bias", bias)], 2 * m)
    starts = np.append(linear["start"].astype(np.int64), 2 * m)
    degrees = starts[1:] - starts[:-1]
    if (degrees < 0).any() or degrees.sum() != 2 * m:
        raise _damaged(name, "its neighbourhoods overlap")
    rows, columns = np.repeat(np.arange(n), degrees), stored["other"].astype(np.int64)
    lower = columns < rows
    if ((columns < 0) | (columns >= n) | (columns == rows)).any() or lower.sum() != m:
        raise _damaged(name, "its interactions point to variables that do not exist")
    labels: Any = header.get("variables")
    if version > 1 and labels:
        labels = _parse_json(reader.section(b"VARS").rest(), name)
    pairs = np.stack([columns[lower], rows[lower]])
    diagonal = np.stack([np.arange(n)] * 2)
    return problem_from_pairs(
        np.concatenate([pairs, diagonal], axis=1),
        np.concatenate([stored["bias"][lower], linear["bias"]]).astype(np.float64),
        offset,
        tuple(_labels(labels, n, name)),
        spins=header["vartype"] == "SPIN",
    )


def write_bqm(problem: Qcbo) -> bytes:
    """The content of a ``.bqm`` file for `problem`: unconstrained, of bits or of spins."""
    ising = ising_of(problem)
    bqm = bqm_from_ising(ising) if ising else bqm_from_qubo(qubo_of(problem, ".bqm"))
    bqm.relabel_variables(dict(enumerate(problem.names)))
    with bqm.to_file() as file:
        return bytes(file.read())


def read_cqm(data: bytes, name: str) -> Qcbo:
    """The problem in `data`, the content of the ``.cqm`` file `name`.

    Raises `InputError` also for what a `Qcbo` cannot hold: real variables, soft constraints.
    """
    reader = _Reader(data, name)
    version, header = reader.header(b"DIMODCQM")
    if version != 2:
        raise InputError(
            f"{name} is a .cqm file of version {version}; only version 2 can be read: "
            "load it with dimod and save it again."
        )
    members = read_members(data, name)
    n = _count(header.get("num_variables"), name)
    cqm = dimod.ConstrainedQuadraticModel()
    _add_variables(cqm, members, n, name)
    cqm.set_objective(_terms(members, "objective", cqm, name))
    parts = [match for match in map(_MEMBER.fullmatch, members) if match]
    for quoted in dict.fromkeys(match["label"] for match in parts):
        label = _label(_parse_json(quoted.encode(), name), name)
        folder = f"constraints/{quoted}"
        if f"{folder}/weight" in members:
            raise InputError(f"{name}: constraint {label!r} is soft: only hard ones are supported.")
        sense = _member(members, f"{folder}/sense", name).decode("ascii", "replace")
        if sense not in ("==", "<=", ">="):
            raise _damaged(name, f"constraint {label!r} has the sense {sense!r}")
        rhs = float(_Reader(_member(members, f"{folder}/rhs", name), name).array("<f8", 1)[0])
        _require_finite(rhs, name)
        terms = _terms(members, f"{folder}/lhs", cqm, name)
        cqm.add_constraint_from_iterable(terms, sense, rhs, label=label)
    if len(cqm.constraints) != header.get("num_constraints"):
        raise _damaged(name, f"it announces {header.get('num_constraints')} constraints")
    return Qcbo.from_cqm(cqm)


def write_cqm(problem: Qcbo) -> bytes:
    """The content of a ``.cqm`` file for `problem`."""
    slashed = [label for label in problem.constraints.labels if "/" in str(label)]
    if slashed:
        raise InputError(
            f"dimod cannot read a .cqm file with the constraint label {slashed[0]!r}: rename it."
        )
    with problem.to_cqm().to_file() as file:
        return bytes(file.read())


def _damaged(name: str, why: str) -> InputError:
    """The error for a file that is not what its suffix says."""
    return InputError(f"{name} is damaged or not what its suffix says: {why}.")


def _parse_json(data: bytes, name: str) -> Any:
    """The JSON document in `data`; ``NaN`` and infinities are refused."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        return json.loads(data.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError):
        raise _damaged(name, "a part that should be JSON is not") from None


def _add_variables(
    cqm: dimod.ConstrainedQuadraticModel, members: dict[str, bytes], n: int, name: str
) -> None:
    info = _Reader(_member(members, "varinfo", name), name).section(b"VTYP")
    kinds = info.array([("vartype", "i1"), ("lower", "<f8"), ("upper", "<f8")], n)
    labels = None
    if "variable_labels.json" in members:
        labels = _parse_json(members["variable_labels.json"], name)
    for label, (kind, lower, upper) in zip(_labels(labels, n, name), kinds.tolist(), strict=True):
        if not 0 <= kind < len(_VARTYPES):
            raise _damaged(name, f"variable {label!r} has an unknown type")
        vartype = _VARTYPES[kind]
        if vartype is dimod.REAL:
            raise InputError(f"{name}: variable {label!r} is real: only integers are supported.")
        try:
            if vartype is dimod.INTEGER:
                cqm.add_variable(vartype, label, lower_bound=lower, upper_bound=upper)
            else:
                cqm.add_variable(vartype, label)
        except ValueError as error:
            raise _damaged(name, f"variable {label!r}: {error}") from None


def _terms(
    members: dict[str, bytes], member: str, cqm: dimod.ConstrainedQuadraticModel, name: str
) -> Iterable[tuple[Any, ...]]:
    """The terms ``(u, v, bias)``, ``(v, bias)`` and ``(offset,)`` of an expression."""
    reader = _Reader(_member(members, member, name), name)
    _, header = reader.header(b"DIMODEXPR")
    count, num_products = _shape(header, name)
    bias, index = _dtype(header, "dtype", _FLOATS, name), _dtype(header, "itype", _INTEGERS, name)
    indices = reader.section(b"INDX").array(index, count).astype(np.int64)
    offset = reader.section(b"OFFS").array(bias, 1)
    linear = reader.section(b"LINB").array(bias, count)
    products = reader.section(b"QUAD", "<u8").array(
        [("u", index), ("v", index), ("bias", bias)], num_products
    )
    places = np.concatenate([products["u"], products["v"]])
    for values, limit in ((indices, len(cqm.variables)), (places, count)):
        if ((values < 0) | (values >= limit)).any():
            raise _damaged(name, f"{member} points to a variable that does not exist")
    _require_finite(np.concatenate([offset, linear, products["bias"]]), name)
    variables = [cqm.variables[i] for i in indices.tolist()]
    yield (float(offset[0]),)
    yield from zip(variables, linear.tolist(), strict=True)
    for u, v, value in products.tolist():
        yield variables[u], variables[v], value


def _member(members: dict[str, bytes], member: str, name: str) -> bytes:
    if member not in members:
        raise _damaged(name, f"its member {member!r} is missing")
    return members[member]


def _shape(header: dict[str, Any], name: str) -> tuple[int, int]:
    shape = header.get("shape")
    if not isinstance(shape, list) or len(shape) != 2:
        raise _damaged(name, "its header has no shape")
    return _count(shape[0], name), _count(shape[1], name)


def _count(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**40:
        raise _damaged(name, f"{value!r} is not a count")
    return value


def _dtype(header: dict[str, Any], key: str, known: tuple[str, ...], name: str) -> str:
    if header.get(key) not in known:
        raise _damaged(name, f"its {key} is not one of {', '.join(known)}")
    return str(np.dtype(header[key]).newbyteorder("<").str)


def _labels(labels: Any, n: int, name: str) -> list[Any]:
    """`labels` from JSON as hashable labels, by default 0 .. n-1."""
    if not labels:
        return list(range(n))
    if not isinstance(labels, list) or len(labels) != n:
        raise _damaged(name, f"it does not name its {n} variables")
    result = [_label(label, name) for label in labels]
    if len(set(map(str, result))) != n:
        raise _damaged(name, "two of its variables have one name")
    return result


def _label(value: Any, name: str) -> Any:
    """A JSON value as dimod's label: lists are tuples."""
    if isinstance(value, list):
        return tuple(_label(item, name) for item in value)
    if not isinstance(value, (str, int, float)):
        raise _damaged(name, f"{value!r} is not a label")
    return value


def _require_finite(values: npt.ArrayLike, name: str) -> None:
    if not np.isfinite(values).all():
        bad = "NaN" if np.isnan(values).any() else "an infinite value"
        raise InputError(f"{name} contains {bad}: every coefficient must be a finite number.")
