"""Random small problems of every constraint kind, for hypothesis."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st

from qhal.problems import Qcbo

coefficients = st.integers(-4, 4)
SENSES = st.sampled_from(["==", "<=", ">="])


def all_values(problem: Qcbo) -> np.ndarray:
    """Every assignment within the bounds of `problem`."""
    bounds = zip(problem.lower, problem.upper, problem.steps, strict=True)
    ranges = [range(low, high + 1, step) for low, high, step in bounds]
    return np.array(list(itertools.product(*ranges)), dtype=np.int64).reshape(
        -1, problem.num_variables
    )


def all_bits(count: int) -> np.ndarray:
    """Every state of `count` bits."""
    return ((np.arange(2**count)[:, None] >> np.arange(count)) & 1).astype(np.int8)


@st.composite
def qcbos(draw, max_variables: int = 5, integers: bool = True, quadratic: bool = True) -> Qcbo:
    """A problem with up to three linear and two quadratic rows, of bits, spins and an integer."""
    n = draw(st.integers(1, max_variables))
    vector = st.lists(coefficients, min_size=n, max_size=n)
    matrix = st.lists(vector, min_size=n, max_size=n).map(lambda rows: np.triu(np.array(rows)))
    lower, upper = np.zeros(n), np.ones(n)
    if integers and draw(st.booleans()):
        lower[0] = draw(st.integers(-2, 1))
        upper[0] = lower[0] + draw(st.integers(0, 5))
    spins = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    spins &= draw(st.booleans()) & (lower == 0) & (upper == 1)
    lower[spins] = -1
    rows = {}
    for key in draw(st.sets(st.sampled_from(["eq", "le", "ge"]))):
        scale = draw(st.sampled_from([1, 2, 0.5, 0.1]))
        rows[f"A_{key}"] = scale * np.array([draw(vector)])
        rows[f"b_{key}"] = scale * np.array([draw(st.integers(-4, 6))])
    count = draw(st.integers(0, 2)) if quadratic else 0
    quadratics = [
        (draw(matrix), draw(vector), draw(SENSES), draw(st.integers(-3, 5))) for _ in range(count)
    ]
    return Qcbo.from_arrays(
        draw(matrix),
        draw(vector),
        draw(coefficients),
        quadratic_constraints=quadratics,
        lower=lower,
        upper=upper,
        spins=spins,
        **rows,
    )
