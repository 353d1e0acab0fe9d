"""Sequential training: hold the pieces, solve for the weights of one block, go on to the next.

At the present network every unit's piece is known for every sample. With the pieces held, outputs
are linear in one block of parameters, and the loss to second order (Gauss-Newton) is a QUBO over
the bits of that block alone, whatever the number of samples: data enter as sums over chunks of
samples, which run on any executor. A penalty on each bit that differs bounds the step; each of the
oracle's samples is judged by a true forward pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from qhal.networks.spec import NetworkSpec, check_count
from qhal.oracle import Oracle
from qhal.problems.arrays import FloatArray, States
from qhal.problems.qubo import Qubo
from qhal.training.blocks import Parameters, all_blocks
from qhal.training.initial import initial_parameters
from qhal.training.local import LocalModel
from qhal.training.reduction import Reduction
from qhal.training.store import Rows, draw

# The radius of a block, in `LocalModel.unit` for each bit that differs: less after a success, more
# after a failure.
RADIUS, SHRINK, GROW = 0.3, 0.7, 2.0
RADII = (0.01, 10.0)
TRIES, CANDIDATES = 2, 4


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run goes.

    Attributes
    ----------
    epochs : passes over all blocks, for each start
    starts : how often training starts afresh; the best network of all is kept
    batch, final_batch : samples that a pass sees, drawn anew for each
        From `batch` in the first pass it grows by equal factors to `final_batch` in the last tenth:
        few samples make a noise that leaves bad optima, many find the bottom of the last.
    num_reads : of each oracle call
    max_variables, coefficient_bits : what a QUBO may have; couplings and fields of its spins are
        whole numbers of so many bits, sign included (None: double precision)
    """

    epochs: int = 30
    starts: int = 1
    batch: int = 4096
    final_batch: int = 2**16
    num_reads: int = 6
    max_variables: int = 550
    coefficient_bits: int | None = 8

    def __post_init__(self) -> None:
        for name in "epochs starts batch final_batch num_reads max_variables".split():
            check_count(getattr(self, name), name, 1)
        if self.coefficient_bits is not None:
            check_count(self.coefficient_bits, "coefficient_bits", 2, 24)

    def batch_of(self, epoch: int) -> int:
        """Samples for a pass, numbered from 1 over all starts."""
        done = min(1.0, (epoch - 1) % self.epochs / max(1.0, 0.9 * (self.epochs - 1)))
        first, last = min(self.batch, self.final_batch), self.final_batch
        return round(first * math.pow(last / first, done))


@dataclass
class Books:
    """What a run has asked of its oracle."""

    calls: int = 0
    reads: int = 0
    time_s: float = 0.0
    num_variables: int = 0


@dataclass
class Sequential:
    """The state of a run: present `parameters`, and a radius for each block."""

    spec: NetworkSpec
    reduction: Reduction
    oracle: Oracle
    settings: Settings
    seed: int
    allowed: Callable[[], None] = lambda: None
    books: Books = field(default_factory=Books)

    def __post_init__(self) -> None:
        self.blocks = all_blocks(self.spec, self.settings.max_variables)
        self.radii: FloatArray = np.full(len(self.blocks), RADIUS)
        self.parameters: Parameters = self._start(1)

    def _start(self, epoch: int) -> Parameters:
        rng = np.random.default_rng([self.seed, 0, epoch])
        x, _ = self.reduction.job.store.arrays
        means = self.spec.grid(x[draw(len(x), len(x), rng)[0].indices()]).mean(axis=0)
        return initial_parameters(self.spec, means, rng)

    def epoch(self, number: int) -> None:
        """Pass `number` (from 1) over all blocks, in random order, on samples of its own."""
        if number > 1 and (number - 1) % self.settings.epochs == 0:
            self.radii[:], self.parameters = RADIUS, self._start(number)
        rng = np.random.default_rng([self.seed, number])
        rows = draw(len(self.reduction.job.store), self.settings.batch_of(number), rng)
        loss = self.reduction.loss(rows, self.parameters)
        for index in rng.permutation(len(self.blocks)).tolist():
            loss = self._improve(index, rows, loss, rng)

    def _improve(
        self, index: int, rows: list[Rows], loss: float, rng: np.random.Generator
    ) -> float:
        """One block; the loss after it."""
        block = self.blocks[index]
        model = self.reduction.local_model(rows, self.parameters, block)
        for _ in range(TRIES if model.unit > 0 else 0):
            radius = float(self.radii[index])
            states = self._ask(model.qubo(radius, self.settings.coefficient_bits), rng)
            flips = _promising(model, states, radius)
            if not len(flips):  # the oracle would rather stay: let it go further
                self.radii[index] = max(radius / GROW, RADII[0])
                break
            numbers = block.decode(model.bits ^ flips)
            losses = self.reduction.losses(rows, self.parameters, block, numbers)
            best = int(losses.argmin())
            if losses[best] < loss:
                self.parameters = block.replaced(self.parameters, numbers[best])
                self.radii[index] = max(radius * SHRINK, RADII[0])
                return float(losses[best])
            self.radii[index] = min(radius * GROW, RADII[1])
        return loss

    def _ask(self, qubo: Qubo, rng: np.random.Generator) -> States:
        self.allowed()
        seed = int(rng.integers(2**32))
        samples = self.oracle.sample(qubo, num_reads=self.settings.num_reads, seed=seed)
        self.books.calls += 1
        self.books.reads += len(samples)
        self.books.time_s += samples.time_s
        self.books.num_variables = max(self.books.num_variables, qubo.num_variables)
        return samples.states


def _promising(model: LocalModel, states: States, radius: float) -> States:
    """The distinct states of lowest model, without the present one: at most `CANDIDATES`."""
    flips = np.unique(states, axis=0)
    flips = flips[flips.any(axis=1)]
    energies = model.energies(flips) + radius * model.unit * flips.sum(axis=1)
    return flips[np.argsort(energies, kind="stable")[:CANDIDATES]]
