"""Packed inference is exactly the network's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhal.errors import InputError
from qhal.networks import make_spec
from qhal.networks.packed import PackedNetwork, popcount
from tests.networks.strategies import ACTIVATIONS, LOSSES
from tests.networks.test_ensembles import random_network


@settings(max_examples=60)
@given(
    st.integers(1, 140), st.integers(1, 8), st.integers(0, 5), st.integers(1, 3), st.integers(0, 99)
)
def test_outputs_are_those_of_the_network(features, bits, hidden, outputs, seed) -> None:
    x = np.random.default_rng(seed).random((20, features))
    spec = make_spec(
        x, ACTIVATIONS["tanh"], LOSSES["hinge"], hidden=hidden, outputs=outputs, input_bits=bits
    )
    network = random_network(spec, seed)
    packed = PackedNetwork.of(network)
    assert (packed.outputs(packed.pack_inputs(x)) == network.outputs(spec.grid(x))).all()
    assert (packed.predict(x) == network.predict(x)).all()
    assert packed.num_bytes == len(network.weights[0]) * 8 * -(-features // 64)


def test_popcount_without_numpys_own(monkeypatch) -> None:
    words = np.random.default_rng(0).integers(0, 2**64, (5, 3), dtype=np.uint64)
    wanted = [[bin(word).count("1") for word in row] for row in words.tolist()]
    assert popcount(words).tolist() == wanted
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert popcount(words).tolist() == wanted


def test_wider_weights_are_refused() -> None:
    x = np.random.default_rng(0).random((5, 4))
    spec = make_spec(x, ACTIVATIONS["sign"], LOSSES["hinge"], weight_bits="ternary")
    with pytest.raises(InputError, match="only weights of one bit"):
        PackedNetwork.of(random_network(spec, 0))
