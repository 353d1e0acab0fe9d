"""The QUBO of any multipliers is the objective plus multipliers times residuals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qhal
from qhal.problems.encoding import encode
from qhal.qcgd import assembly
from qhal.qcgd.lifting import Lifting
from tests.problems.strategies import all_bits, qcbos


@pytest.mark.parametrize("dense_share", [0.0, 1e9])
@given(problem=qcbos(max_variables=4), seed=st.integers(0, 9))
def test_energies_are_those_of_the_lift(problem: qhal.Qcbo, seed: int, dense_share: float) -> None:
    program = encode(problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assembly, "DENSE_SHARE", dense_share)
        lifting = Lifting(program)
    rng = np.random.default_rng(seed)
    bits = all_bits(program.num_bits) if program.num_bits < 9 else None
    if bits is None:
        bits = rng.integers(0, 2, (200, program.num_bits), dtype=np.int8)
    multipliers = lifting.on_grid(rng.normal(size=lifting.num_multipliers))
    atoms = lifting.atoms(bits, 0.0)
    expected = lifting.scale * atoms.energies(multipliers) + program.objective.offset
    found = lifting.qubo(multipliers).energies(bits)
    np.testing.assert_allclose(found, expected, atol=1e-9 * (1 + np.abs(expected).max()))
    without = lifting.qubo(multipliers, with_objective=False).energies(bits)
    objective = program.objective.energies(bits)
    np.testing.assert_allclose(
        without + objective, expected, atol=1e-9 * (1 + np.abs(expected).max())
    )


def test_coefficients_that_overflow_are_a_sentence() -> None:
    problem = qhal.Qcbo.from_arrays(
        linear=[-1e308, -1, -1], A_le=[[np.pi * 1e150, np.pi * 1e150, np.e]], b_le=[4e150]
    )
    with pytest.raises(qhal.InputError, match="overflow"):
        qhal.solve(problem, oracle="random")
