"""QCGD against penalties, plain Frank-Wolfe, an augmented Lagrangian and CP-SAT.

    python benchmarks/qcgd/run.py [--oracle cim] [--seeds 10] [--per-size 3] [--out results.json]

A gap is (objective - best known) / max(1, |best known|); a run that found nothing feasible counts
as a gap of 1. "raw" are the oracle's own feasible samples, "polished" adds the local search. Of the
penalty sweep each weight gets a twelfth of the reads; Frank-Wolfe's row is that of the beta0 that
is best for the family, with all reads for each beta0. CP-SAT gets the wall time of `level`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import click
import numpy as np
from families import FAMILIES, Instance, instances
from joblib import Parallel, delayed
from methods import BETAS, METHODS, Outcome, solve, solve_cpsat
from rich.console import Console
from rich.table import Table

REFERENCE_S = 20.0
Record = dict[str, object]


@click.command()
@click.option("--oracle", default="cim", show_default=True)
@click.option("--bits", type=int, help="Coefficient bits of cim.  [default: double]")
@click.option("--seeds", default=10, show_default=True)
@click.option("--per-size", default=3, show_default=True, help="Instances of each size.")
@click.option("--family", "families", multiple=True, type=click.Choice(list(FAMILIES)))
@click.option("--method", "methods", multiple=True, type=click.Choice(METHODS))
@click.option("--tuning", is_flag=True, help="Use the tuning instances, not the test ones.")
@click.option("--jobs", default=2, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write all runs as JSON.")
def main(
    oracle: str,
    bits: int | None,
    seeds: int,
    per_size: int,
    families: tuple[str, ...],
    methods: tuple[str, ...],
    tuning: bool,
    jobs: int,
    out: Path | None,
) -> None:
    """Run everything and print the tables."""
    options = {} if bits is None else {"coefficient_bits": bits}
    chosen = [
        instance
        for family in families or FAMILIES
        for instance in instances(family, per_size, tuning=tuning)
    ]
    names = methods or METHODS
    tasks = Parallel(n_jobs=jobs, verbose=1)(
        delayed(_runs)(instance, names, oracle, options, seeds, not methods) for instance in chosen
    )
    records = [record for task in tasks for record in task]
    if out is not None:
        out.write_text(json.dumps(records, indent=1))
    report(records)


def _runs(
    instance: Instance,
    methods: tuple[str, ...],
    oracle: str,
    options: dict,
    seeds: int,
    with_cpsat: bool,
) -> list[Record]:
    """All runs on one instance."""
    found: list[tuple[str, int, Outcome]] = []
    for seed in range(seeds):
        for method in methods:
            found.append((method, seed, solve(method, instance.problem, oracle, options, seed)))
        if with_cpsat:
            level = next(o for m, s, o in found if m == "level" and s == seed)
            found.append(("cpsat", seed, solve_cpsat(instance.problem, level.time_s, seed)))
    reference = solve_cpsat(instance.problem, REFERENCE_S, 0)
    values = [o.polished for *_, o in found if o.polished is not None]
    values += [] if reference.polished is None else [reference.polished]
    best = min(values, default=None)
    about = {"family": instance.family, "instance": instance.name, "best": best}
    return [
        about | {"method": method, "seed": seed} | vars(outcome) for method, seed, outcome in found
    ]


def report(records: list[Record]) -> None:
    """A table of raw gaps and feasible shares, one of polished gaps, and what is paired."""
    console = Console(width=150)
    families = list(dict.fromkeys(str(r["family"]) for r in records))
    gaps = {key: _gaps(records, key) for key in ("raw", "polished")}
    methods = _rows(gaps["raw"], families)
    for key in ("raw", "polished"):
        table = Table(
            "method", *families, "mean", title=f"mean {key} gap in % (feasible runs in %)"
        )
        for label, choose in methods.items():
            cells = [gaps[key].get((choose(family), family)) for family in families]
            shown = [_cell(cell) for cell in cells]
            present = [np.mean([g for g, _ in cell]) for cell in cells if cell]
            table.add_row(label, *shown, f"{100 * np.mean(present):.2f}" if present else "-")
        console.print(table)
    _paired(console, gaps["raw"], methods, families)
    level = [r for r in records if r["method"] == "level"]
    if level:
        share = sum(r["time_s"] - r["oracle_time_s"] for r in level)
        share /= sum(r["oracle_time_s"] for r in level)
        calls = [r["first_feasible_call"] for r in level if r["first_feasible_call"]]
        console.print(f"level: its own time is {100 * share:.0f}% of the oracle's;")
        console.print(f"first feasible sample at call {np.mean(calls):.1f} (at most {max(calls)}).")


def _gaps(records: list[Record], key: str) -> dict[tuple[str, str], list[tuple[float, bool]]]:
    found: dict[tuple[str, str], list[tuple[float, bool]]] = defaultdict(list)
    for record in records:
        value, best = record[key], record["best"]
        if best is None:
            continue
        gap = 1.0 if value is None else min(1.0, (value - best) / max(1.0, abs(best)))
        found[str(record["method"]), str(record["family"])].append((gap, value is not None))
    return found


def _rows(gaps: dict, families: list[str]) -> dict:
    """The rows of the tables: a label and which method it means for a family."""
    present = {method for method, _ in gaps}
    rows = {m: (lambda family, m=m: m) for m in ("level", "fully-corrective") if m in present}
    betas = [f"frank-wolfe {b:g}" for b in BETAS if f"frank-wolfe {b:g}" in present]
    if betas:

        def best(family: str) -> str:
            return min(betas, key=lambda m: np.mean([g for g, _ in gaps[m, family]]))

        rows["frank-wolfe, best beta0"] = best
    others = ("penalty-sweep", "penalty-safe", "augmented-lagrangian", "random-polish", "cpsat")
    return rows | {m: (lambda family, m=m: m) for m in others if m in present}


def _paired(console: Console, gaps: dict, methods: dict, families: list[str]) -> None:
    """Mean difference of raw gaps to `level`, paired by instance and seed, with 95% intervals."""
    if "level" not in methods:
        return
    table = Table("method", *families, title="raw gap minus that of level, in points, with 95%")
    for label, choose in methods.items():
        if label == "level":
            continue
        cells = []
        for family in families:
            other, own = gaps.get((choose(family), family)), gaps.get(("level", family))
            if not other or not own or len(other) != len(own):
                cells.append("-")
                continue
            difference = 100 * (np.array([g for g, _ in other]) - np.array([g for g, _ in own]))
            error = 1.96 * difference.std(ddof=1) / np.sqrt(len(difference))
            cells.append(f"{difference.mean():+.2f} ± {error:.2f}")
        table.add_row(label, *cells)
    console.print(table)


def _cell(cell: list[tuple[float, bool]] | None) -> str:
    if not cell:
        return "-"
    gap, feasible = np.mean(cell, axis=0)
    return f"{100 * gap:.2f} ({100 * feasible:.0f})"


if __name__ == "__main__":
    main()
