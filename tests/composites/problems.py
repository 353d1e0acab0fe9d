"""Problems for the tests of composites."""

import numpy as np
from hypothesis import strategies as st

import qhal
from qhal.testing.problems import all_states


def random_qubo(n, seed=0, density=1.0):
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.normal(size=(n, n))) * (rng.random((n, n)) < density)
    return qhal.Qubo(matrix, 0.5)


@st.composite
def qubos(draw, most=7):
    """Whole or real coefficients, sparse or dense, some of them far apart."""
    n = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    whole = draw(st.booleans())
    values = rng.integers(-9, 10, (n, n)).astype(float) if whole else rng.normal(size=(n, n))
    values *= rng.random((n, n)) < draw(st.sampled_from([0.2, 0.5, 1.0]))
    if draw(st.booleans()):
        values *= 10.0 ** rng.integers(0, 4, (n, n))
    return qhal.Qubo(np.triu(values), draw(st.sampled_from([0.0, -3.25])))


def minimum(qubo):
    return float(qubo.energies(all_states(qubo.num_variables)).min())
