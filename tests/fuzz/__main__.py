"""Fuzz one target, or all of them in turn: ``python -m tests.fuzz [TARGET ...] --seconds 600``.

Needs atheris (``pip install 'qhal-core[fuzz]'``); ``make fuzz`` runs it. A finding is kept in
``tests/fuzz/corpus/TARGET/``, where the ordinary tests replay it, and ends the run of its target.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
LARGEST_INPUT = 4096
MEMORY_MB, TIMEOUT_S = 2048, 30


def fuzz(name: str, seconds: int, work: Path) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["qhal"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    seeds = work / "seeds"
    seeds.mkdir(parents=True)
    for k, seed in enumerate(target.seeds):
        (seeds / f"seed-{k}").write_bytes(seed)
    words = [word for word in target.words if word.isascii() and word.isprintable()]
    quoted = [word.replace("\\", "\\\\").replace('"', '\\"') for word in words]
    (work / "words").write_text("".join(f'"{word}"\n' for word in quoted))
    findings = CORPUS / name
    findings.mkdir(parents=True, exist_ok=True)
    options = {
        "max_total_time": seconds,
        "max_len": LARGEST_INPUT,
        "rss_limit_mb": MEMORY_MB,
        "timeout": TIMEOUT_S,
        "artifact_prefix": f"{findings}/",
        "print_final_stats": 1,
        "verbosity": 0,
    }
    if words:
        options["dict"] = work / "words"
    flags = [f"-{key}={value}" for key, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(seeds), str(findings)], target.run)
    atheris.Fuzz()


def _children_cpu_s() -> float:
    """Processor time of the finished child processes: on a busy machine less than the clock's."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    """Each target in a process of its own; the exit code is 1 if any had a finding."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help="default: all")
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here is not None:
        fuzz(given.targets[0], given.seconds, given.here)
    from tests.fuzz.targets import TARGETS

    failed = []
    for name in given.targets or TARGETS:
        before = _children_cpu_s()
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(given.seconds)]
            work = Path(folder) / name
            done = subprocess.run(
                [*command, "--here", str(work)], capture_output=True, text=True, check=False
            )
        stats = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        runs = stats[0].split()[-1] if stats else "an unknown number of"
        verdict = "no finding" if done.returncode == 0 else "FINDING"
        spent_s = _children_cpu_s() - before
        times = f"{given.seconds} s ({spent_s:.0f} s of processor time)"
        print(f"{name}: {runs} runs in {times}, {verdict}", flush=True)
        if done.returncode:
            failed.append(name)
            print("\n".join(done.stderr.splitlines()[-60:]), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
