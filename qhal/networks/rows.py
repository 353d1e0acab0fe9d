"""Constraint rows of an encoding, collected as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from qhal.networks.forms import pairs_within, spans
from qhal.networks.spec import Ints
from qhal.networks.units import Units
from qhal.problems.arrays import FloatArray
from qhal.problems.constraints import Constraints


class RowBlocks:
    """Equality rows ``linear + products == rhs``, block by block."""

    def __init__(self) -> None:
        self._linear: list[tuple[Ints, Ints, FloatArray]] = []
        self._products: list[tuple[Ints, Ints, Ints, FloatArray]] = []
        self._rhs: list[FloatArray] = []
        self._labels: list[str] = []

    def add(
        self,
        rhs: FloatArray,
        labels: Sequence[str],
        linear: Sequence[tuple[Ints, Ints, FloatArray]],
        products: Sequence[tuple[Ints, Ints, Ints, FloatArray]] = (),
    ) -> None:
        """Add rows: `linear` terms (row, column, value), `products` (row, column, column, value).

        Rows count from 0 within the block.
        """
        first = len(self._labels)
        self._linear += [(rows + first, *rest) for rows, *rest in linear]  # type: ignore[misc]
        self._products += [(rows + first, *rest) for rows, *rest in products]  # type: ignore[misc]
        self._rhs.append(rhs)
        self._labels += labels

    def add_units(self, units: Units, names: Sequence[str], bit_names: Sequence[str]) -> None:
        """t from indicators and offsets, one part at a time, offset bits only where they belong.

        `names` of the units' forms; `bit_names` of all variables, by column.
        """
        if len(units.parts.row):
            self._add_places(units, names)
            self._add_choice(units, names)
            self._add_gates(units, bit_names)

    def add_products(self, left: Ints, right: Ints, columns: Ints) -> None:
        """u = x y as 3u + xy - 2ux - 2uy = 0, which is never negative (Rosenberg 1975)."""
        rows, ones = np.arange(len(columns)), np.ones(len(columns))
        self.add(
            np.zeros(len(columns)),
            [f"product{column}" for column in columns.tolist()],
            [(rows, columns, 3.0 * ones)],
            [
                (rows, left, right, ones),
                (rows, left, columns, -2.0 * ones),
                (rows, right, columns, -2.0 * ones),
            ],
        )

    def build(self, num_bits: int) -> Constraints:
        """All rows over `num_bits` variables."""
        count = len(self._labels)
        rows, columns, values = _joined(self._linear, 3)
        linear = sp.csr_array((values, (rows, columns)), shape=(count, num_bits))
        rows, left, right, values = _joined(self._products, 4)
        keys = np.minimum(left, right) * num_bits + np.maximum(left, right)
        pairs, column = np.unique(keys, return_inverse=True)
        products = sp.csr_array((values, (rows, column.ravel())), shape=(count, len(pairs)))
        return Constraints(
            linear,
            products,
            np.stack([pairs // max(num_bits, 1), pairs % max(num_bits, 1)], axis=1),
            ("==",) * count,
            np.concatenate([*self._rhs, np.zeros(0)]),
            tuple(self._labels),
        )

    def _add_places(self, units: Units, names: Sequence[str]) -> None:
        """(z - low) / step = sum_i beta_i base_i + sum of offsets."""
        z, parts = units.z, units.parts
        forms, number = np.unique(parts.row, return_inverse=True)
        explicit = units.indicators >= 0
        fixed = np.zeros(len(forms), dtype=np.int64)
        fixed[number[~explicit]] = parts.base[~explicit]
        used = spans(z.starts[forms], np.diff(z.starts)[forms])
        of_term = np.repeat(np.arange(len(forms)), np.diff(z.starts)[forms])
        sizes = parts.group_bits
        owner = np.zeros(len(sizes), dtype=np.int64)
        owner[parts.group] = number
        powers = np.exp2(spans(np.zeros_like(sizes), sizes))
        self.add(
            (z.low - z.constant)[forms] / z.stride[forms] + fixed,
            [f"{names[form]}z" for form in forms.tolist()],
            [
                (of_term, z.columns[used], z.coefficients[used] / z.stride[forms][of_term]),
                (
                    number[explicit],
                    units.indicators[explicit],
                    (fixed[number] - parts.base)[explicit].astype(np.float64),
                ),
                (np.repeat(owner, sizes), spans(units.offsets, sizes), -powers),
            ],
        )

    def _add_choice(self, units: Units, names: Sequence[str]) -> None:
        """Exactly one part: all indicators add up to 1, or no two explicit ones are 1."""
        parts, explicit = units.parts, units.indicators >= 0
        if explicit.all():
            forms, number = np.unique(parts.row, return_inverse=True)
            labels = [f"{names[form]}one" for form in forms.tolist()]
            ones = np.ones(len(parts.row))
            self.add(np.ones(len(forms)), labels, [(number, units.indicators, ones)])
            return
        columns, rows = units.indicators[explicit], parts.row[explicit]
        forms, counts = np.unique(rows, return_counts=True)
        block, a, b = pairs_within(np.cumsum(counts) - counts, counts)
        crowded, number = np.unique(block, return_inverse=True)
        labels = [f"{names[form]}one" for form in forms[crowded].tolist()]
        ones = np.ones(len(number))
        self.add(np.zeros(len(crowded)), labels, [], [(number, columns[a], columns[b], ones)])

    def _add_gates(self, units: Units, bit_names: Sequence[str]) -> None:
        """An offset bit d is 0 unless the chosen part is in A, the parts that use it.

        If A is one part: d (1 - beta) = 0. If A holds the reference: d beta = 0 summed over the
        other parts. Else d (1 - sum of A) + sum of beta beta' over A = 0. None is ever negative.
        """
        parts, sizes = units.parts, units.parts.group_bits
        columns = spans(units.offsets, sizes)
        level, group = spans(np.zeros_like(sizes), sizes), np.repeat(np.arange(len(sizes)), sizes)
        owner = np.zeros(len(sizes), dtype=np.int64)
        owner[parts.group] = parts.row
        first = np.searchsorted(parts.row, owner[group], side="left")
        count = np.searchsorted(parts.row, owner[group], side="right") - first
        bit, part = np.repeat(np.arange(len(columns)), count), spans(first, count)
        allowed = (parts.group[part] == group[bit]) & (parts.bits[part] > level[bit])
        beta, d = units.indicators[part], columns[bit]
        users = np.bincount(bit[allowed], minlength=len(columns))
        implied = np.bincount(bit[allowed & (beta < 0)], minlength=len(columns)) > 0
        excluded = np.bincount(bit[~allowed & (beta < 0)], minlength=len(columns)) > 0
        by_users = excluded | ((users == 1) & ~implied)
        minus, plus = allowed & by_users[bit], ~allowed & ~by_users[bit]
        shared = np.flatnonzero(minus & excluded[bit])
        blocks, starts, counts = np.unique(bit[shared], return_index=True, return_counts=True)
        block, a, b = pairs_within(starts, counts)
        self.add(
            np.zeros(len(columns)),
            [f"{bit_names[column]}gate" for column in columns.tolist()],
            [(np.flatnonzero(by_users), columns[by_users], np.ones(int(by_users.sum())))],
            [
                (bit[minus], d[minus], beta[minus], -np.ones(int(minus.sum()))),
                (bit[plus], d[plus], beta[plus], np.ones(int(plus.sum()))),
                (blocks[block], beta[shared[a]], beta[shared[b]], np.ones(len(a))),
            ],
        )


def _joined(blocks: Sequence[tuple[Any, ...]], width: int) -> list[Any]:
    nothing = (*(np.zeros(0, dtype=np.int64),) * (width - 1), np.zeros(0))
    return [np.concatenate(parts) for parts in zip(nothing, *blocks, strict=True)]
