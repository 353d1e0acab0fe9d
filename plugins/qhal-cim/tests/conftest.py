"""What several of the suites here need."""

import pytest
import qhal_cim.descent
import qhal_cim.kernels


@pytest.fixture
def without_numba(monkeypatch):
    monkeypatch.setattr(qhal_cim.kernels, "compiled", None)
    monkeypatch.setattr(qhal_cim.descent, "compiled", None)
