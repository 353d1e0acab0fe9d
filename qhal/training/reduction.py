"""Sums over samples, chunk by chunk, on any executor; the order of summation is fixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.executors import Executor, Function
from qhal.networks.spec import Ints
from qhal.problems.arrays import FloatArray
from qhal.tracing import span
from qhal.training import tasks
from qhal.training.blocks import Block, Parameters
from qhal.training.local import LocalModel
from qhal.training.store import Rows
from qhal.training.tasks import Job, Task

# Chunks of one task if nothing is known of the workers: sending it takes about as long as one chunk
# of a small network.
CHUNKS = 4


class Reduction:
    """Means over samples of `job`; the same on every executor."""

    def __init__(self, job: Job, executor: Executor) -> None:
        self.job, self._executor = job, executor

    @span("evaluation")
    def present(self, rows: Sequence[Rows], parameters: Parameters) -> FloatArray:
        """Mean loss and share of errors over `rows`: (2,)."""
        parts = self._by_chunk(tasks.present_score, rows, parameters)
        return np.asarray(np.sum(parts, axis=0) / count(rows))

    @span("assembly")
    def local_model(self, rows: Sequence[Rows], parameters: Parameters, block: Block) -> LocalModel:
        """The mean loss over `rows` to second order over the bits of `block`."""
        gradient, hessian = self.derivatives(rows, parameters, block)
        return LocalModel.of(block, parameters, gradient, hessian)

    def derivatives(
        self, rows: Sequence[Rows], parameters: Parameters, block: Block
    ) -> tuple[FloatArray, FloatArray]:
        """The mean loss over `rows` to second order: gradient (n,), Hessian (n, n) by numbers."""
        parts = self._by_chunk(tasks.local_model, rows, parameters, block)
        gradient, hessian = (
            sum(part.astype(np.float64) for part in each) / count(rows)
            for each in zip(*parts, strict=True)
        )
        return gradient, hessian

    def distances(
        self, rows: Sequence[Rows], parameters: Parameters, block: Block
    ) -> npt.NDArray[np.float32]:
        """`Chunk.distances` of all samples of `rows`, in their order."""
        return np.concatenate(self._by_chunk(tasks.distances, rows, parameters, block))

    @span("evaluation")
    def scores(
        self, rows: Sequence[Rows], parameters: Parameters, block: Block, candidates: Ints
    ) -> FloatArray:
        """Mean loss and share of errors with each of `candidates` (any number, n) in `block`.

        Shape (num_candidates, 2).
        """
        parts = self._by_chunk(tasks.candidate_scores, rows, parameters, block, candidates)
        return np.asarray(np.sum(parts, axis=0) / count(rows))

    @span("evaluation")
    def score(self, rows: Sequence[Rows], parameters: Parameters) -> tuple[float, float]:
        """Mean loss and share of errors over `rows`, by the network itself, apart from chunks."""
        parts = self._by_chunk(tasks.score, rows, parameters)
        loss, wrong = np.sum(parts, axis=0) / count(rows)
        return float(loss), float(wrong)

    def _by_chunk(self, function: Function, rows: Sequence[Rows], *at: Any) -> list[Any]:
        """What `function` says of each chunk, by one task for each worker.

        Every so many-th chunk goes to the same task, and so to the worker that has it, whether the
        map is over all chunks or the first third of them.
        """
        shares = min(len(rows), self._executor.num_workers or -(-len(rows) // CHUNKS))
        work = [Task(self.job, tuple(rows[k::shares]), *at) for k in range(shares)]
        answers = self._executor.map(function, work)
        return [answers[k % shares][k // shares] for k in range(len(rows))]


def count(rows: Sequence[Rows]) -> int:
    """How many samples `rows` are."""
    return sum(part.stop - part.start for part in rows)
