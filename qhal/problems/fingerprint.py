"""Which problem it is, for whatever keeps answers or runs in files."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import scipy.sparse as sp

from qhal.problems.qcbo import Qcbo


def fingerprint(problem: Qcbo) -> str:
    """A hash of everything in `problem` but its completion."""
    digest = hashlib.sha256()
    rows = problem.constraints
    for matrix in (problem.quadratic, rows.linear, rows.products):
        coordinates = sp.coo_array(sp.csr_array(matrix))
        for part in (coordinates.row, coordinates.col):
            digest.update(np.asarray(part, dtype=np.int64).tobytes())
        digest.update(coordinates.data.tobytes())
    for array in (problem.linear, problem.lower, problem.upper, problem.spins, rows.rhs):
        digest.update(array.tobytes())
    digest.update(np.asarray(rows.pairs, dtype=np.int64).tobytes())
    texts = [problem.offset.hex(), *map(str, problem.names), *map(str, rows.labels), *rows.senses]
    digest.update(json.dumps(texts).encode())
    return digest.hexdigest()
