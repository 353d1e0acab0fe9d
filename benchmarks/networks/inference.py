"""Packed bits against float32 matrix multiplication: time and memory of one layer.

    python benchmarks/networks/inference.py [--samples 1000]

Inputs are packed, or converted to float32, before the clock starts. Processor time, the least of 15
repeats; single-threaded if OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import click
import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from qhal.networks.packed import PackedLayer, pack

SHAPES = ((49, 5), (196, 128), (784, 128), (784, 1024), (4096, 1024))


@click.command()
@click.option("--samples", default=1000, show_default=True)
def main(samples: int) -> None:
    """Print the table."""
    table = Table(
        "inputs", "units", "input bits", "float32 / ms", "packed / ms", "memory ratio", box=MARKDOWN
    )
    rng = np.random.default_rng(0)
    for inputs, units in SHAPES:
        weights = rng.choice([-1, 1], (units, inputs))
        layer = PackedLayer.of(weights, np.zeros(units, dtype=np.int64))
        dense = weights.T.astype(np.float32)
        for bits in (1, 3):
            q = rng.integers(0, 2**bits, (samples, inputs))
            planes = [pack((q >> k) & 1 == 1) for k in range(bits)]
            floats = q.astype(np.float32)
            assert (layer.sums(planes) == floats @ dense).all()
            times = [
                _best_of(lambda a=floats, b=dense: a @ b),
                _best_of(lambda layer=layer, planes=planes: layer.sums(planes)),
            ]
            table.add_row(
                str(inputs),
                str(units),
                str(bits),
                *(f"{1e3 * t:.2f}" for t in times),
                f"{dense.nbytes / layer.words.nbytes:.0f}",
            )
    Console().print(table)


def _best_of(function: Callable[[], object], repeats: int = 15) -> float:
    times = []
    for _ in range(repeats):
        start = process_time()
        function()
        times.append(process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
