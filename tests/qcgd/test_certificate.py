"""A certified claim is never wrong, also where floats are at their worst."""

from __future__ import annotations

import numpy as np
import pytest

from qhal.problems import Qcbo
from qhal.problems.encoding import encode
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import run
from qhal.registry import get_oracle
from qhal.samples import Status
from tests.problems.strategies import all_values


@pytest.mark.parametrize("offset", [0.0, 1e9, -1e12])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1 / 3, np.pi])
def test_large_offsets_and_odd_scales(offset: float, scale: float) -> None:
    rng = np.random.default_rng(0)
    for seed in range(8):
        n = int(rng.integers(3, 7))
        problem = Qcbo.from_arrays(
            scale * np.triu(rng.integers(-3, 4, (n, n))),
            offset=offset,
            A_le=[rng.integers(0, 4, n)],
            b_le=[int(rng.integers(0, 6))],
        )
        values = all_values(problem)
        core = Qcbo.from_arrays(problem.quadratic)  # without the offset, so compared exactly
        best = core.objectives(values)[problem.feasible(values)].min()
        solution = run(
            problem, get_oracle("exhaustive"), num_reads=4, seed=seed, limits=Limits(iterations=8)
        )
        if solution.status is Status.OPTIMAL:
            reached = core.objectives(solution.values())[0]
            assert reached == pytest.approx(best, abs=1e-6 * scale)


@pytest.mark.parametrize("size", [1e-8, 1e-7, 1e-6, 1e-5])
def test_rows_of_tiny_coefficients_mean_what_feasible_says(size: float) -> None:
    for right in (0.4, 1.0, 1.5):
        problem = Qcbo.from_arrays(
            linear=[-1.0, -1.0, -1.0], A_le=[[size, size, 2 * size]], b_le=[right * size]
        )
        values = all_values(problem)
        best = problem.objectives(values)[problem.feasible(values)].min()
        solution = run(problem, get_oracle("exhaustive"), num_reads=8, seed=0)
        assert solution.objective == best
        assert encode(problem).contradiction is None
