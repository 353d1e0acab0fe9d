"""The sections, each of which prints a table and returns raw results, and those with peers."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from costs import dense_step, overhead, precision, small_problems
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
from rich.table import Table


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
        # By calls: reads of one call of ours may be related.
        means = [c.call_means(instance.best) for c in pair_of]
        error = np.sqrt(sum(m.var(ddof=1) / len(m) for m in means))
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
    settings: dict[str, Setting] = {"default": {}, "1,000 steps": {"num_steps": 1000}}
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
        # Long enough for BSB's 32 reads at once: fewer would take longer each.
        done = interleave(instance, contenders, repeats=1, call_s=40.0, budget_s=40.0, reads=64)
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


SECTIONS: dict[str, Callable[[Lab], Any]] = {
    "overhead": overhead,
    "dense-step": dense_step,
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
