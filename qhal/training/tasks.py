"""What runs on executors: sums over a few chunks of samples, and calls of an oracle.

A task names its samples and its network; what it needs besides, it makes. Chunks are kept from task
to task, as most differ from the one before by a few bits, but nothing depends on that.
"""

from __future__ import annotations

import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.networks.spec import Ints, NetworkSpec
from qhal.oracle import Oracle
from qhal.problems.arrays import States
from qhal.problems.qubo import Qubo
from qhal.training.blocks import Block, Parameters, network_of
from qhal.training.chunk import Chunk, Tables
from qhal.training.objective import Floats
from qhal.training.store import Rows, Store

KEPT_BYTES = 2**28


@dataclass(frozen=True, eq=False)
class Job:
    """What all tasks of a run share; `key` tells runs apart.

    It travels with every task, and is made once where it arrives.
    """

    key: str
    spec: NetworkSpec
    store: Store

    @cached_property
    def _packed(self) -> bytes:
        return pickle.dumps((self.key, self.spec, self.store))

    def __reduce__(self) -> tuple[Callable[[bytes], Job], tuple[bytes]]:
        return _job, (self._packed,)


@lru_cache(maxsize=8)
def _job(packed: bytes) -> Job:
    return Job(*pickle.loads(packed))  # noqa: S301 (part of a pickle)


@dataclass(frozen=True, eq=False)
class Task:
    """A few chunks of samples at `parameters`, to be looked at along `block`.

    `candidates` (any number, n) are numbers of the block. What it asks for is a sum for each chunk,
    so that all sums are added up in one place and one order.
    """

    job: Job
    rows: tuple[Rows, ...]
    parameters: Parameters
    block: Block | None = None
    candidates: Ints | None = None

    def __reduce__(self) -> tuple[Callable[..., Task], tuple[Any, ...]]:
        parameters = tuple(_narrow(part) for part in self.parameters)
        candidates = None if self.candidates is None else _narrow(self.candidates)
        return _task, (self.job, self.rows, parameters, self.block, candidates)


def _task(
    job: Job, rows: tuple[Rows, ...], parameters: Parameters, block: Block | None, candidates: Any
) -> Task:
    wide = tuple(part.astype(np.int64) for part in parameters)
    return Task(job, rows, wide, block, None if candidates is None else candidates.astype(np.int64))


def _narrow(numbers: Ints) -> npt.NDArray[np.signedinteger[Any]]:
    """The same in as few bytes as they need: they travel with every task."""
    largest = int(np.abs(numbers).max(initial=0))
    return numbers.astype(np.min_scalar_type(-largest - 1))


@dataclass(frozen=True, eq=False)
class Call:
    """One question to an oracle."""

    oracle: Oracle
    qubo: Qubo
    num_reads: int
    seed: int


def present_score(task: Task) -> list[tuple[float, int]]:
    """For each chunk the sum of losses and the number of errors."""
    return [chunk.score() for chunk in _chunks(task)]


def local_model(task: Task) -> list[tuple[Floats, Floats]]:
    """For each chunk the sum of losses to second order by the numbers of the block.

    Gradient (n,) and Hessian (n, n), in the precision in which they were added up.
    """
    assert task.block is not None
    models = (chunk.local_model(task.block) for chunk in _chunks(task))
    return [
        (gradient.astype(np.float32), hessian.astype(np.float32)) for gradient, hessian in models
    ]


def distances(task: Task) -> list[Floats]:
    """For each chunk `Chunk.distances`, (N,)."""
    assert task.block is not None
    return [chunk.distances(task.block) for chunk in _chunks(task)]


def candidate_scores(task: Task) -> list[list[tuple[float, int]]]:
    """For each chunk the sum of losses and the number of errors for each of the candidates."""
    assert task.block is not None
    assert task.candidates is not None
    networks = [task.block.replaced(task.parameters, numbers) for numbers in task.candidates]
    return [[chunk.score_at(network) for network in networks] for chunk in _chunks(task)]


def score(task: Task) -> list[tuple[float, int]]:
    """For each chunk the sum of losses and the number of errors, by the network itself."""
    spec = task.job.spec
    network = network_of(spec, task.parameters)
    scores = []
    for rows in task.rows:
        x, y = _samples(task.job, rows)
        outputs = network.outputs(spec.grid(x))
        wrong = 0 if spec.regression else int((network.classes(outputs) != y).sum())
        scores.append((float(spec.losses(outputs, y).sum()), wrong))
    return scores


def ask(call: Call) -> States:
    """The oracle's states, (num_reads, n), lowest energy first."""
    return call.oracle.sample(call.qubo, num_reads=call.num_reads, seed=call.seed).states


def _samples(job: Job, rows: Rows) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    x, y = job.store.arrays
    chosen = rows.indices()
    return x[chosen], y[chosen]


class _Kept(threading.local):
    """The chunks and tables of a worker, the oldest first."""

    def __init__(self) -> None:
        self.key = ""
        self.tables: Tables | None = None
        self.chunks: OrderedDict[Rows, Chunk] = OrderedDict()


_kept = _Kept()


def _chunks(task: Task) -> Iterator[Chunk]:
    """Its chunks at its parameters, one after the other."""
    for rows in task.rows:
        yield _chunk(task.job, rows, task.parameters)


def _chunk(job: Job, rows: Rows, parameters: Parameters) -> Chunk:
    if _kept.key != job.key or _kept.tables is None:
        _kept.key, _kept.tables = job.key, Tables(job.spec)
        _kept.chunks.clear()
    chunk = _kept.chunks.pop(rows, None)
    if chunk is None:
        x, y = _samples(job, rows)
        chunk = Chunk(_kept.tables, job.spec.grid(x), y, parameters)
        room = KEPT_BYTES - chunk.num_bytes
        while _kept.chunks and sum(kept.num_bytes for kept in _kept.chunks.values()) > room:
            _kept.chunks.popitem(last=False)
    else:
        chunk.advance(parameters)
    _kept.chunks[rows] = chunk
    return chunk
