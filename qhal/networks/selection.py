"""Choosing among the networks that a run has visited, by the whole training set."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from qhal.networks.ensembles import consensus
from qhal.networks.network import Network
from qhal.networks.spec import Ints

HEAT_SIZE = 2000
FINALISTS = 40
REFERENCES = 5
MEAN_SIZE = 41

Score = tuple[float, float]


def rank(
    networks: Sequence[Network], x: npt.ArrayLike, y: npt.ArrayLike, finalists: int = FINALISTS
) -> list[Network]:
    """The best of `networks` on the samples `x`, `y`, best first.

    Classifiers are ordered by their errors, then by loss; regressions by loss. All are tried on
    every k-th sample, so that about 2,000 are left, and the best `finalists` of them on all.
    """
    q, targets = networks[0].spec.grid(x), np.asarray(y)
    stride = max(1, len(q) // HEAT_SIZE)
    heat = sorted(networks, key=_scored(q[::stride], targets[::stride]))[:finalists]
    return heat if stride == 1 else sorted(heat, key=_scored(q, targets))


def choose(
    networks: Sequence[Network], x: npt.ArrayLike, y: npt.ArrayLike, *, means: bool = True
) -> tuple[Network, list[Network]]:
    """The best network on `x`, `y`, and the ranking of the visited ones.

    With `means`, also requantised means of the best are tried (`qhal.networks.ensembles`).
    """
    ranked = rank(networks, x, y, MEAN_SIZE)
    if not means or len(ranked) < 3:
        return ranked[0], ranked
    return rank([ranked[0], *consensus(ranked, REFERENCES, MEAN_SIZE)], x, y)[0], ranked


def _scored(q: Ints, y: npt.NDArray[np.generic]) -> Callable[[Network], Score]:
    def score(network: Network) -> Score:
        outputs = network.outputs(q)
        loss = float(network.spec.losses(outputs, y).mean())
        wrong = 0.0 if network.spec.regression else (network.classes(outputs) != y).mean()
        return float(wrong), loss

    return score
