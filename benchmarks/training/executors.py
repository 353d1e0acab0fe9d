"""How much of ideal two workers reach, on tasks that only compute.

    python benchmarks/training/executors.py [--tasks 40] [--repeats 5]

Ideal are two bare processes that share the same tasks half and half, started by the same gun. Both
are measured in turn, repeat by repeat, so that other load on the machine slows both. Beside the
wall time, the CPU time that is not that of the tasks themselves is told, which other load hardly
touches. Workers are started and have imported everything before; starting them is timed apart.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import qhal


def compute(task: tuple[int, int]) -> float:
    """The CPU seconds of a fixed amount of work."""
    seed, rounds = task
    began = time.process_time()
    values = np.random.default_rng(seed).random(2000)
    for _ in range(rounds):
        values = np.sort(np.sin(values + 1.0))
    return time.process_time() - began


def bare(tasks: list[tuple[int, int]]) -> float:
    """Wall seconds of two processes with every second task each."""
    runners = [
        subprocess.Popen(
            [sys.executable, __file__, "--half", str(half), "--tasks", str(len(tasks)),
             "--rounds", str(tasks[0][1])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for half in (0, 1)
    ]  # fmt: skip
    for runner in runners:
        runner.stdout.readline()  # it is ready
    began = time.perf_counter()
    for runner in runners:
        runner.stdin.write("go\n")
        runner.stdin.flush()
    for runner in runners:
        runner.stdout.readline()
    elapsed = time.perf_counter() - began
    for runner in runners:
        runner.communicate()
    return elapsed


def cpu_s(executor: qhal.Executor) -> float:
    """CPU seconds of this process and of the executor's workers, so far."""
    ticks = 0
    for pid in children(os.getpid()):
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """All processes below `pid`."""
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children") as file:
            for child in map(int, file.read().split()):
                found += [child, *children(child)]
    return found


@click.command()
@click.option("--tasks", "count", default=40, show_default=True)
@click.option("--rounds", default=1500, show_default=True, help="Work of a task.")
@click.option("--repeats", default=5, show_default=True)
@click.option("--half", type=int, hidden=True)
def main(count: int, rounds: int, repeats: int, half: int | None) -> None:
    """Measure and print."""
    tasks = [(seed, rounds) for seed in range(count)]
    if half is not None:
        print("ready", flush=True)
        sys.stdin.readline()
        for task in tasks[half::2]:
            compute(task)
        print("done", flush=True)
        return
    table = Table("executor", "task", "start", "wall, bare", "wall", "of ideal", "CPU overhead")
    for name in ("processes", "dask"):
        with qhal.get_executor(name, num_workers=2) as executor:
            began = time.perf_counter()
            executor.map(compute, [(0, 1)] * 4)
            start = time.perf_counter() - began
            walls, ideals, overheads, task_s = [], [], [], []
            for _ in range(repeats):
                ideals.append(bare(tasks))
                cpu, began = cpu_s(executor), time.perf_counter()
                used = executor.map(compute, tasks)
                walls.append(time.perf_counter() - began)
                overheads.append((cpu_s(executor) - cpu) / sum(used) - 1.0)
                task_s.append(np.mean(used))
            ratios = np.array(ideals) / np.array(walls)
            table.add_row(
                name, f"{np.mean(task_s):.3f} s CPU", f"{start:.1f} s",
                f"{np.median(ideals):.2f} s", f"{np.median(walls):.2f} s",
                f"{np.median(ratios):.0%} ({ratios.min():.0%} to {ratios.max():.0%})",
                f"{np.median(overheads):.1%}",
            )  # fmt: skip
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
