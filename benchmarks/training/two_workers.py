"""Sequential training with two workers: processor time of the run and of its workers.

    python benchmarks/training/two_workers.py [--hidden 32] [--image-size 7]

Passes on 60,000 samples of ten classes, after one to warm up. Each executor has a process of its
own; they take turns, pass by pass, so that other load on the machine slows all of them. Wall time
on a busy machine says little, so the table tells what each side computes: while workers add up, the
run waits for them, so that with cores of their own a call takes the time of the run and of the
busier worker, at best.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from executors import children
from rich.console import Console
from rich.table import Table
from settings import cim, planner

import qhal
from qhal.networks.training import TrainingPlan
from qhal.problems.arrays import FloatArray
from qhal.training.run import Limits
from qhal.training.sequential import Settings
from qhal.training.sequential_run import Run
from qhal.training.store import Store


def side(name: str, plan: TrainingPlan, passes: int, samples: int) -> None:
    """One executor's run: a pass for each line that comes in; at the end its figures, as JSON."""
    executor = qhal.get_executor(name, **({} if name == "serial" else {"num_workers": 2}))
    with executor, tempfile.TemporaryDirectory() as folder:
        settings = Settings(epochs=passes + 1, batch=samples, final_batch=samples)
        store = Store(plan.dataset.x_train, plan.dataset.y_train).in_folder(Path(folder))
        run = Run(plan.spec, store, cim(), executor, settings=settings, limits=Limits(), seed=0)
        run.state.epoch(1)
        workers, calls = children(os.getpid()), run.state.books.calls
        took = np.zeros(2 + len(workers))
        for number in range(2, passes + 2):
            print("ready", flush=True)
            sys.stdin.readline()
            before = clocks(workers)
            run.state.epoch(number)
            took += clocks(workers) - before
        print(json.dumps([run.state.books.calls - calls, *took]), flush=True)


def clocks(workers: list[int]) -> FloatArray:
    """Seconds so far: by the clock, of this process' processor time, and of each worker's."""
    ticks = []
    for pid in workers:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        ticks.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    return np.array([time.perf_counter(), time.process_time(), *ticks])


@click.command()
@click.option("--hidden", default=32, show_default=True)
@click.option("--image-size", default=7, show_default=True)
@click.option("--passes", default=2, show_default=True)
@click.option("--samples", default=60_000, show_default=True)
@click.option("--side", "name", hidden=True)
def main(hidden: int, image_size: int, passes: int, samples: int, name: str | None) -> None:
    """Measure and print."""
    if name is not None:
        size = {"hidden": hidden, "image_size": image_size}
        side(name, planner(classes="all", weight_bits=(1, 2), **size)(4.0), passes, samples)
        return
    sides = {
        name: subprocess.Popen(
            [sys.executable, *sys.argv, "--side", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in ("serial", "processes", "dask")
    }  # fmt: skip
    for process in sides.values():
        process.stdout.readline()
    answers = {}
    for _ in range(passes):
        for name, process in sides.items():
            process.stdin.write("go\n")
            process.stdin.flush()
            answers[name] = process.stdout.readline()
    table = Table(
        *"executor,calls,wall,run,workers,the busier,two cores,efficiency".split(","),
        title="milliseconds for each oracle call",
    )
    alone = 0.0
    for name, answer in answers.items():
        calls, wall, mine, *theirs = json.loads(answer)
        best = mine + max(theirs, default=0.0)
        alone = alone or best
        row = (1000 * s / calls for s in (wall, mine, sum(theirs), max(theirs, default=0.0), best))
        efficiency = "" if name == "serial" else f"{alone / best / 2:.0%}"
        table.add_row(name, str(calls), *(f"{part:.1f}" for part in row), efficiency)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
