"""How inequalities become QUBOs: slack in binary, in unary, or none at all.

    python benchmarks/qcgd/slack.py [--oracle cim] [--bits 8] [--seeds 3] [--per-size 2]

The same oracle, reads, seeds and rule (`level`) for all. "none" keeps an inequality's multiplier
and drops its square, so that no bit is added. All are given the same repair, a greedy descent to
feasibility, whose results count as repaired, not raw. A gap is (objective - best found by any) /
max(1, |best|); a run that found nothing feasible counts as a gap of 1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import click
import numpy as np
from families import quadratic_knapsack, random_linear, set_packing
from joblib import Parallel, delayed
from rich.console import Console
from rich.table import Table

from qhal import Oracle, Qcbo
from qhal.problems.encoding import encode
from qhal.qcgd import loop
from qhal.qcgd.limits import Limits
from qhal.registry import get_oracle

CALLS, READS, TEST_SEED = 12, 10, 3000
ENCODINGS: dict[str, dict[str, object]] = {
    "binary": {},
    "unary to 8": {"unary_span": 8},
    "unary to 32": {"unary_span": 32},
    "none": {"slack_free": True},
}
Rng = np.random.Generator


def small_knapsack(rng: Rng, n: int) -> Qcbo:
    """Weights 1 to 3 and a capacity of 8 to 15, profits as in `quadratic_knapsack`."""
    profits = np.triu(rng.integers(1, 101, (n, n)) * (rng.random((n, n)) < 0.5))
    weights, capacity = rng.integers(1, 4, n), int(rng.integers(8, 16))
    return Qcbo.from_arrays(-profits, A_le=[weights], b_le=[capacity])


def at_most(rng: Rng, n: int) -> Qcbo:
    """At most 3 to 12 of n, with gains of -9 to 9 for a tenth of the pairs."""
    pairs = np.triu(rng.integers(-9, 10, (n, n)) * (rng.random((n, n)) < 0.1), k=1)
    linear = -rng.integers(1, 20, n)
    return Qcbo.from_arrays(pairs, linear, A_le=np.ones((1, n)), b_le=[int(rng.integers(3, 13))])


def multiple_packing(rng: Rng, n: int) -> Qcbo:
    """Sets of which at most 2 to 4 may share an element."""
    rows = (rng.random((n // 4, n)) < 8 / n).astype(float)
    rows = rows[rows.sum(axis=1) > 4]
    pairs = np.triu(rng.integers(-9, 10, (n, n)) * (rng.random((n, n)) < 0.1), k=1)
    sides = rng.integers(2, 5, len(rows))
    return Qcbo.from_arrays(pairs, -rng.integers(1, 20, n), A_le=rows, b_le=sides)


FAMILIES: dict[str, tuple[Callable[[Rng, int], Qcbo], tuple[int, ...]]] = {
    "knapsack": (quadratic_knapsack, (30, 60)),
    "small knapsack": (small_knapsack, (30, 60)),
    "at most k": (at_most, (40, 100)),
    "set packing": (set_packing, (40, 100)),
    "multiple packing": (multiple_packing, (40, 100)),
    "random linear": (random_linear, (20, 50)),
}


def repair(problem: Qcbo, values: np.ndarray) -> np.ndarray:
    """Flip bits, those of most violation removed first, until no inequality can be eased more."""
    rows = problem.constraints
    signs = np.where(np.array(rows.senses) == ">=", -1.0, 1.0)
    matrix, sides = signs[:, None] * rows.linear.toarray(), signs * rows.rhs
    values = values.copy()
    for _ in range(problem.num_variables):
        excess = np.maximum(values @ matrix.T - sides, 0.0)
        bad = np.flatnonzero(excess.any(axis=1))
        if not len(bad):
            break
        flips = 1 - 2 * values[bad]
        after = (values[bad] @ matrix.T - sides)[:, None, :] + flips[:, :, None] * matrix.T
        total = np.maximum(after, 0.0).sum(axis=2)
        best = total.argmin(axis=1)
        eased = total[np.arange(len(bad)), best] < excess[bad].sum(axis=1)
        values[bad[eased], best[eased]] ^= 1
        if not eased.any():
            break
    return values


def solve(problem: Qcbo, oracle: Oracle, encoding: str, seed: int) -> tuple[float, float, float]:
    """Raw and repaired objective (inf: none) and bits of one run."""
    loop.encode = partial(encode, **ENCODINGS[encoding])
    completed = problem.with_completion(partial(repair, problem))
    limits = Limits(iterations=CALLS)
    found = loop.run(completed, oracle, num_reads=READS, limits=limits, seed=seed)
    raw, best = (np.inf if v is None else v for v in (found.raw_objective, found.objective))
    return raw, best, found.info["num_bits"]


def _all(
    family: str, size: int, number: int, oracle: str, options: dict, seeds: int
) -> dict[str, np.ndarray]:
    """Raw gap, repaired gap, whether raw was feasible, bits; a row for each seed."""
    rng = np.random.default_rng([sorted(FAMILIES).index(family), size, TEST_SEED + number])
    problem = FAMILIES[family][0](rng, size)
    solver = get_oracle(oracle, **options)
    runs = {e: [solve(problem, solver, e, seed) for seed in range(seeds)] for e in ENCODINGS}
    best = min(value for found in runs.values() for run in found for value in run[:2])

    def gap(value: float) -> float:
        return min(1.0, (value - best) / max(1.0, abs(best))) if np.isfinite(value) else 1.0

    return {
        e: np.array([[gap(raw), gap(b), np.isfinite(raw), bits] for raw, b, bits in found])
        for e, found in runs.items()
    }


@click.command()
@click.option("--oracle", default="cim", show_default=True)
@click.option("--bits", type=int, help="Coefficient bits of cim.  [default: double]")
@click.option("--seeds", default=3, show_default=True)
@click.option("--per-size", default=2, show_default=True, help="Instances of each size.")
@click.option("--jobs", default=1, show_default=True)
def main(oracle: str, bits: int | None, seeds: int, per_size: int, jobs: int) -> None:
    """Run everything and print the table."""
    tasks = [(f, n, k) for f in FAMILIES for n in FAMILIES[f][1] for k in range(per_size)]
    options = {} if bits is None else {"coefficient_bits": bits}
    done = Parallel(n_jobs=jobs)(
        delayed(_all)(f, n, k, oracle, options, seeds) for f, n, k in tasks
    )
    table = Table(
        "encoding", *FAMILIES, title="raw gap in % / repaired gap in % (raw feasible in %), bits"
    )
    for encoding in ENCODINGS:
        cells = []
        for family in FAMILIES:
            part = [d[encoding] for d, (f, *_) in zip(done, tasks, strict=True) if f == family]
            raw, best, feasible, bits = np.vstack(part).mean(axis=0)
            cells.append(f"{100 * raw:.2f} / {100 * best:.2f} ({100 * feasible:.0f}), {bits:.0f}")
        table.add_row(encoding, *cells)
    Console(width=180).print(table)


if __name__ == "__main__":
    main()
