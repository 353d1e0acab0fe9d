"""Quadratic assignment problems of QAPLIB (``.dat``).

The file holds n and two n x n matrices A and B, line breaks anywhere; the value of a permutation p
is sum over i, j of A[i, j] B[p(i), p(j)]. We read A as the flows between facilities and B as the
distances between locations: ``x_i_p`` is 1 if facility i is put on location p (both from 0), and
two one-hot rows per index, ``facility_i`` and ``location_p``, make the bits a permutation. Some
instances give distances first; that only exchanges the roles of facilities and locations, not the
value. Source: R. E. Burkard, S. E. Karisch, F. Rendl, QAPLIB, J. Global Optim. 10 (1997).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.files.text import at_line, numbered_lines, parse_number, parse_whole
from qhal.problems import Qcbo
from qhal.problems.constraints import ConstraintRows

_MAX_PRODUCTS = 10**8


def read(data: bytes, name: str) -> Qcbo:
    """The problem in `data`, the content of the ``.dat`` file `name`."""
    tokens = [
        (token, number) for number, line in numbered_lines(data, name) for token in line.split()
    ]
    if not tokens:
        raise InputError(f"{name} is empty.")
    n = parse_whole(tokens[0][0], name, tokens[0][1], "the size n")
    if len(tokens) - 1 != 2 * n * n:
        raise InputError(
            f"{name} announces n = {n}, so two matrices of {2 * n * n} numbers together, but has "
            f"{len(tokens) - 1} numbers: it is ragged, truncated or not a QAPLIB file."
        )
    numbers = np.array([parse_number(token, name, number) for token, number in tokens[1:]])
    flows, distances = (sp.csr_array(matrix) for matrix in numbers.reshape(2, n, n))
    if flows.nnz * distances.nnz > _MAX_PRODUCTS:
        raise at_line(
            name, 1, f"n = {n} makes {flows.nnz * distances.nnz} products: too many to hold."
        )
    return _assignment_problem(n, flows, distances)


def _assignment_problem(n: int, flows: sp.csr_array, distances: sp.csr_array) -> Qcbo:
    products = sp.kron(flows, distances, format="csr")
    matrix = sp.triu(products) + sp.tril(products, k=-1).T
    rows = ConstraintRows(n * n)
    ones, each = np.ones((1, n)), sp.eye_array(n)
    rows.add_linear(sp.kron(each, ones), "==", 1, [f"facility_{i}" for i in range(n)])
    rows.add_linear(sp.kron(ones, each), "==", 1, [f"location_{p}" for p in range(n)])
    problem = Qcbo.from_arrays(sp.csr_array(matrix))
    names = tuple(f"x_{i}_{p}" for i in range(n) for p in range(n))
    return replace(problem, constraints=rows.build(), names=names)
