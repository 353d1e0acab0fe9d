"""What runs on executors: sums over a few chunks of samples, and calls of an oracle.

A task names its samples and its network; what it needs besides, it makes. Chunks are kept from task
to task, as most differ from the one before by a few bits, but nothing depends on that.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.networks.spec import Ints, NetworkSpec
from qhal.oracle import Oracle
from qhal.problems.arrays import FloatArray, States
from qhal.problems.qubo import Qubo
from qhal.training.blocks import Block, Parameters, network_of
from qhal.training.chunk import Chunk, Tables
from qhal.training.store import Rows, Store

KEPT_BYTES = 2**28


@dataclass(frozen=True, eq=False)
class Job:
    """What all tasks of a run share; `key` tells runs apart."""

    key: str
    spec: NetworkSpec
    store: Store


@dataclass(frozen=True, eq=False)
class Task:
    """A few chunks of samples at `parameters`, to be looked at along `block`.

    `candidates` (any number, n) are numbers of the block.
    """

    job: Job
    rows: tuple[Rows, ...]
    parameters: Parameters
    block: Block | None = None
    candidates: Ints | None = None


@dataclass(frozen=True, eq=False)
class Call:
    """One question to an oracle."""

    oracle: Oracle
    qubo: Qubo
    num_reads: int
    seed: int


def present_score(task: Task) -> FloatArray:
    """Sum of losses and number of errors: (2,)."""
    return np.asarray(np.sum([chunk.score() for chunk in _chunks(task)], axis=0))


def local_model(task: Task) -> tuple[FloatArray, FloatArray]:
    """Gradient (n,) and Hessian (n, n) of the sum of losses by the numbers of the block."""
    assert task.block is not None
    count = len(task.block.codes)
    gradient, hessian = np.zeros(count), np.zeros((count, count))
    for chunk in _chunks(task):
        slope, curvature = chunk.local_model(task.block)
        gradient += slope
        hessian += curvature
    return gradient, hessian


def candidate_scores(task: Task) -> FloatArray:
    """Sum of losses and number of errors for each of the candidates, (num_candidates, 2)."""
    assert task.block is not None
    assert task.candidates is not None
    networks = [task.block.replaced(task.parameters, numbers) for numbers in task.candidates]
    scores = [[chunk.score_at(network) for network in networks] for chunk in _chunks(task)]
    return np.asarray(np.sum(scores, axis=0))


def score(task: Task) -> FloatArray:
    """Sum of losses and number of errors, by the network itself: (2,)."""
    spec = task.job.spec
    network = network_of(spec, task.parameters)
    loss, wrong = 0.0, 0
    for rows in task.rows:
        x, y = _samples(task.job, rows)
        outputs = network.outputs(spec.grid(x))
        loss += spec.losses(outputs, y).sum()
        wrong += 0 if spec.regression else int((network.classes(outputs) != y).sum())
    return np.array([loss, wrong])


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
