"""Code written for Ocean's samplers of constrained models, on any oracle."""

import dimod
import dimod.testing
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qhal
from qhal.problems import Qcbo
from tests.problems.strategies import qcbos


def bin_packing(weights=(4, 7, 2, 6), capacity=10):
    """Ocean's bin-packing example, as it is written for LeapHybridCQMSampler."""
    count = len(weights)
    cqm = dimod.ConstrainedQuadraticModel()
    used = [dimod.Binary(f"bin_used_{j}") for j in range(count)]
    cqm.set_objective(sum(used))
    placed = [[dimod.Binary(f"item_{i}_in_bin_{j}") for j in range(count)] for i in range(count)]
    for i in range(count):
        cqm.add_constraint(sum(placed[i]) == 1, label=f"item_placing_{i}")
    for j in range(count):
        cqm.add_constraint(
            sum(weights[i] * placed[i][j] for i in range(count)) - capacity * used[j] <= 0,
            label=f"capacity_bin_{j}",
        )
    return cqm


def use_of(sampler, cqm, **parameters):
    """What such code does with the answer."""
    sampleset = sampler.sample_cqm(cqm, **parameters)
    feasible = sampleset.filter(lambda row: row.is_feasible)
    return feasible.first if len(feasible) else None, sampleset


@pytest.mark.parametrize("oracle", ["cim", "sa"])
def test_an_unmodified_example_runs(oracle):
    if oracle not in qhal.list_oracles():
        pytest.fail(f"{oracle} is not installed")
    best, sampleset = use_of(
        qhal.QcgdSampler(oracle=oracle), bin_packing(), time_limit=60, label="packing"
    )
    assert best.energy == 2  # 19 units of weight need two bins
    assert sampleset.info["problem_label"] == "packing"
    assert sampleset.info["oracle"] == oracle
    assert sampleset.record.is_feasible.any()


@settings(max_examples=25)
@given(qcbos(max_variables=4), st.integers(0, 99))
def test_it_agrees_with_the_exact_solver(problem, seed):
    cqm = problem.to_cqm()
    truth, _ = use_of(dimod.ExactCQMSolver(), cqm)
    best, sampleset = use_of(
        qhal.QcgdSampler("exhaustive"), cqm, seed=seed, method="direct", time_limit=60
    )
    dimod.testing.assert_sampleset_energies_cqm(sampleset, cqm)
    assert (best is None) == (truth is None)
    if best is not None:
        assert best.energy == pytest.approx(truth.energy)
        assert sampleset.info["certified"]


def test_many_samples_the_best_first_each_once():
    cqm = bin_packing()
    sampleset = qhal.QcgdSampler("sa").sample_cqm(cqm, seed=1, iterations=8)
    assert 2 <= len(sampleset) <= 100
    assert len(np.unique(sampleset.record.sample, axis=0)) == len(sampleset)
    feasible = sampleset.record.is_feasible
    assert feasible[0]
    dimod.testing.assert_sampleset_energies_cqm(sampleset, cqm)
    again = qhal.QcgdSampler("sa").sample_cqm(cqm, seed=1, iterations=8)
    assert (again.record.sample == sampleset.record.sample).all()


def test_spins_and_integers_keep_their_labels():
    cqm = dimod.ConstrainedQuadraticModel()
    i, s = dimod.Integer("i", lower_bound=-2, upper_bound=5), dimod.Spin("s")
    cqm.set_objective(i * i - 3 * i * s)
    cqm.add_constraint(i + s >= 1, label="row")
    truth, _ = use_of(dimod.ExactCQMSolver(), cqm)
    best, _ = use_of(qhal.QcgdSampler("exhaustive"), cqm, seed=0)
    assert best.energy == truth.energy
    assert best.sample in ({"i": 1, "s": 1}, {"i": 2, "s": 1})


def test_mistakes():
    sampler = qhal.QcgdSampler("random")
    with pytest.raises(qhal.InputError, match="no parameter 'time_limt'; did you mean"):
        sampler.sample_cqm(bin_packing(), time_limt=3)
    with pytest.raises(qhal.InputError, match="takes a dimod.ConstrainedQuadraticModel"):
        sampler.sample_cqm(Qcbo.from_cqm(bin_packing()))
    assert sampler.min_time_limit(bin_packing()) > 0
    assert "time_limit" in sampler.parameters
    assert sampler.properties["name"] == "random"
