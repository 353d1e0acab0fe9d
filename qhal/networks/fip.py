"""Forward Interval Propagation: a network's forward pass over samples as constraints on bits.

Every sample's every unit has a whole pre-activation z that lies in an interval known in advance:
layer by layer, intervals and steps are propagated from the inputs. The spline's pieces within that
interval become indicator and offset bits (`qhal.networks.units`), in which the unit's value is
linear, without products; pieces out of reach are dropped, and a unit with one piece left needs no
bits at all. A deeper layer multiplies its weight bits with the bits of the activations before it,
each product a helper bit u = x y. (Our reading of arXiv:2506.18240.)
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.networks.encoded import Completion, EncodedNetwork, Products
from qhal.networks.forms import Forms, constants
from qhal.networks.gridspline import GridSpline, grid_splines
from qhal.networks.rows import RowBlocks
from qhal.networks.spec import Ints, NetworkSpec
from qhal.networks.sums import weighted_sums
from qhal.networks.units import Layout, Units, cut, outputs, place
from qhal.problems.arrays import FloatArray
from qhal.problems.qcbo import Qcbo
from qhal.tracing import span


@span("encoding")
def encode_network(
    spec: NetworkSpec,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    layout: Layout | None = None,
    deadline: float | None = None,
) -> EncodedNetwork:
    """The training problem of `spec`: its objective is the mean spline loss over the samples.

    Parameters
    ----------
    x : (num_samples, num_features) inputs
    y : (num_samples,) classes 0, 1, ..; for a regression targets, (num_samples,) or
        (num_samples, num_outputs)
    layout : which bits units get, see `Layout`
    deadline : the `time.perf_counter()` at which to give up, with an `InputError`

    Samples that are equal on the grid, with equal targets, are encoded once and weighted.
    """
    check_margins(spec)
    q = spec.grid(x)
    signs, shifts = spec.margins(y)
    if len(signs) != len(q) or not len(q):
        raise InputError(f"x has {len(q)} samples and y {len(signs)}: give as many, at least 1.")
    return Encoder(spec, layout or Layout(), deadline).encode(*distinct(q, signs, shifts))


def check_margins(spec: NetworkSpec) -> None:
    """Raise `InputError` if the loss is no sum of losses of margins, which is all that has bits."""
    if spec.loss.softmax and spec.num_outputs > 1:
        raise InputError(
            f"loss {spec.loss.name!r} joins the outputs, and a QCBO takes each against the rest: "
            "use another loss, as 'cross-entropy', or method 'sequential'."
        )


def distinct(q: Ints, signs: Ints, shifts: Ints) -> tuple[Ints, Ints, Ints, FloatArray]:
    """The different samples, in order of appearance, and the share of each, (k,)."""
    whole = np.hstack([q, signs, shifts])
    _, first, counts = np.unique(whole, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first)
    first, shares = first[order], counts[order] / len(q)
    return q[first], signs[first], shifts[first], shares


class Encoder:
    """Adds variables and rows, layer by layer."""

    def __init__(self, spec: NetworkSpec, layout: Layout, deadline: float | None) -> None:
        self.spec, self.layout, self.deadline = spec, layout, deadline
        self.splines = grid_splines(spec)
        self.names = parameter_names(spec)
        self.steps: list[Units | Products] = []
        self.rows = RowBlocks()
        self.counts = {"weights": len(self.names), "indicators": 0, "offsets": 0, "products": 0}

    def encode(self, q: Ints, signs: Ints, shifts: Ints, shares: FloatArray) -> EncodedNetwork:
        """The problem over samples `q` of the given shares, all parameters being free."""
        spec = self.spec
        values, start = constants(q.ravel()), 0
        for k, layer in enumerate(spec.layers):
            self._check_time()
            z = weighted_sums(values, layer, start, self.multiply)
            start += layer.num_bits
            if k < len(spec.hidden):
                values = self.units(z, self.splines.hidden[k], f"h{k}", len(q))
        objective = self.loss(z, signs, shifts, shares)
        return EncodedNetwork(spec, self.problem(*objective), dict(self.counts))

    def loss(
        self, z: Forms, signs: Ints, shifts: Ints, shares: FloatArray
    ) -> tuple[sp.csr_array, FloatArray, float]:
        """The mean loss of outputs `z`: quadratic and linear coefficients and offset."""
        margins = z.moved(signs.ravel(), shifts.ravel())
        weights = np.repeat(shares, self.spec.num_outputs)
        if self.spec.loss.quadratic:
            return self._squares(margins, weights)
        losses = self.units(margins, self.splines.loss, "loss", len(shares))
        n = len(self.names)
        linear, offset = losses.matrix(n).T @ weights, float(weights @ losses.constant)
        return sp.csr_array((n, n)), linear, offset

    def multiply(self, left: Ints, right: Ints) -> Ints:
        """Helper bits for products of bits; equal products share one."""
        n = len(self.names)
        products, helper = np.unique(left * n + right, return_inverse=True)
        left_bits, right_bits = np.divmod(products, n)
        columns = self._new(
            "products",
            [
                f"{self.names[a]}*{self.names[b]}"
                for a, b in zip(left_bits.tolist(), right_bits.tolist(), strict=True)
            ],
        )
        if len(columns):
            self.steps.append(Products(left_bits, right_bits, columns))
            self.rows.add_products(left_bits, right_bits, columns)
        return np.asarray(columns[helper.reshape(left.shape)])

    def units(self, z: Forms, spline: GridSpline, part: str, samples: int) -> Forms:
        """Encode spline(z): forms that are linear in the new bits."""
        self._check_time()
        width = len(z) // samples
        names = [f"s{s}{part}_{j}" for s in range(samples) for j in range(width)]
        parts, only = cut(z, spline, self.layout)
        units = place(z, parts, self.layout, len(self.names))
        self._new("indicators", units.indicator_names(names))
        self._new("offsets", units.offset_names(names))
        self.steps.append(units)
        self.rows.add_units(units, names, self.names)
        return outputs(units, only, spline)

    def _squares(
        self, margins: Forms, weights: FloatArray
    ) -> tuple[sp.csr_array, FloatArray, float]:
        """The weighted sum of (1 - margin)^2 as quadratic and linear coefficients and offset."""
        n, unit = len(self.names), self.spec.output_unit
        matrix = sp.csr_array(margins.matrix(n) / -unit)
        constant = 1.0 - margins.constant / unit
        square = sp.csr_array(matrix.T @ sp.diags_array(weights) @ matrix)
        linear = square.diagonal() + 2.0 * (matrix.T @ (weights * constant))
        return sp.csr_array(2.0 * sp.triu(square, k=1)), linear, float(weights @ constant**2)

    def _new(self, part: str, names: list[str]) -> Ints:
        """New variables; their columns."""
        start = len(self.names)
        self.names += names
        self.counts[part] += len(names)
        return np.arange(start, start + len(names))

    def problem(self, quadratic: sp.csr_array, linear: FloatArray, offset: float) -> Qcbo:
        """Everything added so far, as a problem."""
        n = len(self.names)
        return Qcbo(
            quadratic,
            linear,
            offset,
            self.rows.build(n),
            np.zeros(n, dtype=np.int64),
            np.ones(n, dtype=np.int64),
            tuple(self.names),
            Completion(tuple(self.steps)),
        )

    def _check_time(self) -> None:
        if self.deadline is not None and time.perf_counter() > self.deadline:
            raise InputError(
                "the time limit passed while the network was being encoded: train on fewer "
                "samples, or allow more time."
            )


def parameter_names(spec: NetworkSpec) -> list[str]:
    """The parameter bits: ``w<layer>_<output>_<input>_<bit>``, ``b<layer>_<output>_<bit>``."""
    names = []
    for k, layer in enumerate(spec.layers):
        names += [
            f"w{k}_{o}_{i}_{b}"
            for o in range(layer.outputs)
            for i in range(layer.inputs)
            for b in range(layer.weights.num_bits)
        ]
        names += [
            f"b{k}_{o}_{b}" for o in range(layer.outputs) for b in range(layer.biases.num_bits)
        ]
    return names
