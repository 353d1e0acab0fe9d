"""Constrained problems of eight families: tuning used numbers below 1000, tests use others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from qhal import Qcbo
from qhal.networks import encode_network, make_spec
from qhal.registry import load

TEST_SEED = 1000
Rng = np.random.Generator


@dataclass(frozen=True)
class Instance:
    """A problem with its family and size."""

    family: str
    size: int
    number: int
    problem: Qcbo

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return f"{self.family}-{self.size}-{self.number}"


def random_linear(rng: Rng, n: int) -> Qcbo:
    """Whole coefficients, three equalities and two inequalities around a planted point."""
    planted = rng.integers(0, 2, n)
    equal = rng.integers(-3, 4, (3, n)) * (rng.random((3, n)) < 8 / n)
    most = rng.integers(0, 6, (2, n)) * (rng.random((2, n)) < 0.5)
    return Qcbo.from_arrays(
        _sparse_triangle(rng, n, 0.3),
        rng.integers(-9, 10, n),
        A_eq=equal,
        b_eq=equal @ planted,
        A_le=most,
        b_le=most @ planted + rng.integers(0, 3, 2),
    )


def assignment(rng: Rng, size: int) -> Qcbo:
    """Koopmans-Beckmann quadratic assignment: flows 0 to 9, points on a 10 x 10 grid."""
    flow = rng.integers(0, 10, (size, size)) * (rng.random((size, size)) < 0.6)
    points = rng.integers(0, 10, (size, 2))
    distance = np.abs(points[:, None] - points[None]).sum(axis=2)
    return _assignment_problem(np.kron(np.triu(flow + flow.T, k=1), distance), size)


def graph_matching(rng: Rng, size: int) -> Qcbo:
    """Match a random graph with a copy of it whose vertices are permuted and edges noisy."""
    graph = np.triu(rng.random((size, size)) < 0.5, k=1)
    noisy = np.triu(graph ^ (rng.random((size, size)) < 0.1), k=1)
    order = rng.permutation(size)
    graph, noisy = graph | graph.T, (noisy | noisy.T)[np.ix_(order, order)]
    return _assignment_problem(-np.kron(np.triu(graph), noisy).astype(float) * 2, size)


def quadratic_knapsack(rng: Rng, n: int) -> Qcbo:
    """Gallo, Hammer, Simeone: profits 1 to 100 at density 50%, weights 1 to 50."""
    weights = rng.integers(1, 51, n)
    profits = np.triu(rng.integers(1, 101, (n, n)) * (rng.random((n, n)) < 0.5))
    capacity = int(rng.integers(50, weights.sum()))
    return Qcbo.from_arrays(-profits, A_le=[weights], b_le=[capacity])


def k_cluster(rng: Rng, n: int) -> Qcbo:
    """The densest subgraph on n / 4 vertices of a random graph of density 25%."""
    graph = np.triu(rng.random((n, n)) < 0.25, k=1)
    return Qcbo.from_arrays(-graph.astype(float), A_eq=np.ones((1, n)), b_eq=[n // 4])


def bisection(rng: Rng, n: int) -> Qcbo:
    """The least cut of a random graph into two halves, about six edges a vertex."""
    graph = np.triu(rng.random((n, n)) < 6 / n, k=1).astype(float)
    degrees = graph.sum(axis=0) + graph.sum(axis=1)
    return Qcbo.from_arrays(-2 * graph, degrees, A_eq=np.ones((1, n)), b_eq=[n // 2])


def set_packing(rng: Rng, n: int) -> Qcbo:
    """Disjoint sets of most value, with pairs that gain or lose beside each other."""
    rows = (rng.random((n // 2, n)) < 4 / n).astype(float)
    rows = rows[rows.sum(axis=1) > 1]
    return Qcbo.from_arrays(
        _sparse_triangle(rng, n, 0.1),
        -rng.integers(1, 20, n),
        A_le=sp.csr_array(rows),
        b_le=np.ones(len(rows)),
    )


def network(rng: Rng, samples: int) -> Qcbo:
    """A network of two hidden units and five inputs on random samples of a noisy rule."""
    x = rng.integers(0, 2, (samples, 5)).astype(float)
    y = (x[:, 0] + x[:, 1] + x[:, 2] + 0.5 * rng.normal(size=samples) > 1.5).astype(int)
    y[:2] = 0, 1
    spec = make_spec(x, load("activation", "hard-tanh"), load("loss", "hinge"), hidden=2)
    return encode_network(spec, x, y).problem


# Sizes: variables, the side of the permutation matrix, training samples.
FAMILIES: dict[str, tuple[Callable[[Rng, int], Qcbo], tuple[int, ...]]] = {
    "random-linear": (random_linear, (20, 50, 100, 200)),
    "assignment": (assignment, (5, 6, 8, 10)),
    "graph-matching": (graph_matching, (5, 7, 9, 12)),
    "quadratic-knapsack": (quadratic_knapsack, (25, 50, 100, 200)),
    "k-cluster": (k_cluster, (40, 80, 160, 250)),
    "bisection": (bisection, (40, 80, 160, 250)),
    "set-packing": (set_packing, (40, 80, 160, 300)),
    "network": (network, (2, 3, 5, 8)),
}


# Sizes whose programs have at most 24 bits, slack included.
EXACT = {
    "random-linear": (12, 16),
    "assignment": (4,),
    "graph-matching": (4,),
    "quadratic-knapsack": (10, 14),
    "k-cluster": (16, 20),
    "bisection": (16, 20),
    "set-packing": (12, 16),
}
# One row over all variables.
LARGE = {"k-cluster": (500, 1000), "bisection": (500, 1000)}


def instance(family: str, size: int, number: int) -> Instance:
    """The problem that these three name."""
    rng = np.random.default_rng([sorted(FAMILIES).index(family), size, number])
    return Instance(family, size, number, FAMILIES[family][0](rng, size))


def numbers(per_size: int, *, tuning: bool = False) -> range:
    """The numbers of `per_size` instances of a size, of the tuning or of the test part."""
    start = 0 if tuning else TEST_SEED
    return range(start, start + per_size)


def _sparse_triangle(rng: Rng, n: int, density: float) -> np.ndarray:
    return np.triu(rng.integers(-9, 10, (n, n)) * (rng.random((n, n)) < density), k=1)


def _assignment_problem(quadratic: np.ndarray, size: int) -> Qcbo:
    eye, one = np.eye(size), np.ones((1, size))
    rows = np.vstack([np.kron(eye, one), np.kron(one, eye)])
    square = np.triu(quadratic) + np.tril(quadratic, k=-1).T
    return Qcbo.from_arrays(square, A_eq=rows, b_eq=np.ones(2 * size))
