"""Forward Interval Propagation: a network's forward pass over samples as constraints on bits.

Every sample's every unit has a whole pre-activation z that is linear in bits and lies in an
interval [low, high] known in advance. Its spline pieces within that interval get one-hot indicators
beta_i and gated offsets delta_i with bits d_ik:

    z = sum_i (beta_i M_i + delta_i),   sum_i beta_i = 1,   d_ik (1 - beta_i) = 0,

so the value sum_i (beta_i v_i + slope_i delta_i) is linear in the bits, without products. Offsets
are in plain binary, which makes the auxiliary bits unique: an inner piece is cut into widths that
are powers of two, and the outer two count from their inner ends (range-fitted bits would represent
some offsets twice). Pieces out
of reach are dropped; a unit with one piece left needs no bits at all. (Our reading of
arXiv:2506.18240; z moves in steps of g, so offsets count steps.)
"""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.networks.encoded import (
    Completion,
    EncodedNetwork,
    Linear,
    Products,
    Unit,
    add_up,
)
from qhal.networks.gridspline import GridSpline, activation_spline, loss_spline, output_reach
from qhal.networks.spec import Ints, NetworkSpec
from qhal.problems.arrays import FloatArray
from qhal.problems.constraints import ConstraintRows
from qhal.problems.qcbo import Qcbo


def encode_network(spec: NetworkSpec, x: FloatArray, y: Ints) -> EncodedNetwork:
    """The training problem of `spec`.

    `x` are the inputs, (N, num_features), and `y` their classes, (N,) in {0, 1}. Its size is in
    `EncodedNetwork.num_spins`; samples with equal quantised inputs are encoded apart.
    """
    q, labels = spec.grid(x), np.asarray(y)
    if labels.shape != (len(q),) or not np.isin(labels, (0, 1)).all():
        raise InputError(f"y must hold a class, 0 or 1, for each of the {len(q)} samples.")
    return _Encoder(spec).encode(q, 2 * labels.astype(np.int64) - 1)


class _Encoder:
    """Adds variables and rows sample by sample."""

    def __init__(self, spec: NetworkSpec) -> None:
        self.spec = spec
        self.names = _parameter_names(spec)
        self.steps: list[Unit | Products] = []
        self.rows: list[tuple[Ints, FloatArray, float, str]] = []
        self.gates: list[tuple[int, int]] = []
        self.linear: dict[int, float] = {}
        self.pairs: dict[tuple[int, int], float] = {}
        self.offset = 0.0
        self.counts = {"weights": len(self.names), "indicators": 0, "offsets": 0, "products": 0}

    def encode(self, q: Ints, y: Ints) -> EncodedNetwork:
        spec = self.spec
        loss = None if spec.loss.quadratic else loss_spline(spec, output_reach(spec))
        activation = activation_spline(spec) if len(spec.layers) == 2 else None
        for s in range(len(q)):
            units = [self._pre_activation(q[s], j) for j in range(spec.layers[0].outputs)]
            if activation is None:
                output = units[0]
            else:
                hidden = [self._unit(z, activation, f"s{s}h{j}") for j, z in enumerate(units)]
                output = self._output(hidden, f"s{s}")
            margin = output.times(float(y[s]))
            if loss is None:
                self._add_square(margin, 1.0 / len(q))
            else:
                self._add_objective(self._unit(margin, loss, f"s{s}loss"), 1.0 / len(q))
        return EncodedNetwork(spec, self._problem(), dict(self.counts))

    def _pre_activation(self, q: Ints, j: int) -> Linear:
        """w_j'q + bias as a sum over parameter bits: each bit adds 0 or twice its power."""
        layer = self.spec.layers[0]
        weight_powers = powers(layer.weight_bits)
        active = np.flatnonzero(q)
        first = (j * layer.inputs + active[:, np.newaxis]) * layer.weight_bits
        columns = (first + np.arange(layer.weight_bits)).ravel()
        coefficients = (2.0 * q[active][:, np.newaxis] * weight_powers).ravel()
        bias_powers = 2.0 * layer.bias_step * 2.0 ** np.arange(layer.bias_bits)
        start = layer.outputs * layer.inputs * layer.weight_bits + j * layer.bias_bits
        columns = np.concatenate([columns, start + np.arange(layer.bias_bits)])
        coefficients = np.concatenate([coefficients, bias_powers])
        reach = float(coefficients.sum()) / 2
        step = math.gcd(*coefficients.astype(np.int64).tolist()) or 1
        return Linear(columns.astype(np.int64), coefficients, -reach, -reach, reach, step)

    def _unit(self, z: Linear, spline: GridSpline, name: str) -> Linear:
        """Encode spline(z); the result is linear in the unit's new bits (or in z's own)."""
        low, last = round(z.low), round((z.high - z.low) / z.step)
        starts = np.ceil((spline.starts - low) / z.step).astype(np.int64)
        # Piece i covers t in [starts[i], starts[i+1]); the first one reaches down to t = 0.
        begin = np.maximum(starts, 0)
        begin[0] = 0
        end = np.minimum(np.append(starts[1:], last + 1) - 1, last)
        kept = np.flatnonzero(begin <= end)
        first, final = begin[kept], end[kept]
        if len(kept) == 1:
            base = spline(low + z.step * first)
            return _within(z, float(base[0]), float(spline.slopes[kept[0]] * z.step), last)
        first, final = _split(first, final)
        # The outer pieces count inward from their inner ends: what overflows is out of z's reach.
        inner = np.concatenate([final[:1], first[1:]])
        sign = np.where(np.arange(len(first)) == 0, -1, 1).astype(np.int64)
        widths = [int(span).bit_length() for span in final - first]
        indicators = self._new(len(first), "indicators", f"{name}b")
        offsets = tuple(
            self._new(width, "offsets", f"{name}p{i}d") for i, width in enumerate(widths)
        )
        unit = Unit(z, first, inner, sign, indicators, offsets)
        self.steps.append(unit)
        self._constrain(unit, name)
        at_first, at_final = (spline(low + z.step * t) for t in (first, final))
        values = spline(low + z.step * inner)
        piece = np.searchsorted(starts[1:], first, side="right")
        slopes = spline.slopes[piece] * z.step * sign
        columns: list[Ints] = [indicators]
        coefficients: list[FloatArray] = [values]
        for slope, bits in zip(slopes, offsets, strict=True):
            columns.append(bits)
            coefficients.append(float(slope) * powers(len(bits)))
        ends = np.concatenate([at_first, at_final])
        return Linear(
            np.concatenate(columns),
            np.concatenate(coefficients),
            0.0,
            float(ends.min()),
            float(ends.max()),
            _common_step(values, slopes),
        )

    def _constrain(self, unit: Unit, name: str) -> None:
        """t = sum_i (beta_i base_i + sign_i delta_i), one piece, offsets only in that piece."""
        z = unit.z
        columns = [z.columns, unit.indicators, *unit.offsets]
        coefficients = [z.coefficients / z.step, -unit.base.astype(np.float64)]
        for i, bits in enumerate(unit.offsets):
            coefficients.append(-float(unit.sign[i]) * powers(len(bits)))
            self.gates += [(int(bit), int(unit.indicators[i])) for bit in bits]
        side = (z.low - z.constant) / z.step
        self.rows.append((np.concatenate(columns), np.concatenate(coefficients), side, f"{name}z"))
        ones = np.ones(len(unit.indicators))
        self.rows.append((unit.indicators, ones, 1.0, f"{name}one"))

    def _output(self, hidden: list[Linear], name: str) -> Linear:
        """The weighted sum of the hidden activations."""
        layer = self.spec.layers[1]
        if layer.fixed:
            return add_up(hidden)
        start = self.spec.layers[0].num_bits
        return add_up(
            [
                self._signed(
                    activation, start + j * layer.weight_bits + k, 2.0**k, f"{name}v{j}k{k}"
                )
                for j, activation in enumerate(hidden)
                for k in range(layer.weight_bits)
            ]
        )

    def _signed(self, activation: Linear, bit: int, power: float, name: str) -> Linear:
        """power (2 b - 1) a = power (2 sum c (b x) + 2 constant b - sum c x - constant)."""
        used = np.flatnonzero(activation.coefficients)
        inner, c = activation.columns[used], activation.coefficients[used]
        helpers = self._new(len(inner), "products", f"{name}u")
        self.steps.append(Products(np.full(len(inner), bit), inner, helpers))
        reach = power * max(abs(activation.low), abs(activation.high))
        return Linear(
            np.concatenate([helpers, inner, [bit]]).astype(np.int64),
            power * np.concatenate([2 * c, -c, [2 * activation.constant]]),
            -power * activation.constant,
            -reach,
            reach,
            math.gcd(int(power * activation.step), int(2 * reach)) or 1,
        )

    def _new(self, count: int, part: str, name: str) -> Ints:
        """`count` new variables."""
        start = len(self.names)
        self.names += [f"{name}{k}" for k in range(count)]
        self.counts[part] += count
        return np.arange(start, start + count, dtype=np.int64)

    def _add_objective(self, value: Linear, weight: float) -> None:
        self.offset += weight * value.constant
        for column, coefficient in zip(value.columns.tolist(), value.coefficients, strict=True):
            self.linear[column] = self.linear.get(column, 0.0) + weight * float(coefficient)

    def _add_square(self, margin: Linear, weight: float) -> None:
        """weight (1 - margin / output_unit)^2."""
        c = -margin.coefficients / self.spec.output_unit
        constant = 1.0 - margin.constant / self.spec.output_unit
        columns = margin.columns.tolist()
        self.offset += weight * constant**2
        for a, i in enumerate(columns):
            own = weight * float(c[a] ** 2 + 2 * constant * c[a])
            self.linear[i] = self.linear.get(i, 0.0) + own
            for b in range(a + 1, len(columns)):
                pair = (min(i, columns[b]), max(i, columns[b]))
                term = 2 * weight * float(c[a] * c[b])
                self.pairs[pair] = self.pairs.get(pair, 0.0) + term

    def _problem(self) -> Qcbo:
        n = len(self.names)
        rows = ConstraintRows(n)
        if self.rows:
            columns, coefficients, sides, labels = zip(*self.rows, strict=True)
            starts = np.concatenate([[0], np.cumsum([len(c) for c in columns])])
            data, indices = np.concatenate(coefficients), np.concatenate(columns)
            matrix = sp.csr_array((data, indices, starts), shape=(len(sides), n))
            rows.add_linear(matrix, "==", np.array(sides), list(labels))
        for bit, gate in self.gates:
            line = sp.csr_array(([1.0], ([0], [bit])), shape=(1, n))
            rows.add_terms([(bit, gate, -1.0)], line, "==", 0.0, f"gate{bit}")
        for step in self.steps:
            if isinstance(step, Products):
                self._add_product_rows(rows, step, n)
        linear = np.zeros(n)
        linear[list(self.linear)] = list(self.linear.values())
        low, high = np.array(list(self.pairs), dtype=np.int64).reshape(-1, 2).T
        pairs = sp.coo_array((list(self.pairs.values()), (low, high)), shape=(n, n))
        return Qcbo(
            sp.csr_array(pairs),
            linear,
            self.offset,
            rows.build(),
            np.zeros(n, dtype=np.int64),
            np.ones(n, dtype=np.int64),
            tuple(self.names),
            Completion(tuple(self.steps)),
        )

    def _add_product_rows(self, rows: ConstraintRows, step: Products, n: int) -> None:
        """u = x y as 3u + xy - 2ux - 2uy = 0, which is never negative (Rosenberg 1975)."""
        for x, y, u in zip(
            step.left.tolist(), step.right.tolist(), step.columns.tolist(), strict=True
        ):
            line = sp.csr_array(([3.0], ([0], [u])), shape=(1, n))
            terms = [(x, y, 1.0), (u, x, -2.0), (u, y, -2.0)]
            rows.add_terms(terms, line, "==", 0.0, f"product{u}")


def powers(count: int) -> FloatArray:
    """1, 2, 4, ... as floats, shape (count,)."""
    return np.asarray(2.0 ** np.arange(count))


def _split(first: Ints, final: Ints) -> tuple[Ints, Ints]:
    """Cut inner pieces into widths that are powers of two, so that offset bits are unique."""
    begin, end = [int(first[0])], [int(final[0])]
    for a, b in zip(first[1:-1].tolist(), final[1:-1].tolist(), strict=True):
        while a <= b:
            width = 1 << ((b - a + 1).bit_length() - 1)
            begin.append(a)
            end.append(a + width - 1)
            a += width
    return np.array([*begin, int(first[-1])]), np.array([*end, int(final[-1])])


def _within(z: Linear, value: float, slope: float, last: int) -> Linear:
    """value + slope t for a unit with one piece, t = (z - low) / step in 0 .. last."""
    factor = slope / z.step
    low, high = sorted((value, value + slope * last))
    constant = value + factor * (z.constant - z.low)
    step = _common_step(np.array([value]), np.array([slope]))
    return Linear(z.columns, factor * z.coefficients, constant, low, high, step)


def _common_step(values: FloatArray, slopes: FloatArray) -> int:
    """The gcd of all differences between the values a unit can take, if they are whole; else 1."""
    steps = np.concatenate([np.diff(values), slopes])
    if not (steps == np.round(steps)).all():
        return 1
    return math.gcd(*np.abs(steps).astype(np.int64).tolist()) or 1


def _parameter_names(spec: NetworkSpec) -> list[str]:
    names = []
    for k, layer in enumerate(spec.layers):
        if layer.fixed:
            continue
        names += [
            f"w{k}_{o}_{i}_{b}"
            for o in range(layer.outputs)
            for i in range(layer.inputs)
            for b in range(layer.weight_bits)
        ]
        names += [f"b{k}_{o}_{b}" for o in range(layer.outputs) for b in range(layer.bias_bits)]
    return names
