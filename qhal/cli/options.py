"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path

import click

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
TraceOption = click.option(
    "--trace", type=FilePath, metavar="F", help="Write where the time went to F (Chrome trace)."
)
PlotOption = click.option(
    "--plot", type=FilePath, metavar="F", help="Draw the run into F (.png, .svg, .pdf)."
)
