"""Forward Interval Propagation when only a block of the parameters is free.

The rest of the network is held, so it costs no bits: layers before the block are constants, and of
the layers after it only what the block can still move is encoded, with the intervals that it can
reach. The problem is exact for every loss, through the loss's spline; for the squared loss, which
needs none, the held part of each output is simply a part of its target. (Our reading of
arXiv:2506.18240, as is `qhal.networks.fip`, whose parts this puts together differently.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qhal.networks.fip import Encoder, check_margins, distinct
from qhal.networks.forms import Forms, build_forms, constants
from qhal.networks.spec import Ints, NetworkSpec
from qhal.networks.sums import Multiply
from qhal.networks.units import Layout
from qhal.problems.arrays import FloatArray
from qhal.problems.encoding import encode
from qhal.problems.qcbo import Qcbo
from qhal.training.blocks import Block, Parameters


def encode_block(
    spec: NetworkSpec, parameters: Parameters, block: Block, x: Ints, y: npt.ArrayLike
) -> Qcbo:
    """Minimise the mean spline loss over samples by the bits of `block`, the others being held.

    `x` (num_samples, num_features) are on the grid already; `y` as for `encode_network`. The first
    ``block.num_bits`` variables are those of the block, the others follow (`completion`).
    """
    check_margins(spec)
    signs, shifts = spec.margins(y)
    encoder = _BlockEncoder(spec, parameters, block)
    return encoder.problem_of(*distinct(np.asarray(x, dtype=np.int64), signs, shifts))


def encode_what_fits(
    spec: NetworkSpec,
    parameters: Parameters,
    block: Block,
    x: npt.NDArray[np.integer],
    y: npt.NDArray[np.generic],
    max_variables: int,
) -> tuple[Qcbo | None, int]:
    """`encode_block` over as many of the first samples as `max_variables` bits have room for.

    And how many these are; None and 0 if not even one fits.
    """
    kept = len(y)
    while kept > 0:
        problem = encode_block(spec, parameters, block, x[:kept].astype(np.int64), y[:kept])
        excess = encode(problem).num_bits - max_variables
        if excess <= 0:
            return problem, kept
        per_sample = max(1, (problem.num_variables - block.num_bits) // kept)
        kept -= max(1, excess // per_sample)
    return None, 0


@dataclass(frozen=True, eq=False)
class _Mixed:
    """A layer with held and free parameters.

    `base` (outputs, inputs + 1) are the held numbers, or the code's base where free; `first` the
    column of a free parameter's first bit, -1 where held.
    """

    base: FloatArray
    first: Ints
    powers: tuple[tuple[int, ...], tuple[int, ...]]  # of a weight's bits, of a bias's

    def sums(self, values: Forms, multiply: Multiply) -> Forms:
        """The pre-activations (samples * outputs) from forms (samples * inputs)."""
        fan_out, fan_in = self.first.shape[0], self.first.shape[1] - 1
        weights = self.base[:, :-1]
        inputs = values.constant.reshape(-1, fan_in)
        samples = len(inputs)
        terms = [self._held(values, fan_in), self._moved(values, fan_in, multiply)]
        output, place = np.nonzero(self.first[:, :-1] >= 0)
        powers = np.array(self.powers[0], dtype=np.float64)
        every = np.arange(samples)[:, np.newaxis, np.newaxis]
        terms.append(
            _flat(
                every * fan_out + output[:, np.newaxis],
                self.first[output, place][:, np.newaxis] + np.arange(len(powers)),
                inputs[:, place, np.newaxis] * powers,
            )
        )
        biased = np.flatnonzero(self.first[:, -1] >= 0)
        powers = np.array(self.powers[1], dtype=np.float64)
        terms.append(
            _flat(
                every * fan_out + biased[:, np.newaxis],
                self.first[biased, -1][:, np.newaxis] + np.arange(len(powers)),
                powers,
            )
        )
        rows, columns, coefficients = (np.concatenate(part) for part in zip(*terms, strict=True))
        constant = (inputs @ weights.T + self.base[:, -1]).ravel()
        low, high, step = self._range(values, fan_in)
        return build_forms(rows, columns, coefficients, constant, low, high, step)

    def _held(self, values: Forms, fan_in: int) -> tuple[Ints, Ints, FloatArray]:
        """Terms of the values times what is known of the weights."""
        sample, place = np.divmod(values.rows, fan_in)
        outputs = np.arange(len(self.base))
        return _flat(
            sample[:, np.newaxis] * len(outputs) + outputs,
            values.columns[:, np.newaxis],
            values.coefficients[:, np.newaxis] * self.base[:, :-1].T[place],
        )

    def _moved(
        self, values: Forms, fan_in: int, multiply: Multiply
    ) -> tuple[Ints, Ints, FloatArray]:
        """Terms of the values times free weights: products of bits."""
        sample, place = np.divmod(values.rows, fan_in)
        term, output = np.nonzero(self.first[:, :-1].T[place] >= 0)
        powers = np.array(self.powers[0], dtype=np.float64)
        bits = self.first[output, place[term]][:, np.newaxis] + np.arange(len(powers))
        columns = np.broadcast_to(values.columns[term][:, np.newaxis], bits.shape)
        rows = (sample[term] * len(self.base) + output)[:, np.newaxis]
        return _flat(rows, multiply(bits, columns), values.coefficients[term, np.newaxis] * powers)

    def _range(self, values: Forms, fan_in: int) -> tuple[FloatArray, FloatArray, Ints]:
        """Interval and steps of each sum, (samples * outputs,)."""
        shape = (-1, 1, fan_in)
        low, high, step = (part.reshape(shape) for part in (values.low, values.high, values.step))
        free = self.first >= 0
        reach, pace = (np.where(free, part, 0) for part in self._spans())
        ends = [
            weight * end
            for weight in (self.base[:, :-1], self.base[:, :-1] + reach[:, :-1])
            for end in (low, high)
        ]
        lows = np.minimum.reduce(ends).sum(axis=2) + self.base[:, -1]
        highs = np.maximum.reduce(ends).sum(axis=2) + self.base[:, -1] + reach[:, -1]
        # With a = low + g t and w = base + p s: w a = base low + base g t + p low s + p g s t.
        base, first = self.base[:, :-1].astype(np.int64), np.rint(low).astype(np.int64)
        moves = np.abs(
            np.stack(
                [
                    base * step,
                    pace[:, :-1] * first,
                    np.broadcast_to(pace[:, :-1] * step, first.shape[:1] + base.shape),
                ]
            )
        )
        steps = np.gcd.reduce(np.gcd.reduce(moves, axis=0), axis=2)
        return lows.ravel(), highs.ravel(), np.gcd(steps, pace[:, -1]).ravel()

    def _spans(self) -> tuple[Ints, Ints]:
        """How far a free parameter reaches from its base, and in what steps, as `first`."""
        spans, steps = np.zeros_like(self.first), np.zeros_like(self.first)
        for where, powers in ((np.s_[:, :-1], self.powers[0]), (np.s_[:, -1], self.powers[1])):
            spans[where] = sum(powers)
            steps[where] = np.gcd.reduce(np.array([0, *powers], dtype=np.int64))
        return spans, steps


class _BlockEncoder(Encoder):
    """Adds variables and rows, layer by layer; the parameters' bits are those of the block."""

    def __init__(self, spec: NetworkSpec, parameters: Parameters, block: Block) -> None:
        super().__init__(spec, Layout(), None)
        self.names = [f"p{k}" for k in range(block.num_bits)]
        self.counts["weights"] = block.num_bits
        self.layers = _mixed_layers(spec, parameters, block)

    def problem_of(self, q: Ints, signs: Ints, shifts: Ints, shares: FloatArray) -> Qcbo:
        """The problem over samples `q` of the given shares."""
        values = constants(q.ravel())
        for k, layer in enumerate(self.layers):
            z = layer.sums(values, self.multiply)
            if k < len(self.spec.hidden):
                values = self.units(z, self.splines.hidden[k], f"h{k}", len(q))
        return self.problem(*self.loss(z, signs, shifts, shares))


def _mixed_layers(spec: NetworkSpec, parameters: Parameters, block: Block) -> list[_Mixed]:
    bases = [part.astype(np.float64) for part in parameters]
    firsts = [np.full(part.shape, -1, dtype=np.int64) for part in parameters]
    column = 0
    codes = iter(block.codes)
    for group in block.groups:
        for place in group.columns:
            code = next(codes)
            if code.num_bits:
                bases[group.layer][group.unit, place] = code.base
                firsts[group.layer][group.unit, place] = column
            column += code.num_bits
    return [
        _Mixed(base, first, (layer.weights.powers, layer.biases.powers))
        for base, first, layer in zip(bases, firsts, spec.layers, strict=True)
    ]


def _flat(rows: Ints, columns: Ints, coefficients: FloatArray) -> tuple[Ints, Ints, FloatArray]:
    """The three broadcast to one shape, flat."""
    shape = np.broadcast_shapes(rows.shape, columns.shape, coefficients.shape)
    wide = [np.broadcast_to(part, shape).ravel() for part in (rows, columns)]
    return wide[0], wide[1], np.broadcast_to(coefficients, shape).ravel()
