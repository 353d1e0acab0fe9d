"""The problems that the simulator and its peers are measured on, all as `qhal.Ising`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from qhal_cim.oracle import Cim

from qhal.files.maxcut import read
from qhal.problems.ising import Ising
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import run

# Best cuts known of the Gset graphs.
BEST_CUTS = {"G1": 11624, "G6": 2178, "G11": 564, "G14": 3064, "G22": 13359, "G39": 2408}


@dataclass(frozen=True)
class Instance:
    """A problem, the family it is tuned with, and its best known energy.

    Energies are without `ising.offset`, except that those of Gset graphs are minus the cut.
    """

    name: str
    family: str
    ising: Ising
    best: float | None = None
    shift: float = 0.0

    @property
    def size(self) -> int:
        """The number of spins."""
        return self.ising.num_variables

    def energies(self, spins: np.ndarray) -> np.ndarray:
        """Exact energies of `spins` (reads, n)."""
        return self.ising.energies(spins) - self.ising.offset + self.shift


def gset(folder: Path, name: str) -> Instance | None:
    """A graph of the Gset; None if its file is not in `folder`."""
    path = folder / name
    if not path.exists():
        return None
    problem = read(path.read_bytes(), name)
    ising = Qubo(problem.quadratic + sp.diags_array(problem.linear), problem.offset).to_ising()
    family = "torus" if name == "G11" else "planar" if name in ("G14", "G39") else "graph"
    return Instance(name, family, ising, -float(BEST_CUTS[name]), ising.offset)


def spin_glass(size: int, gaussian: bool, seed: int) -> Instance:
    """Sherrington-Kirkpatrick: every pair coupled, by ±1 or by a normal number."""
    rng = np.random.default_rng([seed, size, gaussian])
    shape = (size, size)
    couplings = rng.normal(size=shape) if gaussian else rng.choice([-1.0, 1.0], shape)
    kind = "Gaussian" if gaussian else "±1"
    return Instance(
        f"SK {kind} {size} #{seed}", "dense", Ising(np.triu(couplings, 1), np.zeros(size))
    )


def random_graph(size: int, degree: float, signed: bool, seed: int) -> Instance:
    """Max-Cut of a random graph, all weights 1 or ±1: what rudy made G1, G6 and G22 like."""
    rng = np.random.default_rng([seed, size, signed])
    edges = np.triu(rng.random((size, size)) < degree / size, 1)
    weights = rng.choice([-1.0, 1.0], edges.sum()) if signed else np.ones(edges.sum())
    upper = np.zeros((size, size))
    upper[edges] = weights
    return Instance(
        f"random graph {size} #{seed}", "graph", Ising(sp.csr_array(upper / 2), np.zeros(size))
    )


def planar_like(size: int, seed: int) -> Instance:
    """Max-Cut of a triangulated grid with a tenth of its edges missing, in the way of G14."""
    side = int(size**0.5)
    rng = np.random.default_rng([seed, side])
    index = np.arange(side * side).reshape(side, side)
    pairs = np.concatenate(
        [
            np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], 1),
            np.stack([index[:-1].ravel(), index[1:].ravel()], 1),
            np.stack([index[:-1, :-1].ravel(), index[1:, 1:].ravel()], 1),
        ]
    )
    pairs = pairs[rng.random(len(pairs)) > 0.1]
    return Instance(
        f"planar {side * side} #{seed}", "planar", _sparse(pairs, np.full(len(pairs), 0.5))
    )


def torus(rows: int, columns: int, seed: int) -> Instance:
    """A square lattice on a torus, couplings ±1/2 as in the Max-Cut of G11."""
    index = np.arange(rows * columns).reshape(rows, columns)
    pairs = np.concatenate(
        [np.stack([index.ravel(), np.roll(index, -1, axis).ravel()], 1) for axis in (0, 1)]
    )
    pairs.sort(axis=1)
    values = np.random.default_rng([seed, rows, columns]).choice([-0.5, 0.5], len(pairs))
    return Instance(f"torus {rows}x{columns} #{seed}", "torus", _sparse(pairs, values))


def independent_set(size: int, degree: float, seed: int) -> Instance:
    """Maximum independent set of a random graph, penalty 2 for each edge inside."""
    rng = np.random.default_rng([seed, size, 7])
    upper = np.triu(rng.random((size, size)) < degree / size, 1) * 2.0
    return _of_qubo(
        f"MIS {size} #{seed}", Qubo(sp.csr_array(upper) - sp.eye_array(size, format="csr"))
    )


def from_qcgd(kind: str, seed: int, rounds: int = 5) -> Instance:
    """The last QUBO that QCGD asks for in `rounds` rounds on a small constrained problem."""
    rng = np.random.default_rng([seed, len(kind)])
    problem = {"assignment": _assignment, "knapsack": _knapsack}[kind](rng)
    asked: list[Qubo] = []

    class Recorder(Cim):
        """`cim`, remembering its problems."""

        def _sample(self, qubo: Qubo, **parameters: Any) -> Any:
            asked.append(qubo)
            return super()._sample(qubo, **parameters)

    run(problem, Recorder(), limits=Limits(iterations=rounds), num_reads=50, seed=seed)
    return _of_qubo(f"QCGD {kind} #{seed}", asked[-1])


def _assignment(rng: np.random.Generator) -> Qcbo:
    """Quadratic assignment of 8 facilities to 8 places: 64 bits, 16 one-hot rows."""
    n = 8
    flow, distance = (np.triu(rng.integers(0, 10, (n, n)), 1) for _ in range(2))
    quadratic = np.kron(flow + flow.T, distance + distance.T).astype(float)
    ones = np.ones((1, n))
    rows = np.vstack([np.kron(np.eye(n), ones), np.kron(ones, np.eye(n))])
    return Qcbo.from_arrays(np.triu(quadratic + quadratic.T, 1), A_eq=rows, b_eq=np.ones(2 * n))


def _knapsack(rng: np.random.Generator) -> Qcbo:
    """Quadratic knapsack: 60 items, profits for a quarter of the pairs, one budget."""
    n = 60
    pairs = np.triu(rng.random((n, n)) < 0.25, 1) * rng.integers(1, 100, (n, n))
    weights = rng.integers(1, 50, n)
    return Qcbo.from_arrays(
        -pairs.astype(float),
        -rng.integers(1, 100, n).astype(float),
        A_le=weights[np.newaxis].astype(float),
        b_le=np.array([weights.sum() // 3], dtype=float),
    )


def _of_qubo(name: str, qubo: Qubo) -> Instance:
    return Instance(name, "fields", qubo.to_ising())


def _sparse(pairs: np.ndarray, values: np.ndarray) -> Ising:
    size = int(pairs.max()) + 1
    upper = sp.coo_array((values, (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    return Ising(sp.csr_array(upper), np.zeros(size))


# What every solver is tuned on, family by family; nothing of it is measured afterwards.
TUNING: dict[str, Callable[[], Instance]] = {
    "graph": lambda: random_graph(800, 48, False, 900),
    "torus": lambda: torus(20, 40, 900),
    "planar": lambda: planar_like(800, 900),
    "dense": lambda: spin_glass(200, False, 900),
    "fields": lambda: independent_set(200, 6, 900),
}
