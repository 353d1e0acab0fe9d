"""What several of the suites here need."""

import numpy as np
import pytest
import qhal_cim.descent
import qhal_cim.kernels
import scipy.sparse as sp
from qhal_cim.forms import QuadraticForm


@pytest.fixture
def without_numba(monkeypatch):
    monkeypatch.setattr(qhal_cim.kernels, "compiled", None)
    monkeypatch.setattr(qhal_cim.descent, "compiled", None)


@pytest.fixture(scope="session")
def random_form():
    """Makes forms of Gaussian numbers; sparse if at most 30% of the couplings are to be there."""

    def make(n, seed, density=1.0):
        rng = np.random.default_rng(seed)
        upper = np.triu(rng.normal(size=(n, n)) * (rng.random((n, n)) < density), 1)
        matrix = upper + upper.T
        linear = rng.normal(size=n)
        return QuadraticForm(matrix if density > 0.3 else sp.csr_array(matrix), linear)

    return make


@pytest.fixture(scope="session")
def value():
    """Values of a form at rows of a matrix, by the formula itself."""

    def of(form, z):
        return 0.5 * np.einsum("ri,ri->r", z, (form.matrix @ z.T).T) + z @ form.linear

    return of
