"""W a + bias for whole numbers a that are linear in bits, and weights that are bits themselves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from qhal.networks.forms import Forms, build_forms
from qhal.networks.spec import Ints, LayerSpec
from qhal.problems.arrays import FloatArray

# Columns of x and y to columns of u = x y, all of one shape.
Multiply = Callable[[Ints, Ints], Ints]


def weighted_sums(values: Forms, layer: LayerSpec, start: int, multiply: Multiply) -> Forms:
    """The pre-activations of `layer`, forms (samples * outputs) from forms (samples * inputs).

    The layer's parameter bits begin at column `start`: for each output and input the bits of a
    weight, then for each output those of its bias.
    """
    code, fan_in, fan_out = layer.weights, layer.inputs, layer.outputs
    powers = np.array(code.powers, dtype=np.float64)
    sample, place = np.divmod(np.arange(len(values)), fan_in)
    # Axes: value or term, output, bit of a weight.
    output, bit = np.arange(fan_out)[:, np.newaxis], np.arange(code.num_bits)
    row = sample[:, np.newaxis, np.newaxis] * fan_out + output
    weight = start + (output * fan_in + place[:, np.newaxis, np.newaxis]) * code.num_bits + bit
    of_term = values.rows
    column = values.columns[:, np.newaxis, np.newaxis]
    gain = values.coefficients[:, np.newaxis, np.newaxis]
    helpers = multiply(weight[of_term], np.broadcast_to(column, weight[of_term].shape))
    every = np.arange(len(values) // fan_in * fan_out)[:, np.newaxis]
    bias = layer.biases
    bias_start = start + fan_out * fan_in * code.num_bits
    bias_bits = bias_start + every % fan_out * bias.num_bits + np.arange(bias.num_bits)
    terms = (
        _flat(row[of_term], helpers, gain * powers),
        _flat(row[of_term], column, gain * code.base),
        _flat(row, weight, values.constant[:, np.newaxis, np.newaxis] * powers),
        _flat(every, bias_bits, np.array(bias.powers, dtype=np.float64)),
    )
    rows, columns, coefficients = (np.concatenate(part) for part in zip(*terms, strict=True))
    low, high, step = _range(values, layer)
    constant = code.base * values.constant.reshape(-1, fan_in).sum(axis=1) + bias.base
    constant, low, high = (np.repeat(part, fan_out) for part in (constant, low, high))
    return build_forms(rows, columns, coefficients, constant, low, high, np.repeat(step, fan_out))


def _range(values: Forms, layer: LayerSpec) -> tuple[FloatArray, FloatArray, Ints]:
    """The interval and the steps of a sample's sums, (samples,) each: the same for all outputs."""
    code, bias, shape = layer.weights, layer.biases, (-1, layer.inputs)
    extremes = (code.levels[0], code.levels[-1])
    ends = np.stack([weight * end for weight in extremes for end in (values.low, values.high)])
    low = ends.min(axis=0).reshape(shape).sum(axis=1) + bias.levels[0]
    high = ends.max(axis=0).reshape(shape).sum(axis=1) + bias.levels[-1]
    # With a = lo + g t and w = base + p s, w a = base lo + base g t + p lo s + p g s t.
    first = np.rint(values.low).astype(np.int64)
    moves = np.stack([code.base * values.step, code.step * first, code.step * values.step])
    step = np.gcd.reduce(np.abs(moves), axis=0).reshape(shape)
    return low, high, np.gcd(np.gcd.reduce(step, axis=1), bias.step)


def _flat(rows: Ints, columns: Ints, coefficients: FloatArray) -> tuple[Ints, Ints, FloatArray]:
    """The three broadcast to one shape, flat."""
    parts: list[npt.NDArray[np.generic]] = list(np.broadcast_arrays(rows, columns, coefficients))
    return parts[0].ravel(), parts[1].ravel(), parts[2].ravel()  # type: ignore[return-value]
