"""`qhal solve`: a problem in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from qhal.cli.files import check_outputs, save, traced
from qhal.cli.options import (
    FilePath,
    IterationsOption,
    PlotOption,
    SetOption,
    TimeLimitOption,
    TraceOption,
)
from qhal.cli.output import (
    Output,
    as_options,
    command,
    describe_round,
    given,
    parse_settings,
    to_json,
)
from qhal.cli.tables import facts, number

SHOWN_VARIABLES = 30


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
@TraceOption
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
    trace: Path | None,
    out: Path | None,
) -> int:
    """Solve the problem in FILE.

    The suffix of FILE says its format: .lp, .mps, .qplib, .cqm, .bqm, .coo, .qubo, .mc, .dat
    (QAPLIB), .npz, or a Gset graph (G1, G2, ...). A problem without constraints goes straight to
    the oracle. Ctrl-C ends the run with the best solution so far. Exits with 1 if nothing
    feasible was found.

    \b
    Examples:
      qhal solve problem.lp --oracle sa --set num_reads=200 --seed 1
      qhal solve nug12.dat --oracle cim --certify cpsat --time-limit 60 --plot run.png
    """
    check_outputs(inputs=[file], out=out, plot=plot, checkpoint=checkpoint, trace=trace)
    options = parse_settings(settings)
    num_reads = options.pop("num_reads", None)

    from qhal.api import solve as run
    from qhal.atomic import write_atomically
    from qhal.qcgd.limits import DEFAULT_ITERATIONS

    rounds = iterations or DEFAULT_ITERATIONS
    with (
        traced(trace) as written,
        output.progress(f"solving {file.name}", rounds, describe_round) as callback,
    ):
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
    document["advice"] = as_options(document["advice"])
    saved = [
        *written,
        save(out, lambda: write_atomically(str(out), (to_json(document) + "\n").encode())),
        save(plot if solution.history else None, lambda: solution.plot(str(plot))),
    ]
    if plot is not None and not solution.history:
        output.notes.append("there is nothing to plot: the run ended before its first round.")
    if "checkpoint" in solution.info:
        output.notes.append(solution.info["checkpoint"])
    output.result(
        document, facts(_summary(document)), *_certificate(document), "", _assignment(document)
    )
    return 0 if solution.feasible and all(saved) else 1


def _summary(document: Mapping[str, Any]) -> dict[str, Any]:
    keys = (
        "status objective raw_objective lower_bound gap certified max_violation num_variables "
        "num_constraints iterations oracle oracle_calls oracle_time_s total_time_s seed "
        "stop_reason advice"
    ).split()
    summary = {key: document[key] for key in keys}
    if document["info"].get("contradiction"):
        summary["contradiction"] = document["info"]["contradiction"]
        summary["reason"] = document["info"]["reason"]
    if document["info"].get("failure"):
        summary["failure"] = as_options(document["info"]["failure"])
    return summary


def _certificate(document: Mapping[str, Any]) -> list[str]:
    """What the certifier found, and whether it is better than what the run found."""
    record = document["info"].get("certificate")
    if not record:
        return []
    name, found = record.get("oracle"), record.get("objective")
    lines = ["", f"certificate of {name}: {record.get('status', 'none')}"]
    if found is not None:
        lines[-1] += f", objective {number(found)}"
    if record.get("lower_bound") is not None:
        lines[-1] += f", lower bound {number(record['lower_bound'])}"
    if record.get("error"):
        lines.append(as_options(str(record["error"])))
    best = document["objective"]
    if found is not None and (best is None or (found < best and not document["certified"])):
        here = "nothing feasible" if best is None else number(best)
        lines.append(
            f"{name} found {number(found)} where this run found {here}: give the run more "
            "iterations or reads, or another oracle."
        )
    return lines


def _assignment(document: Mapping[str, Any]) -> str:
    """The variables that are not 0, as far as they can be looked at."""
    assignment = document["assignment"]
    if not assignment:
        return "no assignment"
    nonzero = [f"{name} = {value}" for name, value in assignment.items() if value]
    shown = nonzero[:SHOWN_VARIABLES]
    text = ", ".join(shown)
    if not nonzero:
        text = "all variables are 0"
    elif len(nonzero) > len(shown):
        text += f", and {len(nonzero) - len(shown)} more (--out writes them all)"
    elif len(nonzero) < len(assignment):
        text += "; the others are 0"
    if not document["feasible"]:
        text = f"NOT feasible, but the nearest to it that was found: {text}"
    return text
