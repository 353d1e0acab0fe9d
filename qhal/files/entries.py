"""Unconstrained problems as lists of numbered entries ``i j value``, as text formats hold them."""

from __future__ import annotations

import logging
import re
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.problems import Ising, Qcbo, Qubo
from qhal.problems.spins import over_bits

_LOG = logging.getLogger("qhal.files")
_NUMBERED = re.compile(r"x(0|[1-9]\d{0,17})", re.ASCII)


@dataclass
class Entries:
    """Coefficients by the numbers of their variables; repeated pairs add up, i == j is linear."""

    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    offset: float = 0.0

    def add(self, row: int, column: int, value: float) -> None:
        """Add one coefficient."""
        self.rows.append(row)
        self.columns.append(column)
        self.values.append(value)

    def to_problem(self, *, spins: bool = False) -> Qcbo:
        """The problem over the numbers that occur; the variable of number i is called ``x{i}``.

        With `spins` the coefficients are those of an Ising model.
        """
        pairs = np.array([self.rows, self.columns], dtype=np.int64)
        labels, positions = np.unique(pairs, return_inverse=True)
        return problem_from_pairs(
            np.sort(positions.reshape(pairs.shape), axis=0),
            np.array(self.values),
            self.offset,
            tuple(f"x{label}" for label in labels),
            spins=spins,
        )


def problem_from_pairs(
    pairs: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    offset: float,
    names: tuple[Hashable, ...],
    *,
    spins: bool = False,
) -> Qcbo:
    """The problem of ``sum values[k] x[i_k] x[j_k] + offset`` with pairs (2, k), rows i <= j."""
    n = len(names)
    matrix = sp.csr_array(sp.coo_array((values, pairs), shape=(n, n)))
    if spins:
        fields = np.asarray(matrix.diagonal())
        return Qcbo.from_ising(Ising(sp.triu(matrix, k=1), fields, offset), names)
    return replace(Qcbo.from_qubo(Qubo(matrix, offset)), names=names)


def qubo_of(problem: Qcbo, suffix: str) -> Qubo:
    """The QUBO that `problem` is, over the bits (s + 1) / 2 of spins s.

    Raises `InputError` if it has constraints or integers.
    """
    problem = over_bits(problem)
    integers = np.flatnonzero(~problem.is_binary)
    if problem.num_constraints:
        why = f"this problem has constraints ({problem.num_constraints})"
        instead = " (qhal solve takes them as they are, with any oracle)"
    elif len(integers):
        why = f"variable {problem.names[integers[0]]!r} of this problem is not binary"
        instead = ""
    else:
        matrix = sp.csr_array(problem.quadratic) + sp.diags_array(problem.linear)
        return Qubo(sp.csr_array(matrix), problem.offset)
    raise InputError(
        f"{suffix} files hold only unconstrained binary problems, but {why}: "
        f"write an .lp, .cqm or .npz file instead{instead}."
    )


def ising_of(problem: Qcbo) -> Ising | None:
    """The Ising model that `problem` is if all its variables are spins and it has no rows."""
    if problem.num_constraints or not problem.spins.all():
        return None
    matrix = sp.csr_array(problem.quadratic)
    squares = float(matrix.diagonal().sum())
    return Ising(sp.triu(matrix, k=1), problem.linear, problem.offset + squares)


def entries_of(problem: Qcbo, suffix: str, *, spins: bool = False) -> tuple[Entries, int]:
    """The entries of `problem` by row and column, and how many are linear; they come first.

    Variables called ``x{number}`` keep their numbers; if any is called otherwise, all are numbered
    from 0 by position. A variable without coefficients gets the linear entry 0. With `spins` the
    entries of a problem over spins are those of its Ising model.
    """
    if spins and (ising := ising_of(problem)):
        matrix, linear, offset = ising.J, ising.h, ising.offset
    else:
        qubo = qubo_of(problem, suffix)
        matrix, linear, offset = qubo.matrix, qubo.linear, qubo.offset
    matched = [_NUMBERED.fullmatch(str(name)) for name in problem.names]
    labels = [int(found[1]) if found else -1 for found in matched]
    if -1 in labels:
        labels = list(range(problem.num_variables))
        _LOG.info(
            "%s files hold numbers, not names: the variables %s to %s are now 0 to %d.",
            *(suffix, problem.names[0], problem.names[-1], problem.num_variables - 1),
        )
    pairs = sp.coo_array(sp.triu(sp.coo_array(matrix), k=1))
    lonely = np.ones(problem.num_variables, dtype=bool)
    lonely[pairs.row] = lonely[pairs.col] = False
    entries = Entries(offset=offset)
    for i in np.flatnonzero(lonely | (linear != 0)).tolist():
        entries.add(labels[i], labels[i], float(linear[i]))
    num_linear = len(entries.values)
    for i, j, value in zip(pairs.row.tolist(), pairs.col.tolist(), pairs.data, strict=True):
        low, high = sorted((labels[i], labels[j]))
        entries.add(low, high, float(value))
    return entries, num_linear
