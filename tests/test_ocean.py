"""Both ways between oracles and Ocean's samplers."""

import unittest
from dataclasses import replace

import dimod
import dimod.testing
import numpy as np
import pytest
from dwave.samplers import (
    PathIntegralAnnealingSampler,
    SimulatedAnnealingSampler,
    SteepestDescentSampler,
)
from hypothesis import given
from hypothesis import strategies as st

import qhal
from qhal.ocean import bqm_from_qubo, qubo_from_bqm
from qhal.testing import check_oracle
from qhal.testing.problems import all_states

# Ocean's annealers warn where every energy is the same; ours need not.
FLAT = pytest.mark.filterwarnings("ignore:All bqm biases are zero")


def random_qubo(n, seed=0):
    return qhal.Qubo(np.triu(np.random.default_rng(seed).normal(size=(n, n))), 0.5)


# --- oracle to dimod ------------------------------------------------------------------------------


def test_passes_dimods_own_tests(oracle_name):
    def sampler():
        return qhal.get_oracle(oracle_name).to_dimod()

    sampler.__name__ = oracle_name.replace("-", "_")

    @dimod.testing.load_sampler_bqm_tests(sampler)
    class Tests(unittest.TestCase):
        pass

    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Tests)
    result = unittest.TestResult()
    suite.run(result)
    assert result.testsRun >= 30
    problems = [trace for _, trace in result.failures + result.errors]
    assert not problems, "\n".join(problems)


def test_is_a_sampler_of_dimods_api(oracle_name):
    sampler = qhal.get_oracle(oracle_name).to_dimod()
    dimod.testing.assert_sampler_api(sampler)
    assert {"num_reads", "seed", "time_limit"} <= set(sampler.parameters)
    assert sampler.properties["name"] == oracle_name


def test_labels_vartypes_and_offsets_come_back():
    bqm = dimod.BinaryQuadraticModel(
        {"b": 1.0, ("a", 2): -2.0}, {("b", ("a", 2)): 3.0}, 5.0, "SPIN"
    )
    exact = qhal.get_oracle("exhaustive").to_dimod().sample(bqm, num_reads=4)
    truth = dimod.ExactSolver().sample(bqm)
    assert exact.vartype is dimod.SPIN
    assert sorted(exact.record.energy) == sorted(truth.record.energy)
    assert exact.first.sample == truth.first.sample
    assert exact.info["oracle"] == "exhaustive"


def test_unknown_parameters_are_errors():
    sampler = qhal.get_oracle("random").to_dimod()
    bqm = bqm_from_qubo(random_qubo(3))
    with pytest.raises(qhal.InputError, match="no parameter 'num_read'; it takes: num_reads, seed"):
        sampler.sample(bqm, num_read=3)
    with pytest.raises(qhal.InputError, match="no parameter 'initial_states'"):
        sampler.sample(bqm, initial_states=[[0, 1, 0]])


def test_initial_states_in_every_form_of_ocean():
    sampler = qhal.get_oracle("steepest-descent").to_dimod()
    bqm = dimod.BinaryQuadraticModel.from_ising({"a": 1, "b": 1}, {"ab": -3})
    aligned = {"a": -1, "b": -1}
    set_of_states = dimod.SampleSet.from_samples_bqm(aligned, bqm)
    table = ([[-1, -1]], ["b", "a"])
    for states in (aligned, set_of_states, table):
        found = sampler.sample(bqm, initial_states=states, num_reads=1, seed=0)
        assert found.first.sample == aligned


# --- dimod to oracle ------------------------------------------------------------------------------


@FLAT
@pytest.mark.parametrize(
    "sampler",
    [
        dimod.ExactSolver(),
        SimulatedAnnealingSampler(),
        SteepestDescentSampler(),
        dimod.RandomSampler(),
    ],
    ids=lambda sampler: type(sampler).__name__,
)
def test_any_sampler_becomes_a_conforming_oracle(sampler):
    oracle = qhal.from_dimod(sampler)
    oracle.info = replace(oracle.info, max_variables=14)  # so that brute force has an end
    report = check_oracle(oracle)
    assert report.passed, str(report)


def test_what_the_sampler_takes_is_what_the_oracle_declares():
    exact, annealer = dimod.ExactSolver(), SimulatedAnnealingSampler()
    assert not qhal.from_dimod(exact).info.seeded
    info = qhal.from_dimod(annealer, name="neal").info
    assert info.name == "neal"
    assert info.seeded
    assert info.accepts_initial_states
    assert not info.honours_time_limit


def test_parameters_go_with_every_call():
    qubo = random_qubo(40)
    hasty = qhal.from_dimod(SimulatedAnnealingSampler(), num_sweeps=1)
    patient = qhal.from_dimod(SimulatedAnnealingSampler(), num_sweeps=300)
    first, second = (oracle.sample(qubo, seed=1, num_reads=10) for oracle in (hasty, patient))
    assert second.energies.mean() < first.energies.mean()
    assert first.info["options"] == {"num_sweeps": "1"}
    with pytest.raises(qhal.InputError, match="has no parameter 'num_sweep'; it takes: beta_range"):
        qhal.from_dimod(SimulatedAnnealingSampler(), num_sweep=3)


@FLAT
@pytest.mark.parametrize("seed", [0, 2**31 - 1, 2**31, 2**32 - 1])
def test_every_seed_of_ours_is_one_of_oceans(seed):
    oracle = qhal.from_dimod(PathIntegralAnnealingSampler(), num_sweeps=3)
    flat = qhal.Qubo(np.zeros((30, 30)))
    states = [oracle.sample(flat, seed=seed, num_reads=3).states for _ in range(2)]
    assert (states[0] == states[1]).all()


def test_repeated_samples_are_repeated_rows():
    class Counts(dimod.Sampler):
        parameters, properties = {}, {}

        def sample(self, bqm, **parameters):
            labels = list(bqm.variables)[::-1]
            return dimod.SampleSet.from_samples_bqm(
                ([[1, 0, 0], [0, 1, 1]], labels), bqm, num_occurrences=[3, 1]
            )

    samples = qhal.from_dimod(Counts()).sample(qhal.Qubo(np.diag([1.0, 2.0, 4.0])))
    assert samples.states.tolist() == [[1, 1, 0]] + 3 * [[0, 0, 1]]


def test_a_sampler_without_samples_is_an_error():
    class Empty(dimod.NullSampler):
        def sample(self, bqm, **parameters):
            return dimod.SampleSet.from_samples(np.empty((0, 2)), energy=[], vartype="BINARY")

    with pytest.raises(qhal.QhalError, match="no samples"):
        qhal.from_dimod(Empty()).sample(random_qubo(2))


@pytest.mark.parametrize("thing", [3, None, "neal", dimod.ExactSolver, qhal.Oracle])
def test_what_is_no_sampler(thing):
    with pytest.raises(qhal.InputError, match="from_dimod takes a sampler such as"):
        qhal.from_dimod(thing)


def test_there_and_back_again():
    oracle = qhal.from_dimod(qhal.get_oracle("sa").to_dimod())
    qubo = random_qubo(20)
    direct = qhal.get_oracle("exhaustive").sample(qubo).first[1]
    assert oracle.sample(qubo, seed=3, time_limit=5.0).first[1] == pytest.approx(direct)


# --- models ---------------------------------------------------------------------------------------


@given(
    st.integers(0, 6), st.integers(0, 2**32 - 1), st.sampled_from(["SPIN", "BINARY"]), st.booleans()
)
def test_models_keep_every_energy(n, seed, vartype, as_dict):
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.normal(size=(n, n)) * (rng.random((n, n)) < 0.6), 1)
    kind = dimod.DictBQM if as_dict else dimod.BQM
    labels = [f"v{i}" for i in rng.permutation(n)]
    bqm = kind(dict(zip(labels, rng.normal(size=n), strict=True)), {}, float(rng.normal()), vartype)
    for i, j in np.argwhere(matrix):
        bqm.add_quadratic(labels[i], labels[j], matrix[i, j])
    states = all_states(n)
    qubo = qubo_from_bqm(bqm)
    rows = states if vartype == "BINARY" else 2 * states - 1
    expected = bqm.energies((rows, list(bqm.variables)))
    assert qubo.energies(states) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    back = bqm_from_qubo(qubo)
    assert back.energies((states, range(n))) == pytest.approx(expected, rel=1e-12, abs=1e-12)
