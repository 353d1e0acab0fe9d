"""How often 8-bit oracles reach the optimum of problems that need 12 to 16 bits.

Each instance goes to the same oracle three ways: in double precision, rounded to 8 bits, and split
over copies of its spins so that 8 bits hold it. All get the same reads. The truth is brute force.

    python benchmarks/composites/splitting.py [--instances 20] [--family tree] [--bits 12]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np

import qhal

Family: TypeAlias = Callable[[np.random.Generator, int], qhal.Ising]

SPINS, READS, BITS = 16, 100, (12, 14, 16)
ORACLES = ("sa", "cim")
WAYS = {
    "double": "",
    "8 bits": "|precision(bits=8)",
    "split": "|precision(bits=8, split=on)",
    "split, 0.3": "|precision(bits=8, split=on, chain_strength=0.3)",
}


def glass(*heavy: tuple[int, int]) -> Family:
    """A dense glass of couplings and fields from -9 to 9, but for couplings of full size along the
    edges `heavy`, which lie somewhere in it."""

    def instance(rng: np.random.Generator, bits: int) -> qhal.Ising:
        couplings = np.triu(rng.integers(-9, 10, (SPINS, SPINS)), 1).astype(float)
        places = rng.permutation(SPINS)
        for edge in heavy:
            i, j = np.sort(places[list(edge)])
            couplings[i, j] = rng.choice([-1, 1]) * (2 ** (bits - 1) - 1)
        return qhal.Ising(couplings, rng.integers(-9, 10, SPINS))

    return instance


def logarithmic(rng: np.random.Generator, bits: int) -> qhal.Ising:
    """A sparse graph (mean degree 3) whose couplings are uniform in their logarithm."""
    couplings = np.zeros((SPINS, SPINS))
    for _ in range(3 * SPINS // 2):
        i, j = np.sort(rng.choice(SPINS, 2, replace=False))
        couplings[i, j] = rng.choice([-1, 1]) * np.rint(2 ** rng.uniform(0, bits - 1))
    couplings[np.unravel_index(np.abs(couplings).argmax(), couplings.shape)] = 2 ** (bits - 1) - 1
    return qhal.Ising(couplings, np.zeros(SPINS))


def cardinality(rng: np.random.Generator, bits: int) -> qhal.Ising:
    """Fields from -9 to 9 under a penalty that asks for half of the spins up."""
    penalty = (2 ** (bits - 1) - 1) * np.triu(np.ones((SPINS, SPINS)), 1)
    return qhal.Ising(penalty, rng.integers(-9, 10, SPINS))


FAMILIES: dict[str, Family] = {
    "heavy": glass((0, 1)),
    "chain": glass((0, 1), (1, 2), (2, 3)),
    "pairs": glass(*((i, i + 1) for i in range(0, 8, 2))),
    "tree": glass(*(((i - 1) // 2, i) for i in range(1, 8))),
    "matching": glass(*((i, i + 1) for i in range(0, SPINS, 2))),
    "logarithmic": logarithmic,
    "cardinality": cardinality,
}


def measure(family: str, bits: int, oracle: str, instances: int) -> list[dict[str, object]]:
    """A row for each way: the share of optima, spins, seconds a call."""
    rows = []
    for way, composite in WAYS.items():
        hits, spins, seconds = 0, [], 0.0
        for seed in range(instances):
            problem = qhal.Qubo.from_ising(FAMILIES[family](np.random.default_rng(seed), bits))
            least = qhal.get_oracle("exhaustive").sample(problem, num_reads=1).first[1]
            start = time.perf_counter()
            samples = qhal.get_oracle(oracle + composite).sample(
                problem, num_reads=READS, seed=seed
            )
            seconds += time.perf_counter() - start
            hits += samples.first[1] <= least + 1e-6
            spins.append(samples.info.get("precision", {}).get("spins", SPINS))
        rows.append(
            {
                "family": family,
                "bits": bits,
                "oracle": oracle,
                "way": way,
                "optimum": hits / instances,
                "spins": float(np.mean(spins)),
                "most_spins": max(spins),
                "call_s": seconds / instances,
            }
        )
    return rows


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=20)
    parser.add_argument("--family", action="append", choices=FAMILIES)
    parser.add_argument("--bits", action="append", type=int, choices=BITS)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    print("| family | bits | oracle | way | optimum | spins (most) | s a call |")
    print("|---|---|---|---|---|---|---|")
    for family in arguments.family or FAMILIES:
        for bits in arguments.bits or BITS:
            for oracle in ORACLES:
                for row in measure(family, bits, oracle, arguments.instances):
                    rows.append(row)
                    print(
                        f"| {family} | {bits} | {oracle} | {row['way']} | {row['optimum']:.0%} | "
                        f"{row['spins']:.0f} ({row['most_spins']}) | {row['call_s']:.2f} |",
                        flush=True,
                    )
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
