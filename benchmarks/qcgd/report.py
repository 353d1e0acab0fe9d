"""Tables and plots of the benchmark's results.

A gap is (objective - best known) / max(1, |best known|), at most 1; a run that found nothing
feasible counts as 1. "Raw" are the oracle's own feasible samples, "polished" adds the local search
and, for networks, the forward pass. "published" is Frank-Wolfe with the steps 2 / (t + 1); its row
is that of the beta0 that is best for the family in hindsight. Instances, not runs, are the units
of the intervals (bootstrap over instances, 95%) and of the paired tests (Wilcoxon's signed ranks of
the instances' mean gaps, two-sided).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from methods import PUBLISHED
from rich.console import Console
from rich.table import Table
from scipy.stats import wilcoxon
from sections import SECTIONS

Record = dict[str, Any]
Choice = Callable[[str], str]
DRAWS = 10_000
CONSOLE = Console(width=200)


class Results:
    """The records of one section: gaps by method, family and instance."""

    def __init__(self, name: str, records: Sequence[Record], best: dict[tuple, float]) -> None:
        self.name = name
        own = [r for r in records if r["key"][0] == name]
        self.records = [r for r in own if instance_of(r) in best]
        self.best = best
        self.families = list(dict.fromkeys(r["key"][1] for r in self.records))
        self.methods = list(dict.fromkeys(r["key"][4] for r in self.records))

    def gaps(self, method: str, family: str, key: str) -> dict[tuple, float]:
        """The gap of each run in `family`, by instance and seed."""
        return {
            (*instance_of(r), r["key"][5]): gap(r[key], self.best[instance_of(r)])
            for r in self.records
            if r["key"][4] == method and r["key"][1] == family
        }

    def mean(self, method: str, family: str, key: str) -> float:
        """The mean gap over instances and seeds, in %; nan if there are no runs."""
        found = self.gaps(method, family, key)
        return 100 * float(np.mean(list(found.values()))) if found else np.nan

    def feasible(self, method: str, family: str, key: str) -> float:
        """The share of runs with a feasible result, in %."""
        hits = [
            r[key] is not None
            for r in self.records
            if r["key"][4] == method and r["key"][1] == family
        ]
        return 100 * float(np.mean(hits)) if hits else np.nan

    def rows(self) -> dict[str, Choice]:
        """The rows of a table: a label and the method it stands for in each family."""
        rows: dict[str, Choice] = {}
        for method in self.methods:
            if method not in PUBLISHED:
                rows[method] = lambda family, m=method: m
            elif "published, best β0" not in rows:
                rows["published, best β0"] = self._best_beta
        return rows

    def _best_beta(self, family: str) -> str:
        present = [m for m in PUBLISHED if m in self.methods]
        return min(present, key=lambda m: self.mean(m, family, "raw"))


def report(records: Sequence[Record], plots: Path | None) -> None:
    """Print everything that `records` allow, and draw it into the folder `plots`."""
    best = best_known(records)
    found = {name: Results(name, records, best) for name in SECTIONS}
    found = {name: results for name, results in found.items() if results.records}
    for name, results in found.items():
        if name == "exact":
            exact(results)
        elif name == "large":
            large(results)
        elif name != "reference":
            for key in ("raw", "polished"):
                means(results, key)
            paired(results)
    if "cim" in found:
        against_cpsat(found["cim"])
    if plots is not None:
        from figures import draw

        draw(found, plots)


def best_known(records: Sequence[Record]) -> dict[tuple, float]:
    """The least objective that any run of any section found, by instance."""
    best: dict[tuple, float] = {}
    for r in records:
        if r["polished"] is not None:
            known = best.get(instance_of(r), np.inf)
            best[instance_of(r)] = min(known, r["polished"])
    return best


def instance_of(record: Record) -> tuple:
    """Family, size and number."""
    return tuple(record["key"][1:4])


def gap(value: float | None, best: float) -> float:
    """The relative gap, 1 if there is no value."""
    return 1.0 if value is None else min(1.0, (value - best) / max(1.0, abs(best)))


def means(results: Results, key: str) -> None:
    """Mean gaps, and the share of feasible runs where it is not 100%."""
    runs = len(results.records)
    table = Table("method", *results.families, "mean", title=f"{results.name}: {key} ({runs} runs)")
    for label, choose in results.rows().items():
        cells, values = [], []
        for family in results.families:
            value = results.mean(choose(family), family, key)
            share = results.feasible(choose(family), family, key)
            values.append(value)
            cells.append(f"{value:.2f}" + ("" if share in (100.0, np.nan) else f" ({share:.0f})"))
        table.add_row(label, *cells, f"{np.nanmean(values):.2f}")
    CONSOLE.print(table)


def differences(results: Results, choose: Choice, family: str) -> list[float]:
    """Raw gap minus that of `level` in points, the mean over the seeds of each instance."""
    own = results.gaps("level", family, "raw")
    other = results.gaps(choose(family), family, "raw")
    by_instance: dict[tuple, list[float]] = defaultdict(list)
    for run in sorted(set(own) & set(other)):
        by_instance[run[:3]].append(100 * (other[run] - own[run]))
    return [float(np.mean(found)) for found in by_instance.values()]


def interval(values: np.ndarray) -> str:
    """Mean and 95% interval by bootstrap."""
    draws = np.random.default_rng(0).integers(0, len(values), (DRAWS, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), (2.5, 97.5))
    return f"{values.mean():+.2f} ({low:.2f}, {high:.2f})"


def paired(results: Results) -> None:
    """Raw gap minus that of `level`, with intervals and tests, over all and by family."""
    title = f"{results.name}: raw gap minus that of level, in points (95%)"
    whole = Table("method", "mean (95%)", "better / equal / worse", "p", title=title)
    single = Table("method", *results.families, title=title)
    rows = {k: v for k, v in results.rows().items() if k != "level"}
    for label, choose in rows.items():
        by_family = [np.array(differences(results, choose, f)) for f in results.families]
        d = np.concatenate(by_family)
        if not len(d):
            continue
        p = wilcoxon(d).pvalue if d.any() else 1.0
        counts = f"{(d < 0).sum()} / {(d == 0).sum()} / {(d > 0).sum()}"
        whole.add_row(label, interval(d), counts, f"{p:.1g}")
        single.add_row(label, *(interval(part) if len(part) else "" for part in by_family))
    if rows:
        CONSOLE.print(whole)
        CONSOLE.print(single)


def against_cpsat(results: Results) -> None:
    """Polished objectives of `level` against CP-SAT in the same wall time, by family and size."""
    runs = {(*instance_of(r), r["key"][5], r["key"][4]): r for r in results.records}
    table = Table("family", "size", "won", "tied", "lost", title="level against CP-SAT")
    counts: dict[tuple, list[int]] = defaultdict(lambda: [0, 0, 0])
    for (family, size, number, seed, method), record in runs.items():
        other = runs.get((family, size, number, seed, "cpsat"))
        if method != "level" or other is None:
            continue
        own, theirs = (np.inf if r["polished"] is None else r["polished"] for r in (record, other))
        close = own == theirs or abs(own - theirs) <= 1e-9 * max(1.0, abs(own))
        counts[family, size][1 if close else (0 if own < theirs else 2)] += 1
    for (family, size), (won, tied, lost) in counts.items():
        table.add_row(family, str(size), str(won), str(tied), str(lost))
    CONSOLE.print(table)


def exact(results: Results) -> None:
    """How many calls to a proof."""
    table = Table("method", "family", "certified", "most calls", title="exact oracle")
    for method in results.methods:
        for family in results.families:
            own = [r for r in results.records if r["key"][1] == family and r["key"][4] == method]
            table.add_row(
                method,
                family,
                f"{sum(r['certified'] for r in own)} of {len(own)}",
                str(max(r["calls"] for r in own)),
            )
    CONSOLE.print(table)


def first_call(record: Record) -> int | None:
    """The call that brought the first raw feasible sample, None if none did."""
    path = record["raw_path"]
    return next((k + 1 for k, value in enumerate(path) if value is not None), None)


def large(results: Results) -> None:
    """One row over all variables: calls until the first feasible sample."""
    table = Table("family", "size", "method", "first feasible", "raw gap", "driver / oracle time")
    groups: dict[tuple, list[Record]] = defaultdict(list)
    for r in results.records:
        groups[*instance_of(r)[:2], r["key"][4]].append(r)
    for (family, size, method), own in groups.items():
        oracle = sum(r["oracle_time_s"] for r in own)
        share = (sum(r["time_s"] for r in own) - oracle) / oracle
        value = 100 * np.mean([gap(r["raw"], results.best[instance_of(r)]) for r in own])
        calls = ", ".join(str(first_call(r)) for r in own)
        table.add_row(family, str(size), method, calls, f"{value:.2f}%", f"{100 * share:.0f}%")
    CONSOLE.print(table)
