"""Where sequential training starts."""

from __future__ import annotations

import os

import numpy as np

from qhal.datasets import Dataset
from qhal.errors import InputError
from qhal.networks.network import Network
from qhal.networks.spec import Code, Ints, LayerSpec, NetworkSpec
from qhal.problems.arrays import FloatArray
from qhal.training.blocks import Parameters


def checked_initial(
    initial: str | os.PathLike[str] | Network, method: str, dataset: Dataset
) -> Network:
    """The network to begin with; `InputError` unless it classifies what `dataset` has."""
    if method != "sequential":
        raise InputError(f"initial is an option of method 'sequential', not of {method!r}.")
    if not isinstance(initial, (str, os.PathLike, Network)):
        raise InputError(f"initial must be a Network or the path of one, not {initial!r:.60}.")
    network = initial if isinstance(initial, Network) else Network.load(initial)
    if network.spec.regression:
        raise InputError("the initial network is a regression, and this trains classifiers.")
    own, wanted = network.spec.layers[0].inputs, dataset.x_train.shape[1]
    if own != wanted or network.class_names != dataset.class_names:
        raise InputError(
            f"the initial network has {own} inputs and the classes "
            f"{', '.join(network.class_names)}, the data have {wanted} and "
            f"{', '.join(dataset.class_names)}: it must come from such data, with the same "
            "image_size and classes."
        )
    return network


def initial_parameters(
    spec: NetworkSpec, means: FloatArray, rng: np.random.Generator
) -> Parameters:
    """Random weights whose first pre-activations have mean 0 over the data, as far as can be.

    `means` (num_features,) are those of the inputs on the grid. Weights of later layers are the
    smallest of their levels, at random, so that no output is sure of anything yet.
    """
    parts = [_balanced(spec.layers[0], means, rng)]
    for layer in spec.layers[1:]:
        levels = layer.weights.levels
        smallest = levels[np.abs(levels) == np.abs(levels).min()]
        if (len(spec.layers) > 2 and layer is not spec.layers[-1]) or not smallest.any():
            smallest = levels
        weights = rng.choice(smallest, (layer.outputs, layer.inputs))
        parts.append(np.column_stack([weights, nearest(layer.biases, np.zeros(layer.outputs))]))
    return tuple(parts)


def nearest(code: Code, values: FloatArray) -> Ints:
    """The levels of `code` nearest to `values` (any shape)."""
    levels = code.levels
    return np.asarray(levels[np.abs(levels - values[..., np.newaxis]).argmin(axis=-1)])


def _balanced(layer: LayerSpec, means: FloatArray, rng: np.random.Generator) -> Ints:
    """Random weights, some of them turned until a bias can take the mean away."""
    weights = rng.choice(layer.weights.levels, (layer.outputs, layer.inputs))
    for row in weights if not layer.fixed else []:
        for place in rng.permutation(layer.inputs):
            mean = row @ means
            if abs(mean) <= layer.max_bias:
                break
            if row[place] * mean * means[place] > 0:
                row[place] *= -1
    return np.column_stack([weights, nearest(layer.biases, -(weights @ means))])
