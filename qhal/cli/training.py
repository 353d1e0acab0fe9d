"""`qhal train`: networks of few bits."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import click

from qhal.cli.files import check_outputs, save
from qhal.cli.options import FilePath, IterationsOption, PlotOption, SetOption, TimeLimitOption
from qhal.cli.output import Output, command, given, parse_settings
from qhal.cli.tables import facts
from qhal.errors import InputError


class WeightBitsType(click.ParamType):  # type: ignore[type-arg]
    """A whole number from 1 to 8, or ternary."""

    name = "bits"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """An int, or "ternary"."""
        return value if value == "ternary" else click.IntRange(1, 8).convert(value, param, ctx)


class PerLayer(click.ParamType):  # type: ignore[type-arg]
    """One value for all layers, or several, between commas, for each."""

    name = "list"

    def __init__(self, one: click.ParamType[Any]) -> None:
        self.one = one

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """A value, or a tuple of them."""
        if not isinstance(value, str):
            return value
        values = tuple(self.one.convert(part.strip(), param, ctx) for part in value.split(","))
        return values[0] if len(values) == 1 else values


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
    type=PerLayer(click.IntRange(0)),
    metavar="N[,N..]",
    help="Units of each hidden layer; 0 for a linear classifier.  [default: 3 for two classes, "
    "else 0]",
)
@click.option(
    "--image-size",
    type=click.IntRange(1),
    metavar="N",
    help="Reduce images to N x N pixels.  [default: 7 for fashion-mnist]",
)
@click.option(
    "--weight-bits",
    type=PerLayer(WeightBitsType()),
    default="1",
    show_default=True,
    metavar="K[,K..]",
    help="Bits of each weight, 1 to 8 or ternary; for all layers or for each.",
)
@click.option("--bias-bits", type=click.IntRange(0, 8), metavar="K", help="Of each bias.  [4]")
@click.option("--input-bits", type=click.IntRange(1, 8), metavar="K", help="Of each input.  [3]")
@click.option(
    "--activation",
    type=PerLayer(click.STRING),
    default="hard-tanh",
    show_default=True,
    metavar="NAME[,NAME..]",
    help="Of the hidden units (see: qhal plugins); for all layers or for each.",
)
@click.option("--spline-order", type=click.IntRange(0, 1), metavar="0|1", help="Of pieces.  [1]")
@click.option("--spline-pieces", type=click.IntRange(1), metavar="N", help="Of functions.  [4]")
@click.option("--spline-knots", type=click.Choice(["uniform", "adaptive"]), help="[uniform]")
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
@click.option(
    "--report", type=FilePath, metavar="F.html", help="Write all about the run to one page."
)
@click.option(
    "--dry-run", is_flag=True, help="Only say how many spins training would take, by part."
)
def train(
    output: Output,
    seed: int | None,
    oracle: str,
    settings: tuple[str, ...],
    model: Path | None,
    plot: Path | None,
    report: Path | None,
    dry_run: bool,
    **options: Any,
) -> int:
    """Train a network whose weights have few bits.

    \b
    Examples:
      qhal train --seed 0 --model coat.npz --plot coat.png
      qhal train --data digits --classes 3,8 --hidden 5 --oracle sa --set num_reads=50
      qhal train --hidden 4,3 --activation sign,relu --weight-bits 1,1,2 --dry-run
    """
    check_outputs(inputs=[Path(options["data"])], model=model, plot=plot, report=report)
    if report is not None and importlib.util.find_spec("matplotlib") is None:
        raise InputError("--report needs matplotlib: pip install 'qhal-core[plot]'")
    oracle_options = parse_settings(settings)
    num_reads = oracle_options.pop("num_reads", None)

    from qhal.api import DEFAULT_ROUNDS, plan_training
    from qhal.api import train as run

    chosen = given(num_reads=num_reads, seed=seed, **options)
    if dry_run:
        for option in "num_reads method executor iterations time_limit".split():
            chosen.pop(option, None)
        document = plan_training(**chosen).to_json()
        output.result(document, facts(document))
        return 0
    rounds = options["iterations"] or DEFAULT_ROUNDS
    with output.warnings(), output.progress("training", rounds) as callback:
        result = run(oracle=oracle, oracle_options=oracle_options, callback=callback, **chosen)
    saved = [
        save(model, lambda: result.save(str(model))),
        save(plot, lambda: result.plot(str(plot))),
        save(report, lambda: result.report(str(report))),
    ]
    document = result.to_json() | {"model": str(model) if model is not None and saved[0] else None}
    output.result(document, facts({k: v for k, v in document.items() if k != "versions"}))
    return 0 if all(saved) else 1
