"""One network out of many: means of weights, requantised, and majority votes.

Networks that differ by a permutation of hidden units are the same function, so before weights are
averaged, units are matched with those of a reference by the inner product of their weights (an
assignment problem for each layer).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qhal.networks.network import Network
from qhal.networks.spec import Code, Ints
from qhal.problems.arrays import FloatArray


def align(network: Network, reference: Network) -> Network:
    """`network` with its hidden units permuted to be most like those of `reference`."""
    from scipy.optimize import linear_sum_assignment  # takes a third of a second to import

    weights, biases = list(network.weights), list(network.biases)
    for k in range(len(weights) - 1):
        likeness = reference.weights[k] @ weights[k].T + np.outer(reference.biases[k], biases[k])
        _, order = linear_sum_assignment(likeness, maximize=True)
        weights[k], biases[k] = weights[k][order], biases[k][order]
        weights[k + 1] = weights[k + 1][:, order]
    return replace(network, weights=tuple(weights), biases=tuple(biases))


def mean_networks(networks: Sequence[Network]) -> Iterator[Network]:
    """After each network, the mean of those so far: aligned with the first, to the nearest levels.

    Of two equally near levels the lower one is taken.
    """
    first = networks[0]
    sums = [np.zeros(part.shape) for part in (*first.weights, *first.biases)]
    codes = [layer.weights for layer in first.spec.layers]
    codes += [layer.biases for layer in first.spec.layers]
    depth = len(first.weights)
    for count, network in enumerate(networks, start=1):
        aligned = align(network, first)
        for total, part in zip(sums, (*aligned.weights, *aligned.biases), strict=True):
            total += part
        parts = [_nearest(total / count, code) for total, code in zip(sums, codes, strict=True)]
        yield replace(first, weights=tuple(parts[:depth]), biases=tuple(parts[depth:]))


def consensus(networks: Sequence[Network], references: int, size: int) -> list[Network]:
    """Means of the best 3, 5, .. `size` of `networks` (best first), in the order of each reference.

    Each of the first `references` networks is the reference once; the others follow it best first.
    """
    means = []
    for reference in networks[:references]:
        others = [network for network in networks[:size] if network is not reference]
        means += list(mean_networks([reference, *others]))[2::2]
    return means


def votes(networks: Sequence[Network], x: npt.ArrayLike) -> Ints:
    """How many of `networks` predict each class, (num_samples, num_classes)."""
    counts = np.zeros((len(np.asarray(x)), networks[0].spec.num_classes), dtype=np.int64)
    for network in networks:
        counts[np.arange(len(counts)), network.predict(x)] += 1
    return counts


def _nearest(values: FloatArray, code: Code) -> Ints:
    levels = code.levels
    middles = (levels[:-1] + levels[1:]) / 2
    return np.asarray(levels[np.searchsorted(middles, values, side="left")])
