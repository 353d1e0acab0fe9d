"""`qhal compare`: one problem, several oracles."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qhal.cli.options import FilePath, IterationsOption, TimeLimitOption
from qhal.cli.output import Output, as_options, command, describe_round, given, parse_settings
from qhal.cli.tables import table
from qhal.errors import InputError

if TYPE_CHECKING:
    from qhal.comparison import Comparison

_COLUMNS = {
    "oracle": "oracle",
    "status": "status",
    "objective": "objective",
    "raw_objective": "raw",
    "gap_to_reference": "gap",
    "lower_bound": "bound",
    "oracle_calls": "calls",
    "total_time_s": "time s",
}


@command("compare")
@click.argument("file", type=FilePath)
@click.option(
    "--oracle",
    "oracles",
    multiple=True,
    required=True,
    metavar="NAME",
    help="An oracle to compare, or a chain; repeat it.",
)
@click.option("--reference", metavar="NAME", help="An exact oracle to measure gaps against.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="[NAME.]KEY=VALUE",
    help="NAME.KEY=VALUE is an option of the oracle NAME, also where a chain starts with it; "
    "num_reads=N goes to all.",
)
@IterationsOption
@TimeLimitOption
def compare(
    output: Output,
    seed: int | None,
    file: Path,
    oracles: tuple[str, ...],
    reference: str | None,
    settings: tuple[str, ...],
    iterations: int | None,
    time_limit: float | None,
) -> int:
    """Solve FILE with several oracles, side by side.

    The oracles agree if every one that ran reached the same objective, and nothing contradicts what
    one of them proved. Exits with 1 if they do not, if nobody found a feasible solution, or if an
    oracle failed. Ctrl-C ends the comparison and shows the results so far.

    \b
    Examples:
      qhal compare problem.lp --oracle sa --oracle cim --reference cpsat
      qhal compare problem.lp --oracle sa --oracle cim --set num_reads=50 --set cim.num_steps=200
      qhal compare problem.lp --oracle cim --oracle "cim|precision(bits=8)" --reference cpsat
    """
    num_reads, oracle_options = _settings(settings, oracles[0])

    from qhal.comparison import compare as run
    from qhal.qcgd.limits import DEFAULT_ITERATIONS

    def watch(name: str) -> AbstractContextManager[Callable[[Any], None]]:
        output.detail(f"{name}:")
        total = iterations or DEFAULT_ITERATIONS
        return output.progress(f"{name} on {file.name}", total, describe_round)

    comparison = run(
        file,
        oracles,
        reference=reference,
        oracle_options=oracle_options,
        watch=watch,
        **given(num_reads=num_reads, iterations=iterations, time_limit=time_limit, seed=seed),
    )
    output.result(
        comparison.to_json(),
        table(list(_COLUMNS.values()), map(_cells, comparison.results)),
        "",
        *_verdict(comparison),
    )
    return 0 if comparison.succeeded else 1


def _settings(settings: Sequence[str], example: str) -> tuple[Any, dict[str, dict[str, Any]]]:
    """num_reads for all oracles, and options by the oracle's name."""
    num_reads = None
    options: dict[str, dict[str, Any]] = {}
    for key, value in parse_settings(settings).items():
        name, _, option = key.rpartition(".")
        if any(mark in key for mark in "|()"):
            raise InputError(
                f"--set {key}: options of one chain alone are written in it, as in "
                "--oracle 'cim(num_steps=200)|precision(bits=8)'."
            )
        if key == "num_reads":
            num_reads = value
        elif not name:
            start = re.split(r"[|(]", example)[0].strip()
            raise InputError(
                f"--set {key}={value} does not say for which oracle: write "
                f"--set {start}.{key}={value} (only num_reads goes to all)."
            )
        else:
            options.setdefault(name, {})[option] = value
    return num_reads, options


def _cells(row: Any) -> list[Any]:
    cells = [row[key] for key in _COLUMNS]
    if row["reference"]:
        cells[0] += " (reference)"
    if row["total_time_s"] is not None:
        cells[-1] = f"{row['total_time_s']:.3f}"
    return cells


def _verdict(comparison: Comparison) -> list[str]:
    """Whether they agree, and if not: who differs, and apart from that what contradicts a proof."""
    lines = list(comparison.notes)
    if comparison.agree:
        best = next(row for row in comparison.results if row["objective"] is not None)
        proof = any(row["certified"] for row in comparison.results)
        proved = "proved optimal" if proof else "which nobody proved optimal"
        lines.append(f"The oracles agree on the objective {best['objective']:.10g}, {proved}.")
    elif comparison.differences:
        lines += ["The oracles DIFFER:", *(f"- {text}" for text in comparison.differences)]
    if comparison.contradictions:
        lines += [
            "The results CONTRADICT each other, so a proof is wrong:",
            *(f"- {text}" for text in comparison.contradictions),
        ]
    if comparison.interrupted:
        lines.append("Interrupted: these are the results so far.")
    return [as_options(line) for line in lines]
