"""`qhal train`: networks of few bits."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    command,
    describe_epoch,
    describe_round,
    given,
    parse_settings,
)
from qhal.cli.tables import facts
from qhal.errors import InputError

if TYPE_CHECKING:
    from qhal.networks.training import TrainingPlan


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
    "else 0; 32 if not joint]",
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
    "--gain", type=float, metavar="G", help="Of hidden units' arguments.  [1; 2 if sequential]"
)
@click.option(
    "--loss",
    metavar="NAME",
    help="Of the margin (see: qhal plugins).  [hinge; softmax if sequential; squared "
    "if hedging of several classes]",
)
@click.option("--samples", type=click.IntRange(1), metavar="N", help="Train on N samples.")
@click.option(
    "--method",
    type=click.Choice(["joint", "hedging", "sequential"]),
    default="joint",
    show_default=True,
    help="joint: a few samples as one problem; hedging: bundles of samples that must agree; "
    "sequential: all of them, a unit at a time.",
)
@click.option(
    "--executor",
    default="serial",
    show_default=True,
    metavar="NAME",
    help="Where these run (see: qhal plugins).",
)
@click.option(
    "--executor-set",
    "executor_settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the executor, as num_workers or address; repeatable.",
)
@IterationsOption
@click.option("--bundle-size", type=click.IntRange(1), metavar="N", help="Samples of one.  [16]")
@click.option("--bundles", type=click.IntRange(1), metavar="N", help="Hedged at a time.  [8]")
@click.option(
    "--replacement", is_flag=True, default=None, help="Draw each bundle from all samples."
)
@click.option(
    "--hedging-rounds", type=click.IntRange(1), metavar="N", help="For bundles to agree.  [6]"
)
@click.option("--rho", type=float, metavar="R", help="Weight of agreement.  [0.1]")
@click.option("--rho-rule", type=click.Choice(["fixed", "balanced", "per-bit"]), help="[per-bit]")
@click.option(
    "--certify", metavar="NAME", help="Have this exact oracle prove what hedging's bound is."
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    metavar="N",
    help="Passes over all units.  [30; 6 if hedging]",
)
@click.option(
    "--initial",
    type=FilePath,
    metavar="MODEL",
    help="Begin with this network; its architecture and loss count. One of smaller images, whose "
    "side divides --image-size, is enlarged. With --batch as large as --final-batch it is only "
    "improved.",
)
@click.option(
    "--starts", type=click.IntRange(1), metavar="N", help="Start N times, keep the best.  [1]"
)
@click.option(
    "--batch", type=click.IntRange(1), metavar="N", help="Samples of the first pass.  [4096]"
)
@click.option(
    "--final-batch", type=click.IntRange(1), metavar="N", help="Of the last pass.  [65536]"
)
@click.option(
    "--exact-samples",
    type=click.IntRange(0),
    metavar="N",
    help="Of a unit's samples, N that its parabolas leave out, exact instead.  [0]",
)
@click.option(
    "--coefficient-bits",
    type=click.IntRange(2, 24),
    metavar="K",
    help="Of every QUBO that is asked for.  [8]",
)
@click.option(
    "--max-variables",
    type=click.IntRange(1),
    metavar="N",
    help="Of every QUBO that is asked for.  [550]",
)
@click.option("--max-oracle-calls", type=click.IntRange(1), metavar="N", help="At most N calls.")
@click.option(
    "--validation",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="SHARE",
    help="Of the training samples, to choose the best epoch by.  [0]",
)
@click.option(
    "--patience",
    type=click.IntRange(1),
    metavar="N",
    help="Stop after N epochs without a better network.",
)
@click.option(
    "--resume",
    "--checkpoint",
    "checkpoint",
    type=FilePath,
    metavar="F",
    help="Keep the run in F after each epoch or round, and go on from F if it is there.",
)
@TimeLimitOption
@click.option("--model", type=FilePath, metavar="OUT", help="Write the network to OUT.")
@PlotOption
@TraceOption
@click.option(
    "--report", type=FilePath, metavar="F.html", help="Write all about the run to one page."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only say how many spins training would take, by part; of the largest QUBO if not joint.",
)
def train(
    output: Output,
    seed: int | None,
    oracle: str,
    settings: tuple[str, ...],
    model: Path | None,
    plot: Path | None,
    report: Path | None,
    trace: Path | None,
    dry_run: bool,
    checkpoint: Path | None,
    executor_settings: tuple[str, ...],
    **options: Any,
) -> int:
    """Train a network whose weights have few bits.

    \b
    Examples:
      qhal train --seed 0 --model coat.npz --plot coat.png
      qhal train --data digits --classes 3,8 --hidden 5 --oracle sa --set num_reads=50
      qhal train --hidden 4,3 --activation sign,relu --weight-bits 1,1,2 --dry-run
      qhal train --method sequential --classes all --hidden 32 --weight-bits 1,2 --resume run.ckpt
      qhal train --method hedging --hidden 3 --bundle-size 16 --executor processes
    """
    check_outputs(
        inputs=[Path(name) for name in (options["data"], options["initial"]) if name],
        model=model,
        plot=plot,
        report=report,
        checkpoint=checkpoint,
        trace=trace,
    )
    if report is not None and importlib.util.find_spec("matplotlib") is None:
        raise InputError("--report needs matplotlib: pip install 'qhal-core[plot]'")
    oracle_options = parse_settings(settings)
    num_reads = oracle_options.pop("num_reads", None)

    whole = options["method"] != "joint"
    if whole and report is not None:
        raise InputError(f"{options['method']} training has no --report; --plot draws its run.")

    from qhal.api import METHODS, plan_training
    from qhal.api import train as run

    chosen = given(num_reads=num_reads, seed=seed, checkpoint=checkpoint, **options)
    if executor_settings:
        chosen["executor_options"] = parse_settings(executor_settings, "--executor-set")
    if dry_run:
        extra = "num_reads executor time_limit".split()
        for option in (*extra, *(name for names in METHODS.values() for name in names)):
            chosen.pop(option, None)
        document = _planned(plan_training(**chosen), options)
        output.result(document, facts(document))
        return 0
    title, describe = "training", describe_epoch if whole else describe_round
    with (
        traced(trace) as written,
        output.warnings(),
        output.progress(title, _rounds(options), describe) as callback,
    ):
        result = run(oracle=oracle, oracle_options=oracle_options, callback=callback, **chosen)
    saved = [
        save(model, lambda: result.save(str(model))),
        save(plot, lambda: result.plot(str(plot))),
        save(report, lambda: result.report(str(report))),
        *written,
    ]
    document = result.to_json() | {"model": str(model) if model is not None and saved[0] else None}
    output.result(document, facts({k: v for k, v in document.items() if k != "versions"}))
    return 0 if all(saved) else 1


def _planned(plan: TrainingPlan, options: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a dry run; of many QUBOs, the largest count."""
    if options["method"] == "joint":
        return plan.to_json()
    from qhal.training.blocks import largest_qubos
    from qhal.training.sequential import Settings

    limit = options["max_variables"] or Settings().max_variables
    sizes = {"a bundle, at most": limit}  # how many it takes depends on the network of the moment
    if options["method"] == "sequential":
        sizes = largest_qubos(plan.spec, limit)
    samples = plan.samples if options["samples"] else len(plan.dataset.y_train)
    return replace(plan, samples=samples).to_json(sizes)


def _rounds(options: Mapping[str, Any]) -> int:
    """How many rounds or epochs the progress bar stands for."""
    from qhal.api import DEFAULT_ROUNDS
    from qhal.training.hedging import HedgingSettings
    from qhal.training.sequential import Settings

    if options["method"] == "sequential":
        return int(options["epochs"] or Settings().epochs) * int(options["starts"] or 1)
    if options["method"] == "hedging":
        return int(options["epochs"] or HedgingSettings().epochs)
    return int(options["iterations"] or DEFAULT_ROUNDS)
