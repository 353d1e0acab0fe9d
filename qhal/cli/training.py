"""`qhal train`: networks of few bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from qhal.cli.files import check_outputs, save
from qhal.cli.options import FilePath, IterationsOption, PlotOption, SetOption, TimeLimitOption
from qhal.cli.output import Output, command, given, parse_settings
from qhal.cli.tables import facts


@command("train")
@click.option(
    "--data",
    default="fashion-mnist",
    show_default=True,
    metavar="NAME|FILE.npz|DIR",
    help="fashion-mnist, digits, an .npz file of arrays x and y, or a folder of idx files.",
)
@click.option(
    "--classes", metavar="A,B|all", help="Class names.  [default: coat,sandal of fashion-mnist]"
)
@click.option(
    "--oracle",
    default="cim",
    show_default=True,
    metavar="NAME",
    help="Who samples (see: qhal oracles).",
)
@SetOption
@click.option(
    "--hidden",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    metavar="N",
    help="Hidden units; 0 for a linear classifier.",
)
@click.option(
    "--image-size",
    type=click.IntRange(1),
    metavar="N",
    help="Reduce images to N x N pixels.  [default: 7 for fashion-mnist]",
)
@click.option(
    "--weight-bits",
    type=click.IntRange(1, 8),
    default=1,
    show_default=True,
    metavar="K",
    help="Bits of each weight.",
)
@click.option(
    "--activation",
    default="hard-tanh",
    show_default=True,
    metavar="NAME",
    help="Of the hidden units (see: qhal plugins).",
)
@click.option(
    "--loss",
    default="hinge",
    show_default=True,
    metavar="NAME",
    help="Of the margin (see: qhal plugins).",
)
@click.option("--samples", type=click.IntRange(1), metavar="N", help="Train on N samples.")
@click.option(
    "--method",
    type=click.Choice(["joint", "hedging", "sequential"]),
    default="joint",
    show_default=True,
    help="How training is split into problems.",
)
@click.option(
    "--executor",
    default="serial",
    show_default=True,
    metavar="NAME",
    help="Where these run (see: qhal plugins).",
)
@IterationsOption
@TimeLimitOption
@click.option("--model", type=FilePath, metavar="OUT", help="Write the network to OUT.")
@PlotOption
def train(
    output: Output,
    seed: int | None,
    oracle: str,
    settings: tuple[str, ...],
    model: Path | None,
    plot: Path | None,
    **options: Any,
) -> int:
    """Train a network whose weights have few bits.

    \b
    Examples:
      qhal train --seed 0 --model coat.npz --plot coat.png
      qhal train --data digits --classes 3,8 --hidden 5 --oracle sa --set num_reads=50
    """
    check_outputs(inputs=[Path(options["data"])], model=model, plot=plot)
    oracle_options = parse_settings(settings)
    num_reads = oracle_options.pop("num_reads", None)

    from qhal.api import DEFAULT_ROUNDS
    from qhal.api import train as run

    with output.progress("training", options["iterations"] or DEFAULT_ROUNDS) as callback:
        result = run(
            oracle=oracle,
            oracle_options=oracle_options,
            callback=callback,
            **given(num_reads=num_reads, seed=seed, **options),
        )
    saved = [
        save(model, lambda: result.save(str(model))),
        save(plot, lambda: result.plot(str(plot))),
    ]
    document = result.to_json() | {"model": str(model) if model is not None and saved[0] else None}
    output.result(document, facts({k: v for k, v in document.items() if k != "versions"}))
    return 0 if all(saved) else 1
