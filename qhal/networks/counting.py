"""How many spins an encoding takes, by formula: nothing is built.

A unit whose z takes the values low + step t, t = 0 .. last, needs parts - 1 indicators and, for
each group of parts of equal slope, as many offset bits as its widest part. An outer piece is one
part with bits(W - 1) offset bits, W its width in t and bits(n) the length of n in binary; an inner
one is cut into powers of two, one part for each 1 in the binary W, with log2 of its width in bits.
A weight bit times an activation costs one product for each bit in which the activation is linear.
(Plain loops, on purpose: tests hold the vectorised encoder against them.)
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable
from itertools import pairwise
from typing import NamedTuple

import numpy.typing as npt

from qhal.networks.fip import check_margins, distinct
from qhal.networks.gridspline import GridSpline, grid_splines
from qhal.networks.spec import LayerSpec, NetworkSpec
from qhal.networks.units import Layout

Terms = dict[Hashable, float]  # coefficients, none of them 0


class _Value(NamedTuple):
    """``constant + coefficients of bits``, one of low, low + step, .., high."""

    low: int
    high: int
    step: int
    constant: float
    bits: Terms


def count_spins(
    spec: NetworkSpec, x: npt.ArrayLike, y: npt.ArrayLike, *, layout: Layout | None = None
) -> dict[str, int]:
    """Binary variables of `encode_network(spec, x, y, layout=layout)`, by part.

    Keys: weights, indicators, offsets, products. (There is no slack: an encoding has none.)
    """
    check_margins(spec)
    form = layout or Layout()
    splines = grid_splines(spec)
    counts = Counter({"weights": spec.num_weight_bits})
    products: set[Hashable] = set()
    q, signs, shifts, _ = distinct(spec.grid(x), *spec.margins(y))
    for s in range(len(q)):
        values = [_Value(v, v, 0, v, {}) for v in q[s].tolist()]
        for k, layer in enumerate(spec.layers):
            limits = _sum_range(layer, values)
            sums = [
                _Value(*limits, *_sum_terms(layer, k, j, values, products))
                for j in range(layer.outputs)
            ]
            if k < len(spec.hidden):
                values = [
                    _unit(z, splines.hidden[k], form, (s, k, j), counts) for j, z in enumerate(sums)
                ]
        for z, sign, shift in zip(sums, signs[s].tolist(), shifts[s].tolist(), strict=True):
            ends = sorted((sign * z.low, sign * z.high))
            if not spec.loss.quadratic:
                margin = _Value(ends[0] + shift, ends[1] + shift, z.step, 0, {})
                _unit(margin, splines.loss, form, (), counts)
    counts["products"] = len(products)
    return {part: counts[part] for part in ("weights", "indicators", "offsets", "products")}


def _sum_range(layer: LayerSpec, values: list[_Value]) -> tuple[int, int, int]:
    """Low, high and step of w'a + bias over all weights, biases and values."""
    levels = layer.weights.levels.tolist()
    biases = layer.biases.levels.tolist()
    low, high, steps = biases[0], biases[-1], [layer.biases.step]
    for value in values:
        ends = [w * a for w in (levels[0], levels[-1]) for a in (value.low, value.high)]
        low, high = low + min(ends), high + max(ends)
        steps += [w * value.step for w in levels]
        steps += [(b - a) * value.low for a, b in pairwise(levels)]
    return low, high, math.gcd(*steps)


def _sum_terms(
    layer: LayerSpec, k: int, j: int, values: list[_Value], products: set[Hashable]
) -> tuple[float, Terms]:
    """Output j of layer k as constant and terms; `products` takes the products that it needs."""
    code, constant = layer.weights, float(layer.biases.base)
    terms: defaultdict[Hashable, float] = defaultdict(float)
    for b, power in enumerate(layer.biases.powers):
        terms["bias", k, j, b] = power
    for i, value in enumerate(values):
        constant += code.base * value.constant
        for bit, coefficient in value.bits.items():
            terms[bit] += code.base * coefficient
        for b, power in enumerate(code.powers):
            weight = ("weight", k, j, i, b)
            terms[weight] += power * value.constant
            for bit, coefficient in value.bits.items():
                products.add((weight, bit))
                terms[weight, bit] += power * coefficient
    return constant, {bit: value for bit, value in terms.items() if value}


def _unit(
    z: _Value, spline: GridSpline, layout: Layout, name: Hashable, counts: Counter[str]
) -> _Value:
    """What spline(z) is; `counts` takes the unit's indicators and offset bits."""
    step = max(1, z.step)
    last = (z.high - z.low) // step
    starts = [max(0, math.ceil((start - z.low) / step)) for start in spline.starts.tolist()]
    starts[0] = 0
    pieces = [
        (i, a, min(b - 1, last))
        for i, (a, b) in enumerate(pairwise([*starts, last + 1]))
        if a <= min(b - 1, last)
    ]
    ends = [float(spline(z.low + step * t)) for _, a, b in pieces for t in (a, b)]
    low, high = min(ends), max(ends)
    if len(pieces) == 1:
        i, slope = pieces[0][0], float(spline.slopes[pieces[0][0]])
        constant = float(spline.values[i] + slope * (z.constant - int(spline.starts[i])))
        terms = {bit: slope * value for bit, value in z.bits.items()} if slope else {}
        return _Value(*_whole(low, high, [slope * z.step]), constant, terms)
    parts = [part for piece in pieces for part in _parts(*piece, last)]
    groups: dict[Hashable, int] = {}
    for number, (i, _, _, bits) in enumerate(parts):
        group = float(spline.slopes[i]) if layout.shared_offsets else number
        groups[group] = max(groups.get(group, 0), bits)
    counts["indicators"] += len(parts) - layout.reduced_indicators
    counts["offsets"] += sum(groups.values())
    return _value_of_parts(z, spline, layout, name, parts, groups, (low, high))


_Part = tuple[int, int, int, int]  # piece, first t, base in t, offset bits


def _parts(piece: int, first: int, final: int, last: int) -> list[_Part]:
    if first == 0 or final == last:
        bits = (final - first).bit_length()
        return [(piece, first, final - 2**bits + 1 if first == 0 else first, bits)]
    parts, width = [], final - first + 1
    for bits in reversed(range(width.bit_length())):
        if width >> bits & 1:
            parts.append((piece, first, first, bits))
            first += 1 << bits
    return parts


def _value_of_parts(
    z: _Value,
    spline: GridSpline,
    layout: Layout,
    name: Hashable,
    parts: list[_Part],
    groups: dict[Hashable, int],
    ends: tuple[float, float],
) -> _Value:
    """The unit's value: which bits move it, and in what steps."""
    step = max(1, z.step)
    slopes = [float(spline.slopes[i]) for i, *_ in parts]
    values = [
        float(spline.values[i] + slope * (z.low + step * base - int(spline.starts[i])))
        for (i, _, base, _), slope in zip(parts, slopes, strict=True)
    ]
    reference = max(range(len(parts)), key=lambda n: parts[n][3])
    zero = values[reference] if layout.reduced_indicators else 0.0
    terms: Terms = {(name, "part", n): v - zero for n, v in enumerate(values) if v != zero}
    if layout.reduced_indicators:
        terms.pop((name, "part", reference), None)
    for n, slope in enumerate(slopes):
        group = slope if layout.shared_offsets else n
        if slope:
            terms |= {(name, "offset", group, k): slope * step * 2**k for k in range(groups[group])}
    moves = [value - ends[0] for value in values] + [slope * step for slope in slopes]
    return _Value(*_whole(*ends, moves), zero, terms)


def _whole(low: float, high: float, moves: list[float]) -> tuple[int, int, int]:
    return round(low), round(high), math.gcd(*(round(abs(move)) for move in moves))
