"""What is measured, section by section; each prints a table and returns raw results."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import dimod
import numpy as np
from instances import Instance, from_qcgd, independent_set, spin_glass, torus
from lab import Lab, pairwise, ratio, setting_of, spread
from measure import (
    Contender,
    TimeToSolution,
    hits,
    interleave,
    quartiles,
    reference,
    time_to_solution,
    timed,
    tune,
)
from peers import BSB, OURS, OURS_SCIPY, SA, Setting
from qhal_cim.oracle import Cim
from qhal_cim.precision import ROUNDINGS
from qhal_cim.sampler import CimSampler
from rich.table import Table

from qhal.problems.qubo import Qubo


def times_to_solution(lab: Lab, name: str) -> Any:
    """TTS99 on one graph."""
    instance = lab.graph(name)
    if instance is None or instance.best is None:
        return []
    contenders = lab.contenders(instance.family, [OURS, OURS_SCIPY, *lab.peers])
    done = interleave(
        instance,
        contenders,
        repeats=3 if lab.quick else 5,
        call_s=0.5,
        budget_s=0.8 if lab.quick else 2.0,
    )
    results = {c.name: time_to_solution(c, instance.best) for c in done}
    _more_until(results, done, instance, enough=10, budget_s=3.0 if lab.quick else 12.0)
    table = Table(
        "solver", "setting", "hits / runs", "time per run / ms", "TTS99 / s",
        "against qhal-cim, default", "against its scipy fallback",
        title=f"TTS99 on {name}; ratios: median (quartiles)",
    )  # fmt: skip
    ours, slow = results["qhal-cim, default"], results["qhal-cim, scipy, default"]
    for contender in sorted(done, key=lambda c: results[c.name].seconds):
        result = results[contender.name]
        table.add_row(
            contender.solver.name,
            setting_of(contender),
            f"{result.hits} / {result.runs}",
            f"{np.median(contender.cpu_per_read) * 1e3:.3g}",
            f"{'> ' * result.is_bound}{result.seconds:.3g}",
            ratio(result, ours),
            ratio(result, slow),
        )
    for contender in contenders:
        if contender.error:
            table.add_row(contender.solver.name, setting_of(contender), "", "", contender.error)
    lab.console.print(table)
    return [
        c.as_dict(instance.best)
        | {
            "tts_s": results[c.name].seconds,
            "tts_is_bound": results[c.name].is_bound,
            "tts_quartiles_s": quartiles(results[c.name].resampled),
        }
        for c in done
    ]


def _more_until(
    results: dict[str, TimeToSolution],
    done: list[Contender],
    instance: Instance,
    *,
    enough: int,
    budget_s: float,
) -> None:
    """Further calls of ours while it has fewer than `enough` hits: a rate needs some."""
    assert instance.best is not None
    for contender in done:
        if not contender.solver.name.startswith("qhal-cim"):
            continue
        solver, setting = contender.solver, contender.setting
        native = solver.prepare(instance)
        while (
            results[contender.name].hits < enough
            and sum(call.cpu_s for call in contender.calls) < budget_s
        ):
            seed = len(contender.calls)
            contender.calls.append(timed(solver, native, instance, contender.reads, seed, setting))
            results[contender.name] = time_to_solution(contender, instance.best)


def twentieth_of_annealing(lab: Lab) -> Any:
    """Mean gap at a twentieth of the time per read of dwave SA with 5,000 sweeps."""
    table = Table(
        "instance", "reads", "dwave SA: gap / 1e-3", "ours: gap / 1e-3", "num_steps",
        "SA's time / ours", "difference / its error",
        title="Mean gap per read at no more than 1/20 of the time of dwave SA with 5,000 sweeps",
    )  # fmt: skip
    raw = {}
    for name in ("G22",) if lab.quick else ("G14", "G22", "G39"):
        instance = lab.graph(name)
        if instance is None or instance.best is None or SA.missing:
            continue
        annealer = Contender(SA, "5,000 sweeps", {"num_sweeps": 5000})
        probe = Contender(OURS, "probe", {"num_steps": 200})
        interleave(instance, [annealer, probe], repeats=1, call_s=1.0, budget_s=3.0, reads=128)
        per_step = probe.cpu_per_read.min() / 200
        steps = int(0.9 * annealer.cpu_per_read.min() / 20 / per_step)
        ours = Contender(OURS, "default dynamics", {"num_steps": max(steps, 1)})
        annealer.calls.clear()
        repeats, call_s = (2, 2.0) if lab.quick else (4, 3.0)
        pair_of = [annealer, ours]
        interleave(instance, pair_of, repeats=repeats, call_s=call_s, budget_s=40.0, reads=128)
        pair = (annealer.gaps(instance.best), ours.gaps(instance.best))
        error = np.sqrt(sum(gap.var(ddof=1) / len(gap) for gap in pair))
        table.add_row(
            name,
            f"{len(pair[0])} and {len(pair[1])}",
            f"{pair[0].mean() * 1e3:.3f}",
            f"{pair[1].mean() * 1e3:.3f}",
            str(steps),
            spread(annealer.cpu_per_read / ours.cpu_per_read),
            f"{(pair[0].mean() - pair[1].mean()) / error:+.1f}",
        )
        raw[name] = [c.as_dict(instance.best) for c in (annealer, ours)]
    lab.console.print(table)
    return raw


def g22_within_five_seconds(lab: Lab) -> Any:
    """How many trials find the best known cut of G22 within 5 CPU seconds."""
    instance = lab.graph("G22")
    if instance is None or instance.best is None:
        return {}
    trials, limit = (3, 5.0) if lab.quick else (40, 5.0)
    # The second was chosen by looking at G22 itself.
    settings: dict[str, Setting] = {
        "default": {},
        "chaotic": {"dynamics": "cac", "num_steps": 2000},
    }
    if not lab.quick:
        settings["tuned"] = tune(OURS, "graph", lab.tuned)
    native = OURS.prepare(instance)
    OURS.sample(native, 4, 0, {})
    times: dict[str, list[float]] = {label: [] for label in settings}
    for trial in range(trials):
        for label, setting in settings.items():
            # Once more than 5% of all trials cannot but have failed, ten are enough to say so.
            if len(times[label]) >= 10 and times[label].count(np.inf) > 0.05 * trials:
                continue
            start, found, call = time.process_time(), False, 0
            while not found and time.process_time() - start < limit:
                spins = OURS.sample(native, 128, 1000 * trial + call, setting)
                found, call = bool(hits(instance.energies(spins), instance.best).any()), call + 1
            elapsed = time.process_time() - start
            times[label].append(elapsed if found and elapsed <= limit else np.inf)
    table = Table(
        "setting", "found within 5 CPU s", "median time / s", title="G22, cut 13359, by qhal-cim"
    )
    for label, seconds in times.items():
        made, found_in = len(seconds), sum(s <= limit for s in seconds)
        table.add_row(
            f"{label} {settings[label] or ''}",
            f"{found_in} of {made} trials ({found_in / made:.0%})",
            f"{np.median(seconds):.2f}",
        )
    lab.console.print(table)
    return {
        label: {"setting": settings[label], "seconds": [None if s == np.inf else s for s in values]}
        for label, values in times.items()
    }


def dense_glass(lab: Lab) -> Any:
    """SK with 2,000 spins against mindquantum's BSB, also at a fifth of the time of its default."""
    raw = {}
    size = 1000 if lab.quick else 2000
    table = Table(
        "instance", "solver", "setting", "reads", "time per read / s", "mean gap / 1e-3",
        "best gap / 1e-3", "time of BSB's default against it",
        title=f"SK, n = {size}; gaps against the lowest energy of the section",
    )  # fmt: skip
    for gaussian in (False,) if lab.quick else (False, True):
        instance = spin_glass(size, gaussian, 1)
        present = [OURS] if BSB.missing else [BSB, OURS]
        contenders = lab.contenders("dense", present)
        done = interleave(instance, contenders, repeats=2, call_s=6.0, budget_s=8.0, reads=64)
        if not BSB.missing:
            ours = next(c for c in done if c.name == "qhal-cim, default")
            factor = np.median(done[0].cpu_per_read) / np.median(ours.cpu_per_read) / 5
            fifth = Contender(
                OURS,
                "1/5 of BSB",
                {"num_steps": max(1, int(0.85 * factor * OURS.effort_for(instance)))},
            )
            done += interleave(instance, [fifth], repeats=1, call_s=1e3, budget_s=0.0, reads=64)
        best = min(c.energies.min() for c in done)
        for contender in done:
            gaps = contender.gaps(best) * 1e3
            table.add_row(
                instance.name,
                contender.solver.name,
                setting_of(contender),
                str(len(gaps)),
                f"{np.median(contender.cpu_per_read):.3g}",
                f"{gaps.mean():.2f}",
                f"{gaps.min():.2f}",
                spread(pairwise(done[0], contender)),
            )
        raw[instance.name] = [c.as_dict(best) for c in done]
    lab.console.print(table)
    return raw


def families(lab: Lab) -> Any:
    """Mean gap and time per read of everyone on every kind of problem."""
    kinds = [independent_set(200, 8, 1), from_qcgd("assignment", 1)]
    if not lab.quick:
        kinds += [
            spin_glass(100, False, 1), spin_glass(500, True, 1), torus(30, 40, 1),
            from_qcgd("knapsack", 1),
        ]  # fmt: skip
    raw = {}
    for instance in kinds:
        contenders = lab.contenders(instance.family, [OURS, *lab.peers])
        done = interleave(
            instance,
            contenders,
            repeats=3,
            call_s=0.15,
            budget_s=0.5,
        )
        best = min(reference(instance), *(c.energies.min() for c in done))
        table = Table(
            "solver", "setting", "reads", "mean gap / 1e-3", "best gap / 1e-3", "success",
            "TTS99 / s", "time per read against qhal-cim, default", title=instance.name,
        )  # fmt: skip
        rows = [(c, time_to_solution(c, best)) for c in done]
        for contender, result in sorted(rows, key=lambda row: row[1].seconds):
            gaps = contender.gaps(best) * 1e3
            table.add_row(
                contender.solver.name,
                setting_of(contender),
                str(len(gaps)),
                f"{gaps.mean():.2f}",
                f"{gaps.min():.2f}",
                f"{result.hits / result.runs:.1%}",
                f"{'> ' * result.is_bound}{result.seconds:.2g}",
                spread(pairwise(contender, done[0])),
            )
        lab.console.print(table)
        raw[instance.name] = [
            c.as_dict(best) | {"tts_s": r.seconds, "tts_is_bound": r.is_bound} for c, r in rows
        ]
    return raw


def time_against_gap(lab: Lab) -> Any:
    """Everyone at a tenth to three times the default effort, on a sparse and a dense problem."""
    raw = {}
    graph = None if lab.quick else lab.graph("G1")
    for instance in filter(None, (graph, spin_glass(100 if lab.quick else 500, True, 2))):
        done = []
        contenders = []
        for solver in (OURS, OURS_SCIPY, *lab.peers):
            base = {} if lab.quick else dict(tune(solver, instance.family, lab.tuned))
            for factor in (0.1, 0.3, 1.0, 3.0):
                effort = max(1, int(factor * base.get(solver.effort, solver.effort_for(instance))))
                if "time_step" in base and solver.effort == "max_steps":
                    effort = max(1, int(factor * 1000))
                contenders.append(Contender(solver, f"{factor:g}", base | {solver.effort: effort}))
        done = interleave(instance, contenders, repeats=1, call_s=0.3, budget_s=0.3)
        known = instance.best
        best = min(c.energies.min() for c in done) if known is None else known
        if known is None:
            best = min(best, reference(instance, 2000))
        raw[instance.name] = [c.as_dict(best) for c in done]
    return raw


def precision(lab: Lab) -> Any:
    """Rescored gap of the best of 100 reads against coefficient bits, Gaussian SK, n = 100."""
    problems = [spin_glass(100, True, 100 + k) for k in range(3 if lab.quick else 10)]
    grounds = [reference(problem) for problem in problems]
    natives = [OURS.prepare(problem) for problem in problems]
    bits = (3, 5, 8) if lab.quick else tuple(range(2, 11))
    raw: dict[str, Any] = {"bits": list(bits)}
    table = Table("rounding", "host descent", *(f"{b} bits" for b in bits))
    table.title = f"Mean gap / 1e-3 of the best of 100 reads, {len(problems)} SK Gaussian, n = 100"
    for rounding in ROUNDINGS:
        for descent in (False, True):
            means = []
            for count in bits:
                machine = Cim(coefficient_bits=count, rounding=rounding, descent=descent)
                gaps = []
                for problem, native, ground in zip(problems, natives, grounds, strict=True):
                    states = machine.sample(native, num_reads=100, seed=count).states
                    lowest = problem.energies(2 * states - 1).min()
                    gaps.append((lowest - ground) / abs(ground))
                means.append(float(np.mean(gaps)))
            table.add_row(rounding, "yes" if descent else "no", *(f"{m * 1e3:.3f}" for m in means))
            raw[f"{rounding}, {'with' if descent else 'without'} descent"] = means
    lab.console.print(table)
    return raw


def small_problems(lab: Lab) -> Any:
    """100 reads of n = 50 and 100: time of whole `sample` calls and success, against dwave SA."""
    if SA.missing:
        return {}
    raw = {}
    table = Table(
        "instance", "dwave SA / ms", "CimSampler / ms", "ratio", "Cim / ms", "ratio",
        "success: SA", "CimSampler",
        title="100 reads, whole sample call at defaults, CPU time; ratios: median (quartiles)",
    )  # fmt: skip
    problems = [
        build(n)
        for n in (50, 100)
        for build in (
            lambda n: spin_glass(n, False, 3),
            lambda n: spin_glass(n, True, 3),
            lambda n: independent_set(n, 5, 3),
        )
    ] + [from_qcgd("assignment", 3), from_qcgd("knapsack", 3)]
    for instance in problems:
        calls = _whole_calls(instance)
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        energies: dict[str, list[np.ndarray]] = {"sa": [], "sampler": []}
        for repeat in range(3 if lab.quick else 10):
            for name, call in calls.items():
                start = time.process_time()
                answer = call(repeat)
                seconds[name].append(time.process_time() - start)
                if isinstance(answer, dimod.SampleSet):
                    record = answer.record
                    energies[name].append(np.repeat(record.energy, record.num_occurrences))
        best = min(np.min(values) for values in energies.values())
        success = {name: hits(np.concatenate(v), best).mean() for name, v in energies.items()}
        times = {name: np.array(values) for name, values in seconds.items()}
        table.add_row(
            f"{instance.name}, n = {instance.size}",
            *(
                cell
                for name in calls
                for cell in (
                    [f"{np.median(times[name]) * 1e3:.2f}"]
                    + ([] if name == "sa" else [spread(times["sa"] / times[name])])
                )
            ),
            *(f"{share:.1%}" for share in success.values()),
        )
        raw[instance.name] = {"seconds": seconds, "success": success}
    lab.console.print(table)
    return raw


def _whole_calls(instance: Instance) -> dict[str, Callable[[int], Any]]:
    """The three calls that `small_problems` compares, as functions of the seed."""
    from dwave.samplers import SimulatedAnnealingSampler

    native, bqm = Qubo.from_ising(instance.ising), SA.prepare(instance)
    annealer, sampler, oracle = SimulatedAnnealingSampler(), CimSampler(), Cim()
    return {
        "sa": lambda seed: annealer.sample(bqm, num_reads=100, seed=seed + 1),
        "sampler": lambda seed: sampler.sample(bqm, num_reads=100, seed=seed),
        "oracle": lambda seed: oracle.sample(native, num_reads=100, seed=seed),
    }


def overhead(lab: Lab) -> Any:
    """What a call costs whatever the dynamics do: the CPU time of one step, in microseconds."""
    table = Table(
        "n", "couplings", "reads", "1 step / us", "default / us",
        title="Fixed overhead of Cim.sample: CPU time, median (quartiles) of 50 calls",
    )  # fmt: skip
    raw = []
    one, default = Cim(num_steps=1), Cim()
    for n in (10, 50, 100):
        for problem in (independent_set(n, 5, 3), spin_glass(n, True, 3)):
            qubo = Qubo.from_ising(problem.ising)
            for reads in (1, 10):
                times: dict[str, list[float]] = {"1 step": [], "default": []}
                for seed in range(50):
                    for name, oracle in (("1 step", one), ("default", default)):
                        start = time.process_time()
                        oracle.sample(qubo, num_reads=reads, seed=seed)
                        times[name].append((time.process_time() - start) * 1e6)
                kind = "sparse" if qubo.is_sparse else "dense"
                cells = (spread(np.array(values)) for values in times.values())
                table.add_row(str(n), kind, str(reads), *cells)
                raw.append({"n": n, "couplings": kind, "reads": reads, "times_us": times})
    lab.console.print(table)
    return raw


SECTIONS: dict[str, Callable[[Lab], Any]] = {
    "overhead": overhead,
    "small": small_problems,
    "precision": precision,
    "tts-G1": partial(times_to_solution, name="G1"),
    "tts-G6": partial(times_to_solution, name="G6"),
    "tts-G11": partial(times_to_solution, name="G11"),
    "twentieth": twentieth_of_annealing,
    "g22": g22_within_five_seconds,
    "sk2000": dense_glass,
    "families": families,
    "time-gap": time_against_gap,
}
