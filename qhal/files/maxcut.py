"""Max-Cut graphs: the Gset collection (``G1``, ``G2``, ...) and ``.mc`` files (BiqMac, rudy).

The first line holds the numbers of vertices and edges; then comes one line ``i j weight`` per edge,
vertices counted from 1. The objective is minus the weight of the cut between the vertices with
x = 0 and those with x = 1; vertex i is called ``x{i}``.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.files.entries import problem_from_pairs, qubo_of
from qhal.files.text import at_line, format_number, numbered_lines, parse_number, parse_whole
from qhal.problems import Qcbo

# Vertices without edges take no space in a file, so its size bounds their number only loosely.
_FREE_VERTICES = 100_000


def read(data: bytes, name: str) -> Qcbo:
    """The problem in `data`, the content of the graph file `name`."""
    lines = numbered_lines(data, name)
    number, header = next(lines, (1, ""))
    tokens = header.split()
    if len(tokens) != 2:
        raise at_line(name, number, "expected the numbers of vertices and edges.")
    n, num_edges = (parse_whole(token, name, number, "a count") for token in tokens)
    if num_edges > len(data) or n > max(len(data), _FREE_VERTICES):
        raise at_line(
            name, number, f"{n} vertices and {num_edges} edges are more than the file can hold."
        )
    edges: list[tuple[int, int]] = []
    weights: list[float] = []
    for number, line in lines:
        edges.append(_edge(line, n, name, number))
        weights.append(parse_number(line.split()[2], name, number))
    if len(edges) != num_edges:
        raise InputError(
            f"{name} announces {num_edges} edges, but has {len(edges)}: it is truncated or damaged."
        )
    return _cut_problem(n, np.array(edges, dtype=np.int64).reshape(-1, 2), np.array(weights))


def write(problem: Qcbo) -> bytes:
    """The content of an ``.mc`` file for `problem`, whose objective must be minus a cut."""
    qubo = qubo_of(problem, ".mc")
    pairs = sp.coo_array(sp.triu(sp.coo_array(qubo.matrix), k=1))
    degrees = np.bincount(
        np.concatenate([pairs.row, pairs.col]),
        np.concatenate([pairs.data, pairs.data]) / 2,
        qubo.num_variables,
    )
    scale = max(1.0, float(np.abs(degrees).max(initial=0.0)))
    if qubo.offset or np.abs(degrees + qubo.linear).max(initial=0.0) > 1e-9 * scale:
        raise InputError(
            "an .mc file holds only Max-Cut problems, and this objective is not minus the weight "
            "of a cut: write a .coo, .qubo or .npz file instead."
        )
    lines = [f"{qubo.num_variables} {pairs.nnz}"]
    for i, j, value in zip(pairs.row.tolist(), pairs.col.tolist(), pairs.data, strict=True):
        lines.append(f"{i + 1} {j + 1} {format_number(value / 2)}")
    return "\n".join([*lines, ""]).encode()


def _edge(line: str, n: int, name: str, number: int) -> tuple[int, int]:
    tokens = line.split()
    if len(tokens) != 3:
        raise at_line(name, number, f"expected 'i j weight', but found {len(tokens)} words.")
    i, j = (parse_whole(token, name, number, "a vertex") for token in tokens[:2])
    if not (1 <= i <= n and 1 <= j <= n and i != j):
        raise at_line(name, number, f"an edge joins two different vertices from 1 to {n}.")
    return min(i, j), max(i, j)


def _cut_problem(n: int, edges: np.ndarray, weights: np.ndarray) -> Qcbo:
    """Each edge cuts w (x_i + x_j - 2 x_i x_j); the sum is to be maximised."""
    i, j = edges.T - 1
    pairs = np.stack([np.concatenate([i, i, j]), np.concatenate([j, i, j])])
    values = np.concatenate([2 * weights, -weights, -weights])
    return problem_from_pairs(pairs, values, 0.0, tuple(f"x{k}" for k in range(1, n + 1)))
