"""`qhal convert`: problems from one file format to another, models to ONNX."""

from __future__ import annotations

from pathlib import Path

import click

from qhal.cli.files import check_outputs
from qhal.cli.options import FilePath
from qhal.cli.output import Output, command
from qhal.cli.tables import facts
from qhal.errors import InputError


@command("convert")
@click.argument("source", metavar="IN", type=FilePath)
@click.argument("target", metavar="[OUT]", type=FilePath, required=False)
@click.option(
    "--to", "suffix", metavar="SUFFIX", help="Without OUT: write beside IN, with this suffix."
)
def convert(
    output: Output, seed: int | None, source: Path, target: Path | None, suffix: str | None
) -> None:
    """Convert the problem in IN to the format of OUT.

    The suffixes say the formats; see qhal solve --help. Formats without constraints (.bqm, .coo,
    .qubo, .mc) take unconstrained problems only; .coo, .qubo and .mc hold numbers, not names. A
    model of qhal train becomes an .onnx file, which quantises its inputs itself.

    \b
    Examples:
      qhal convert problem.cqm problem.lp
      qhal convert problem.npz --to lp
      qhal convert coat.npz coat.onnx
    """
    target = _target(source, target, suffix)
    check_outputs(inputs=[source], target=target)
    if target.suffix.lower() == ".onnx":
        document = _to_onnx(source, target)
        output.result(document, facts(document))
        return

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


def _to_onnx(source: Path, target: Path) -> dict[str, object]:
    from qhal.networks import Network

    network = Network.load(source)
    network.to_onnx(target)
    return {
        "input": str(source),
        "output": str(target),
        "num_features": network.spec.layers[0].inputs,
        "class_names": list(network.class_names),
    }


def _target(source: Path, target: Path | None, suffix: str | None) -> Path:
    if (target is None) == (suffix is None):
        raise InputError(
            "say where to write: either OUT or --to SUFFIX, as in: qhal convert problem.cqm --to lp"
        )
    if target is not None:
        return target
    ending = f".{str(suffix).strip().lstrip('.')}"
    try:
        return source.with_suffix(ending)
    except ValueError:
        raise InputError(f"--to takes a suffix such as lp, not {suffix!r}.") from None
