"""One plugin object per loss; the entry points of this distribution name them.

Losses are functions of the margin m = y * output, y in {-1, +1}: float64 arrays of any shape to
the same shape, per sample. `curvature` is the exact maximum of |loss''| between breakpoints, and
`lipschitz` that of |loss'| (None: it grows without bound).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qhal import Loss, hookimpl


class Offer:
    """A plugin that offers one loss; `facts` are the attributes of `qhal.Loss`."""

    def __init__(self, **facts: Any) -> None:
        self.loss = Loss(**facts)

    @hookimpl
    def qhal_loss(self) -> Loss:
        """See `qhal.hookspecs.qhal_loss`."""
        return self.loss


def squared(margin):
    """(1 - m)^2, which is (y - output)^2."""
    return (1.0 - margin) ** 2


def hinge(margin):
    """max(0, 1 - m)."""
    return np.maximum(0.0, 1.0 - margin)


def squared_hinge(margin):
    """max(0, 1 - m)^2."""
    return np.maximum(0.0, 1.0 - margin) ** 2


def cross_entropy(margin):
    """log(1 + exp(-m)): minus the log-probability, in nats, of the true class.

    The output is the log-odds of class +1.
    """
    return np.logaddexp(0.0, -margin)


def logistic(margin):
    """log2(1 + exp(-m)): the cross-entropy in bits.

    Like the hinge it is 1 at m = 0, so it bounds the number of errors from above (Bartlett, Jordan
    and McAuliffe 2006).
    """
    return np.logaddexp(0.0, -margin) / math.log(2.0)


def absolute(margin):
    """|1 - m|, which is |y - output|."""
    return np.abs(1.0 - margin)


def huber(margin):
    """Of u = 1 - m: u^2 / 2 for |u| <= 1, beyond that |u| - 1/2 (Huber 1964)."""
    distance = np.abs(1.0 - margin)
    inner = np.minimum(distance, 1.0)
    return inner * (distance - inner / 2.0)


Squared = Offer(
    name="squared",
    function=squared,
    curvature=2.0,
    quadratic=True,
    interval=(-1.0, 3.0),
)

Hinge = Offer(
    name="hinge",
    function=hinge,
    lipschitz=1.0,
    curvature=0.0,
    breakpoints=(1.0,),
    interval=(-1.0, 1.0),
)

SquaredHinge = Offer(
    name="squared-hinge",
    function=squared_hinge,
    curvature=2.0,
    breakpoints=(1.0,),
    interval=(-3.0, 1.0),
)

# The derivative is minus a sigmoid; see the softplus of qhal-activations, of which this is the
# mirror image.
CrossEntropy = Offer(
    name="cross-entropy",
    function=cross_entropy,
    lipschitz=1.0,
    curvature=0.25,
    interval=(-4.0, 4.0),
)

Logistic = Offer(
    name="logistic",
    function=logistic,
    lipschitz=1.0 / math.log(2.0),
    curvature=0.25 / math.log(2.0),
    interval=(-4.0, 4.0),
)

Absolute = Offer(
    name="absolute",
    function=absolute,
    lipschitz=1.0,
    curvature=0.0,
    breakpoints=(1.0,),
    interval=(-1.0, 3.0),
)

Huber = Offer(
    name="huber",
    function=huber,
    lipschitz=1.0,
    curvature=1.0,
    breakpoints=(0.0, 2.0),
    interval=(0.0, 2.0),
)

# With one output the cross-entropy; with several, minus the log-probability of the true class.
Softmax = Offer(
    name="softmax",
    function=cross_entropy,
    lipschitz=1.0,
    curvature=0.25,
    softmax=True,
    interval=(-4.0, 4.0),
)
