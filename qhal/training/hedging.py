"""Training by progressive hedging: bundles of samples as small QCBOs that must agree on the bits.

A visit to a block of parameters (the whole network, if its bundles' problems fit) draws a few
bundles of samples, encodes each with the rest of the network held (`qhal.training.block_fip`), and
hedges (`qhal.training.consensus`): every bundle has its own copy of the block's bits, found by QCGD
through the oracle, and fields draw the copies together. What they arrive at is rounded and judged
by the loss on a large sample, beside each copy on its own; the block changes only if that falls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError
from qhal.networks.spec import Ints, NetworkSpec, check_count
from qhal.oracle import Oracle
from qhal.problems.arrays import FloatArray
from qhal.problems.encoding import encode
from qhal.training.block_fip import encode_block
from qhal.training.blocks import Block, Parameters, all_blocks, network_of
from qhal.training.bundles import (
    BundleAnswer,
    BundleTask,
    draw_bundles,
    flip_changes,
    solve_bundle,
)
from qhal.training.consensus import Bits, Hedge, Penalty, RhoRule
from qhal.training.dual import DualBound, balanced_prices, dual_bound
from qhal.training.initial import initial_parameters
from qhal.training.run import Books

Map: TypeAlias = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]

# Copies agree if, on average over the bits, no more of them than this differ from the majority.
CONSENSUS = 0.002
JUDGED = 4096
_PROBES = 3


@dataclass(frozen=True, kw_only=True)
class HedgingSettings:
    """How a run goes.

    Attributes
    ----------
    epochs : visits to each block
    bundle_size, bundles : samples of a bundle, and bundles of a visit
    replacement : whether each bundle is drawn from all samples, else visits go through them
    hedging_rounds : rounds of a visit, at most: fewer if the copies agree before
    rho, rho_rule : see `qhal.training.consensus.Penalty`
    iterations, num_reads : of QCGD, for a bundle in a round
    max_variables, coefficient_bits : what a QUBO may have; couplings and fields of its spins are
        whole numbers of so many bits, sign included, rounded at random (None: double precision)
    """

    epochs: int = 6
    bundle_size: int = 16
    bundles: int = 8
    replacement: bool = False
    hedging_rounds: int = 6
    rho: float = 0.1
    rho_rule: RhoRule = "per-bit"
    iterations: int = 3
    num_reads: int = 20
    max_variables: int = 550
    coefficient_bits: int | None = 8

    def __post_init__(self) -> None:
        for (
            name
        ) in "epochs bundle_size bundles hedging_rounds iterations num_reads max_variables".split():
            check_count(getattr(self, name), name, 1)
        if self.coefficient_bits is not None:
            check_count(self.coefficient_bits, "coefficient_bits", 2, 24)
        if not isinstance(self.replacement, bool):
            raise InputError(f"replacement must be True or False, not {self.replacement!r}.")
        Penalty(self.rho, self.rho_rule)


@dataclass
class Counts(Books):
    """What a run has used, and how many samples of bundles had no room."""

    left_out: int = 0

    def add(self, answer: BundleAnswer) -> None:
        """Book the solution of a bundle."""
        self.enter(
            answer.oracle_calls,
            answer.oracle_reads,
            answer.oracle_time_s,
            answer.num_variables,
            answer.num_constraints,
        )
        self.left_out += answer.left_out


@dataclass
class Place:
    """Where a run is: rounds done of a visit, visits done."""

    visit: int = 0
    round: int = 0


@dataclass(eq=False)
class Hedging:
    """The state of a run on inputs `q` (N, features), on the grid, and labels `y` (N,).

    `map` is an executor's; `check(calls)` is asked before `calls` oracle calls and raises to end
    the run. `last` is the visit before: its block, and the parameters and copies at its end.
    """

    spec: NetworkSpec
    q: npt.NDArray[np.uint8]
    y: npt.NDArray[np.generic]
    oracle: Oracle
    map: Map
    settings: HedgingSettings
    seed: int
    check: Callable[[int], None]
    books: Counts = field(default_factory=Counts)
    place: Place = field(default_factory=Place)
    hedge: Hedge | None = None
    last: tuple[Block, Parameters, Hedge] | None = None

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.seed, 0])
        means = self.q[:: max(1, len(self.q) // JUDGED)].mean(axis=0)
        self.parameters: Parameters = initial_parameters(self.spec, means, rng)
        judged = rng.choice(len(self.q), min(JUDGED, len(self.q)), replace=False)
        self.judged = np.sort(judged)
        own = self.oracle.info.max_variables
        limit = self.settings.max_variables
        self.max_variables = limit if own is None else min(limit, own)
        self.blocks = plan_blocks(
            self.spec, self.parameters, self._bundle(0, 0), self.max_variables
        )

    def advance(self) -> bool:
        """One round of hedging; whether it ended a visit."""
        block = self.blocks[self.place.visit % len(self.blocks)]
        bundles = self._bundles(self.place.visit)
        starts = block.encode(block.numbers(self.parameters))[np.newaxis]
        if self.hedge is None:
            self.hedge = self._begin(block, bundles, starts)
        self.check(len(bundles) * self.settings.iterations)
        tasks = self._tasks(block, bundles, starts)
        answers: list[BundleAnswer] = self.map(solve_bundle, tasks)
        for answer in answers:
            self.books.add(answer)
        self.hedge.update(np.array([answer.bits for answer in answers]))
        self.place.round += 1
        done = self.place.round >= self.settings.hedging_rounds
        if not done and self.hedge.disagreement > CONSENSUS:
            return False
        self.last = block, self.parameters, self.hedge
        self._conclude(block)
        self.place = Place(self.place.visit + 1)
        self.hedge = None
        return True

    def loss(self, parameters: Parameters) -> float:
        """The mean loss on the samples that judge."""
        network, rows = network_of(self.spec, parameters), self.judged
        return float(network.losses(self.q[rows].astype(np.int64), self.y[rows]).mean())

    def dual_bound(self, oracle: Oracle, time_limit: float | None = None) -> DualBound:
        """What the last visit's multipliers prove, by the exact `oracle`, within s a bundle.

        The bound is one on the mean spline loss over the visit's bundles, whatever the bits of its
        block, the rest of the network being held as it was.
        """
        if self.last is None:
            return DualBound(None, "no visit has come to its end.")
        block, parameters, hedge = self.last
        bundles = self._bundles(self.place.visit - 1)
        problems = [
            encode_block(self.spec, parameters, block, self.q[rows].astype(np.int64), self.y[rows])
            for rows in bundles
        ]
        sizes = [len(rows) for rows in bundles]
        return dual_bound(
            problems,
            sizes,
            balanced_prices(hedge.multipliers, sizes),
            oracle,
            total=sum(sizes),
            time_limit=time_limit,
        )

    def _begin(self, block: Block, bundles: Sequence[Ints], starts: Bits) -> Hedge:
        """Copies that start from the present bits, with penalties of the size of flips there."""
        tasks = self._tasks(block, bundles, starts)
        changes = np.mean(self.map(flip_changes, tasks), axis=0)
        return _new_hedge(self.settings, len(bundles), starts[0].astype(np.float64), changes)

    def empty_hedge(self) -> Hedge:
        """One of the shape that the present visit needs, to be restored."""
        block = self.blocks[self.place.visit % len(self.blocks)]
        nothing = np.zeros(block.num_bits)
        return _new_hedge(self.settings, self.settings.bundles, nothing, nothing)

    def _conclude(self, block: Block) -> None:
        """Take the best of what a visit has arrived at, if it is better than what is there."""
        assert self.hedge is not None
        numbers = [block.numbers(self.parameters), *candidates(block, self.hedge)]
        losses = [self.loss(block.replaced(self.parameters, each)) for each in numbers]
        self.parameters = block.replaced(self.parameters, numbers[int(np.argmin(losses))])

    def _bundles(self, visit: int) -> list[Ints]:
        chosen = self.settings
        return draw_bundles(
            len(self.q),
            chosen.bundle_size,
            chosen.bundles,
            replacement=chosen.replacement,
            seed=self.seed,
            visit=visit,
        )

    def _bundle(self, visit: int, number: int) -> tuple[Ints, npt.NDArray[np.generic]]:
        rows = self._bundles(visit)[number]
        return self.q[rows].astype(np.int64), self.y[rows]

    def _tasks(self, block: Block, bundles: Sequence[Ints], starts: Bits) -> list[BundleTask]:
        chosen, hedge = self.settings, self.hedge
        fields, offset = np.zeros((len(bundles), block.num_bits)), 0.0
        if hedge is not None:
            fields, offset = hedge.fields()
        tasks = []
        for number, rows in enumerate(bundles):
            judged = starts
            if hedge is not None:
                rounded = (hedge.mean >= 0.5).astype(np.int8)
                judged = np.vstack([starts, rounded, hedge.bits[number]])
            parts = [self.seed, self.place.visit, self.place.round, number]
            task = BundleTask(
                spec=self.spec,
                parameters=self.parameters,
                block=block,
                x=self.q[rows],
                y=self.y[rows],
                fields=fields[number],
                offset=offset,
                starts=judged,
                oracle=self.oracle,
                max_variables=self.max_variables,
                coefficient_bits=chosen.coefficient_bits,
                num_reads=chosen.num_reads,
                iterations=chosen.iterations,
                seed=int(np.random.SeedSequence(parts).generate_state(1)[0]),
            )
            tasks.append(task)
        return tasks


def _new_hedge(
    settings: HedgingSettings, count: int, mean: FloatArray, changes: FloatArray
) -> Hedge:
    shares = np.full(count, 1.0 / count)
    return Hedge(shares, mean, changes, Penalty(settings.rho, settings.rho_rule))


def candidates(block: Block, hedge: Hedge) -> list[Ints]:
    """Numbers (n,) that a visit may end with: the rounded means, and what single copies found.

    Bits are rounded one by one, and numbers to the nearest level, which differs if they have
    several bits.
    """
    levels = [code.levels for code in block.codes]
    mean = hedge.weights @ block.decode(hedge.bits)
    nearest = [
        each[np.abs(each - value).argmin()] for each, value in zip(levels, mean, strict=True)
    ]
    rounded = block.decode((hedge.mean >= 0.5).astype(np.int8))
    return [rounded, np.array(nearest), *block.decode(np.unique(hedge.bits, axis=0))]


def plan_blocks(
    spec: NetworkSpec,
    parameters: Parameters,
    bundle: tuple[Ints, npt.NDArray[np.generic]],
    max_variables: int,
) -> list[Block]:
    """The largest blocks whose problem on `bundle` has at most `max_variables` bits.

    The whole network, or as many units of one layer at a time as fit; never less than one unit, of
    whose bundle then samples are left out, nor more of it than the machine has variables.
    """
    units = all_blocks(spec, max_variables)
    whole = _joined(spec, units)
    if _size(spec, parameters, whole, bundle) <= max_variables:
        return [whole]
    blocks = []
    for k in range(len(spec.layers)):
        layer = [block for block in units if block.groups[0].layer == k]
        width = len(layer)
        while width > 1:
            probes = [_joined(spec, layer[i : i + width]) for i in range(0, len(layer), width)]
            sizes = [_size(spec, parameters, probe, bundle) for probe in probes[:_PROBES]]
            if max(sizes) <= max_variables:
                break
            width = max(1, min(width - 1, int(width * max_variables / max(sizes))))
        blocks += [_joined(spec, layer[i : i + width]) for i in range(0, len(layer), max(1, width))]
    return blocks


def _joined(spec: NetworkSpec, blocks: Sequence[Block]) -> Block:
    return Block.of(spec, tuple(group for block in blocks for group in block.groups))


def _size(
    spec: NetworkSpec,
    parameters: Parameters,
    block: Block,
    bundle: tuple[Ints, npt.NDArray[np.generic]],
) -> int:
    """Bits of the block's problem; of its own bits alone, if these are too many already."""
    return encode(encode_block(spec, parameters, block, *bundle)).num_bits
