"""What one QUBO of sequential training costs, by the number of samples it sees.

    python benchmarks/training/scaling.py

Ten classes of Fashion-MNIST. Times are of the processor, one core. Bytes are those of the pickled
tasks and answers that an executor moves for one QUBO: what grows with the samples is only the
number of chunks.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from settings import cim, planner

import qhal
from qhal.executors import Executor
from qhal.networks.training import TrainingPlan
from qhal.training.run import Limits
from qhal.training.sequential import Settings
from qhal.training.sequential_run import Run
from qhal.training.store import Store


class Weighed(Executor):
    """Serial; adds up the bytes that would travel and the time that the work takes."""

    def __init__(self) -> None:
        self.bytes_out, self.bytes_back, self.tasks, self.time_s = 0, 0, 0, 0.0
        self.weigh = False

    def _run(self, function: Any, tasks: Any) -> Iterator[tuple[int, Any]]:
        for k, task in enumerate(tasks):
            began = time.process_time()
            answer = function(task)
            self.time_s += time.process_time() - began
            self.tasks += 1
            if self.weigh:
                self.bytes_out += len(pickle.dumps(task))
                self.bytes_back += len(pickle.dumps(answer))
            yield k, answer


class Timed(qhal.Oracle):
    """`oracle`, with the time of the processor that it takes."""

    def __init__(self, oracle: qhal.Oracle) -> None:
        self.oracle, self.info, self.time_s = oracle, oracle.info, 0.0

    def _sample(self, qubo: qhal.Qubo, **parameters: Any) -> Any:
        began = time.process_time()
        states = self.oracle.sample(qubo, num_reads=parameters["num_reads"], seed=0).states
        self.time_s += time.process_time() - began
        return states


@click.command()
@click.option("--epochs", default=2, show_default=True)
def main(epochs: int) -> None:
    """Print the table."""
    columns = "network,samples,spins,calls,sums / ms,oracle / ms,all / ms,tasks,kB out,kB back"
    table = Table(*columns.split(","))
    console = Console(stderr=True)
    for hidden, size in ((32, 7), (128, 14)):
        plan = planner(classes="all", hidden=hidden, image_size=size, weight_bits=(1, 2))(4.0)
        for samples in (1000, 10_000, 60_000):
            cells = [f"{size * size}-{hidden}-10", f"{samples:,}", *row(plan, samples, epochs)]
            console.print(*cells)
            table.add_row(*cells)
    Console(width=110).print(table)


def row(plan: TrainingPlan, samples: int, epochs: int) -> list[str]:
    """Means over the calls of all epochs but the first."""
    data = plan.dataset
    executor, oracle = Weighed(), Timed(cim())
    run = Run(
        plan.spec,
        Store(data.x_train, data.y_train).in_folder(_folder()),
        oracle,
        executor,
        settings=Settings(epochs=epochs, batch=samples, final_batch=samples),
        limits=Limits(),
        seed=0,
        class_names=data.class_names,
    )
    run.state.epoch(1)
    calls = run.state.books.calls
    executor.time_s, oracle.time_s, executor.tasks = 0.0, 0.0, 0
    began = time.process_time()
    for number in range(2, epochs + 1):
        run.state.epoch(number)
    times = (executor.time_s, oracle.time_s, time.process_time() - began)
    count = run.state.books.calls - calls
    tasks, executor.weigh = executor.tasks, True
    before = run.state.books.calls
    run.state.epoch(epochs + 1)
    weighed = run.state.books.calls - before
    return [
        str(run.state.books.num_variables),
        str(count),
        *(f"{1000 * t / count:.1f}" for t in times),
        f"{tasks / count:.1f}",
        f"{executor.bytes_out / weighed / 1000:.0f}",
        f"{executor.bytes_back / weighed / 1000:.0f}",
    ]


def _folder() -> Any:
    import tempfile
    from pathlib import Path

    return Path(tempfile.mkdtemp(prefix="qhal-scaling-"))


if __name__ == "__main__":
    main()
