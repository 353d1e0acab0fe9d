"""One plugin object per activation; the entry points of this distribution name them.

Functions take and return float64 arrays of any shape. `curvature` is the exact maximum of |f''|
between breakpoints, and `lipschitz` that of |f'|, unless a comment says otherwise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import expit, ndtr

from qhal import Activation, hookimpl


class Offer:
    """A plugin that offers one activation; `facts` are the attributes of `qhal.Activation`."""

    def __init__(self, **facts: Any) -> None:
        self.activation = Activation(**facts)

    @hookimpl
    def qhal_activation(self) -> Activation:
        """See `qhal.hookspecs.qhal_activation`."""
        return self.activation


def sign(z):
    """-1 below 0, else +1 (also at 0: an output is one of two values)."""
    return np.where(z >= 0.0, 1.0, -1.0)


def step(z):
    """0 below 0, else 1."""
    return np.where(z >= 0.0, 1.0, 0.0)


def relu(z):
    """max(z, 0)."""
    return np.maximum(z, 0.0)


def leaky_relu(z):
    """z, but 0.01 z below 0 (Maas, Hannun and Ng 2013)."""
    return np.maximum(z, 0.01 * z)


def hard_tanh(z):
    """z, clipped to [-1, 1]."""
    return np.clip(z, -1.0, 1.0)


def softplus(z):
    """log(1 + exp(z))."""
    return np.logaddexp(0.0, z)


def silu(z):
    """z / (1 + exp(-z)), also called swish (Elfwing, Uchibe and Doya 2018)."""
    return z * expit(z)


def gelu(z):
    """z Φ(z), exact, with the normal distribution function Φ (Hendrycks and Gimpel 2016)."""
    return z * ndtr(z)


def identity(z):
    """z."""
    return np.array(z, dtype=np.float64)


Sign = Offer(
    name="sign",
    function=sign,
    monotone=True,
    lipschitz=0.0,
    curvature=0.0,
    breakpoints=(0.0,),
    odd=True,
    jumps=True,
    interval=(-1.0, 1.0),
)

Step = Offer(
    name="step",
    function=step,
    monotone=True,
    lipschitz=0.0,
    curvature=0.0,
    breakpoints=(0.0,),
    odd=True,
    centre=0.5,
    jumps=True,
    interval=(-1.0, 1.0),
)

Relu = Offer(
    name="relu",
    function=relu,
    monotone=True,
    lipschitz=1.0,
    curvature=0.0,
    breakpoints=(0.0,),
    interval=(0.0, 3.0),
)

LeakyRelu = Offer(
    name="leaky-relu",
    function=leaky_relu,
    monotone=True,
    lipschitz=1.0,
    curvature=0.0,
    breakpoints=(0.0,),
    interval=(0.0, 3.0),
)

HardTanh = Offer(
    name="hard-tanh",
    function=hard_tanh,
    monotone=True,
    lipschitz=1.0,
    curvature=0.0,
    breakpoints=(-1.0, 1.0),
    odd=True,
    interval=(-1.0, 1.0),
)

# With t = tanh z: f' = 1 - t^2 and |f''| = 2 |t| (1 - t^2), largest at t^2 = 1/3.
Tanh = Offer(
    name="tanh",
    function=np.tanh,
    monotone=True,
    lipschitz=1.0,
    curvature=4.0 / (3.0 * math.sqrt(3.0)),
    odd=True,
    interval=(-3.0, 3.0),
)

# f(z) = (1 + tanh(z / 2)) / 2, so f' is a quarter and f'' an eighth of those of tanh at z / 2.
Sigmoid = Offer(
    name="sigmoid",
    function=expit,
    monotone=True,
    lipschitz=0.25,
    curvature=1.0 / (6.0 * math.sqrt(3.0)),
    odd=True,
    centre=0.5,
    interval=(-6.0, 6.0),
)

# f' is the sigmoid s, below 1, and f'' = s (1 - s) <= 1/4.
Softplus = Offer(
    name="softplus",
    function=softplus,
    monotone=True,
    lipschitz=1.0,
    curvature=0.25,
    interval=(-6.0, 6.0),
)

# f'' = (1 - t^2) (2 - z t) / 4 with t = tanh(z / 2). It is 1/2 at 0. While |z t| <= 4 the second
# factor is within +-2, so |f''| <= 1/2; beyond, |z| > 4 and |f''| < |z| (1 - t^2) / 4 < |z| e^-|z|
# < 0.08. f' = (1 + t) / 2 + z (1 - t^2) / 4 is extreme where f'' = 0, that is t = 2 / z: there
# f' = 1/2 + z / 4, at z = +-2.3993573: 1.0998394 and -0.0998394. (Lipschitz rounded up.)
Silu = Offer(
    name="silu",
    function=silu,
    lipschitz=1.09984,
    curvature=0.5,
    interval=(-6.0, 6.0),
)

# With the normal density φ: f' = Φ(z) + z φ(z) and f'' = (2 - z^2) φ(z). |f''| is 2 φ(0) at 0, and
# beyond z^2 = 2 largest at z^2 = 4, there 0.11. f' is extreme at z^2 = 2, where it is
# (1 + erf(1)) / 2 + 1 / (e sqrt(π)) = 1.1289 or one minus that.
Gelu = Offer(
    name="gelu",
    function=gelu,
    lipschitz=(1.0 + math.erf(1.0)) / 2.0 + 1.0 / (math.e * math.sqrt(math.pi)),
    curvature=math.sqrt(2.0 / math.pi),
    interval=(-3.0, 3.0),
)

Identity = Offer(
    name="identity",
    function=identity,
    monotone=True,
    lipschitz=1.0,
    curvature=0.0,
    odd=True,
)

# Four equal pieces have their knots at the zeros and peaks. Outside, sin is not resolved.
Sin = Offer(
    name="sin",
    function=np.sin,
    lipschitz=1.0,
    curvature=1.0,
    odd=True,
    interval=(-math.pi, math.pi),
)
