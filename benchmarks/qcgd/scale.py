"""What the driver itself costs: assembly at n = 10,000, and its share of a run at n = 500.

    OMP_NUM_THREADS=1 python benchmarks/qcgd/scale.py

Times are processor times: the oracle is called in a thread of its own, so the main thread's time is
the driver's and the rest the oracle's, if BLAS has one thread.
"""

from __future__ import annotations

import resource
import time

import numpy as np
import scipy.sparse as sp
from families import bisection, random_linear, set_packing

from qhal import Qcbo
from qhal.problems.encoding import encode
from qhal.qcgd.lifting import Lifting
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import Run
from qhal.registry import get_oracle

CALLS = 20


def assembly(n: int = 10_000, rows: int = 2_000, entries: int = 10) -> None:
    """Print time and memory of one QUBO of `n` bits and sparse rows."""
    rng = np.random.default_rng(0)
    quadratic = sp.triu(sp.random_array((n, n), density=10 / n, rng=rng), k=1)
    owner = np.repeat(np.arange(rows), entries)
    matrix = sp.csr_array(
        (
            rng.integers(1, 10, rows * entries).astype(float),
            (owner, rng.integers(0, n, len(owner))),
        ),
        shape=(rows, n),
    )
    sides, half = matrix @ rng.integers(0, 2, n), rows // 2
    problem = Qcbo.from_arrays(
        quadratic, A_eq=matrix[:half], b_eq=sides[:half], A_le=matrix[half:], b_le=sides[half:]
    )
    start = time.process_time()
    lifting = Lifting(encode(problem))
    prepared = time.process_time() - start
    multipliers = lifting.on_grid(rng.random(lifting.num_multipliers))
    start = time.process_time()
    lifting.qubo(multipliers)
    taken = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    print(
        f"n = {n}, {rows} rows, half of them with slack, {lifting.program.num_bits} bits: "
        f"once {1e3 * prepared:.0f} ms, a QUBO {1e3 * taken:.1f} ms, at most {peak:.0f} MiB in all"
    )


def share(name: str, problem: Qcbo) -> None:
    """Print the driver's processor time as a share of the oracle's, `cim` at its defaults."""
    run = Run(problem, get_oracle("cim"), "level", None, Limits(iterations=CALLS), True, 0)
    whole, own = time.process_time(), time.thread_time()
    run.run(None, None)
    whole, own = time.process_time() - whole, time.thread_time() - own
    print(
        f"{name}, {run.program.num_bits} bits: driver {own:.2f} s, oracle {whole - own:.2f} s, "
        f"share {own / (whole - own):.1%}"
    )


def main() -> None:
    """Print everything."""
    assembly()
    rng = np.random.default_rng([500, 0])
    warm_up = random_linear(rng, 60)
    Run(warm_up, get_oracle("cim"), "level", None, Limits(iterations=2), True, 0).run(None, None)
    for make in (random_linear, set_packing, bisection):
        share(make.__name__.replace("_", " "), make(rng, 500))


if __name__ == "__main__":
    main()
