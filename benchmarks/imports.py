"""How long importing qhal and asking for help take: CPU seconds of fresh interpreters.

    python benchmarks/imports.py [--runs 15]

CPU time, user and system together, does not depend on what else the machine does; the median of
several runs is printed with the range. The promise: ``import qhal`` costs less than 0.15 s beyond
numpy and scipy.sparse, and ``qhal --help`` less than 0.4 s.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys

BASE = "import numpy, scipy.sparse"
COMMANDS = {
    "python": ["-c", "pass"],
    "numpy, scipy.sparse": ["-c", BASE],
    "numpy, scipy.sparse, qhal": ["-c", f"{BASE}, qhal"],
    "... and qhal.solve": ["-c", f"{BASE}, qhal; qhal.solve"],
    "qhal --help": ["-m", "qhal", "--help"],
    "qhal oracles": ["-m", "qhal", "oracles"],
}


def cpu_seconds(arguments: list[str]) -> float:
    """User and system time of one run of the interpreter with `arguments`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Run all commands in turns, so that a slow moment hits all alike."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="runs of each command")
    runs = parser.parse_args().runs
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, arguments in COMMANDS.items():
            times[name].append(cpu_seconds(arguments))
    for name, seconds in times.items():
        low, high = min(seconds), max(seconds)
        median = statistics.median(seconds)
        print(f"{name:26}  {median:.3f} s  ({low:.3f} to {high:.3f}, {runs} runs)")


if __name__ == "__main__":
    main()
