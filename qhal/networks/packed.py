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
_CHUNK = 2**14  # results at a time
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
        for start in range(0, len(total), step):
            part = total[start : start + step]
            part[:] = self.biases
            for k, plane in enumerate(planes):
                words = plane[start : start + step]
                both = np.zeros(part.shape, dtype=np.int32)
                for column in range(words.shape[1]):  # a few long operations that stay in the cache
                    both += popcount(words[:, column, np.newaxis] & self.words[:, column])
                alone = popcount(words).sum(axis=-1, dtype=np.int32)
                part += (2 * both - alone[:, np.newaxis]) << k
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


def popcount(words: Words) -> npt.NDArray[np.uint8]:
    """Ones in each word, same shape."""
    if hasattr(np, "bitwise_count"):  # numpy 2
        return np.asarray(np.bitwise_count(words), dtype=np.uint8)
    table = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)
    counts = table[np.ascontiguousarray(words).view(np.uint8)]
    return np.asarray(counts.reshape(*words.shape, 8).sum(axis=-1, dtype=np.uint8))
