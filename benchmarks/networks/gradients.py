"""Training by gradients in PyTorch, into the same networks: what `baselines.py` compares with.

The network is that of the spec: inputs on its grid, one hidden layer of hard-tanh units, output
weights fixed at +1 (with an odd activation their signs are absorbed). Straight-through training
(Bengio, Leonard, Courville, arXiv:1308.3432) rounds real weights and biases to the spec's levels in
the forward pass and hands the gradients on as if it had not.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from qhal.networks import Network, NetworkSpec


@dataclass(frozen=True)
class Budget:
    """Steps of Adam at a rate that falls linearly to 0; a batch of 0 is all samples."""

    steps: int
    batch: int
    look_every: int


class Hidden(nn.Module):
    """The hidden layer and the sum of its units, with real parameters.

    Weights start uniform in -1 .. 1, biases so that pre-activations have mean 0 over the inputs
    `q`, as far as the levels reach: else hard-tanh may start saturated everywhere and never learn.
    """

    def __init__(self, spec: NetworkSpec, q: Tensor, *, quantised: bool) -> None:
        super().__init__()
        layer, hidden = spec.layers[0], spec.hidden[0]
        if (
            hidden.activation.name != "hard-tanh"
            or not spec.layers[1].fixed
            or layer.weight_bits != 1
        ):
            raise ValueError("only 1-bit weights, hard-tanh and absorbed output weights.")
        self.spec, self.quantised, self.unit = spec, quantised, float(hidden.unit)
        self.gain = hidden.resolution / spec.output_unit
        self.weights = nn.Parameter(torch.empty(layer.outputs, layer.inputs).uniform_(-1, 1))
        with torch.no_grad():
            used = _signs(self.weights) if quantised else self.weights
            start = (-q.mean(dim=0) @ used.T).clamp(-layer.max_bias, layer.max_bias)
        self.biases = nn.Parameter(start / self.unit)

    def forward(self, q: Tensor) -> Tensor:
        """Outputs (num_samples,) for inputs on the grid, float32."""
        weights, biases = self.weights, self.unit * self.biases
        if self.quantised:
            weights = weights + (_signs(weights) - weights).detach()
            biases = biases + (self._levels(biases) - biases).detach()
        z = q @ weights.T + biases
        return nn.functional.hardtanh(z / self.unit).sum(dim=1) * self.gain

    def _levels(self, biases: Tensor) -> Tensor:
        """The nearest levels of the spec's biases."""
        code = self.spec.layers[0].biases
        bits = torch.round((biases - code.base) / code.step).clamp(0, 2**code.num_bits - 1)
        return bits * code.step + code.base

    def rounded(self) -> Network:
        """The spec's network by rounding: signs, and biases in units of the mean |weight|."""
        scale = 1.0 if self.quantised else self.weights.abs().mean(dim=1).clamp(min=1e-6)
        biases = self._levels(self.unit * self.biases / scale)
        whole = [part.detach().numpy().astype(np.int64) for part in (_signs(self.weights), biases)]
        ones = np.ones((1, len(whole[1])), dtype=np.int64)
        zero = np.zeros(1, dtype=np.int64)
        return Network(self.spec, (whole[0], ones), (whole[1], zero))

    def with_scales(self) -> Hidden:
        """Signs with a real scale for each unit, and real biases: more than the spec has."""
        other = deepcopy(self)
        with torch.no_grad():
            scale = self.weights.abs().mean(dim=1, keepdim=True)
            other.weights.copy_(scale * _signs(self.weights))
        return other

    def accuracy(self, q: Tensor, y: Tensor) -> float:
        """Share of samples whose output has the sign of `y`."""
        with torch.no_grad():
            return float(((self(q) >= 0) == (y > 0)).double().mean())


def descend(
    model: Hidden, q: Tensor, y: Tensor, rate: float, budget: Budget, seed: int
) -> Iterator[None]:
    """Minimise the mean hinge loss; a pause after every `look_every` steps to look at `model`."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    fading = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=budget.steps)
    order = torch.arange(len(y))
    for step in range(budget.steps):
        if budget.batch:
            batches = len(y) // budget.batch
            if step % batches == 0:
                order = torch.randperm(len(y), generator=generator)
            rows = order[step % batches * budget.batch :][: budget.batch]
        else:
            rows = order
        optimizer.zero_grad()
        torch.relu(1 - y[rows] * model(q[rows])).mean().backward()
        optimizer.step()
        fading.step()
        if model.quantised:
            with torch.no_grad():
                model.weights.clamp_(-1, 1)
        if (step + 1) % budget.look_every == 0:
            yield


def as_tensors(spec: NetworkSpec, x: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor]:
    """Inputs on the grid and labels -1 and 1, float32."""
    q = torch.tensor(spec.grid(x), dtype=torch.float32)
    return q, torch.tensor(2 * y - 1, dtype=torch.float32)


def _signs(values: Tensor) -> Tensor:
    return torch.where(values >= 0, 1.0, -1.0)
