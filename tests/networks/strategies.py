"""Small random networks of every kind, with data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from qhal.functions import Activation, Loss
from qhal.networks import EncodedNetwork, NetworkSpec, SplineSpec, encode_network, make_spec
from qhal.networks.units import Layout
from qhal.registry import SHIPPED_BY, load
from tests.problems.strategies import all_bits

ACTIVATIONS: dict[str, Activation] = {n: load("activation", n) for n in SHIPPED_BY["activation"]}
LOSSES: dict[str, Loss] = {name: load("loss", name) for name in SHIPPED_BY["loss"]}
LAYOUTS = [Layout(shared, reduced) for shared in (True, False) for reduced in (True, False)]


@dataclass(frozen=True)
class Case:
    """A spec with samples."""

    spec: NetworkSpec
    x: np.ndarray
    y: np.ndarray
    layout: Layout

    def encoded(self) -> EncodedNetwork:
        return encode_network(self.spec, self.x, self.y, layout=self.layout)


@st.composite
def cases(draw, max_layers: int = 3, max_features: int = 3, max_samples: int = 3) -> Case:
    features = draw(st.integers(1, max_features))
    samples = draw(st.integers(1, max_samples))
    level = st.integers(0, 3).map(lambda k: k / 3)
    rows = st.lists(level, min_size=features, max_size=features)
    x = np.array(draw(st.lists(rows, min_size=samples, max_size=samples)))
    hidden = tuple(draw(st.lists(st.integers(1, 2), max_size=max_layers - 1)))
    regression = draw(st.booleans())
    outputs = draw(st.sampled_from([1, 1, 2] if regression else [1, 1, 3]))
    if regression:
        targets = st.lists(st.integers(-4, 4), min_size=outputs, max_size=outputs)
        y = np.array(draw(st.lists(targets, min_size=samples, max_size=samples))) / 4
    else:
        classes = st.integers(0, max(1, outputs - 1))
        y = np.array(draw(st.lists(classes, min_size=samples, max_size=samples)))
    names = ["squared", "absolute", "huber"] if regression else sorted(LOSSES)
    if outputs > 1 and not regression:  # a joint loss has no encoding
        names = [name for name in names if not LOSSES[name].softmax]
    bits = st.sampled_from([1, 1, 1, "ternary", 2])
    activation = st.sampled_from(sorted(ACTIVATIONS))
    spec = make_spec(
        x,
        [ACTIVATIONS[draw(activation)] for _ in hidden],
        LOSSES[draw(st.sampled_from(names))],
        hidden=hidden,
        outputs=outputs,
        weight_bits=[draw(bits) for _ in range(len(hidden) + 1)],
        bias_bits=draw(st.integers(0, 2)),
        input_bits=draw(st.integers(1, 2)),
        spline=SplineSpec(
            draw(st.integers(0, 1)),
            draw(st.integers(1, 3)),
            draw(st.sampled_from(["uniform", "adaptive"])),
        ),
        regression=regression,
    )
    return Case(spec, x, y, draw(st.sampled_from(LAYOUTS)))


def assignments(encoded: EncodedNetwork, limit: int = 64) -> np.ndarray:
    """Every assignment of the parameter bits (or `limit` random ones), auxiliary bits arbitrary."""
    count = encoded.spec.num_weight_bits
    rng = np.random.default_rng(0)
    heads = all_bits(count) if 2**count <= limit else rng.integers(0, 2, (limit, count))
    tails = rng.integers(0, 2, (len(heads), encoded.problem.num_variables - count))
    return np.hstack([heads, tails]).astype(np.int64)
