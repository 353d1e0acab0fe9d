"""`qhal solve`, `qhal compare` and `qhal convert`: problems in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from qhal.cli.output import (
    Output,
    check_outputs,
    command,
    facts,
    given,
    parse_settings,
    table,
    to_json,
)

SHOWN_VARIABLES = 30
FilePath = click.Path(path_type=Path)

IterationsOption = click.option(
    "--iterations",
    type=click.IntRange(1),
    metavar="N",
    help="At most N rounds, one oracle call each.",
)
TimeLimitOption = click.option(
    "--time-limit",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="At most S seconds for each run.",
)
SetOption = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the oracle (see: qhal oracles NAME), or num_reads; repeatable.",
)
PlotOption = click.option(
    "--plot", type=FilePath, metavar="F", help="Draw the run into F (.png, .svg, .pdf)."
)


@command("solve")
@click.argument("file", type=FilePath)
@click.option(
    "--oracle",
    default="cim",
    show_default=True,
    metavar="NAME",
    help="Who samples (see: qhal oracles).",
)
@SetOption
@click.option(
    "--method",
    type=click.Choice(["level", "frank-wolfe", "fully-corrective", "direct"]),
    default="level",
    show_default=True,
    help="How the multipliers are updated; direct: no QCGD, an exact oracle solves FILE whole.",
)
@IterationsOption
@TimeLimitOption
@click.option(
    "--certify", metavar="NAME", help="Afterwards have this exact oracle prove a lower bound."
)
@click.option(
    "--checkpoint",
    type=FilePath,
    metavar="F",
    help="Keep the run in F after each round, and go on from F if it is there.",
)
@PlotOption
@click.option("--out", type=FilePath, metavar="F", help="Write the result to F as JSON.")
def solve(
    output: Output,
    seed: int | None,
    file: Path,
    oracle: str,
    settings: tuple[str, ...],
    method: str,
    iterations: int | None,
    time_limit: float | None,
    certify: str | None,
    checkpoint: Path | None,
    plot: Path | None,
    out: Path | None,
) -> int:
    """Solve the problem in FILE.

    The suffix of FILE says its format: .lp, .cqm, .bqm, .coo, .qubo, .mc, .dat (QAPLIB), .npz, or a
    Gset graph (G1, G2, ...). A problem without constraints goes straight to the oracle. Ctrl-C ends
    the run with the best solution so far. Exits with 1 if nothing feasible was found.

    \b
    Examples:
      qhal solve problem.lp --oracle sa --set num_reads=200 --seed 1
      qhal solve nug12.dat --oracle cim --certify cpsat --time-limit 60 --plot run.png
    """
    check_outputs(plot=plot, out=out, checkpoint=checkpoint)
    options, num_reads = parse_settings(settings)

    from qhal.api import solve as run
    from qhal.qcgd.loop import DEFAULT_ITERATIONS

    with output.progress(f"solving {file.name}", iterations or DEFAULT_ITERATIONS) as callback:
        solution = run(
            file,
            oracle=oracle,
            oracle_options=options,
            method=method,
            callback=callback,
            **given(
                iterations=iterations,
                time_limit=time_limit,
                num_reads=num_reads,
                certify=certify,
                checkpoint=checkpoint,
                seed=seed,
            ),
        )
    document = solution.to_json()
    if out is not None:
        out.write_text(to_json(document) + "\n")
    if plot is not None and solution.history:
        solution.plot(str(plot))
    elif plot is not None:
        click.echo("Nothing to plot: the run ended before its first round.", err=True)
    output.result(document, facts(_summary(document)), "", _assignment(document["assignment"]))
    return 0 if solution.feasible else 1


@command("compare")
@click.argument("file", type=FilePath)
@click.option(
    "--oracle",
    "oracles",
    multiple=True,
    required=True,
    metavar="NAME",
    help="An oracle to compare; repeat it.",
)
@click.option("--reference", metavar="NAME", help="An exact oracle to measure gaps against.")
@IterationsOption
@TimeLimitOption
def compare(
    output: Output,
    seed: int | None,
    file: Path,
    oracles: tuple[str, ...],
    reference: str | None,
    iterations: int | None,
    time_limit: float | None,
) -> int:
    """Solve FILE with several oracles, side by side.

    Exits with 1 if they disagree: one beats what another proved, or one finds nothing feasible
    where another does.

    \b
    Example:
      qhal compare problem.lp --oracle sa --oracle cim --reference cpsat
    """
    from qhal.api import compare as run

    options = given(reference=reference, iterations=iterations, time_limit=time_limit, seed=seed)
    comparison = run(file, list(oracles), **options)
    columns = {
        "oracle": "oracle",
        "status": "status",
        "objective": "objective",
        "raw_objective": "raw",
        "gap_to_reference": "gap",
        "lower_bound": "bound",
        "oracle_calls": "calls",
        "total_time_s": "time s",
    }
    rows = [
        [f"{r[key]:.3f}" if key == "total_time_s" else r[key] for key in columns]
        for r in comparison.results
    ]
    verdict = "The oracles agree." if comparison.agree else "The oracles DISAGREE."
    output.result(comparison.to_json(), table(list(columns.values()), rows), verdict)
    return 0 if comparison.agree else 1


@command("convert")
@click.argument("source", metavar="IN", type=FilePath)
@click.argument("target", metavar="OUT", type=FilePath)
def convert(output: Output, seed: int | None, source: Path, target: Path) -> None:
    """Convert the problem in IN to the format of OUT.

    The suffixes say the formats; see qhal solve --help.

    \b
    Example:
      qhal convert problem.cqm problem.lp
    """
    check_outputs(target=target)

    from qhal.files import read_problem, write_problem

    problem = read_problem(source)
    write_problem(problem, target)
    document = {
        "input": str(source),
        "output": str(target),
        "num_variables": problem.num_variables,
        "num_constraints": problem.num_constraints,
    }
    output.result(document, facts(document))


def _summary(document: dict[str, Any]) -> dict[str, Any]:
    keys = (
        "status objective raw_objective lower_bound gap certified max_violation num_variables "
        "num_constraints iterations oracle oracle_calls oracle_time_s total_time_s seed "
        "stop_reason advice"
    ).split()
    return {key: document[key] for key in keys}


def _assignment(assignment: dict[str, int]) -> str:
    """The variables that are not 0, as far as they can be looked at."""
    if not assignment:
        return "no assignment"
    nonzero = [f"{name} = {value}" for name, value in assignment.items() if value]
    shown = nonzero[:SHOWN_VARIABLES]
    rest = len(nonzero) - len(shown)
    text = ", ".join(shown) or "all variables are 0"
    return text + (f", and {rest} more (--out writes them all)" if rest else "; the others are 0")
