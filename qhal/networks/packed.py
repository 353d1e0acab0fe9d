"""Inference with packed bits: a 1-bit layer as XNOR and popcount.

With signs w = 2 b - 1 and inputs q = sum_k 2^k q_k in bit planes,
w'q = sum_k 2^k (2 popcount(b AND q_k) - popcount(q_k)). For inputs +-1 in one plane this is the
XNOR of binary networks (Rastegari et al., XNOR-Net, 2016), up to the constant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError
from qhal.networks.gridspline import GridSpline
from qhal.networks.network import Network
from qhal.networks.spec import Ints
from qhal.problems.arrays import FloatArray

_WORD = 64
_CHUNK = 2**15  # results at a time
Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """A layer of weights +-1: `words` (outputs, num_words) hold a bit for each input."""

    words: Words
    biases: Ints

    @classmethod
    def of(cls, weights: Ints, biases: Ints) -> PackedLayer:
        """Pack `weights` (outputs, inputs), all +1 or -1."""
        if not np.isin(weights, (-1, 1)).all():
            raise InputError("only weights of one bit can be packed.")
        return cls(pack(weights > 0), biases)

    def sums(self, planes: list[Words]) -> Ints:
        """``W q + bias`` (num_samples, outputs) from the bit planes of q, lowest first."""
        total = np.empty((len(planes[0]), len(self.words)), dtype=np.int64)
        step = max(1, _CHUNK // len(self.words))
        columns = np.ascontiguousarray(self.words.T)
        for start in range(0, len(total), step):
            part = total[start : start + step]
            part[:] = self.biases
            for k, plane in enumerate(planes):
                words = plane[start : start + step]
                alone = popcount(words).sum(axis=-1, dtype=np.int64)
                part += (2 * _common_ones(words, columns) - alone[:, np.newaxis]) << k
        return total


@dataclass(frozen=True, eq=False)
class PackedNetwork:
    """A network whose first layer has weights of one bit, for fast inference.

    Later layers, which are small, stay as they are. Predictions are exactly the network's.
    """

    network: Network
    first: PackedLayer

    @classmethod
    def of(cls, network: Network) -> PackedNetwork:
        """Pack the first layer; `InputError` if its weights have more than one bit."""
        return cls(network, PackedLayer.of(network.weights[0], network.biases[0]))

    @property
    def num_bytes(self) -> int:
        """Memory of the packed weights."""
        return int(self.first.words.nbytes)

    def outputs(self, planes: list[Words]) -> FloatArray:
        """Outputs (num_samples, num_outputs) for packed inputs (see `pack_inputs`)."""
        network, spec = self.network, self.network.spec
        values: npt.NDArray[np.float64] = self.first.sums(planes).astype(np.float64)
        splines: tuple[GridSpline, ...] = network.splines.hidden
        for spline, weights, biases in zip(
            splines, network.weights[1:], network.biases[1:], strict=True
        ):
            values = spline(values) @ weights.T + biases
        return np.asarray(values / spec.output_unit)

    def pack_inputs(self, x: npt.ArrayLike) -> list[Words]:
        """Bit planes of inputs `x` (num_samples, num_features), lowest first."""
        q = self.network.spec.grid(x)
        return [pack((q >> k) & 1 == 1) for k in range(self.network.spec.grid.bits)]

    def predict(self, x: npt.ArrayLike) -> Ints:
        """Class indices (num_samples,)."""
        return self.network.classes(self.outputs(self.pack_inputs(x)))


def pack(bits: npt.NDArray[np.bool_]) -> Words:
    """Rows of bits (rows, count) as words (rows, ceil(count / 64)), padded with zeros."""
    rows, count = bits.shape
    padded = np.zeros((rows, -(-count // _WORD) * _WORD), dtype=bool)
    padded[:, :count] = bits
    return np.packbits(padded, axis=1).view(np.uint64)


def _common_ones(left: Words, columns: Words) -> Ints:
    """Ones that rows of `left` (rows, words) and of `columns` (words, outputs) have in common."""
    shape = (len(left), columns.shape[1])
    # A few long operations on buffers that stay in the cache.
    both, ones = np.empty(shape, dtype=np.uint64), np.empty(shape, dtype=np.uint8)
    total = np.zeros(shape, dtype=np.uint16 if _WORD * len(columns) < 2**16 else np.int64)
    for column, word in enumerate(columns):
        np.bitwise_and(left[:, column, np.newaxis], word, out=both)
        np.add(total, popcount(both, ones), out=total)
    return total.astype(np.int64)


def popcount(words: Words, out: npt.NDArray[np.uint8] | None = None) -> npt.NDArray[np.uint8]:
    """Ones in each word, same shape; into `out` if that is any faster."""
    if hasattr(np, "bitwise_count"):  # numpy 2
        return np.asarray(np.bitwise_count(words, out=out))
    table = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)
    counts = table[np.ascontiguousarray(words).view(np.uint8)]
    return np.asarray(counts.reshape(*words.shape, 8).sum(axis=-1, dtype=np.uint8))
