"""The independent verifier confirms what is true and refuses what was tampered with."""

from __future__ import annotations

import ast
import copy
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qhal
from qhal.problems import Qcbo
from qhal.problems.encoding import encode
from qhal.problems.presolve import presolve
from qhal.qcgd import replay, verifier
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import run
from qhal.qcgd.verifier import Refused, verify
from qhal.registry import get_oracle
from tests.problems.strategies import all_values, qcbos
from tests.problems.test_presolve import tight_qcbos


def certified(problem: Qcbo, **options) -> dict:
    solution = run(problem, get_oracle("exhaustive"), num_reads=20, seed=0, **options)
    assert solution.certified, solution.info
    return json.loads(json.dumps(solution.certificate))


def small(problem: Qcbo) -> bool:
    return encode(presolve(problem).problem).num_bits <= 12


def check(problem: Qcbo) -> None:
    """Whatever is certified is true by brute force, and is confirmed from JSON alone."""
    if not small(problem):
        return
    solution = run(
        problem, get_oracle("exhaustive"), num_reads=8, seed=0, limits=Limits(iterations=6)
    )
    values = all_values(problem)
    objectives = problem.objectives(values)[problem.feasible(values)]
    assert "refused" not in solution.info
    if solution.certificate is None:
        return
    bound = verify(problem, json.loads(json.dumps(solution.certificate)))
    if bound is None:
        assert not len(objectives)
    else:
        assert bound == pytest.approx(objectives.min(), rel=1e-9, abs=1e-9)


@settings(max_examples=60)
@given(qcbos(max_variables=4))
def test_what_is_certified_is_true(problem: Qcbo) -> None:
    check(problem)


@settings(max_examples=60)
@given(tight_qcbos())
def test_what_is_certified_after_presolve_is_true(problem: Qcbo) -> None:
    check(problem)


@pytest.mark.slow
@settings(max_examples=3000)
@given(st.one_of(qcbos(max_variables=4), tight_qcbos()))
def test_thousands_of_certificates_are_true(problem: Qcbo) -> None:
    check(problem)


@settings(max_examples=80)
@given(tight_qcbos())
def test_every_step_of_presolve_replays(problem: Qcbo) -> None:
    reduced = presolve(problem)
    stated = replay.Stated(problem)
    stated.replay(reduced.steps)
    if reduced.contradiction is not None:
        assert stated.contradicts(*reduced.conflict)
        return
    assert stated.low == reduced.problem.lower.tolist()
    assert stated.high == reduced.problem.upper.tolist()
    assert len(stated.rows) == reduced.problem.num_constraints


KNAPSACK = Qcbo.from_arrays(
    -np.array([[3.0, 1, 0, 0, 2], [0, 4, 1, 0, 0], [0, 0, 5, 0, 0], [0, 0, 0, 6, 0], [0] * 5]),
    [0, 0, 0, 0, 1.0],
    A_le=[[4, 5, 6, 99, 3], [0, 0, 0, 0, 1]],
    b_le=[11, 0.5],
    quadratic_constraints=[(np.diag([1.0, 1, 1], k=2), None, "==", 1)],
)
HARDER = Qcbo.from_arrays(
    np.triu(np.random.default_rng(3).integers(-4, 5, (5, 5))).astype(float),
    A_le=[[4, 5, 6, 3, 2]],
    b_le=[11],
    A_eq=[[1, 1, 1, 1, 1]],
    b_eq=[2],
    quadratic_constraints=[(np.diag([1.0, 1, 1, 1], k=1), None, "==", 1)],
)


def leaves(tree, path=()):
    """Paths to every number and text in `tree`."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    elif isinstance(tree, list):
        for key, value in enumerate(tree):
            yield from leaves(value, (*path, key))
    else:
        yield path


def put(tree, path, value):
    changed = copy.deepcopy(tree)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


def get(tree, path):
    for key in path:
        tree = tree[key]
    return tree


# Whose change leaves a true statement: another name, or less than could be claimed.
HARMLESS = {("statement", "oracle")}


@pytest.mark.parametrize("problem", [KNAPSACK, HARDER])
def test_no_field_can_be_raised_or_lowered(problem: Qcbo) -> None:
    certificate = certified(problem)
    verify(problem, certificate)
    best = problem.objectives(all_values(problem))[problem.feasible(all_values(problem))].min()
    refused = 0
    for path in leaves(certificate):
        value = get(certificate, path)
        if path in HARMLESS or value is None:
            continue
        if isinstance(value, bool):
            others = [not value]
        elif isinstance(value, (int, float)):
            others = [value + 1, -1e9]
        else:
            others = [value + "x"]
        for other in others:
            changed = put(certificate, path, other)
            try:
                bound = verify(problem, changed)
            except Refused:
                refused += 1
                continue
            # What is still confirmed must still be true.
            assert changed["claim"] == "optimal"
            assert bound == pytest.approx(best)
            exempt = ("slack", "lambda", "mu", "nu", "lower_bound", "presolve", "side", "step")
            assert any(key in exempt for key in path), (path, value, other)
    assert refused > 50


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["rows"][0].update({"lambda": -1.0}), "lambda is negative"),
        (lambda c: c["forms"][0].update({"nu": -1.0}), "nu is negative"),
        (lambda c: c["assignment"].__setitem__(0, 1 - c["assignment"][0]), "violates|objective"),
        (lambda c: c["assignment"].__setitem__(0, 7), "cannot take"),
        (lambda c: c.update(bound=c["bound"] + 1), "higher than what is proved"),
        (lambda c: c.update(bound=c["bound"] - 1), "do not meet"),
        (lambda c: c.update(objective=c["objective"] - 1), "not that of the assignment"),
        (lambda c: c["statement"].update(lower_bound=-1e6), "higher than what is proved"),
        (lambda c: c["statement"].update(with_objective=False), "not that of the objective"),
        (lambda c: c.update(format="qhal-certificate-0"), "not a certificate"),
        (lambda c: c.update(claim="best"), "nothing can be claimed"),
        (lambda c: c.update(claim="infeasible"), "not excluded"),
        (lambda c: c.update(step="1000"), "not certain"),
        (lambda c: c.update(step="0"), "not constant"),
        (lambda c: c.update(step="x"), "damaged"),
        (lambda c: c.pop("rows"), "damaged"),
        (lambda c: c["bits"][0].append(4), "leave a gap"),
        (lambda c: c["bits"].__setitem__(0, []), "do not reach|unknown|damaged"),
        (lambda c: c.update(presolve=[["upper", 0, 0, 0]]), "does not hold"),
        (lambda c: c.update(presolve=[["dominated", 0, 1]]), "does not hold"),
        (lambda c: c.update(presolve=[["redundant", 0]]), "does not hold"),
        (lambda c: c.update(presolve=[["implied", 0, 1]]), "does not hold"),
        (lambda c: c.update(presolve=[["joined", 0, 1]]), "does not hold"),
        (lambda c: c.update(presolve=[["whole", 0]]), "does not hold"),
        (lambda c: c.update(presolve=[["clipped", 99]]), "not there"),
    ],
)
def test_each_lie_has_its_sentence(change, words: str) -> None:
    certificate = certified(HARDER)
    change(certificate)
    with pytest.raises(Refused, match=words):
        verify(HARDER, certificate)


def test_a_certificate_is_of_one_problem() -> None:
    certificate = certified(HARDER)
    for other in (
        Qcbo.from_arrays(HARDER.quadratic, A_eq=[np.ones(5)], b_eq=[2]),
        Qcbo.from_arrays(2 * HARDER.quadratic),
        KNAPSACK,
    ):
        with pytest.raises(Refused):
            verify(other, certificate)


@pytest.mark.parametrize("oracle", ["exhaustive", "cpsat"])
def test_direct_solves_and_certifiers_have_certificates(oracle: str) -> None:
    direct = qhal.solve(HARDER, oracle=oracle, method="direct")
    after = qhal.solve(HARDER, oracle="random", certify=oracle, seed=0)
    for solution in (direct, after):
        assert solution.certified
        assert verify(HARDER, solution.certificate) == direct.objective
        lie = dict(solution.certificate) | {"objective": direct.objective - 1}
        with pytest.raises(Refused):
            verify(HARDER, lie)


def test_infeasibility_has_a_certificate() -> None:
    by_row = Qcbo.from_arrays(linear=[1.0, 1], A_ge=[[1, 1]], b_ge=[3])
    by_two = Qcbo.from_arrays(linear=[1.0] * 3, A_eq=[[1] * 3] * 2, b_eq=[1, 2])
    by_bound = Qcbo.from_arrays(
        linear=[1.0] * 3, A_eq=[[1, 1, 0], [0, 1, 1], [1, 0, 1]], b_eq=[1, 1, 1]
    )
    for problem in (by_row, by_two, by_bound):
        certificate = certified(problem)
        assert certificate["claim"] == "infeasible"
        assert verify(problem, certificate) is None
        feasible = Qcbo.from_arrays(
            linear=problem.linear, A_ge=[np.ones(len(problem.linear))], b_ge=[1]
        )
        with pytest.raises(Refused):
            verify(feasible, certificate)
    assert "terms" in certified(by_bound)["statement"]


def test_it_shares_nothing_with_what_makes_certificates() -> None:
    allowed = {"qhal.problems.qcbo", "qhal.problems.scaling", "qhal.qcgd.replay"}
    for module in (verifier, replay):
        tree = ast.parse(Path(module.__file__).read_text())
        imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert {name for name in imported if name.startswith("qhal")} <= allowed
