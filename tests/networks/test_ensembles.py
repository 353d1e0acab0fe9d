"""Means of networks, votes, and the choice among candidates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhal.networks import Network, make_spec
from qhal.networks.ensembles import align, consensus, mean_networks, votes
from qhal.networks.selection import choose, rank
from tests.networks.strategies import ACTIVATIONS, LOSSES, Case, cases

X = np.random.default_rng(0).random((300, 6))


def random_network(spec, seed: int) -> Network:
    rng = np.random.default_rng(seed)
    weights = [
        rng.choice(layer.weights.levels, (layer.outputs, layer.inputs)) for layer in spec.layers
    ]
    biases = [rng.choice(layer.biases.levels, layer.outputs) for layer in spec.layers]
    return Network(spec, tuple(weights), tuple(biases))


@settings(max_examples=60)
@given(cases(), st.integers(0, 1000))
def test_aligning_permutes_units_and_nothing_else(case: Case, seed: int) -> None:
    network, reference = (random_network(case.spec, seed + k) for k in range(2))
    aligned = align(network, reference)
    q = case.spec.grid(case.x)
    assert aligned.outputs(q) == pytest.approx(network.outputs(q))
    for first, second in zip(aligned.weights, network.weights, strict=True):
        assert sorted(first.ravel()) == sorted(second.ravel())


def test_aligning_undoes_a_permutation() -> None:
    spec = make_spec(X, ACTIVATIONS["relu"], LOSSES["hinge"], hidden=(5, 4), weight_bits=2)
    network = random_network(spec, 3)
    order = np.array([3, 1, 4, 0, 2])
    shuffled = replace(
        network,
        weights=(network.weights[0][order], network.weights[1][:, order], network.weights[2]),
        biases=(network.biases[0][order], *network.biases[1:]),
    )
    back = align(shuffled, network)
    for first, second in zip(back.weights, network.weights, strict=True):
        assert (first == second).all()


@pytest.mark.parametrize("bits", [1, "ternary", 3])
def test_means_are_the_nearest_levels(bits) -> None:
    spec = make_spec(X, ACTIVATIONS["relu"], LOSSES["hinge"], hidden=1, weight_bits=bits)
    networks = [random_network(spec, seed) for seed in range(4)]
    for count, mean in enumerate(mean_networks(networks), start=1):
        wanted = np.mean([network.weights[0] for network in networks[:count]], axis=0)
        levels = spec.layers[0].weights.levels
        distance = np.abs(mean.weights[0] - wanted)
        assert distance == pytest.approx(np.abs(levels[:, None, None] - wanted).min(axis=0))
        assert set(mean.weights[0].ravel()) <= set(levels)
    assert (networks[0].weights[0] == next(iter(mean_networks(networks))).weights[0]).all()


def test_votes_are_counted() -> None:
    spec = make_spec(X, ACTIVATIONS["sign"], LOSSES["hinge"], hidden=3, outputs=3)
    networks = [random_network(spec, seed) for seed in range(5)]
    predictions = np.array([network.predict(X) for network in networks])
    for column, counted in zip(predictions.T, votes(networks, X), strict=True):
        assert np.bincount(column, minlength=3).tolist() == counted.tolist()


def test_the_choice_is_the_best_on_all_samples() -> None:
    spec = make_spec(X, ACTIVATIONS["hard-tanh"], LOSSES["hinge"], hidden=3)
    truth = random_network(spec, 99)
    y = truth.predict(X)
    networks = [random_network(spec, seed) for seed in range(30)]
    accuracies = [network.accuracy(X, y) for network in networks]
    ranked = rank(networks, X, y, 30)
    assert [n.accuracy(X, y) for n in ranked] == sorted(accuracies, reverse=True)
    best, _ = choose(networks, X, y, means=False)
    assert best.accuracy(X, y) == max(accuracies)
    mean, _ = choose(networks, X, y)
    assert mean.accuracy(X, y) == max(n.accuracy(X, y) for n in [best, *consensus(ranked, 5, 41)])
    assert choose([*networks, truth], X, y)[0].accuracy(X, y) == 1.0
