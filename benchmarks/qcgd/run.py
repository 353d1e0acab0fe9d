"""QCGD against penalties, plain Frank-Wolfe, an augmented Lagrangian and CP-SAT.

    python benchmarks/qcgd/run.py [--section cim ...] [--minutes 15] [--results FILE]

Runs what `--results` does not hold yet, appends each run to it as a line of JSON, and prints the
tables and draws the plots of everything it holds; so it may be stopped at any time and started
again. All of it takes about an hour and a half on one core. See sections.py for what is run and
report.py for how it is counted.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
from methods import Outcome, solve, solve_cpsat
from noise import Disturbed
from report import report
from sections import REFERENCE_S, SECTIONS, Task, tasks

from qhal.oracle import Oracle
from qhal.qcgd.limits import Limits
from qhal.registry import get_oracle

HERE = Path(__file__).parent
Record = dict[str, Any]


@click.command()
@click.option("--section", "names", multiple=True, type=click.Choice(list(SECTIONS)))
@click.option("--method", "methods", multiple=True, help="Only these methods.")
@click.option("--seeds", type=int, help="Only the first so many seeds.")
@click.option("--minutes", type=float, help="Stop after so long.  [default: never]")
@click.option("--results", default="qcgd.jsonl", type=click.Path(path_type=Path))
@click.option("--tuning", is_flag=True, help="Use the tuning instances, not the test ones.")
@click.option("--report-only", is_flag=True, help="Run nothing.")
@click.option("--plots", type=click.Path(path_type=Path), help="Folder to draw plots into.")
def main(
    names: tuple[str, ...],
    methods: tuple[str, ...],
    seeds: int | None,
    minutes: float | None,
    results: Path,
    tuning: bool,
    report_only: bool,
    plots: Path | None,
) -> None:
    """Run what is missing, then report."""
    end = float("inf") if minutes is None else time.monotonic() + 60 * minutes
    records = load(results)
    if not report_only:
        for name in names or SECTIONS:
            chosen = [
                task
                for task in tasks(name, tuning=tuning)
                if task.method in (methods or (task.method,)) and task.seed < (seeds or 10**9)
            ]
            measure(chosen, records, results, end)
    report(list(records.values()), plots)


def load(path: Path) -> dict[tuple, Record]:
    """The runs in the file at `path`, by the key of their task; a line cut short is left out."""
    records = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        records[tuple(record["key"])] = record
    return records


def measure(chosen: list[Task], records: dict[tuple, Record], path: Path, end: float) -> None:
    """Do the tasks that `records` lacks, until the time `end`."""
    with path.open("a") as file:
        for task in chosen:
            if time.monotonic() > end:
                return
            if task.key in records:
                continue
            record = {"key": task.key} | vars(outcome(task, records))
            records[task.key] = record
            file.write(json.dumps(record) + "\n")
            file.flush()


def outcome(task: Task, records: dict[tuple, Record]) -> Outcome:
    """Do one task; CP-SAT gets the wall time that `level` took."""
    section, problem = SECTIONS[task.section], task.instance.problem
    if task.method == "cpsat-reference":
        return solve_cpsat(problem, REFERENCE_S, task.seed)
    if task.method == "cpsat":
        level = (*task.key[:4], "level", task.seed)
        return solve_cpsat(problem, records[level]["time_s"], task.seed)
    oracle: Oracle = get_oracle(section.oracle, **section.options)
    if section.sigma:
        oracle = Disturbed(oracle, section.sigma)
    limits = Limits(iterations=section.calls)
    return solve(task.method, problem, oracle, limits, section.reads, task.seed)


if __name__ == "__main__":
    main()
