"""Units z -> spline(z), many at once: which bits say the piece, which the place within it.

For z = low + step t, with t = 0 .. last, the pieces of the spline within reach are cut into parts
that have 2^k values of t (inner pieces) or reach beyond the interval (the outer two: what overflows
is out of z's reach). Part i says t = base_i + delta, 0 <= delta < 2^(bits_i). Parts of equal slope
share the offset bits of delta, so

    t = sum_i beta_i base_i + sum_g delta_g,    spline(z) = sum_i beta_i v_i + sum_g slope_g delta_g

is linear in the bits, without products, and every t has exactly one pattern. A bit of group g is
gated: it may be 1 only while the indicator of a part that uses it is. One part's indicator (the
reference) is left out, as 1 - the sum of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qhal.networks.forms import Forms, build_forms, spans
from qhal.networks.gridspline import GridSpline
from qhal.networks.spec import Ints
from qhal.problems.arrays import FloatArray
from qhal.problems.qcbo import Values


@dataclass(frozen=True)
class Layout:
    """Which bits a unit gets: the choice between encodings of the same spline.

    `shared_offsets`: parts of equal slope share offset bits, else each has its own.
    `reduced_indicators`: the indicator of one part is left out, else all are there, one-hot.
    """

    shared_offsets: bool = True
    reduced_indicators: bool = True


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of all units with more than one piece, flat, ordered by unit and t.

    `row` of the forms, `first` and `base` in t, number of offset `bits`, `group` of offset bits,
    `value` at base, `slope` for one step of t.
    """

    row: Ints
    first: Ints
    final: Ints
    base: Ints
    bits: Ints
    group: Ints
    value: FloatArray
    slope: FloatArray

    @property
    def group_bits(self) -> Ints:
        """Offset bits of each group."""
        sizes = np.zeros(int(self.group.max(initial=-1)) + 1, dtype=np.int64)
        np.maximum.at(sizes, self.group, self.bits)
        return sizes

    @property
    def place(self) -> Ints:
        """The number of each part within its unit."""
        return np.arange(len(self.row)) - np.searchsorted(self.row, self.row)


def cut(z: Forms, spline: GridSpline, layout: Layout) -> tuple[Parts, Ints]:
    """The parts of all units, and for each form its only piece, or -1 if it has several."""
    count = len(spline.starts)
    begin = np.ceil((spline.starts - z.low[:, np.newaxis]) / z.stride[:, np.newaxis])
    begin = np.maximum(begin.astype(np.int64), 0)
    begin[:, 0] = 0
    last = z.last[:, np.newaxis]
    end = np.minimum(np.hstack([begin[:, 1:] - 1, last]), last)
    kept = begin <= end
    several = kept.sum(axis=1) > 1
    only = np.where(several, -1, kept.argmax(axis=1))
    row, piece = np.nonzero(kept & several[:, np.newaxis])
    first, final = begin[row, piece], end[row, piece]
    leftmost, rightmost = first == 0, final == last[row, 0]
    outer = leftmost | rightmost
    pieces: list[tuple[Ints, Ints, Ints]] = [(np.flatnonzero(outer), first[outer], final[outer])]
    inner = np.flatnonzero(~outer)
    width = (final - first + 1)[inner]
    for k in range(int(width.max(initial=0)).bit_length()):
        chosen = inner[(width >> k) & 1 == 1]
        start = first[chosen] + ((width[(width >> k) & 1 == 1] >> (k + 1)) << (k + 1))
        pieces.append((chosen, start, start + (1 << k) - 1))
    origin, first, final = (np.concatenate(part) for part in zip(*pieces, strict=True))
    order = np.lexsort((first, row[origin]))
    origin, first, final = origin[order], first[order], final[order]
    row, piece, leftmost = row[origin], piece[origin], leftmost[origin]
    bits = np.frexp(np.maximum(final - first, 0).astype(np.float64))[1].astype(np.int64)
    base = np.where(leftmost, final - (np.int64(1) << bits) + 1, first)
    start = spline.starts[piece]
    at = z.low[row] + z.stride[row] * base
    value = spline.values[piece] + spline.slopes[piece] * (at - start)
    slope = spline.slopes[piece] * z.stride[row]
    if layout.shared_offsets:
        kinds = np.unique(spline.slopes, return_inverse=True)[1]
        _, group = np.unique(row * count + kinds[piece], return_inverse=True)
    else:
        group = np.arange(len(row))
    return Parts(row, first, final, base, bits, group.ravel(), value, slope), only


@dataclass(frozen=True, eq=False)
class Units:
    """Encoded units: their parts and where their bits are.

    `indicators` (num_parts,) are columns, -1 for a reference; `offsets` (num_groups,) the first
    column of each group's bits.
    """

    z: Forms
    parts: Parts
    indicators: Ints
    offsets: Ints

    def indicator_names(self, names: Sequence[str]) -> list[str]:
        """By column; `names` of the units."""
        explicit = self.indicators >= 0
        owners, places = self.parts.row[explicit].tolist(), self.parts.place[explicit].tolist()
        return [f"{names[row]}b{i}" for row, i in zip(owners, places, strict=True)]

    def offset_names(self, names: Sequence[str]) -> list[str]:
        """By column; a group of bits is called after the first part that uses it."""
        _, first = np.unique(self.parts.group, return_index=True)
        owners, places = self.parts.row[first].tolist(), self.parts.place[first].tolist()
        sizes = self.parts.group_bits.tolist()
        return [
            f"{names[row]}d{i}_{k}"
            for row, i, size in zip(owners, places, sizes, strict=True)
            for k in range(size)
        ]

    def complete(self, bits: Values) -> None:
        """Set these units' bits in `bits` (num_states, num_bits) from those that z depends on."""
        parts = self.parts
        if not len(parts.row):
            return
        z = self.z
        t = np.rint((z.at(bits) - z.low) / z.stride).astype(np.int64)
        span = int(z.last.max()) + 1
        rows = np.unique(parts.row)
        keys = parts.row * span + parts.first
        part = np.searchsorted(keys, t[:, rows] + rows * span, side="right") - 1
        delta = t[:, rows] - parts.base[part]
        bits[:, self.indicators[self.indicators >= 0]] = 0
        sizes = parts.group_bits
        bits[:, spans(self.offsets, sizes)] = 0
        state = np.broadcast_to(np.arange(len(part))[:, np.newaxis], part.shape)
        column = self.indicators[part]
        bits[state[column >= 0], column[column >= 0]] = 1
        for k in range(int(parts.bits.max(initial=0))):
            on = ((delta >> k) & 1 == 1) & (parts.bits[part] > k)
            bits[state[on], self.offsets[parts.group[part[on]]] + k] = 1


def place(z: Forms, parts: Parts, layout: Layout, first_column: int) -> Units:
    """The units of `parts`, their bits in columns from `first_column` on: indicators first."""
    indicators = np.full(len(parts.row), -1, dtype=np.int64)
    explicit = np.ones(len(parts.row), dtype=bool)
    if layout.reduced_indicators and len(parts.row):
        explicit[reference_parts(parts)] = False
    count = int(explicit.sum())
    indicators[explicit] = first_column + np.arange(count)
    sizes = parts.group_bits
    offsets = first_column + count + np.cumsum(sizes) - sizes
    return Units(z, parts, indicators, offsets)


def reference_parts(parts: Parts) -> Ints:
    """Of each unit the part with most offset bits, whose gates are then the plainest."""
    order = np.lexsort((parts.first, -parts.bits, parts.row))
    _, first = np.unique(parts.row[order], return_index=True)
    return np.asarray(order[first])


def outputs(units: Units, only: Ints, spline: GridSpline) -> Forms:
    """The forms spline(z): linear in the units' bits, or in z's own where one piece is left."""
    z, parts = units.z, units.parts
    constant, step = np.zeros(len(z)), np.zeros(len(z), dtype=np.int64)
    low, high = np.full(len(z), np.inf), np.full(len(z), -np.inf)
    explicit = units.indicators >= 0
    constant[parts.row[~explicit]] = parts.value[~explicit]
    sizes = parts.group_bits
    slope = np.zeros(len(sizes))
    slope[parts.group] = parts.slope
    owner = np.zeros(len(sizes), dtype=np.int64)
    owner[parts.group] = parts.row
    place_value = np.exp2(spans(np.zeros_like(sizes), sizes))
    rows = [parts.row[explicit], np.repeat(owner, sizes)]
    columns = [units.indicators[explicit], spans(units.offsets, sizes)]
    coefficients = [
        (parts.value - constant[parts.row])[explicit],
        np.repeat(slope, sizes) * place_value,
    ]
    for t in (parts.first, parts.final):
        ends = parts.value + parts.slope * (t - parts.base)
        np.minimum.at(low, parts.row, ends)
        np.maximum.at(high, parts.row, ends)
    single = np.flatnonzero(only >= 0)
    gain = np.zeros(len(z))
    gain[single] = spline.slopes[only[single]]
    start = spline.starts[only[single]]
    straight = spline.values[only[single]] + gain[single] * (z.constant[single] - start)
    constant[single] = straight
    ends = np.stack([spline(z.low[single]), spline(z.high[single])])
    low[single], high[single] = ends.min(axis=0), ends.max(axis=0)
    through = gain[z.rows] != 0
    rows.append(z.rows[through])
    columns.append(z.columns[through])
    coefficients.append((gain[z.rows] * z.coefficients)[through])
    # Values move by multiples of the gcd of all slopes and of the differences between parts.
    # (Of whole numbers; a loss is never the input of anything, so its step does not matter.)
    moves = np.concatenate([parts.value - low[parts.row], parts.slope, gain * z.step])
    owners = np.concatenate([parts.row, parts.row, np.arange(len(z))])
    np.gcd.at(step, owners, np.rint(np.abs(moves)).astype(np.int64))
    return build_forms(
        np.concatenate(rows),
        np.concatenate(columns),
        np.concatenate(coefficients),
        constant,
        low,
        high,
        step,
    )
