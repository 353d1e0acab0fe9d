"""The loss as a function of a network's outputs, with two derivatives.

Outputs are whole numbers over `output_unit`, so a loss of margins is a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from qhal.networks.gridspline import layer_reach
from qhal.networks.spec import Ints, NetworkSpec

Floats: TypeAlias = npt.NDArray[np.float32]

# Half the width, in units of the margin, over which the derivatives of a loss are secants: a kink
# (hinge) then has a curvature that a QUBO can see.
SECANT = 0.5


@dataclass(frozen=True)
class Derivatives:
    """Of the loss of each sample by the outputs: gradient and diag(diagonal) - p p', (K, N) each.

    `p` is None where outputs do not couple.
    """

    gradient: Floats
    diagonal: Floats
    p: Floats | None

    def curvature(self, left: Floats, right: Floats) -> Floats:
        """The second derivative (N,) along the tangents `left` and `right`, (K, N)."""
        result = np.einsum("kn,kn,kn->n", self.diagonal, left, right)
        if self.p is not None:
            result -= np.einsum("kn,kn->n", self.p, left) * np.einsum("kn,kn->n", self.p, right)
        return np.asarray(result, dtype=np.float32)


class Objective:
    """The loss of `spec` for whole outputs z (K, N), of size at most `reach`."""

    def __init__(self, spec: NetworkSpec, largest_input: int) -> None:
        self.spec = spec
        self.unit = np.float32(spec.output_unit)
        self.softmax = spec.loss.softmax and spec.num_outputs > 1
        if not self.softmax:
            self._reach = layer_reach(spec.layers[-1], largest_input) + 4 * spec.output_unit
            margins = np.arange(-self._reach, self._reach + 1) / spec.output_unit
            low, mid, high = (spec.loss(margins + step) for step in (-SECANT, 0.0, SECANT))
            self._values = mid.astype(np.float32)
            self._slopes = ((high - low) / (2 * SECANT)).astype(np.float32)
            self._curvatures = np.maximum((high - 2 * mid + low) / SECANT**2, 0).astype(np.float32)

    def targets(self, y: npt.NDArray[np.generic]) -> Ints:
        """What `values` and `derivatives` need of `y`: classes (N,), or signs and shifts."""
        if self.softmax:
            return np.asarray(y, dtype=np.int64)
        signs, shifts = self.spec.margins(y)
        return np.stack([signs.T, shifts.T]).astype(np.int32)

    def values(self, z: Floats, targets: Ints) -> Floats:
        """Losses (N,)."""
        if not self.softmax:
            return np.asarray(self._values[self._margins(z, targets)].sum(axis=0))
        o = z / self.unit
        true = o[targets, np.arange(len(targets))]
        o -= true
        top = o.max(axis=0)
        o -= top
        return np.asarray(np.log(np.exp(o, out=o).sum(axis=0)) + top, dtype=np.float32)

    def errors(self, z: Floats, y: npt.NDArray[np.generic]) -> int:
        """How many samples of classes `y` (N,) the outputs put into another class."""
        if self.spec.regression:
            return 0
        if len(z) == 1:
            return int(((z[0] >= 0) != y).sum())
        # Of equal outputs the first wins, so those before the true one need only reach it: for
        # whole numbers, exceed it less one. (argmax takes several times as long.)
        wanted = y.astype(np.int64)
        true = z[wanted, np.arange(len(y))]
        before = np.arange(len(z))[:, np.newaxis] < wanted
        return int((z > true - before).any(axis=0).sum())

    def derivatives(self, z: Floats, targets: Ints) -> Derivatives:
        """First and second derivatives by the outputs z / unit."""
        if not self.softmax:
            margins = self._margins(z, targets)
            return Derivatives(targets[0] * self._slopes[margins], self._curvatures[margins], None)
        o = z / self.unit
        o -= o.max(axis=0)
        p = np.exp(o, out=o)
        p /= p.sum(axis=0)
        gradient = p.copy()
        gradient[targets, np.arange(len(targets))] -= 1
        return Derivatives(gradient, p, p)

    def _margins(self, z: Floats, targets: Ints) -> Ints:
        """Places in the tables."""
        margins = targets[0] * z.astype(np.int32) + targets[1] + self._reach
        return np.asarray(np.clip(margins, 0, 2 * self._reach))
