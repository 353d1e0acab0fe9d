"""`dwave-qpu` and `leap-hybrid` against dwave-system's mocks, and workflows of dwave-hybrid."""

import copy
import json
import logging
import traceback
import unittest

import dimod
import dimod.testing
import numpy as np
import pytest
import requests
from dwave.cloud import exceptions as cloud
from dwave.system.testing import MockDWaveSampler

import qhal
from qhal.errors import OracleError, TransientError
from qhal.testing import check_oracle

# To be seen nowhere.
TOKEN = "DEV-planted-3c9a2f6e77aa41"


def random_qubo(n, seed=0, density=1.0):
    rng = np.random.default_rng(seed)
    return qhal.Qubo(np.triu(rng.normal(size=(n, n)) * (rng.random((n, n)) < density)))


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """An Ocean configuration with a token in its file and another in the environment."""
    file = tmp_path / "dwave.conf"
    file.write_text(f"[defaults]\ntoken = {TOKEN}\nendpoint = https://127.0.0.1:9/sapi/v2/\n")
    monkeypatch.setenv("DWAVE_CONFIG_FILE", str(file))
    monkeypatch.setenv("DWAVE_API_TOKEN", f"{TOKEN}-environment")
    return file


@pytest.fixture
def machine(monkeypatch):
    """What stands in for DWaveSampler, with the arguments that it was made with."""
    made = []

    def make(**config):
        sampler = MockDWaveSampler(
            topology_type="pegasus", topology_shape=[4], parameter_warnings=False
        )
        made.append((config, sampler))
        return sampler

    monkeypatch.setattr("dwave.system.DWaveSampler", make)
    return made


@pytest.mark.parametrize("name", ["dwave-qpu", "leap-hybrid"])
def test_the_mocks_conform(name):
    report = check_oracle(qhal.get_oracle(name, mock=True))
    assert report.passed, str(report)


@pytest.mark.parametrize("name", ["dwave-qpu", "leap-hybrid"])
def test_the_mocks_pass_dimods_own_tests(name):
    oracle = qhal.get_oracle(name, mock=True)

    def sampler():
        return oracle.to_dimod()

    @dimod.testing.load_sampler_bqm_tests(sampler)
    class Tests(unittest.TestCase):
        pass

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Tests).run(result)
    problems = [trace for _, trace in result.failures + result.errors]
    assert result.testsRun >= 30
    assert not problems, "\n".join(problems)


def test_only_the_real_ones_are_remote():
    for name in ("dwave-qpu", "leap-hybrid"):
        assert qhal.get_oracle(name).info.remote
        assert not qhal.get_oracle(name, mock=True).info.remote


def test_one_embedding_serves_a_run_of_qcgd(machine, monkeypatch):
    import minorminer

    found = []
    real = minorminer.find_embedding

    def find(source, target, **options):
        found.append(len(source))
        return real(source, target, **options)

    monkeypatch.setattr(minorminer, "find_embedding", find)
    problem = qhal.Qcbo.from_arrays(
        -np.diag(np.arange(1.0, 9)), A_eq=[np.ones(8)], b_eq=[3], A_le=[np.arange(1, 9)], b_le=[15]
    )
    solution = qhal.solve(problem, oracle="dwave-qpu", iterations=12, seed=1, num_reads=30)
    truth = qhal.solve(problem, oracle="exhaustive", method="direct")
    assert solution.objective == truth.objective
    assert solution.oracle_calls > len(found) >= 1
    assert len(found) <= 2  # with the first multipliers some couplings are zero
    assert len(machine) == 1  # one connection


def test_what_is_passed_on_and_reported(machine):
    oracle = qhal.get_oracle(
        "dwave-qpu", solver="Advantage_1", profile="lab", annealing_time_us=50, chain_strength=2
    )
    seen = {}
    samples = None

    def sample(bqm, **parameters):
        seen.update(parameters, bqm=bqm)
        return MockDWaveSampler.sample(machine[0][1], bqm, **parameters)

    oracle._connected().sample = sample
    samples = oracle.sample(random_qubo(6), num_reads=7)
    assert machine[0][0] == {"solver": "Advantage_1", "profile": "lab"}
    assert (seen["num_reads"], seen["annealing_time"], seen["answer_mode"]) == (7, 50, "raw")
    assert seen["bqm"].num_variables == samples.info["embedding"]["qubits"]
    assert len(samples) == 7
    assert samples.info["timing_us"]["qpu_access_time"] == 8550.28
    assert samples.info["charged_time_s"] == pytest.approx(8550.28e-6)
    assert 0 <= samples.info["broken_chains"] <= 1
    assert not samples.info["embedding"]["reused"]
    assert oracle.sample(random_qubo(6, seed=1), num_reads=7).info["embedding"]["reused"]


def test_the_budget_asks_ocean_for_the_time_before_it_spends_any(machine):
    class Solver:
        def estimate_qpu_access_time(self, num_qubits, num_reads, annealing_time):
            assert num_qubits >= 6
            return 1e4 * num_reads  # microseconds

    oracle = qhal.get_oracle("dwave-qpu|budget(seconds=0.1)")
    oracle.child._connected().solver = Solver()
    oracle.sample(random_qubo(6), num_reads=9)
    with pytest.raises(OracleError, match=r"0.1 seconds, and this call may take 0.1 s"):
        oracle.sample(random_qubo(6), num_reads=10)
    assert oracle.spent()["calls"] == 1
    assert oracle.spent()["time_s"] == pytest.approx(8550.28e-6)


def test_what_does_not_fit_says_so(machine):
    with pytest.raises(OracleError, match=r"no embedding of 90 variables.*decompose\(size=50\)"):
        qhal.get_oracle("dwave-qpu").sample(random_qubo(90))
    samples = qhal.get_oracle("dwave-qpu|decompose(size=8, passes=2)").sample(
        random_qubo(20), seed=0
    )
    assert len(samples.states[0]) == 20


@pytest.mark.parametrize(
    ("error", "expected", "sentence"),
    [
        (cloud.SolverOfflineError("offline"), TransientError, "cannot be reached: SolverOffline"),
        (cloud.PollingTimeout("slow"), TransientError, "cannot be reached: PollingTimeout"),
        (requests.exceptions.ConnectTimeout("no route"), TransientError, "ConnectTimeout"),
        (requests.exceptions.ConnectionError("reset"), TransientError, "reset"),
        (cloud.SolverAuthenticationError("bad"), qhal.InputError, "was refused: .*dwave ping"),
        (cloud.SolverFailureError("failed"), OracleError, "oracle 'dwave-qpu' failed"),
        (RuntimeError("boom"), OracleError, "RuntimeError: .*boom"),
    ],
)
def test_errors_are_sorted_and_keep_secrets(configured, machine, error, expected, sentence):
    oracle = qhal.get_oracle("dwave-qpu")
    error.args = (*error.args, f"X-Auth-Token: {TOKEN}", f"{TOKEN}-environment")

    def fail(bqm, **parameters):
        raise error

    oracle._connected().sample = fail
    with pytest.raises(qhal.QhalError, match=sentence) as caught:
        oracle.sample(random_qubo(4))
    assert type(caught.value) is expected or isinstance(caught.value, expected)
    assert isinstance(caught.value, TransientError) == (expected is TransientError)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_without_a_configuration_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("DWAVE_CONFIG_FILE", str(tmp_path / "none.conf"))
    monkeypatch.delenv("DWAVE_API_TOKEN", raising=False)
    for name in ("dwave-qpu", "leap-hybrid"):
        with pytest.raises(qhal.InputError, match="dwave config create"):
            qhal.get_oracle(name).sample(random_qubo(3))


def test_a_planted_token_is_written_nowhere(configured, machine, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG, logger="qhal")
    out = tmp_path / "out"
    out.mkdir()
    problem = qhal.Qcbo.from_arrays(-np.eye(5), A_eq=[np.ones(5)], b_eq=[2])
    chain = f"dwave-qpu|record({out / 'run.jsonl'})|cache({out / 'c.db'})|retry"
    solution = qhal.solve(problem, oracle=chain, seed=1, iterations=3, checkpoint=out / "run.ckpt")
    (out / "solution.json").write_text(json.dumps(solution.to_json()))
    assert solution.feasible
    assert len(list(out.iterdir())) >= 4
    for file in out.iterdir():
        assert TOKEN.encode() not in file.read_bytes(), file
    assert TOKEN not in caplog.text
    assert TOKEN not in "".join(capfd.readouterr())
    oracle = qhal.get_oracle(chain)
    assert TOKEN not in repr(vars(oracle.child.child.child)) + repr(oracle.info)
    with pytest.raises(qhal.InputError) as caught:
        qhal.get_oracle("dwave-qpu", token=TOKEN)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_a_failing_connection_keeps_the_token(configured):
    # The endpoint is a closed port of this machine.
    with pytest.raises(qhal.QhalError) as caught:
        qhal.get_oracle("dwave-qpu").sample(random_qubo(3))
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_a_recorded_run_replays_without_the_machine(machine, tmp_path):
    problem = qhal.Qcbo.from_arrays(-np.eye(6), A_eq=[np.ones(6)], b_eq=[2])
    file = tmp_path / "run.jsonl"
    one = qhal.solve(problem, oracle=f"dwave-qpu|record({file})", seed=1, iterations=4)
    machine.clear()
    other = qhal.solve(problem, oracle=f"replay({file})", seed=1, iterations=4)
    assert not machine
    assert one.assignment == other.assignment
    assert [row["lowest_energy"] for row in one.history] == [
        row["lowest_energy"] for row in other.history
    ]


def test_leap_raises_a_limit_that_is_too_short():
    oracle = qhal.get_oracle("leap-hybrid", mock=True)
    samples = oracle.sample(random_qubo(5), time_limit=0.2)
    assert samples.info["time_limit_s"] == samples.info["charged_time_s"] == 1.0
    assert oracle.charged_seconds(random_qubo(5), 1, 3.0) == 3.0
    assert len(samples) == 1


def test_oracles_can_be_copied():
    for name in ("dwave-qpu", "leap-hybrid"):
        oracle = copy.deepcopy(qhal.get_oracle(name, mock=True))
        assert len(oracle.sample(random_qubo(4))) >= 1


@pytest.mark.parametrize("options", [{"chain_strength": 0}, {"annealing_time_us": "x"}])
def test_bad_options(options):
    with pytest.raises(qhal.InputError, match=f"{next(iter(options))} must be a number above 0"):
        qhal.get_oracle("dwave-qpu", **options)


@pytest.mark.parametrize("name", ["sa", "cim"])
def test_an_unmodified_workflow_of_dwave_hybrid(name):
    """The example of dwave-hybrid's documentation, its machine replaced by one of our oracles."""
    import hybrid

    rng = np.random.default_rng(3)
    couplings = {(i, j): float(rng.choice([-1, 1])) for i in range(30) for j in range(i)}
    bqm = dimod.BinaryQuadraticModel.from_ising({}, couplings)
    machine = qhal.get_oracle(name).to_dimod()
    iteration = (
        hybrid.RacingBranches(
            hybrid.InterruptableTabuSampler(timeout=50),
            hybrid.EnergyImpactDecomposer(size=10)
            | hybrid.QPUSubproblemAutoEmbeddingSampler(qpu_sampler=machine)
            | hybrid.SplatComposer(),
        )
        | hybrid.ArgMin()
    )
    workflow = hybrid.LoopUntilNoImprovement(iteration, convergence=3, max_iter=10)
    best = workflow.run(hybrid.State.from_problem(bqm)).result().samples.first
    truth = qhal.get_oracle("sa").to_dimod().sample(bqm, num_reads=300, seed=0).first.energy
    assert best.energy == pytest.approx(bqm.energy(best.sample))
    assert best.energy <= 0.9 * truth
    ours = hybrid.Loop(
        hybrid.EnergyImpactDecomposer(size=10)
        | hybrid.QPUSubproblemAutoEmbeddingSampler(qpu_sampler=machine)
        | hybrid.SplatComposer(),
        max_iter=12,
    )
    start = hybrid.State.from_sample(hybrid.utils.min_sample(bqm), bqm)
    assert ours.run(start).result().samples.first.energy < 0.7 * truth


@pytest.mark.parametrize("seed", range(25))
def test_the_roof_duality_of_presolve_is_that_of_dwave_preprocessing(seed):
    from dwave.preprocessing import roof_duality

    from qhal.composites.roof import persistent
    from qhal.ocean import bqm_from_qubo

    qubo = random_qubo(30, seed=seed, density=0.15)
    values = persistent(qubo)
    ours = {i: int(value) for i, value in enumerate(values) if value >= 0}
    _, theirs = roof_duality(bqm_from_qubo(qubo))
    assert ours == theirs
