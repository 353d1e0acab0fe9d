"""Interleaved timing, success probabilities and times to solution."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from instances import TUNING, Instance
from peers import OURS, OURS_SCIPY, Setting, Solver


@dataclass(frozen=True)
class Call:
    """One timed call: CPU and wall time of the whole of it, and the energies of its reads."""

    cpu_s: float
    wall_s: float
    energies: np.ndarray


@dataclass
class Contender:
    """A solver at one setting, and its calls on one instance."""

    solver: Solver
    label: str
    setting: Setting
    reads: int = 0
    calls: list[Call] = field(default_factory=list)
    error: str | None = None

    @property
    def name(self) -> str:
        """Solver and label, as the tables show them."""
        return f"{self.solver.name}, {self.label}" if self.label else self.solver.name

    @property
    def energies(self) -> np.ndarray:
        """Those of all reads."""
        return np.concatenate([call.energies for call in self.calls])

    @property
    def cpu_per_read(self) -> np.ndarray:
        """CPU seconds per read of each call."""
        return np.array([call.cpu_s / len(call.energies) for call in self.calls])

    def gaps(self, best: float) -> np.ndarray:
        """(E - best) / |best| of all reads."""
        return (self.energies - best) / abs(best)

    def call_means(self, best: float) -> np.ndarray:
        """The mean gap of each call."""
        return np.array([(c.energies.mean() - best) / abs(best) for c in self.calls])

    def as_dict(self, best: float) -> dict[str, Any]:
        """For the file of raw results."""
        return {
            "solver": self.solver.name,
            "label": self.label,
            "setting": self.setting,
            "error": self.error,
            "calls": [
                {
                    "cpu_s": call.cpu_s,
                    "wall_s": call.wall_s,
                    "reads": len(call.energies),
                    "hits": int(hits(call.energies, best).sum()),
                    "mean_gap": float((call.energies.mean() - best) / abs(best)),
                    "best_gap": float((call.energies.min() - best) / abs(best)),
                }
                for call in self.calls
            ],
        }


def timed(
    solver: Solver, native: Any, instance: Instance, reads: int, seed: int, setting: Setting
) -> Call:
    """One call; energies are computed from the spins afterwards, outside the time."""
    wall, cpu = time.perf_counter(), time.process_time()
    spins = solver.sample(native, reads, seed, setting)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Call(cpu, wall, instance.energies(spins))


def interleave(
    instance: Instance,
    contenders: Sequence[Contender],
    *,
    repeats: int,
    call_s: float,
    budget_s: float,
    reads: int | None = None,
) -> list[Contender]:
    """Call all in turn, `repeats` times, so that what else the machine does hits all alike.

    A call has as many reads as take about `call_s`, at most `reads`, at least what the solver
    needs to be efficient. Who has used up `budget_s` is not called again; one call, beyond the
    first to warm up, is made in any case.
    """
    natives = [contender.solver.prepare(instance) for contender in contenders]
    spent = [0.0] * len(contenders)
    for index, (contender, native) in enumerate(zip(contenders, natives, strict=True)):
        solver, probe = contender.solver, min(reads or 128, contender.solver.probe_reads)
        try:
            call = timed(solver, native, instance, probe, 999, contender.setting)
            if call.cpu_s < call_s / 4:  # the first call may have loaded things
                call = timed(solver, native, instance, probe, 998, contender.setting)
        except Exception as error:  # noqa: BLE001 (shown in the table)
            contender.error = f"{type(error).__name__}: {error}".splitlines()[0]
            continue
        fitting = int(call_s * probe / max(call.cpu_s, 1e-6))
        contender.reads = int(np.clip(min(fitting, reads or fitting), probe, solver.max_reads))
        if call.cpu_s > budget_s:  # too slow to do anything twice: the first call must do
            contender.calls.append(call)
            spent[index] = call.cpu_s
    for repeat in range(repeats):
        for index, contender in enumerate(contenders):
            if contender.error or spent[index] >= budget_s:
                continue
            call = timed(
                contender.solver,
                natives[index],
                instance,
                contender.reads,
                repeat,
                contender.setting,
            )
            contender.calls.append(call)
            spent[index] += call.cpu_s
    return [contender for contender in contenders if contender.calls]


def hits(energies: np.ndarray, best: float) -> np.ndarray:
    """Which reads are as low as `best`."""
    return energies <= best + 1e-6 * max(1.0, abs(best))


@dataclass(frozen=True)
class TimeToSolution:
    """TTS99 = t ln(0.01) / ln(1 - p), t CPU seconds per read; a lower bound if nothing hit."""

    seconds: float
    runs: int
    hits: int
    resampled: np.ndarray

    @property
    def is_bound(self) -> bool:
        """Whether nothing hit: then p is at most 1 - 0.05^(1/runs), at 95% confidence."""
        return self.hits == 0


def time_to_solution(contender: Contender, best: float, draws: int = 400) -> TimeToSolution:
    """With `draws` resamplings of the calls and of their hits, for the spread."""
    counts = np.array([len(call.energies) for call in contender.calls])
    successes = np.array([hits(call.energies, best).sum() for call in contender.calls])
    cpu = np.array([call.cpu_s for call in contender.calls])
    runs, found = int(counts.sum()), int(successes.sum())
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, len(cpu), (draws, len(cpu)))
    times = cpu[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
    if not found:
        share = np.full(draws, 1 - 0.05 ** (1 / runs))
        return TimeToSolution(_tts(cpu.sum() / runs, share[0]), runs, 0, _tts(times, share))
    shares = np.maximum(rng.binomial(runs, found / runs, draws), 1) / runs
    return TimeToSolution(_tts(cpu.sum() / runs, found / runs), runs, found, _tts(times, shares))


def _tts(time_s: Any, share: Any) -> Any:
    share = np.clip(share, 1e-12, 0.99)  # less than one read is not to be had
    return time_s * np.log(0.01) / np.log(1 - share)


def quartiles(values: np.ndarray) -> tuple[float, float, float]:
    """Median, lower and upper quartile."""
    return tuple(float(q) for q in np.percentile(values, [50, 25, 75]))  # type: ignore[return-value]


def tune(
    solver: Solver, family: str, cache: dict[tuple[str, str], Setting], seconds: float = 0.5
) -> Setting:
    """The best of the solver's settings on the family's tuning instance, `seconds` for each.

    Best: the least CPU time to come, with 99%, within 0.1% of the lowest energy known; without
    any such read, the lowest mean energy. Every solver has the same number of settings, the same
    instance and the same time (more, where a single call takes more).
    """
    if solver is OURS_SCIPY:  # the same arithmetic
        solver = OURS
    if (solver.name, family) not in cache:
        instance = TUNING[family]()
        trials = [Contender(solver, "", setting) for setting in solver.settings]
        done = interleave(instance, trials, repeats=2, call_s=seconds / 2, budget_s=seconds)
        if not done:
            return {}
        # One target for all, from a long run of ours.
        target = _tuning_target(family, instance)

        def merit(trial: Contender) -> tuple[bool, float]:
            result = time_to_solution(trial, target)
            return result.is_bound, trial.energies.mean() if result.is_bound else result.seconds

        cache[solver.name, family] = min(done, key=merit).setting
    return cache[solver.name, family]


_TARGETS: dict[str, float] = {}


def _tuning_target(family: str, instance: Instance) -> float:
    if family not in _TARGETS:
        best = reference(instance)
        _TARGETS[family] = best + 1e-3 * abs(best)
    return _TARGETS[family]


def reference(instance: Instance, num_steps: int = 4000) -> float:
    """The lowest energy of a long run of ours; used where none is known from elsewhere."""
    spins = OURS.sample(OURS.prepare(instance), 128, 7, {"num_steps": num_steps})
    return float(instance.energies(spins).min())
