"""Wide coefficients on a narrow machine: several spins for one, held together by couplings.

With m_i copies of spin i and m_j of spin j, a coupling J_ij may be spread over m_i m_j pairs, so
integers up to m_i m_j L fit a machine whose coefficients end at L. A field is spread over the
copies, or, where that would take too many, is a coupling to a reference spin with copies of its
own. Copies of a spin form a clique with ferromagnetic couplings C <= L.

A minority of k of m copies that joins the majority gains 2 C k (m - k) and loses at most twice the
sum of the k largest totals of the other couplings at one copy. While C exceeds all these sums over
k (m - k), the copies agree in every ground state, and the ground states are those of the problem.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.problems.arrays import States
from qhal.problems.ising import Ising

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Copies:
    """A problem over copies: `first[i]` to ``first[i + 1]`` are those of spin i.

    The last spin is the reference, if `has_reference`. `chain_bound` is whether the copies provably
    agree in every ground state.
    """

    ising: Ising
    first: Integers
    has_reference: bool
    chain_bound: bool

    @property
    def num_spins(self) -> int:
        """Spins in all."""
        return int(self.first[-1])

    def decode(self, states: States) -> tuple[States, float]:
        """States of the problem by majority (a tie goes to the first copy), and the share of spins
        whose copies did not agree."""
        spins = 2 * states.astype(np.int64) - 1
        sums = np.add.reduceat(spins, self.first[:-1], axis=1)
        broken = float((np.abs(sums) < np.diff(self.first)).mean())
        values = np.where(sums == 0, spins[:, self.first[:-1]], np.sign(sums))
        if self.has_reference:
            values = values[:, :-1] * values[:, -1:]
        return ((values + 1) // 2).astype(np.int8), broken


def spread(couplings: sp.coo_array, fields: Integers, limit: int, strength: float) -> Copies:
    """The whole-number problem over copies, all of its coefficients at most `limit` in magnitude.

    `strength` scales the cliques: 1 is provably enough, less takes fewer copies.
    """
    rows, columns, values = couplings.row, couplings.col, couplings.data
    n = len(fields)
    counts = _counts(n, rows, columns, values, fields, limit, strength)
    reference = bool((np.abs(fields) > limit * counts).any())
    if reference:
        rows = np.concatenate([rows, np.flatnonzero(fields)])
        columns = np.concatenate([columns, np.full(np.count_nonzero(fields), n)])
        values = np.concatenate([values, fields[fields != 0]])
        n, fields = n + 1, np.zeros(n + 1, dtype=np.int64)
        counts = _counts(n, rows, columns, values, fields, limit, strength)
    while True:
        embedding = _Embedding(rows, columns, values, fields, counts)
        cliques, needed = embedding.cliques(limit, strength)
        if (cliques >= 0).all():
            break
        counts = np.where(cliques < 0, counts + 1, counts)
    return Copies(
        embedding.ising(cliques), embedding.first, reference, bool((cliques >= needed).all())
    )


def least_spins(couplings: sp.coo_array, fields: Integers, limit: int, strength: float) -> int:
    """A quick lower bound on the spins of `spread`."""
    ends = couplings.row, couplings.col
    return int(_counts(len(fields), *ends, couplings.data, fields, limit, strength).sum())


def _counts(
    n: int,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    values: Integers,
    fields: Integers,
    limit: int,
    strength: float,
) -> Integers:
    """Copies of each spin: enough for its couplings, and about enough for its clique."""
    magnitude = np.abs(values)
    largest, total = np.zeros(n, dtype=np.int64), np.abs(fields)
    for ends in (rows, columns):
        np.maximum.at(largest, ends, magnitude)
        np.add.at(total, ends, magnitude)
    pairs = np.ceil(np.sqrt(largest / limit))
    cliques = np.ceil(np.sqrt(2 * strength * total / limit))
    counts = np.where(pairs > 1, np.maximum(pairs, cliques), 1).astype(np.int64)
    # A field that the copies cannot hold may still be held by a few more of them.
    own = np.ceil(np.abs(fields) / limit).astype(np.int64)
    affordable = own <= 2 * counts
    return np.where(affordable, np.maximum(counts, own), counts)


class _Embedding:
    """Every coefficient spread over the copies of its spins."""

    def __init__(
        self,
        rows: npt.NDArray[np.intp],
        columns: npt.NDArray[np.intp],
        values: Integers,
        fields: Integers,
        counts: Integers,
    ) -> None:
        self.counts = counts
        self.first = np.concatenate([[0], np.cumsum(counts)])
        self.fields = np.concatenate([_shares(h, m) for h, m in zip(fields, counts, strict=True)])
        several = counts[rows] * counts[columns] > 1
        lone = ~several
        ends = [(self.first[rows[lone]], self.first[columns[lone]], values[lone])]
        for i, j, value in zip(rows[several], columns[several], values[several], strict=True):
            a, b, each = _pairs(int(counts[i]), int(counts[j]), int(value))
            ends.append((self.first[i] + a, self.first[j] + b, each))
        parts = zip(*ends, strict=True)
        self._a, self._b, self._values = (np.concatenate(list(part)) for part in parts)

    def cliques(self, limit: int, strength: float) -> tuple[Integers, Integers]:
        """The coupling of each spin's clique, -1 where `limit` is too little, and what is proved
        to be enough."""
        load = np.abs(self.fields)
        for ends in (self._a, self._b):
            np.add.at(load, ends, np.abs(self._values))
        chosen, needed = np.zeros_like(self.counts), np.zeros_like(self.counts)
        for i, count in enumerate(self.counts):
            if count == 1:
                continue
            own = np.sort(load[self.first[i] : self.first[i + 1]])[::-1]
            k = np.arange(1, count // 2 + 1)
            least = float((np.cumsum(own)[: len(k)] / (k * (count - k))).max())
            needed[i] = math.floor(least) + 1
            wanted = max(1, math.ceil(strength * needed[i]))
            chosen[i] = wanted if wanted <= limit else -1
        return chosen, needed

    def ising(self, cliques: Integers) -> Ising:
        """The problem with its cliques."""
        a, b, values = [self._a], [self._b], [self._values]
        for i, count in enumerate(self.counts):
            if count > 1:
                one, other = np.triu_indices(count, 1)
                a.append(self.first[i] + one)
                b.append(self.first[i] + other)
                values.append(np.full(len(one), -cliques[i]))
        ends = np.concatenate(a), np.concatenate(b)
        size = int(self.first[-1])
        pairs = sp.coo_array(
            (np.concatenate(values).astype(np.float64), (np.minimum(*ends), np.maximum(*ends))),
            shape=(size, size),
        )
        return Ising(sp.csr_array(pairs), self.fields.astype(np.float64))


def _shares(value: int, count: int) -> Integers:
    """`value` as a sum of `count` integers of its sign, as equal as can be."""
    share, rest = divmod(abs(int(value)), int(count))
    shares = np.full(count, share, dtype=np.int64)
    shares[:rest] += 1
    return int(np.sign(value)) * shares


def _pairs(m: int, n: int, value: int) -> tuple[Integers, Integers, Integers]:
    """`value` over the pairs of m and n copies, so that every copy carries about the same."""
    a, b = np.divmod(np.arange(m * n), n)
    b = (a + b) % n  # the pairs that get one more walk along diagonals
    order = np.lexsort((a, (b - a) % n))
    each = np.zeros(m * n, dtype=np.int64)
    each[order] = _shares(value, m * n)
    used = each != 0
    return a[used], b[used], each[used]
