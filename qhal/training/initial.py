"""Where sequential training starts."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.datasets import Dataset
from qhal.errors import InputError
from qhal.networks.network import Network
from qhal.networks.spec import Code, Ints, LayerSpec, NetworkSpec
from qhal.problems.arrays import FloatArray
from qhal.training.blocks import Parameters, parameters_of
from qhal.training.checkpoint import check_parameters


def checked_initial(
    initial: str | os.PathLike[str] | Network, method: str, dataset: Dataset
) -> Network:
    """The network to begin with; `InputError` unless it classifies what `dataset` has.

    One of smaller images is enlarged, if their side divides that of the data.
    """
    if method != "sequential":
        raise InputError(f"initial is an option of method 'sequential', not of {method!r}.")
    if not isinstance(initial, (str, os.PathLike, Network)):
        raise InputError(f"initial must be a Network or the path of one, not {initial!r:.60}.")
    network = initial if isinstance(initial, Network) else Network.load(initial)
    if network.spec.regression:
        raise InputError("the initial network is a regression, and this trains classifiers.")
    if network.class_names != dataset.class_names:
        raise InputError(
            f"the initial network tells {', '.join(network.class_names)} apart, the data have the "
            f"classes {', '.join(dataset.class_names)}: choose the same."
        )
    own, wanted = network.spec.layers[0].inputs, dataset.x_train.shape[1]
    if own == wanted:
        return network
    side, old = dataset.image_size, math.isqrt(own)
    if side is None or old**2 != own:
        raise InputError(
            f"the initial network has {own} inputs, the data have {wanted} features: only images "
            "may be larger than those it was trained on; if the features are pixels, say so by "
            "image_size."
        )
    if side % old:
        raise InputError(
            f"the initial network is one for {old}x{old} images, the data are {side}x{side}: "
            f"choose an image_size that is a multiple of {old}."
        )
    usable_parameters(network.spec, network)
    return enlarged(network, int(side) // old)


def usable_parameters(spec: NetworkSpec, network: Network) -> Parameters:
    """The weights and biases of `network`; `InputError` unless they are ones of `spec`."""
    parameters = parameters_of(network)
    try:
        check_parameters(spec, parameters)
    except ValueError as error:
        raise InputError(f"the initial network cannot be used: {error}.") from None
    return parameters


def enlarged(network: Network, factor: int) -> Network:
    """The network for square images whose sides are `factor` times as long.

    Each of its first weights is repeated for the ``factor**2`` pixels that its pixel was the mean
    of. All pre-activations become as many times larger, and so do biases and the scales of hidden
    units and outputs, so that it is the same function of the means, up to the rounding of inputs
    and of activations that are curved.
    """
    spec, area = network.spec, factor**2
    side = math.isqrt(spec.layers[0].inputs)

    def repeated(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        images = values.reshape(-1, side, side)
        return images.repeat(factor, axis=1).repeat(factor, axis=2).reshape(len(images), -1)

    first, *others = (
        replace(layer, bias_step=layer.bias_step * area, fixed_bias=layer.fixed_bias * area)
        for layer in spec.layers
    )
    hidden = tuple(
        replace(each, unit=each.unit * area, resolution=each.resolution * area)
        for each in spec.hidden
    )
    larger = replace(
        spec,
        grid=replace(spec.grid, low=repeated(spec.grid.low)[0], high=repeated(spec.grid.high)[0]),
        layers=(replace(first, inputs=first.inputs * area), *others),
        hidden=hidden,
        output_unit=spec.output_unit * area,
    )
    weights = (repeated(network.weights[0]), *network.weights[1:])
    biases = tuple(each * area for each in network.biases)
    return replace(network, spec=larger, weights=weights, biases=biases)


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
