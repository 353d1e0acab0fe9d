"""One row over hundreds of variables is met within few calls."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from qhal.problems import Qcbo
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import run
from qhal.registry import get_oracle


@pytest.mark.parametrize(
    ("oracle", "size", "reads"),
    [
        ("cim", 500, 10),
        pytest.param("cim", 1000, 20, marks=pytest.mark.slow),
        pytest.param("tabu", 1000, 3, marks=pytest.mark.slow),
        pytest.param("sa", 1000, 5, marks=pytest.mark.slow),
        pytest.param("cim", 3000, 10, marks=pytest.mark.slow),
    ],
)
def test_at_most_five_of_many(oracle: str, size: int, reads: int) -> None:
    rng = np.random.default_rng(size)
    pairs = sp.triu(sp.random(size, size, density=5 / size, rng=rng, format="csr"), 1)
    pairs.data = rng.integers(-9, 10, pairs.nnz).astype(float)
    problem = Qcbo.from_arrays(
        sp.csr_array(pairs), -rng.integers(1, 20, size), A_le=np.ones((1, size)), b_le=[5]
    )
    solution = run(
        problem,
        get_oracle(oracle),
        num_reads=reads,
        limits=Limits(iterations=8),
        polish=False,
        seed=0,
        callback=lambda state: state.raw_incumbent is None,
    )
    assert solution.raw_objective is not None
