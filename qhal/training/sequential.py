"""Sequential training: hold the pieces, solve for the weights of one block, go on to the next.

At the present network every unit's piece is known for every sample. The loss to second order in
the parameters of one unit is a QUBO over the bits of that block alone, whatever the number of
samples: data enter as sums over chunks of samples, which run on any executor. A penalty on each bit
that differs bounds the step; each of the oracle's samples is judged by a true forward pass, by the
loss, and in the end, if samples are many, by the errors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from qhal.networks.spec import NetworkSpec, check_count
from qhal.oracle import Oracle
from qhal.problems.arrays import FloatArray, States
from qhal.training.blocks import Parameters, all_blocks
from qhal.training.exact import ExactSamples, SharpModel, ask_sharply
from qhal.training.initial import initial_parameters
from qhal.training.local import LocalModel
from qhal.training.reduction import Reduction
from qhal.training.run import Books, Stopped
from qhal.training.store import Rows, draw

# The radius of a block, in `LocalModel.unit` for each bit that differs: less after a success, more
# after a failure.
RADIUS, SHRINK, GROW = 0.3, 0.7, 2.0
RADII = (0.01, 10.0)
TRIES, CANDIDATES = 2, 4
# If none of the oracle's states is better, so many single flips are judged, those of lowest model.
FLIPS = 6
# The local model sees a third of the chunks that judge (at least one): it costs less, and differs
# in the next pass, so that a block that is stuck is not asked the same again.
MODELLED = 3
# By what networks are compared: columns of (loss, errors), the first first. Errors are the purpose,
# but those of fewer samples than these for each bit are fitted by chance: the loss overfits less.
LOSS_ONLY, ERRORS_FIRST = [0], [1, 0]
SAMPLES_PER_BIT = 10


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run goes.

    Attributes
    ----------
    epochs : passes over all blocks, for each start
    starts : how often training starts afresh; the best network of all is kept
    batch, final_batch : samples that a pass sees, drawn anew for each
        From `batch` in the first pass it grows by equal factors to `final_batch` (or to all samples
        that there are) in the last tenth:
        few samples make a noise that leaves bad optima, many find the bottom of the last.
    num_reads : of each oracle call
    max_variables, coefficient_bits : what a QUBO may have; couplings and fields of its spins are
        whole numbers of so many bits, sign included (None: double precision)
    exact_samples : for a hidden unit, so many of the samples that its model sees enter exactly, not
        by a parabola, if they fit: those nearest to a kink of the activation, see
        `qhal.training.exact`
    """

    epochs: int = 30
    starts: int = 1
    batch: int = 4096
    final_batch: int = 2**16
    num_reads: int = 6
    max_variables: int = 550
    coefficient_bits: int | None = 8
    exact_samples: int = 0

    def __post_init__(self) -> None:
        for name in "epochs starts batch final_batch num_reads max_variables".split():
            check_count(getattr(self, name), name, 1)
        check_count(self.exact_samples, "exact_samples", 0)
        if self.coefficient_bits is not None:
            check_count(self.coefficient_bits, "coefficient_bits", 2, 24)

    def batch_of(self, epoch: int, total: int) -> int:
        """Samples, of `total` that there are, for a pass, numbered from 1 over all starts."""
        done = min(1.0, (epoch - 1) % self.epochs / max(1.0, 0.9 * (self.epochs - 1)))
        last = min(self.final_batch, total)
        first = min(self.batch, last)
        return round(first * math.pow(last / first, done))


@dataclass
class Sequential:
    """The state of a run: present `parameters`, random at first, and a radius for each block."""

    spec: NetworkSpec
    reduction: Reduction
    oracle: Oracle
    settings: Settings
    seed: int
    allowed: Callable[[int], None] = lambda calls: None
    books: Books = field(default_factory=Books)

    def __post_init__(self) -> None:
        self.exact: ExactSamples | None = None
        if self.settings.exact_samples:
            limits = (self.settings.max_variables, self.oracle.info.max_variables)
            most = min(limit for limit in limits if limit is not None)
            self.exact = ExactSamples(self.reduction, self.settings.exact_samples, most)
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
        total = len(self.reduction.job.store)
        batch = self.settings.batch_of(number, total)
        rows = draw(total, batch, rng)
        last = batch == min(self.settings.final_batch, total)
        enough = batch >= SAMPLES_PER_BIT * self.spec.num_weight_bits
        criterion = ERRORS_FIRST if last and enough else LOSS_ONLY
        score = self.reduction.present(rows, self.parameters)
        for index in rng.permutation(len(self.blocks)).tolist():
            score = self._improve(index, rows, score, criterion, rng)

    def _improve(
        self,
        index: int,
        rows: list[Rows],
        score: FloatArray,
        criterion: list[int],
        rng: np.random.Generator,
    ) -> FloatArray:
        """One block; loss and errors after it."""
        block = self.blocks[index]
        some = rows[: max(1, len(rows) // MODELLED)]
        make = self.reduction.local_model if self.exact is None else self.exact.model
        model = make(some, self.parameters, block)
        if model.unit == 0:
            return score

        def moved(flips: States) -> FloatArray | None:
            """The score after the best of `flips`, if it is better."""
            if not len(flips):
                return None
            numbers = model.numbers_after(flips)
            scores = self.reduction.scores(rows, self.parameters, block, numbers)
            best = min(range(len(scores)), key=lambda k: tuple(scores[k, criterion]))
            if tuple(scores[best, criterion]) >= tuple(score[criterion]):
                return None
            self.parameters = block.replaced(self.parameters, numbers[best])
            return np.asarray(scores[best])

        for _ in range(TRIES):
            radius = float(self.radii[index])
            flips = _promising(model, self._ask(model, radius, rng), radius)
            if not len(flips):  # the oracle would rather stay: let it go further
                self.radii[index] = max(radius / GROW, RADII[0])
                break
            found = moved(flips)
            if found is not None:
                self.radii[index] = max(radius * SHRINK, RADII[0])
                return found
            self.radii[index] = min(radius * GROW, RADII[1])
        found = moved(model.best_flips(FLIPS))
        return score if found is None else found

    def _ask(self, model: LocalModel, radius: float, rng: np.random.Generator) -> States:
        """Steps that the oracle proposes, (any number, n)."""
        self.allowed(1)
        seed, chosen = int(rng.integers(2**32)), self.settings
        if isinstance(model, SharpModel):
            answer = ask_sharply(
                model,
                radius,
                self.oracle,
                num_reads=chosen.num_reads,
                coefficient_bits=chosen.coefficient_bits,
                seed=seed,
                goes_on=self._goes_on,
            )
            found = answer.solution
            self.books.enter(
                found.oracle_calls,
                found.oracle_reads,
                found.oracle_time_s,
                answer.num_bits,
                found.num_constraints,
            )
            return answer.flips
        qubo = model.qubo(radius, chosen.coefficient_bits)
        samples = self.oracle.sample(qubo, num_reads=chosen.num_reads, seed=seed)
        self.books.enter(1, len(samples), samples.time_s, qubo.num_variables)
        return samples.states

    def _goes_on(self, calls: int) -> bool:
        try:
            self.allowed(calls)
        except Stopped:  # what was found so far is judged; the next question ends the run
            return False
        return True


def _promising(model: LocalModel, states: States, radius: float) -> States:
    """The distinct states of lowest model, without the present one: at most `CANDIDATES`."""
    # In the order of np.unique, which is slow for so many columns.
    distinct = b"".join(sorted({state.tobytes() for state in states}))
    flips = np.frombuffer(distinct, dtype=states.dtype).reshape(-1, states.shape[1])
    flips = flips[flips.any(axis=1)]
    energies = model.energies(flips) + radius * model.unit * flips.sum(axis=1)
    return flips[np.argsort(energies, kind="stable")[:CANDIDATES]]
