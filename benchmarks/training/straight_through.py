"""The baselines: the same network by straight-through gradients, and with real weights.

Straight-through training (Bengio, Leonard, Courville, arXiv:1308.3432) rounds real weights and
biases to the spec's levels in the forward pass and hands the gradients on as if it had not.
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


class Layer(nn.Module):
    """Weights and biases of one layer, in units of their largest level, within -1 .. 1."""

    def __init__(self, spec: NetworkSpec, index: int, quantised: bool) -> None:
        super().__init__()
        self.facts, self.quantised = spec.layers[index], quantised
        shape = (self.facts.outputs, self.facts.inputs)
        self.weights = nn.Parameter(torch.empty(shape).uniform_(-1, 1))
        self.biases = nn.Parameter(torch.zeros(self.facts.outputs))

    def numbers(self) -> tuple[Tensor, Tensor]:
        """Weights and biases as the layer uses them."""
        facts = self.facts
        if facts.fixed:
            return torch.ones_like(self.weights), torch.zeros_like(self.biases)
        largest = float(max(1, facts.max_bias))
        weights, biases = self.weights * facts.max_weight, self.biases * largest
        if self.quantised:
            weights = weights + (nearest(facts.weights, weights) - weights).detach()
            biases = biases + (nearest(facts.biases, biases) - biases).detach()
        return weights, biases

    def forward(self, values: Tensor) -> Tensor:
        """Pre-activations."""
        weights, biases = self.numbers()
        return functional.linear(values, weights, biases)

    def clamp(self) -> None:
        """Keep what is rounded within reach of its levels."""
        if self.quantised:
            with torch.no_grad():
                self.weights.clamp_(-1, 1)
                self.biases.clamp_(-1, 1)


class Net(nn.Module):
    """The network of `spec` (hard-tanh, or no hidden layer); biases start so that z has mean 0."""

    def __init__(self, spec: NetworkSpec, q: Tensor, *, quantised: bool) -> None:
        super().__init__()
        if any(hidden.activation.name != "hard-tanh" for hidden in spec.hidden):
            raise ValueError("only hard-tanh units.")
        self.spec = spec
        self.layers = nn.ModuleList(Layer(spec, k, quantised) for k in range(len(spec.layers)))
        first = self.layers[0]
        with torch.no_grad():
            start = -q.mean(dim=0) @ first.numbers()[0].T
            first.biases.copy_(start / max(1, first.facts.max_bias))
            first.clamp()

    def forward(self, q: Tensor) -> Tensor:
        """Outputs (num_samples, num_outputs)."""
        values = q
        for layer, hidden in zip(self.layers, self.spec.hidden, strict=False):
            values = functional.hardtanh(layer(values) / hidden.unit) * hidden.resolution
        return self.layers[-1](values) / self.spec.output_unit

    def parameters_(self) -> Parameters:
        """The rounded parameters."""
        with torch.no_grad():
            return tuple(
                torch.column_stack(layer.numbers()).round().numpy().astype(np.int64)
                for layer in self.layers
            )


def nearest(code: Code, values: Tensor) -> Tensor:
    """The levels of `code` nearest to `values`; the numbers of a code are equally spaced."""
    if code.num_bits == 0:
        return torch.zeros_like(values) + code.base
    step = code.step
    most = (code.largest - code.base) // step
    return torch.round((values - code.base) / step).clamp(0, most) * step + code.base


def loss_of(outputs: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy; of one output, of its log-odds."""
    if outputs.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(outputs[:, 0], y.float())
    return functional.cross_entropy(outputs, y)


def accuracy(net: nn.Module, q: Tensor, y: Tensor) -> float:
    """Share of samples whose class is right."""
    with torch.no_grad():
        outputs = net(q)
        classes = outputs[:, 0] >= 0 if outputs.shape[1] == 1 else outputs.argmax(dim=1)
        return float((classes == y).double().mean())


def descend(net: Net, q: Tensor, y: Tensor, rate: float, seed: int) -> Iterator[None]:
    """Adam with a rate that falls linearly to 0; a pause after every epoch."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    batches = max(1, len(y) // BATCH)
    fading = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, EPOCHS * batches)
    for _ in range(EPOCHS):
        order = torch.randperm(len(y), generator=generator)
        for k in range(batches):
            rows = order[k * BATCH : (k + 1) * BATCH]
            optimizer.zero_grad()
            loss_of(net(q[rows]), y[rows]).backward()
            optimizer.step()
            fading.step()
            for layer in net.layers:
                layer.clamp()
        yield
