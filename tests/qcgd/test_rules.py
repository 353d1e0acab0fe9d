"""The rules that average atoms, on problems small enough to list."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qhal.problems import Qcbo
from qhal.problems.encoding import encode
from qhal.qcgd.lifting import Lifting
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import Run
from qhal.qcgd.rules.frank_wolfe import FrankWolfe
from qhal.qcgd.rules.fully_corrective import FullyCorrective
from qhal.qcgd.rules.level import DECAY, LEAST_STEP, MARGIN, RAMP, STEP, Level
from qhal.registry import get_oracle
from tests.problems.strategies import all_values


def problem(seed: int, n: int = 9) -> Qcbo:
    rng = np.random.default_rng(seed)
    rows, planted = rng.integers(-3, 4, (2, n)), rng.integers(0, 2, n)
    square = np.triu(rng.integers(-9, 10, (n, n)))
    return Qcbo.from_arrays(square, A_eq=rows, b_eq=rows @ planted)


def all_atoms(lifting: Lifting):
    n = lifting.program.num_bits
    states = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.int8)
    return states, lifting.atoms(states, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_the_line_search_is_the_best_step_of_its_line(seed: int) -> None:
    lifting = Lifting(encode(problem(seed)))
    states, atoms = all_atoms(lifting)
    rule = FrankWolfe(lifting)
    rng = np.random.default_rng(seed)
    beta0, scales = 3.0, lifting.residual_scales
    for round_number in range(2, 12):
        lowest = int(np.argmin(atoms.energies(rule.multipliers)))
        if rng.random() < 0.3:  # a heuristic's answer
            lowest = int(rng.integers(len(states)))
        before = rule.state()
        rule.update(lifting.atoms(states[[lowest]], 0.0), None)
        if round_number == 2:
            continue
        after = rule.state()
        beta = beta0 * np.sqrt(round_number)
        residual = atoms.residuals[lowest] / scales - before["_mean"]
        change = atoms.objectives[lowest] - before["_objective"]

        def lagrangian(eta, start=before, residual=residual, change=change, beta=beta):
            mean = start["_mean"] + eta * residual
            return eta * change + start["_dual"] @ mean + beta / 2 * mean @ mean

        moved = after["_mean"] - before["_mean"]
        eta = moved @ residual / (residual @ residual) if residual.any() else 0.0
        least = min(lagrangian(trial) for trial in np.linspace(0, 1, 201))
        assert lagrangian(eta) <= least + 1e-9 * max(1.0, abs(least))


def test_published_steps_and_the_rule_without_a_dual_are_what_they_say() -> None:
    lifting = Lifting(encode(problem(0)))
    states, _ = all_atoms(lifting)
    plain = FrankWolfe(lifting, line_search=False)
    without = FrankWolfe(lifting, dual=False)
    residuals: list = []
    mean = np.zeros(lifting.num_multipliers)
    for t in range(1, 8):
        atom = lifting.atoms(states[[37 * t]], 0.0)
        residuals.append(atom.residuals[0] / lifting.residual_scales)
        plain.update(atom, None)
        without.update(atom, None)
        eta = 2.0 / (t + 1)
        mean = mean + eta * (residuals[-1] - mean)
        assert np.allclose(plain.state()["_mean"], mean)
        kept = without.state()
        penalty = 3.0 * np.sqrt(t + 1) * kept["_mean"] / lifting.residual_scales
        assert np.allclose(without.multipliers, penalty)
    assert plain.state()["_dual"].any()


@pytest.mark.parametrize("seed", range(8))
def test_fully_corrective_steps_end_at_feasible_minima(seed: int) -> None:
    """The penalty grows while the exact minimum is infeasible, so at last it is feasible."""
    oracle = get_oracle("exhaustive")
    limits = Limits(iterations=40)
    run = Run(problem(seed), oracle, "fully-corrective", 20, limits, False, 0)
    solution = run.run(None, None)
    atoms = all_atoms(run.lifting)[1]
    values = all_values(problem(seed))
    best = problem(seed).objectives(values)[problem(seed).feasible(values)].min()
    lowest = int(np.argmin(atoms.energies(run.rule.multipliers)))
    assert solution.certified or atoms.feasible[lowest]
    assert solution.objective == pytest.approx(best)


def test_heuristics_double_the_penalty_only_while_feasible_samples_are_rare() -> None:
    lifting = Lifting(encode(problem(1)))
    states, _ = all_atoms(lifting)
    rule = FullyCorrective(lifting, exact=False)
    for share, growth in ((0.0, 1), (0.0, 2), (0.01, 4), (0.5, 4), (0.05, 4)):
        rule.update(lifting.atoms(states[:15], share), None)
        assert rule.state()["_beta"] == 3.0 * growth


def test_a_poor_oracle_does_not_drive_the_multipliers_away() -> None:
    """Random answers alone, none called feasible: the level follows cuts, not samples."""
    lifting = Lifting(encode(problem(2, n=16)))
    rng = np.random.default_rng(0)
    rule = Level(lifting, exact=False)
    largest = 0.0
    for _ in range(60):
        states = rng.integers(0, 2, (1, lifting.program.num_bits)).astype(np.int8)
        rule.update(lifting.atoms(states, 0.0), None)
        largest = max(largest, float(np.abs(rule.multipliers).max()))
    assert largest < 60 * RAMP**20


def test_the_penalty_grows_while_infeasible_states_lie_below_the_best_value() -> None:
    lifting = Lifting(encode(problem(1)))
    states, atoms = all_atoms(lifting)
    upper = float(atoms.objectives[atoms.feasible].max())
    below = states[~atoms.feasible & (atoms.objectives < upper)][:3]
    rule, signed = Level(lifting, exact=False), lifting.signed
    for stalled in range(1, 8):
        rule.multipliers = 1e-3 * signed  # so weak that all of them lie below
        before = rule.multipliers
        rule.update(lifting.atoms(below, 0.0), upper)
        grown = rule.multipliers[signed] >= math.exp(STEP) * before[signed]
        # The first round improves, then every second one is stalled; cuts only add.
        assert grown.all() or stalled % 2
        assert (rule.multipliers[signed] >= before[signed]).all()


def test_only_what_samples_near_the_best_value_violate_grows() -> None:
    rows = np.array([[1, 1, 0, 0], [0, 0, 1, 1]])
    lifting = Lifting(encode(Qcbo.from_arrays(np.eye(4), A_eq=rows, b_eq=[1, 1])))
    rule = Level(lifting, exact=False)
    states = np.array([[1, 1, 1, 0], [1, 0, 1, 1]], dtype=np.int8)
    rule.multipliers = np.array([0.0, 0.0, MARGIN / 2, 2 * MARGIN])  # the second is far above
    before = rule.multipliers[2:]
    atoms = lifting.atoms(states, 0.0)
    for _ in range(3):
        rule.multipliers = np.array([0.0, 0.0, *before])
        rule.update(atoms, 2.0 / lifting.scale)
    assert rule.multipliers[2:] == pytest.approx([math.exp(STEP) * before[0], before[1]])


def test_the_margin_halves_with_every_relaxation() -> None:
    lifting = Lifting(encode(problem(1)))
    states, atoms = all_atoms(lifting)
    rule = Level(lifting, exact=False)
    feasible = states[atoms.feasible][:3]
    for halvings in range(1, 4):
        rule.update(lifting.atoms(feasible, 1.0), float(atoms.objectives.max()))
        assert rule.state()["_margin"] == MARGIN / 2**halvings


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("insists", [True, False])
def test_the_penalty_holds_while_infeasible_samples_lie_in_the_margin(
    inside: bool, insists: bool
) -> None:
    lifting = Lifting(encode(problem(1)))
    states, atoms = all_atoms(lifting)
    rule = Level(lifting, exact=False)
    rule.insists = insists
    rule.multipliers = before = 1e3 * lifting.signed
    energies = np.where(atoms.feasible, np.inf, atoms.energies(before))
    lowest = int(energies.argmin())
    upper = float(energies[lowest]) - MARGIN + (1.0 if inside else -1.0)
    rule.update(lifting.atoms(states[[lowest]], 0.0), upper)
    held = before if inside and insists else DECAY * before
    assert rule.multipliers == pytest.approx(held)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_penalty_that_suffices_decays(share: float) -> None:
    """Also while nothing is feasible: noise may have driven it far too high."""
    lifting = Lifting(encode(problem(1)))
    states, atoms = all_atoms(lifting)
    upper = float(atoms.objectives[atoms.feasible].min())
    rule = Level(lifting, exact=False)
    rule.multipliers = 1e3 * lifting.signed
    before = rule.multipliers
    rule.update(lifting.atoms(states[~atoms.feasible][:5], share), upper)
    assert rule.multipliers == pytest.approx(DECAY * before)


def test_the_penalty_s_steps_halve_when_they_turn_round() -> None:
    rule = Level(Lifting(encode(problem(1))), exact=False)
    steps = [math.log(rule._factor(direction)) for direction in (1, 1, -1, -1, 1, -1, 1, -1)]
    assert np.allclose(steps[:5], [STEP, STEP, -STEP / 2, -STEP / 2, STEP / 4])
    assert np.allclose(np.abs(steps[-2:]), LEAST_STEP)
