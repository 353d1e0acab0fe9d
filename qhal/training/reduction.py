"""Sums over samples, chunk by chunk, on any executor; the order of summation is fixed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from qhal.executors import Executor
from qhal.networks.spec import Ints
from qhal.problems.arrays import FloatArray
from qhal.tracing import span
from qhal.training import tasks
from qhal.training.blocks import Block, Parameters
from qhal.training.local import LocalModel
from qhal.training.store import Rows
from qhal.training.tasks import Job, Task

# Chunks of one task: sending it takes about as long as one chunk of a small network.
CHUNKS = 4


class Reduction:
    """Means over samples of `job`; the same on every executor."""

    def __init__(self, job: Job, executor: Executor) -> None:
        self.job, self._executor = job, executor

    @span("evaluation")
    def present(self, rows: Sequence[Rows], parameters: Parameters) -> FloatArray:
        """Mean loss and share of errors over `rows`: (2,)."""
        work = [Task(self.job, part, parameters) for part in _parts(rows)]
        return np.asarray(
            np.sum(self._executor.map(tasks.present_score, work), axis=0) / count(rows)
        )

    @span("assembly")
    def local_model(self, rows: Sequence[Rows], parameters: Parameters, block: Block) -> LocalModel:
        """The mean loss over `rows` to second order over the bits of `block`."""
        work = [Task(self.job, part, parameters, block) for part in _parts(rows)]
        parts = self._executor.map(tasks.local_model, work)
        gradient = np.sum([part[0] for part in parts], axis=0) / count(rows)
        hessian = np.sum([part[1] for part in parts], axis=0) / count(rows)
        return LocalModel.of(block, parameters, gradient, hessian)

    @span("evaluation")
    def scores(
        self, rows: Sequence[Rows], parameters: Parameters, block: Block, candidates: Ints
    ) -> FloatArray:
        """Mean loss and share of errors with each of `candidates` (any number, n) in `block`.

        Shape (num_candidates, 2).
        """
        work = [Task(self.job, part, parameters, block, candidates) for part in _parts(rows)]
        parts = self._executor.map(tasks.candidate_scores, work)
        return np.asarray(np.sum(parts, axis=0) / count(rows))

    @span("evaluation")
    def score(self, rows: Sequence[Rows], parameters: Parameters) -> tuple[float, float]:
        """Mean loss and share of errors over `rows`, by the network itself, apart from chunks."""
        work = [Task(self.job, part, parameters) for part in _parts(rows)]
        loss, wrong = np.sum(self._executor.map(tasks.score, work), axis=0) / count(rows)
        return float(loss), float(wrong)


def _parts(rows: Sequence[Rows]) -> list[tuple[Rows, ...]]:
    """Even shares of at most `CHUNKS` chunks for each task."""
    tasks = max(1, -(-len(rows) // CHUNKS))
    ends = [len(rows) * k // tasks for k in range(tasks + 1)]
    return [tuple(rows[start:end]) for start, end in pairwise(ends)]


def count(rows: Sequence[Rows]) -> int:
    """How many samples `rows` are."""
    return sum(part.stop - part.start for part in rows)
