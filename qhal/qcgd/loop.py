"""The QCGD loop: multipliers to QUBO to oracle to harvest, until a limit or a proof."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qhal.errors import InputError, OracleError
from qhal.oracle import Oracle, checked_num_reads, checked_seed
from qhal.problems.arrays import States, distinct_rows
from qhal.problems.encoding import encode
from qhal.problems.fingerprint import fingerprint
from qhal.problems.presolve import presolve
from qhal.problems.program import BinaryProgram
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo
from qhal.qcgd.caller import Caller
from qhal.qcgd.checkpoint import Checkpoint, Snapshot
from qhal.qcgd.evidence import Certificate
from qhal.qcgd.harvest import Harvest, Observer
from qhal.qcgd.interrupt import Interrupt
from qhal.qcgd.lifting import Atoms, Lifting, dynamic_range_bits
from qhal.qcgd.limits import Limits
from qhal.qcgd.proofs import Proofs
from qhal.qcgd.reduction import RARE, STATES, Reduction, reduction
from qhal.qcgd.rules import make_rule
from qhal.qcgd.verifier import Refused
from qhal.samples import Solution, Status, StopReason
from qhal.tracing import span

_LOG = logging.getLogger("qhal.qcgd")


@dataclass(frozen=True)
class RunState:
    """What a callback sees after each round; the history is a sequence of these as dicts."""

    iteration: int
    incumbent: float | None
    raw_incumbent: float | None
    lower_bound: float | None
    lowest_energy: float
    feasible_share: float
    max_residual: float
    range_bits: float
    oracle_calls: int
    oracle_time_s: float
    elapsed_s: float


Callback = Callable[[RunState], bool | None]


def run(
    problem: Qcbo,
    oracle: Oracle,
    *,
    method: str = "level",
    num_reads: int | None = None,
    limits: Limits | None = None,
    polish: bool = True,
    diverse: bool = False,
    seed: int | None = None,
    callback: Callback | None = None,
    observer: Observer | None = None,
    checkpoint: Path | None = None,
) -> Solution:
    """Solve `problem` through `oracle`; see `qhal.solve` for the parameters.

    `observer` sees every round's values after the problem's completion, with their objectives.
    `diverse` is for those who want many good values of a problem that completion makes feasible,
    rather than the best: every call is about the whole problem also on machines of few bits, and
    the multipliers are not driven up until the oracle's own samples are feasible.
    """
    started = Run(problem, oracle, method, num_reads, limits or Limits(), polish, seed, diverse)
    if checkpoint is not None:
        started.resume(checkpoint)
    return started.run(callback, observer)


class Run:
    """One run's state; `run` is the loop."""

    def __init__(
        self,
        problem: Qcbo,
        oracle: Oracle,
        method: str,
        num_reads: int | None,
        limits: Limits,
        polish: bool,
        seed: int | None,
        diverse: bool = False,
    ) -> None:
        self.start = time.perf_counter()
        self.earlier_s = 0.0
        self.problem, self.oracle, self.limits = problem, oracle, limits
        self.num_reads, self.given_seed, self.seed = num_reads, seed, checked_seed(seed)
        self.diverse = diverse
        self.interrupt = Interrupt()
        with span("presolve"):
            self.presolved = presolve(problem)
        with span("encoding"):
            self.program = encode(self.presolved.problem, problem)
        _check_size(self.program, oracle)
        self.lifting = Lifting(self.program)
        self.rule = make_rule(method, self.lifting, oracle.info.exact)
        self.rule.insists = not diverse
        self.rule.multipliers = self.lifting.on_grid(self.rule.multipliers)
        limit = limits.time_limit
        self.deadline = math.inf if limit is None else self.start + limit
        self.harvest = Harvest(self.lifting, polish, self._halted)
        reads = None if num_reads is None else checked_num_reads(num_reads)
        self.settings = {"method": method, "num_reads": reads, "polish": polish}
        self.proofs = Proofs(self.presolved, self.lifting, oracle.info.name)
        self.caller = Caller(oracle, self.seed, self.deadline, self.interrupt)
        self.checkpoint: Checkpoint | None = None
        self.notes: dict[str, str] = {}
        self.history: list[RunState] = []

    def resume(self, path: Path) -> None:
        """Keep the run in the file at `path`, and go on from there if it holds one already."""
        oracle = {"oracle": self.oracle.info.name, "oracle options": dict(self.oracle.options)}
        self.checkpoint = Checkpoint(path, fingerprint(self.problem), self.settings | oracle)
        snapshot = self.checkpoint.load()
        if snapshot is None:
            return
        try:
            self._restore(snapshot)
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(
                f"the checkpoint {path} is damaged ({error!s:.100}): remove it to start afresh."
            ) from None

    def run(self, callback: Callback | None, observer: Observer | None) -> Solution:
        """Iterate until a limit, a proof, the callback or Ctrl-C ends it."""
        with self.interrupt:
            try:
                reason = self._contradiction() or self._iterate(callback, observer)
            except KeyboardInterrupt:
                reason = StopReason.INTERRUPTED
            except OracleError as error:
                # What was found is not lost because a machine fails later on.
                if self.harvest.nearest is None:
                    raise
                self.notes["failure"] = str(error)
                reason = StopReason.ORACLE_FAILED
            if self.interrupt.requested and reason is not StopReason.PROVED:
                reason = StopReason.INTERRUPTED
            return self._solution(reason)

    def _contradiction(self) -> StopReason | None:
        """Whether presolve or the encoding found a row that nothing can meet."""
        row, reason = self.proofs.contradiction, self.proofs.reason
        if row is None or reason is None:
            return None
        self.notes |= {"contradiction": str(row), "reason": reason}
        return StopReason.CONTRADICTION

    def _iterate(self, callback: Callback | None, observer: Observer | None) -> StopReason:
        constrained = self.lifting.num_multipliers > 0
        reason = self._restored_end() if self.history else None
        while reason is None and len(self.history) < self.limits.iterations:
            qubo = self.lifting.qubo(self.rule.multipliers)
            left = self.limits.iterations - len(self.history) if constrained else 1
            states, bits = self._ask(qubo, left)
            atoms = self.harvest.take(states, qubo, observer)
            multipliers = self.rule.multipliers
            state = self._record(bits, float(qubo.energies(states).min()), atoms)
            reason = self._proof()
            if callback is not None and not _goes_on(callback(state)):
                reason = reason or StopReason.CALLBACK
            reason = reason or self._exhausted()
            if reason is None and not constrained:
                reason = StopReason.SINGLE_CALL
            if reason not in (StopReason.PROVED, StopReason.SINGLE_CALL):
                best = self.harvest.best.values
                upper = None if best is None else self.lifting.objective_of(best)
                with span("multipliers"):
                    self.rule.update(atoms.sorted_by_energy(multipliers), upper)
                    self.rule.multipliers = self.lifting.on_grid(self.rule.multipliers)
            self._keep()
        return reason or StopReason.ITERATIONS

    def _ask(self, qubo: Qubo, rounds_left: int) -> tuple[States, float]:
        """States of `qubo`, and the range in bits of what the oracle was asked."""
        starts, asked = self._starts(qubo), qubo
        part = self._reduction()
        if part is not None:
            asked = part.part(qubo)
            if starts is not None:
                starts = starts[:, part.free][distinct_rows(starts[:, part.free])[0]]
        samples = self.caller.ask(
            asked, num_reads=self.num_reads, rounds_left=rounds_left, starts=starts
        )
        if part is None:
            self.proofs.take(qubo, self.rule.multipliers, samples)
            return samples.states, dynamic_range_bits(asked)
        return part.whole(samples.states), dynamic_range_bits(asked)

    def _reduction(self) -> Reduction | None:
        """The part of the problem that the next call is about; None for all of it.

        Heuristics alone, as a part proves nothing of the whole: those that hold few bits, and any
        while its feasible samples are rare and completion knows better ones.
        """
        info = self.oracle.info
        if self.diverse or not self.rule.reduces or info.exact:
            return None
        rare = self.problem.completion is not None and bool(self.history)
        rare = rare and self.history[-1].feasible_share < RARE
        if info.coefficient_bits is None and not rare:
            return None
        best, nearest = self.harvest.starts.best(STATES), self.harvest.nearest_state
        return reduction(self.program, best, nearest, self.caller.calls, self.seed, rare)

    def _starts(self, qubo: Qubo) -> States | None:
        """Initial states for the share of the reads that the rule wants warm."""
        if not self.oracle.info.accepts_initial_states:
            return None
        reads = self.num_reads or self.oracle.default_num_reads
        return self.harvest.starts.choose(qubo, round(self.rule.warm_share * reads))

    def _restored_end(self) -> StopReason | None:
        """Whether the run had come to its end before it was kept."""
        if self.proofs.complete(self.harvest.best.objective):
            return StopReason.PROVED
        if not self.lifting.num_multipliers:
            return StopReason.SINGLE_CALL
        return self._exhausted()

    def _proof(self) -> StopReason | None:
        """Whether bound and value meet; with an exact oracle, also whether nothing is feasible."""
        if self.proofs.complete(self.harvest.best.objective):
            return StopReason.PROVED
        affordable = self.limits.max_oracle_calls != 1
        nothing = self.harvest.best.objective is None
        if nothing and affordable and self.oracle.info.exact and self.caller.calls == 1:
            samples, qubo = self.proofs.try_infeasible(self.caller.ask)
            self.harvest.take(samples.states, qubo)
            return StopReason.PROVED if self.proofs.infeasible else None
        return None

    def _exhausted(self) -> StopReason | None:
        limits, best = self.limits, self.harvest.best.objective
        if limits.target is not None and best is not None and best <= limits.target:
            return StopReason.TARGET
        if limits.max_oracle_calls is not None and self.caller.calls >= limits.max_oracle_calls:
            return StopReason.ORACLE_CALLS
        if self.interrupt.requested:
            return StopReason.INTERRUPTED
        if time.perf_counter() >= self.deadline:
            return StopReason.TIME_LIMIT
        return None

    def _halted(self) -> bool:
        return self.interrupt.requested or time.perf_counter() >= self.deadline

    def _elapsed(self) -> float:
        return self.earlier_s + time.perf_counter() - self.start

    @span("checkpoint")
    def _keep(self) -> None:
        """Write the checkpoint; a full disk costs the checkpoint, not the run."""
        if self.checkpoint is None:
            return
        facts = {
            "seed": self.seed,
            "calls": self.caller.calls,
            "reads": self.caller.reads,
            "oracle_time_s": self.caller.time_s,
            "elapsed_s": self._elapsed(),
            "history": [asdict(state) for state in self.history],
        }
        incumbents, arrays = self.harvest.state()
        proved, proof = self.proofs.state()
        rule = {f"rule{name}": array for name, array in self.rule.state().items()}
        try:
            self.checkpoint.save(Snapshot(facts | incumbents | proved, arrays | rule | proof))
        except OSError as error:
            self.notes["checkpoint"] = f"the checkpoint was not written: {error.strerror or error}."

    def _restore(self, snapshot: Snapshot) -> None:
        facts = snapshot.facts
        if self.given_seed not in (None, facts["seed"]):
            raise InputError(
                f"the checkpoint was made with seed {facts['seed']}, not {self.given_seed}: leave "
                "the seed out, name another file, or remove it to start afresh."
            )
        self.seed = checked_seed(facts["seed"])
        self.caller = Caller(self.oracle, self.seed, self.deadline, self.interrupt)
        self.caller.calls, self.caller.reads = int(facts["calls"]), int(facts["reads"])
        self.caller.time_s = float(facts["oracle_time_s"])
        self.earlier_s = float(facts["elapsed_s"])
        self.history = [RunState(**state) for state in facts["history"]]
        self.harvest.restore(facts, snapshot.arrays)
        self.proofs.restore(facts, snapshot.arrays, self.harvest.best.objective)
        prefix = "rule"
        self.rule.restore(
            {
                name.removeprefix(prefix): array
                for name, array in snapshot.arrays.items()
                if name.startswith(prefix)
            }
        )

    def _confirmed(self) -> Certificate | None:
        """The certificate of what is proved; nothing is claimed that the verifier refuses."""
        try:
            return self.proofs.confirmed(self.harvest.best)
        except Refused as refusal:
            self.notes["refused"] = f"the proof was not confirmed: {refusal}"
            return None

    def _record(self, range_bits: float, lowest_energy: float, atoms: Atoms) -> RunState:
        rows = np.abs(atoms.residuals[:, : len(self.program.rhs)])
        state = RunState(
            iteration=len(self.history) + 1,
            incumbent=self.harvest.best.objective,
            raw_incumbent=self.harvest.raw.objective,
            lower_bound=self.proofs.lower_bound,
            lowest_energy=lowest_energy,
            feasible_share=atoms.feasible_share,
            max_residual=float(rows.max(initial=0.0)),
            range_bits=range_bits,
            oracle_calls=self.caller.calls,
            oracle_time_s=self.caller.time_s,
            elapsed_s=self._elapsed(),
        )
        self.history.append(state)
        _LOG.debug("round %d", state.iteration, extra={"facts": asdict(state)})
        return state

    def _solution(self, reason: StopReason) -> Solution:
        best, nearest = self.harvest.best, self.harvest.nearest
        certificate = self._confirmed()
        certified = certificate is not None
        if certified and self.proofs.infeasible:
            status = Status.INFEASIBLE
        elif best.objective is None:
            status = Status.NO_FEASIBLE_SOLUTION_FOUND
        else:
            status = Status.OPTIMAL if certified else Status.FEASIBLE
        values = best.values if best.values is not None else (nearest and nearest[1])
        violation = None if values is None else float(self.problem.max_violations(values)[0])
        return Solution(
            status=status,
            stop_reason=reason,
            objective=best.objective,
            raw_objective=self.harvest.raw.objective,
            lower_bound=self.proofs.lower_bound,
            certified=certified,
            certificate=certificate,
            max_violation=violation,
            assignment={} if values is None else self.problem.assignment(values),
            iterations=len(self.history),
            oracle_calls=self.caller.calls,
            oracle_reads=self.caller.reads,
            oracle_time_s=self.caller.time_s,
            total_time_s=self._elapsed(),
            num_variables=self.problem.num_variables,
            num_constraints=self.problem.num_constraints,
            oracle=self.oracle.info.name,
            seed=self.seed,
            method=str(self.settings["method"]),
            history=tuple(asdict(state) for state in self.history),
            info={
                "num_bits": self.program.num_bits,
                "oracle_options": dict(self.oracle.options),
                "presolve": self.presolved.summary,
                "contradiction": None,
                **self.notes,
            },
        )


def _goes_on(answer: Any) -> bool:
    """Whether a callback's `answer` lets the run go on; only False, also numpy's, stops it."""
    return answer is None or bool(answer) or not isinstance(answer, (bool, np.bool_))


def _check_size(program: BinaryProgram, oracle: Oracle) -> None:
    limit = oracle.info.max_variables
    if limit is not None and program.num_bits > limit:
        extra = program.num_bits - program.num_primary
        raise InputError(
            f"oracle {oracle.info.name!r} takes at most {limit} variables, but this problem needs "
            f"{program.num_bits} bits ({extra} of them slack and helper bits): choose another "
            "oracle or fewer and tighter constraints."
        )
