"""Parts that nothing connects are combined from different samples."""

from __future__ import annotations

import itertools

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from qhal.problems import Qcbo
from qhal.problems.encoding import encode
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import run
from qhal.qcgd.parts import Parts
from qhal.registry import get_oracle
from tests.problems.strategies import all_values, qcbos


def side_by_side(parts: list[Qcbo]) -> Qcbo:
    """Problems of linear rows as one problem, in which nothing connects them."""
    rows: dict = {"A_eq": [], "b_eq": [], "A_le": [], "b_le": []}
    sizes = [part.num_variables for part in parts]
    for part, first in zip(parts, np.cumsum(sizes) - sizes, strict=True):
        dense = np.zeros((part.num_constraints, sum(sizes)))
        dense[:, first : first + part.num_variables] = part.constraints.linear.toarray()
        for sense, row, side in zip(
            part.constraints.senses, dense, part.constraints.rhs, strict=True
        ):
            kind, sign = ("eq", 1) if sense == "==" else ("le", -1 if sense == ">=" else 1)
            rows[f"A_{kind}"].append(sign * row)
            rows[f"b_{kind}"].append(sign * side)
    given_rows = {key: value for key, value in rows.items() if value}
    return Qcbo.from_arrays(
        sp.csr_array(sp.block_diag([part.quadratic for part in parts])),
        np.concatenate([part.linear for part in parts]),
        lower=np.concatenate([part.lower for part in parts]),
        upper=np.concatenate([part.upper for part in parts]),
        spins=np.concatenate([part.spins for part in parts]),
        **given_rows,
    )


small = qcbos(max_variables=3, quadratic=False)


@given(st.lists(small, min_size=2, max_size=3), st.integers(0, 99))
def test_the_combination_is_the_best_of_all_combinations(parts: list[Qcbo], seed: int) -> None:
    problem = side_by_side(parts)
    program = encode(problem)
    if program.contradiction is not None:
        return
    values = np.random.default_rng(seed).permutation(all_values(problem))[:5]
    found = program.values(Parts(program).combined(program.complete(values)))
    starts = np.cumsum([0] + [part.num_variables for part in parts])
    pieces = [values[:, a:b] for a, b in itertools.pairwise(starts)]
    combinations = np.array([np.concatenate(c) for c in itertools.product(*pieces)])
    feasible = problem.feasible(combinations)
    assert problem.feasible(found)[0] == feasible.any()
    if feasible.any():
        assert (
            problem.objectives(found)[0] <= problem.objectives(combinations[feasible]).min() + 1e-9
        )


def test_a_run_finds_what_no_sample_holds_at_once() -> None:
    rng = np.random.default_rng(0)
    parts = [
        Qcbo.from_arrays(np.triu(rng.integers(-9, 10, (8, 8))), A_eq=[np.ones(8)], b_eq=[3])
        for _ in range(6)
    ]
    best = sum(p.objectives(v)[p.feasible(v)].min() for p in parts for v in [all_values(p)])
    problem = side_by_side(parts)
    assert Parts(encode(problem)).count == 6
    limits = Limits(iterations=8)
    found = run(problem, get_oracle("random"), num_reads=200, limits=limits, polish=False, seed=0)
    assert found.raw_objective == best


def test_one_part_is_one_part() -> None:
    program = encode(Qcbo.from_arrays(linear=[1.0, 2, 3], A_eq=[[1, 1, 1]], b_eq=[1]))
    assert Parts(program).count == 1
    assert Parts(encode(Qcbo.from_arrays(np.zeros((0, 0))))).count == 0
