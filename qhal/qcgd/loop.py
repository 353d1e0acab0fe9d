"""The QCGD loop: multipliers to QUBO to oracle to harvest, until a limit or a proof."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from qhal.errors import InputError
from qhal.oracle import Oracle, check_time_limit, checked_seed
from qhal.problems.arrays import as_scalar
from qhal.problems.encoding import encode
from qhal.problems.program import BinaryProgram
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo
from qhal.qcgd.certificate import meets, proved_bound, proves_infeasible
from qhal.qcgd.harvest import Harvest, Observer
from qhal.qcgd.interrupt import Interrupt
from qhal.qcgd.lifting import Atoms, Lifting, dynamic_range_bits
from qhal.qcgd.rules import make_rule
from qhal.samples import Samples, Solution, Status, StopReason

DEFAULT_ITERATIONS = 50
SHARES = 10


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


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When to stop; None means no limit."""

    iterations: int = DEFAULT_ITERATIONS
    time_limit: float | None = None
    max_oracle_calls: int | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        for name in ("iterations", "max_oracle_calls"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise InputError(f"{name} must be a whole number of at least 1, not {value!r}.")
        check_time_limit(self.time_limit)
        if self.target is not None:
            as_scalar(self.target, "the target")


Callback = Callable[[RunState], bool | None]


def run(
    problem: Qcbo,
    oracle: Oracle,
    *,
    method: str = "level",
    num_reads: int | None = None,
    limits: Limits | None = None,
    polish: bool = True,
    seed: int | None = None,
    callback: Callback | None = None,
    observer: Observer | None = None,
) -> Solution:
    """Solve `problem` through `oracle`; see `qhal.solve` for the parameters.

    `observer` sees every round's values after the problem's completion, with their objectives.
    """
    limits = limits or Limits()
    return Run(problem, oracle, method, num_reads, limits, polish, seed, callback, observer).run()


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
        callback: Callback | None,
        observer: Observer | None = None,
    ) -> None:
        self.start = time.perf_counter()
        self.problem, self.oracle, self.limits, self.callback = problem, oracle, limits, callback
        self.num_reads, self.seed = num_reads, checked_seed(seed)
        self.program = encode(problem)
        _check_size(self.program, oracle)
        self.lifting = Lifting(self.program)
        self.rule = make_rule(method, self.lifting, oracle.info.exact)
        limit = limits.time_limit
        deadline = math.inf if limit is None else self.start + limit
        self.harvest = Harvest(self.lifting, polish, observer, deadline)
        self.lower_bound: float | None = None
        self.infeasible = False
        self.interrupt = Interrupt()
        self.calls, self.oracle_time = 0, 0.0
        self.history: list[RunState] = []

    def run(self) -> Solution:
        """Iterate until a limit, a proof, the callback or Ctrl-C ends it."""
        with self.interrupt:
            try:
                reason = self._contradiction() or self._iterate()
            except KeyboardInterrupt:
                reason = StopReason.INTERRUPTED
            except Exception:
                if not self.interrupt.requested:
                    raise
                reason = StopReason.INTERRUPTED
            self.interrupt.allow(False)
            if self.interrupt.requested and reason is not StopReason.PROVED:
                reason = StopReason.INTERRUPTED
            return self._solution(reason)

    def _contradiction(self) -> StopReason | None:
        self.infeasible = self.program.contradiction is not None
        return StopReason.CONTRADICTION if self.infeasible else None

    def _iterate(self) -> StopReason:
        constrained = self.lifting.num_multipliers > 0
        for iteration in range(self.limits.iterations):
            multipliers = self.lifting.on_grid(self.rule.multipliers)
            self.rule.multipliers = multipliers
            qubo = self.lifting.qubo(multipliers)
            samples = self._ask(qubo)
            atoms = self.harvest.take(samples.states)
            self._raise_bound(proved_bound(self.lifting, qubo, multipliers, samples))
            reason = self._proof()
            state = self._record(iteration, qubo, samples, atoms)
            if self.callback is not None and self.callback(state) is False:
                return reason or StopReason.CALLBACK
            reason = reason or self._exhausted()
            if reason is not None:
                return reason
            if not constrained:
                return StopReason.SINGLE_CALL
            best = self.harvest.best.objective
            upper = None if best is None else best / self.lifting.scale
            self.rule.update(atoms.sorted_by_energy(multipliers), upper)
        return StopReason.ITERATIONS

    def _ask(self, qubo: Qubo) -> Samples:
        """One oracle call with its own seed and what is left of the time."""
        seed = int(np.random.SeedSequence([self.seed, self.calls]).generate_state(1)[0])
        self.interrupt.allow(True)
        samples = self.oracle.sample(
            qubo, num_reads=self.num_reads, seed=seed, time_limit=self._share()
        )
        self.interrupt.allow(False)
        self.calls += 1
        self.oracle_time += samples.time_s
        return samples

    def _proof(self) -> StopReason | None:
        """Whether bound and value meet; with an exact oracle, also whether nothing is feasible."""
        if meets(self.problem, self.harvest.best.objective, self.lower_bound):
            return StopReason.PROVED
        affordable = self.limits.max_oracle_calls != 1
        nothing = self.harvest.best.objective is None
        if nothing and affordable and self.oracle.info.exact and self.calls == 1:
            self.interrupt.allow(True)
            self.infeasible, samples = proves_infeasible(
                self.lifting, self.oracle, self.seed, time_limit=self._share()
            )
            self.interrupt.allow(False)
            self.calls += 1
            self.oracle_time += samples.time_s
            self.harvest.take(samples.states)
            return StopReason.PROVED if self.infeasible else None
        return None

    def _exhausted(self) -> StopReason | None:
        limits, best = self.limits, self.harvest.best.objective
        if limits.target is not None and best is not None and best <= limits.target:
            return StopReason.TARGET
        if limits.max_oracle_calls is not None and self.calls >= limits.max_oracle_calls:
            return StopReason.ORACLE_CALLS
        if limits.time_limit is not None and self._elapsed() >= limits.time_limit:
            return StopReason.TIME_LIMIT
        return None

    def _share(self) -> float | None:
        """Seconds for the next call (None: no limit): an equal share of what is left.

        At least a tenth of it, as an exact oracle often needs few rounds, but long ones.
        """
        if self.limits.time_limit is None:
            return None
        left = self.limits.iterations - len(self.history) if self.lifting.num_multipliers else 1
        rounds = min(SHARES, max(1, left))
        return max(1e-3, (self.limits.time_limit - self._elapsed()) / rounds)

    def _elapsed(self) -> float:
        return time.perf_counter() - self.start

    def _raise_bound(self, bound: float | None) -> None:
        if bound is not None and (self.lower_bound is None or bound > self.lower_bound):
            self.lower_bound = bound

    def _record(self, iteration: int, qubo: Qubo, samples: Samples, atoms: Atoms) -> RunState:
        rows = np.abs(atoms.residuals[:, : len(self.program.rhs)])
        state = RunState(
            iteration=iteration + 1,
            incumbent=self.harvest.best.objective,
            raw_incumbent=self.harvest.raw.objective,
            lower_bound=self.lower_bound,
            lowest_energy=float(samples.energies[0]),
            feasible_share=atoms.feasible_share,
            max_residual=float(rows.max(initial=0.0)),
            range_bits=dynamic_range_bits(qubo),
            oracle_calls=self.calls,
            oracle_time_s=self.oracle_time,
            elapsed_s=self._elapsed(),
        )
        self.history.append(state)
        return state

    def _solution(self, reason: StopReason) -> Solution:
        best, nearest = self.harvest.best, self.harvest.nearest
        certified = self.infeasible or meets(self.problem, best.objective, self.lower_bound)
        if self.infeasible:
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
            lower_bound=self.lower_bound,
            certified=certified,
            max_violation=violation,
            assignment={} if values is None else self.problem.assignment(values),
            iterations=len(self.history),
            oracle_calls=self.calls,
            oracle_time_s=self.oracle_time,
            total_time_s=self._elapsed(),
            num_variables=self.problem.num_variables,
            num_constraints=self.problem.num_constraints,
            oracle=self.oracle.info.name,
            seed=self.seed,
            history=tuple(asdict(state) for state in self.history),
            info={
                "num_bits": self.program.num_bits,
                "oracle_options": dict(self.oracle.options),
                "contradiction": self.program.contradiction,
            },
        )


def _check_size(program: BinaryProgram, oracle: Oracle) -> None:
    limit = oracle.info.max_variables
    if limit is not None and program.num_bits > limit:
        extra = program.num_bits - program.num_primary
        raise InputError(
            f"oracle {oracle.info.name!r} takes at most {limit} variables, but this problem needs "
            f"{program.num_bits} bits ({extra} of them slack and helper bits): choose another "
            "oracle or fewer and tighter constraints."
        )
