"""qhal-cim against its peers, single-threaded: one command for all figures.

    python benchmarks/cim/run.py [--quick] [--gset DIR] [--out DIR] [--only NAME ...]

Peers (`peers.txt` beside this file) that cannot be imported are reported as absent. All peers of a
section run in the same process, in turn, and times are CPU times unless said, because the machine
may be shared: read the ratios. Every peer is measured at its defaults and at the best of six
settings; six settings of ours, as many, compete on the same tuning instances for as long. The
tables are printed; the folder `out` gets `results.json` and the plots. A section run again, by
`--only`, replaces its part of what is there; settings tuned once are used again. `--quick` leaves
out the tuning, most instances and most repeats.
"""

from __future__ import annotations

import os

THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA")
os.environ.update({f"{library}_NUM_THREADS": "1" for library in THREADS})  # before numpy

import json  # noqa: E402
import platform  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from importlib import metadata  # noqa: E402
from pathlib import Path  # noqa: E402

import click  # noqa: E402
from lab import Lab  # noqa: E402
from peers import OURS, PEERS  # noqa: E402
from plots import draw  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from sections import SECTIONS  # noqa: E402

DISTRIBUTIONS = (
    "qhal-cim", "dwave-samplers", "openjij", "simulated-bifurcation", "mindquantum",
    "cim-optimizer", "numpy", "scipy", "numba", "torch",
)  # fmt: skip
DEFAULT_GSET = Path(__file__).resolve().parents[3] / "shared" / "data" / "gset"


@click.command()
@click.option("--quick", is_flag=True, help="A few minutes: no tuning, few instances and repeats.")
@click.option(
    "--gset",
    type=click.Path(path_type=Path),
    default=DEFAULT_GSET,
    help="Folder of the Gset graphs; without it their sections are skipped.",
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/cim"), show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(SECTIONS)), help="Only this section.")
def main(quick: bool, gset: Path, out: Path, only: tuple[str, ...]) -> None:
    """Print the tables, write the raw results and the plots."""
    warnings.filterwarnings("ignore")  # of the peers
    console = Console(width=130)
    present = [solver for solver in PEERS if solver.missing is None]
    versions = Table("distribution", "version", title="What is measured")
    for name in DISTRIBUTIONS:
        versions.add_row(name, _version(name))
    for solver in PEERS:
        if solver.missing:
            versions.add_row(solver.name, f"absent ({solver.missing})")
    console.print(versions)
    if not gset.is_dir():
        console.print(f"[yellow]No folder {gset}: everything on Gset graphs is skipped.[/yellow]")
    lab = Lab(console, present, gset, quick)
    out.mkdir(parents=True, exist_ok=True)
    file = out / "results.json"
    raw = json.loads(file.read_text()) if file.exists() else {}
    raw |= {
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in DISTRIBUTIONS},
        "settings_tried": len(OURS.settings),
    }
    lab.tuned.update({tuple(k.split(" on ")): s for k, s in raw.get("tuned", {}).items()})
    for name in only or SECTIONS:
        start, cpu = time.perf_counter(), time.process_time()
        raw[name] = SECTIONS[name](lab)
        seconds = {"quick": quick, "wall_s": time.perf_counter() - start}
        seconds["cpu_s"] = time.process_time() - cpu
        console.print(
            f"{name}: {seconds['cpu_s']:.0f} CPU s, {seconds['wall_s']:.0f} s\n", style="dim"
        )
        raw["sections"] = raw.get("sections", {}) | {name: seconds}
        raw["tuned"] = {f"{solver} on {family}": s for (solver, family), s in lab.tuned.items()}
        file.write_text(json.dumps(raw, indent=1, default=float))
        draw(raw, out)
    console.print(f"Raw results and plots are in {out}.")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


if __name__ == "__main__":
    main()
