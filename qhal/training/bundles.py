"""Bundles of samples: which there are, and the problem of one, solved by QCGD.

`solve_bundle` runs on executors: a task names the bundle's samples, the network around the block,
and its seed, and needs nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError, OracleError
from qhal.networks.spec import Ints, NetworkSpec
from qhal.oracle import Oracle
from qhal.problems.arrays import FloatArray
from qhal.problems.encoding import encode
from qhal.problems.qcbo import Qcbo, Values
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import run
from qhal.training.block_fip import encode_what_fits
from qhal.training.blocks import Block, Parameters
from qhal.training.coarse import Coarse
from qhal.training.consensus import Bits


def draw_bundles(
    total: int, size: int, count: int, *, replacement: bool, seed: int, visit: int
) -> list[Ints]:
    """The `count` bundles of `size` samples of a visit, of `total` samples.

    Without replacement, visits go through a random order of all samples, and through another once
    it is used up; no sample is twice in a visit unless it takes more than there are. With
    replacement, each is drawn from all.
    """
    if not 1 <= size <= total:
        raise InputError(f"bundle_size must be from 1 to the {total} samples, not {size}.")
    if replacement:
        rng = np.random.default_rng([seed, 2, visit])
        return [np.sort(rng.choice(total, size, replace=False)) for _ in range(count)]
    rounds = total // size  # bundles in one random order
    bundles = []
    for number in range(visit * count, (visit + 1) * count):
        order = np.random.default_rng([seed, 3, number // rounds]).permutation(total)
        start = number % rounds * size
        bundles.append(np.sort(order[start : start + size]))
    return bundles


@dataclass(frozen=True, kw_only=True, eq=False)
class BundleTask:
    """The problem of one bundle: samples on the grid, `fields` (n,) and `offset` to add.

    `starts` (any number, n) are bits that are judged beside what the oracle finds.
    """

    spec: NetworkSpec
    parameters: Parameters
    block: Block
    x: npt.NDArray[np.uint8]
    y: npt.NDArray[np.generic]
    fields: FloatArray
    offset: float
    starts: Bits
    oracle: Oracle
    max_variables: int
    coefficient_bits: int | None
    num_reads: int | None
    iterations: int
    seed: int

    def plain(self) -> tuple[Qcbo, int]:
        """The bundle's problem without hedging terms, of at most `max_variables` bits.

        And how many of its samples had to be left out for that: the last ones.
        """
        problem, kept = encode_what_fits(
            self.spec, self.parameters, self.block, self.x, self.y, self.max_variables
        )
        if problem is not None:
            return problem, len(self.y) - kept
        raise InputError(
            f"a block of {self.block.num_bits} parameter bits and one sample take more than "
            f"{self.max_variables} variables: raise max_variables, or use fewer spline pieces."
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class BundleAnswer:
    """The best bits (n,) of a bundle, and the books."""

    bits: Bits
    left_out: int
    num_variables: int
    num_constraints: int
    oracle_calls: int
    oracle_reads: int
    oracle_time_s: float


def with_fields(problem: Qcbo, fields: FloatArray, offset: float) -> Qcbo:
    """`problem` with `fields` (n,) added to the linear terms of its first n variables."""
    linear = np.array(problem.linear)
    linear[: len(fields)] += fields
    return replace(problem, linear=linear, offset=problem.offset + offset)


def solve_bundle(task: BundleTask) -> BundleAnswer:
    """The lowest of what QCGD finds for the task's problem, and of the task's starts."""
    plain, left_out = task.plain()
    problem, n = with_fields(plain, task.fields, task.offset), task.block.num_bits
    seen = _Lowest(problem, n)
    seen(*completed(problem, task.starts))
    oracle = task.oracle
    if task.coefficient_bits is not None:
        oracle = Coarse(oracle, task.coefficient_bits)
    solution = run(
        problem,
        oracle,
        num_reads=task.num_reads,
        limits=Limits(iterations=task.iterations),
        seed=task.seed,
        observer=seen,
    )
    if "failure" in solution.info:
        raise OracleError(str(solution.info["failure"]))
    if solution.objective is not None and problem.completion is None:
        seen(*completed(problem, _bits_of(problem, solution.assignment)))
    return BundleAnswer(
        bits=seen.bits,
        left_out=left_out,
        num_variables=encode(problem).num_bits,
        num_constraints=problem.num_constraints,
        oracle_calls=solution.oracle_calls,
        oracle_reads=solution.oracle_reads,
        oracle_time_s=solution.oracle_time_s,
    )


def flip_changes(task: BundleTask) -> FloatArray:
    """By how much each single flip of the first start changes the bundle's loss, in size, (n,)."""
    start = task.starts[0]
    flipped = start ^ np.eye(len(start), dtype=np.int8)
    _, losses = completed(task.plain()[0], np.vstack([start[np.newaxis], flipped]))
    return np.asarray(np.abs(losses[1:] - losses[0]))


class _Lowest:
    """An observer that keeps the bits of the lowest objective; of equal ones the first."""

    def __init__(self, problem: Qcbo, num_bits: int) -> None:
        self._problem, self._num_bits = problem, num_bits
        self.objective = np.inf
        self.bits: Bits = np.zeros(num_bits, dtype=np.int8)

    def __call__(self, values: Values, objectives: FloatArray) -> None:
        if not len(objectives):
            return
        k = int(np.argmin(objectives))
        objective = float(self._problem.objectives(values[k])[0])  # alone: batches round apart
        if objective < self.objective:
            self.objective = objective
            self.bits = values[k, : self._num_bits].astype(np.int8)


def completed(problem: Qcbo, bits: Bits) -> tuple[Values, FloatArray]:
    """A block's `bits` (any number, n) with all variables that follow, and the objectives."""
    values = np.zeros((len(bits), problem.num_variables), dtype=np.int64)
    values[:, : bits.shape[1]] = bits
    if problem.completion is not None:
        values = problem.completion(values)
    return values, problem.objectives(values)


def _bits_of(problem: Qcbo, assignment: object) -> Bits:
    assert isinstance(assignment, dict)
    return np.array([[assignment[name] for name in problem.names]], dtype=np.int8)
