"""Local models in which some samples are exact.

A parabola tells a sample's loss near the unit's present pre-activation; past a kink of the
activation it errs. Here the samples that are nearest to a kink enter by their spline loss, exact
for all bits of the block (`qhal.training.block_fip`), and the others by their parabolas, over the
same bits: a QCBO of machine size, which QCGD solves through the same oracle. As the encoding is
over bits, a step flips bits here, also those of biases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError, OracleError
from qhal.networks.spec import NetworkSpec
from qhal.oracle import Oracle
from qhal.problems.arrays import FloatArray, States
from qhal.problems.encoding import encode
from qhal.problems.qcbo import Qcbo, Values
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import run
from qhal.samples import Solution, StopReason
from qhal.tracing import span
from qhal.training.block_fip import encode_what_fits
from qhal.training.blocks import Block, Parameters
from qhal.training.bundles import completed, with_fields
from qhal.training.chunk import Chunk, Tables
from qhal.training.coarse import Coarse
from qhal.training.consensus import Bits
from qhal.training.local import LocalModel
from qhal.training.reduction import Reduction, count
from qhal.training.store import Rows

# Of QCGD, one oracle call each, for each question: as many as hedging has.
ROUNDS = 3


@dataclass(frozen=True, eq=False)
class SharpModel(LocalModel):
    """The change of the mean loss over flips of a block's bits `present` (n,).

    `linear` and `quadratic` are the parabolas' share of it; `problem` is all of it, as a loss, over
    the bits themselves, which are its first n variables.
    """

    present: Bits
    problem: Qcbo

    @classmethod
    def around(cls, parabolas: LocalModel, present: Bits, exact: Qcbo, share: float) -> SharpModel:
        """`parabolas` of some samples, over flips, and `share` times the mean loss of others."""
        own = (parabolas.linear, parabolas.quadratic)
        problem = _joined(exact, share, *_over_bits(present, *own))
        return cls(parabolas.numbers, parabolas.moves, *own, present, problem)

    def flip_energies(self) -> FloatArray:
        """See `LocalModel.flip_energies`."""
        return self._flip_energies

    @cached_property
    def _flip_energies(self) -> FloatArray:
        return self.energies(np.eye(len(self.present), dtype=np.int8))

    def energies(self, flips: States) -> FloatArray:
        """The model at `flips` (any number, n), without trust region."""
        both = np.vstack([np.zeros_like(self.present), flips]) ^ self.present
        losses = completed(self.problem, both)[1]
        return np.asarray(losses[1:] - losses[0])

    def penalised(self, radius: float) -> Qcbo:
        """`problem` with a penalty of `radius` units for each bit that differs: linear terms."""
        each = radius * self.unit
        fields = np.where(self.present, -each, each)
        return with_fields(self.problem, fields, each * float(self.present.sum()))


def _over_bits(
    present: Bits, linear: FloatArray, quadratic: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """``linear @ d + d @ quadratic @ d / 2`` over bits b, where d are those that differ.

    As pairs (n, n), upper triangular, fields (n,) and offset: d = present + (1 - 2 present) b.
    """
    signs = 1.0 - 2.0 * present
    inner = signs[:, np.newaxis] * quadratic * signs
    fields = signs * (linear + quadratic @ present) + np.diag(inner) / 2
    offset = float(linear @ present + present @ quadratic @ present / 2)
    return np.triu(inner, k=1), fields, offset


def _joined(
    exact: Qcbo, share: float, pairs: FloatArray, fields: FloatArray, offset: float
) -> Qcbo:
    """`share` times the objective of `exact`, and the rest over its first variables."""
    total = exact.num_variables
    added = sp.coo_array(pairs)
    wide = sp.coo_array((added.data, (added.row, added.col)), shape=(total, total))
    quadratic = sp.csr_array(share * sp.csr_array(exact.quadratic) + wide)
    scaled = replace(
        exact, quadratic=quadratic, linear=share * exact.linear, offset=share * exact.offset
    )
    return with_fields(scaled, fields, offset)


class ExactSamples:
    """Makes local models with up to `limit` exact samples, of at most `max_variables` bits."""

    def __init__(self, reduction: Reduction, limit: int, max_variables: int) -> None:
        self.reduction, self.limit, self.max_variables = reduction, limit, max_variables
        self.spec = reduction.job.spec
        _check(self.spec)
        self._tables = Tables(self.spec)

    @span("assembly")
    def model(self, rows: list[Rows], parameters: Parameters, block: Block) -> LocalModel:
        """That of the samples `rows` over `block`, the parameters of a unit or some of them.

        Without exact samples if none fits, none can cross a kink, or the unit is an output, which
        has none.
        """
        gradient, hessian = self.reduction.derivatives(rows, parameters, block)
        plain = LocalModel.of(block, parameters, gradient, hessian)
        if block.groups[0].layer == len(self.spec.hidden):
            return plain
        chosen = self._nearest(rows, parameters, block)
        store, total = self.reduction.job.store, count(rows)
        q, y = self.spec.grid(store.arrays[0][chosen]), store.arrays[1][chosen]
        exact, kept = encode_what_fits(self.spec, parameters, block, q, y, self.max_variables)
        if exact is None:
            return plain
        own = Chunk(self._tables, q[:kept], y[:kept], parameters).local_model(block)
        gradient, hessian = gradient - own[0] / total, hessian - own[1] / total
        present = block.encode(plain.numbers)
        flips = block.steps * (1 - 2 * present)
        parabolas = LocalModel.along(flips, plain.numbers, gradient, hessian)
        return SharpModel.around(parabolas, present, exact, kept / total)

    def _nearest(self, rows: list[Rows], parameters: Parameters, block: Block) -> Values:
        """Which samples of the store are nearest to a kink, the nearest first."""
        distances = self.reduction.distances(rows, parameters, block)
        order = np.argsort(distances, kind="stable")[: self.limit]
        order = order[np.isfinite(distances[order])]
        return np.concatenate([part.indices() for part in rows])[order]


def _check(spec: NetworkSpec) -> None:
    if spec.loss.softmax and spec.num_outputs > 1:
        raise InputError(
            f"loss {spec.loss.name!r} joins the outputs, and exact_samples need a loss of each "
            "margin: use another loss, as 'cross-entropy', two classes, or exact_samples=0."
        )
    if not spec.hidden:
        raise InputError(
            "exact_samples are about kinks of hidden units, and the network has none: leave "
            "exact_samples out, or add hidden units."
        )


@dataclass(frozen=True, eq=False)
class SharpAnswer:
    """The `flips` (any number, n) that QCGD has seen, and its `solution`; the `num_bits` asked."""

    flips: States
    solution: Solution
    num_bits: int


def ask_sharply(
    model: SharpModel,
    radius: float,
    oracle: Oracle,
    *,
    num_reads: int,
    coefficient_bits: int | None,
    seed: int,
    goes_on: Callable[[int], bool],
    rounds: int = ROUNDS,
) -> SharpAnswer:
    """Solve the model's problem by QCGD in at most `rounds` calls of `oracle`.

    `goes_on(calls)`, asked after each round but the last, says whether there may be so many calls.
    """
    problem, seen = model.penalised(radius), [np.zeros((0, len(model.present)), dtype=np.int8)]
    if coefficient_bits is not None:
        oracle = Coarse(oracle, coefficient_bits)
    solution = run(
        problem,
        oracle,
        num_reads=num_reads,
        limits=Limits(iterations=rounds),
        seed=seed,
        callback=lambda state: state.iteration == rounds or goes_on(state.oracle_calls + 1),
        observer=lambda values, _: seen.append(values[:, : len(model.present)].astype(np.int8)),
    )
    if solution.stop_reason is StopReason.INTERRUPTED:  # for the run that asks to hear
        raise KeyboardInterrupt
    if "failure" in solution.info:
        raise OracleError(str(solution.info["failure"]))
    return SharpAnswer(np.vstack(seen) ^ model.present, solution, encode(problem).num_bits)
