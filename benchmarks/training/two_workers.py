"""Sequential training with two workers: processor time of the run and of its workers.

    python benchmarks/training/two_workers.py [--hidden 32] [--image-size 7]

One pass on 60,000 samples of ten classes, after one to warm up. Wall time on a busy machine says
little, so the table tells what each side computes: while workers add up, the run waits for them,
so that with two cores of their own a call takes the run's time and half of the workers', at best.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import click
from executors import children
from rich.console import Console
from rich.table import Table
from settings import cim, planner

import qhal
from qhal.training.run import Limits, Run
from qhal.training.sequential import Settings
from qhal.training.store import Store


def workers_s() -> float:
    """Processor seconds of all child processes so far, in steps of 0.01."""
    ticks = 0
    for pid in children(os.getpid()):
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@click.command()
@click.option("--hidden", default=32, show_default=True)
@click.option("--image-size", default=7, show_default=True)
@click.option("--passes", default=2, show_default=True)
@click.option("--samples", default=60_000, show_default=True)
def main(hidden: int, image_size: int, passes: int, samples: int) -> None:
    """Measure and print."""
    plan = planner(classes="all", hidden=hidden, image_size=image_size, weight_bits=(1, 2))(4.0)
    data = plan.dataset
    table = Table(
        "executor", "calls", "run / ms", "workers / ms", "wall / ms", "two cores", "efficiency"
    )
    alone = 0.0
    for name in ("serial", "processes", "dask"):
        with (
            qhal.get_executor(name, **({} if name == "serial" else {"num_workers": 2})) as executor,
            tempfile.TemporaryDirectory() as folder,
        ):
            settings = Settings(epochs=passes + 1, batch=samples, final_batch=samples)
            store = Store(data.x_train, data.y_train).in_folder(Path(folder))
            run = Run(plan.spec, store, cim(), executor, settings=settings, limits=Limits(), seed=0)
            run.state.epoch(1)
            before = run.state.books.calls
            mine, theirs, wall = time.process_time(), workers_s(), time.perf_counter()
            for number in range(2, passes + 2):
                run.state.epoch(number)
            calls = run.state.books.calls - before
            mine, theirs, wall = (
                1000 * (now - then) / calls
                for now, then in (
                    (time.process_time(), mine),
                    (workers_s(), theirs),
                    (time.perf_counter(), wall),
                )
            )
        alone = alone or mine
        best = mine + theirs / 2
        cells = (f"{part:.1f}" for part in (mine, theirs, wall, best))
        efficiency = "" if name == "serial" else f"{alone / best / 2:.0%}"
        table.add_row(name, str(calls), *cells, efficiency)
    Console(width=110).print(table, "milliseconds for each oracle call")


if __name__ == "__main__":
    main()
