"""The baselines: the same network by straight-through gradients, and with real weights.

Straight-through training (Bengio, Leonard, Courville, arXiv:1308.3432) rounds real weights and
biases to the spec's levels in the forward pass and hands the gradients on as if it had not. All
combinations of learning rate and seed are trained side by side, as one stack of networks that do
not know of each other: the small ones take hardly longer than one of them would.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from qhal.networks import NetworkSpec
from qhal.networks.spec import Code
from qhal.training.blocks import Parameters

EPOCHS, BATCH = 40, 128
CHUNK = 4096


class Layer(nn.Module):
    """Weights and biases of one layer, in units of their largest level, within -1 .. 1.

    One (seeds, outputs, inputs) and one (seeds, 1, outputs) tensor for each learning rate.
    """

    def __init__(
        self, spec: NetworkSpec, index: int, quantised: bool, rates: int, weights: Tensor
    ) -> None:
        super().__init__()
        self.facts, self.quantised = spec.layers[index], quantised
        biases = torch.zeros(len(weights), 1, self.facts.outputs)
        self.weights = nn.ParameterList([weights.clone() for _ in range(rates)])
        self.biases = nn.ParameterList([biases.clone() for _ in range(rates)])

    def numbers(self) -> tuple[Tensor, Tensor]:
        """Weights and biases as the layer uses them, those of all networks in one tensor each."""
        facts = self.facts
        weights, biases = torch.cat(list(self.weights)), torch.cat(list(self.biases))
        if facts.fixed:
            return torch.ones_like(weights), torch.zeros_like(biases)
        weights, biases = weights * facts.max_weight, biases * float(max(1, facts.max_bias))
        if self.quantised:
            weights = weights + (nearest(facts.weights, weights) - weights).detach()
            biases = biases + (nearest(facts.biases, biases) - biases).detach()
        return weights, biases

    def forward(self, values: Tensor) -> Tensor:
        """Pre-activations (networks, samples, outputs)."""
        weights, biases = self.numbers()
        return torch.baddbmm(biases, values, weights.transpose(1, 2))

    def clamp(self) -> None:
        """Keep what is rounded within reach of its levels."""
        if self.quantised:
            with torch.no_grad():
                for part in (*self.weights, *self.biases):
                    part.clamp_(-1, 1)


class Nets(nn.Module):
    """Networks of `spec` (hard-tanh, or no hidden layer): of each rate, one for each seed.

    Biases start so that z has mean 0 over the inputs `q` (samples, features).
    """

    def __init__(
        self, spec: NetworkSpec, q: Tensor, rates: int, seeds: list[int], *, quantised: bool
    ) -> None:
        super().__init__()
        if any(hidden.activation.name != "hard-tanh" for hidden in spec.hidden):
            raise ValueError("only hard-tanh units.")
        self.spec, self.count = spec, rates * len(seeds)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.layers = nn.ModuleList()
        for k, facts in enumerate(spec.layers):
            shape = (facts.outputs, facts.inputs)
            weights = [torch.empty(shape).uniform_(-1, 1, generator=own) for own in generators]
            self.layers.append(Layer(spec, k, quantised, rates, torch.stack(weights)))
        first = self.layers[0]
        with torch.no_grad():
            start = -(first.numbers()[0] @ q.mean(dim=0)) / max(1, first.facts.max_bias)
            for own, part in zip(first.biases, start[:, None].split(len(seeds)), strict=True):
                own.copy_(part)
        first.clamp()

    def forward(self, q: Tensor) -> Tensor:
        """Outputs (networks, samples, outputs) for inputs (networks, samples, features)."""
        values = q
        for layer, hidden in zip(self.layers, self.spec.hidden, strict=False):
            values = functional.hardtanh(layer(values) / hidden.unit) * hidden.resolution
        return self.layers[-1](values) / self.spec.output_unit

    def parameters_of(self, index: int) -> Parameters:
        """The rounded parameters of one network."""
        with torch.no_grad():
            parts = [[part[index] for part in layer.numbers()] for layer in self.layers]
        return tuple(
            torch.column_stack([weights, biases[0]]).round().numpy().astype(np.int64)
            for weights, biases in parts
        )


def nearest(code: Code, values: Tensor) -> Tensor:
    """The levels of `code` nearest to `values`; the numbers of a code are equally spaced."""
    if code.num_bits == 0:
        return torch.zeros_like(values) + code.base
    step = code.step
    most = (code.largest - code.base) // step
    return torch.round((values - code.base) / step).clamp(0, most) * step + code.base


def loss_of(outputs: Tensor, y: Tensor) -> Tensor:
    """The sum over networks of the mean cross-entropy; of one output, of its log-odds."""
    if outputs.shape[2] == 1:
        loss = functional.binary_cross_entropy_with_logits(outputs[:, :, 0], y.float())
    else:
        loss = functional.cross_entropy(outputs.flatten(0, 1), y.flatten())
    return loss * len(outputs)


def accuracies(nets: Nets, q: Tensor, y: Tensor) -> list[float]:
    """The share of samples whose class is right, for each network."""
    right = torch.zeros(nets.count)
    with torch.no_grad():
        for some, wanted in zip(q.split(CHUNK), y.split(CHUNK), strict=True):
            outputs = nets(some.expand(nets.count, -1, -1))
            single = outputs.shape[2] == 1
            classes = outputs[:, :, 0] >= 0 if single else outputs.argmax(dim=2)
            right += (classes == wanted).sum(dim=1)
    return (right / len(y)).tolist()


def descend(
    nets: Nets, q: Tensor, y: Tensor, rates: tuple[float, ...], seeds: list[int]
) -> Iterator[None]:
    """Adam with rates that fall linearly to 0; a pause after every epoch.

    Networks of one seed see the same samples in the same order.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    groups = [
        {"params": [p for layer in nets.layers for p in (layer.weights[k], layer.biases[k])]}
        | {"lr": rate}
        for k, rate in enumerate(rates)
    ]
    optimizer = torch.optim.Adam(groups)
    batches = max(1, len(y) // BATCH)
    fading = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, EPOCHS * batches)
    for _ in range(EPOCHS):
        orders = torch.stack([torch.randperm(len(y), generator=own) for own in generators])
        for k in range(batches):
            rows = orders[:, k * BATCH : (k + 1) * BATCH].repeat(len(rates), 1)
            optimizer.zero_grad()
            loss_of(nets(q[rows]), y[rows]).backward()
            optimizer.step()
            fading.step()
            for layer in nets.layers:
                layer.clamp()
        yield
