"""The oracle `cim`: minima, corners, seeds, options."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import dimod
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from qhal_cim import Cim, CimSampler

import qhal
from qhal.testing import check_oracle

OPTIONS = [
    {},
    {"dynamics": "cac"},
    {"dynamics": "bsb"},
    {"fields": "mean"},
    {"fields": "ancilla"},
    {"coefficient_bits": 8},
    {"coefficient_bits": 6, "rounding": "nearest", "fields": "ancilla"},
    {"coefficient_bits": 5, "rounding": "clipped", "descent": True},
    {"profile": "qboson-550"},
    {"dynamics": "dopo"},
    {"dynamics": "dopo", "fields": "mean"},
    {"dynamics": "dopo", "fields": "ancilla", "coefficient_bits": 8},
]


def random_qubo(n, seed, density=1.0):
    rng = np.random.default_rng(seed)
    return qhal.Qubo(np.triu(rng.normal(size=(n, n)) * (rng.random((n, n)) < density)))


def penalty_qubo(n, seed, strength=5.0):
    """A random objective, one budget row with power-of-two slack bits, one exact row."""
    rng = np.random.default_rng(seed)
    slack = 2 ** np.arange(3)
    rows = np.zeros((2, n + slack.size))
    rows[0, :n], rows[0, n:] = rng.integers(1, 5, n), slack
    rows[1, :n] = rng.integers(0, 3, n)
    right = rows @ (rng.random(n + slack.size) < 0.5)
    matrix = rows.T @ rows
    matrix = 2 * np.triu(matrix, 1) + np.diag(np.diag(matrix) - 2 * rows.T @ right)
    matrix = strength * matrix
    matrix[:n, :n] += np.triu(rng.normal(size=(n, n)))
    return qhal.Qubo(matrix, strength * float(right @ right))


def least(qubo):
    return qhal.get_oracle("exhaustive").sample(qubo).first[1]


@st.composite
def qubos(draw):
    n = draw(st.integers(1, 10))
    seed = draw(st.integers(0, 2**32 - 1))
    scale = 10.0 ** draw(st.integers(-12, 12))
    kind = draw(st.sampled_from(["dense", "sparse", "whole", "penalty"]))
    if kind == "penalty" and n > 3:
        return penalty_qubo(n - 3, seed)
    qubo = random_qubo(n, seed, 0.4 if kind == "sparse" else 1.0)
    matrix = np.rint(3 * qubo.matrix) if kind == "whole" else scale * qubo.matrix
    return qhal.Qubo(matrix, scale)


@given(qubos(), st.integers(0, 2**32 - 1))
def test_reaches_the_minimum_of_small_problems(qubo, seed):
    best = Cim(num_steps=200).sample(qubo, num_reads=48, seed=seed).first[1]
    assert best == pytest.approx(least(qubo), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("n", [1, 2, 7, 16])
def test_every_option_solves_easy_problems(options, n):
    # Few large coefficients of one size: rounding them to few bits moves no minimum.
    rng = np.random.default_rng(n)
    qubo = qhal.Qubo(np.triu(rng.choice([-4.0, 4.0], (n, n))))
    samples = Cim(**options).sample(qubo, num_reads=60, seed=1)
    assert samples.first[1] == pytest.approx(least(qubo))


CORNERS = {
    "no variables": np.zeros((0, 0)),
    "one variable down": [[-1.0]],
    "one variable up": [[2.0]],
    "all zero": np.zeros((6, 6)),
    "fields only": np.diag(np.random.default_rng(0).normal(size=12)),
    "isolated variables": sp.csr_array(([-1.0, 2.0, -3.0], ([0, 0, 1], [0, 9, 1])), shape=(12, 12)),
    "one huge coefficient": np.triu(np.where(np.arange(100).reshape(10, 10) == 7, 1e300, -1.0)),
    "all huge": 1e300 * np.triu(np.random.default_rng(1).normal(size=(9, 9))),
    "all tiny": 1e-300 * np.triu(np.random.default_rng(2).normal(size=(9, 9))),
    "subnormal": [[5e-324, -5e-324], [0, 0]],
    "huge and tiny": np.triu(
        10.0 ** np.random.default_rng(3).integers(-300, 300, (9, 9)) * np.where(np.eye(9), -1, 1)
    ),
}


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("num_reads", [1, 150])
def test_corners_give_valid_samples_without_warnings(corner, options, num_reads):
    qubo = qhal.Qubo(CORNERS[corner])
    samples = Cim(num_steps=50, **options).sample(qubo, num_reads=num_reads, seed=0)
    assert samples.states.shape == (num_reads, qubo.num_variables)
    if num_reads > 1 and Cim(**options).descent:
        assert samples.first[1] == pytest.approx(least(qubo), rel=1e-9)


@st.composite
def hostile_qubos(draw):
    """Blocks that do not touch, some empty, coefficients of any size, one of them huge."""
    sizes = draw(st.lists(st.integers(0, 5), max_size=4))
    n = sum(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    block = np.repeat(np.arange(len(sizes)), sizes)
    low, high = sorted(draw(st.tuples(st.integers(-300, 300), st.integers(-300, 300))))
    matrix = np.triu(rng.normal(size=(n, n)) * 10.0 ** rng.integers(low, high + 1, (n, n)))
    matrix *= block[:, np.newaxis] == block
    matrix[rng.random((n, n)) < draw(st.sampled_from([0.0, 0.5, 1.0]))] = 0
    if n and draw(st.booleans()):
        matrix[0, n - 1] = draw(st.sampled_from([1e300, -1e300]))
    return qhal.Qubo(matrix if draw(st.booleans()) else sp.csr_array(matrix))


@pytest.mark.parametrize("kernel", ["numba", "numpy"])
@given(hostile_qubos(), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_fuzzed_problems_and_twin_states(kernel, qubo, num_reads, seed):
    n = qubo.num_variables
    twins = np.repeat(np.random.default_rng(seed).integers(0, 2, (2, n)), 3, axis=0)
    for options in ({}, {"coefficient_bits": 6}, {"fields": "ancilla", "descent": False}):
        oracle = Cim(num_steps=15, kernel=kernel, **options)
        one, two = (
            oracle.sample(qubo, num_reads=num_reads, seed=seed, initial_states=twins)
            for _ in range(2)
        )
        assert (one.states == two.states).all()
        assert one.states.shape == (num_reads, n)
        assert np.isfinite(one.energies).all()
        if oracle.descent:
            assert one.energies[0] <= qubo.energies(twins).min()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("density", [0.02, 1.0])
def test_seeds(options, density):
    couplings = np.triu(sp.csr_array(random_qubo(200, 4, density).matrix).toarray(), 1)
    qubo = qhal.Qubo.from_ising(qhal.Ising(couplings, np.zeros(200)))
    oracle = Cim(num_steps=10, **options)
    one, two, other = (oracle.sample(qubo, num_reads=20, seed=seed) for seed in (7, 7, 8))
    assert (one.states == two.states).all()
    assert not (one.states == other.states).all()


@pytest.mark.parametrize(("n", "density"), [(150, 0.03), (150, 1.0), (1000, 0.01)])
def test_same_samples_in_another_process_with_other_threads(n, density):
    code = (
        "import numpy as np, qhal; from qhal_cim import Cim; rng = np.random.default_rng(5);"
        f"kept = rng.random(({n}, {n})) < {density};"
        f"J = np.triu(kept * rng.normal(size=({n}, {n})), 1);"
        f"q = qhal.Qubo.from_ising(qhal.Ising(J, rng.normal(size={n}) * ({n} < 1000)));"
        "s = Cim(num_steps=60).sample(q, num_reads=30, seed=11);"
        "import json; print(json.dumps([s.states.tolist(), s.energies.tolist()]))"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    ]
    assert len(json.loads(answers[0])[1]) == 30
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "options", [{}, {"fields": "ancilla"}, {"dynamics": "cac"}, {"dynamics": "dopo"}], ids=str
)
def test_initial_states_are_never_lost(options):
    qubo = penalty_qubo(60, 8)
    good = Cim(num_steps=1000).sample(qubo, num_reads=50, seed=0).states[:3]
    short = Cim(num_steps=2, descent=False, **options)
    seeded = short.sample(qubo, num_reads=9, seed=1, initial_states=good)
    dust = 1e-9  # sums differ in their last digits with the shape of what is multiplied
    assert seeded.energies[0] <= qubo.energies(good).min() + dust
    assert np.sort(seeded.energies)[2] <= qubo.energies(good).max() + dust
    assert seeded.energies[0] < short.sample(qubo, num_reads=9, seed=1).energies[0]
    # More states than reads: the best ones are used, wherever they stand.
    random = np.random.default_rng(2).integers(0, 2, (40, qubo.num_variables))
    crowd = np.vstack([random, good[-1:], random, good[:-1]])
    assert qubo.energies(random).min() > qubo.energies(good).max()
    two = short.sample(qubo, num_reads=2, seed=1, initial_states=crowd)
    assert len(two) == 2
    assert two.energies[1] <= np.sort(qubo.energies(good))[1] + dust


def test_input_is_not_changed():
    for density in (0.05, 1.0):
        qubo = random_qubo(50, 9, density)
        before = sp.csr_array(qubo.matrix).toarray()
        Cim(num_steps=20, coefficient_bits=4).sample(qubo, num_reads=5, seed=0)
        assert (sp.csr_array(qubo.matrix).toarray() == before).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dynamics": "cacc"}, "dynamics must be one of .*did you mean 'cac'"),
        ({"num_steps": 0}, "num_steps must be from 1"),
        ({"num_steps": 1.5}, "num_steps must be a whole number"),
        ({"coefficient_bits": 1}, "coefficient_bits must be from 2 to 24"),
        ({"coefficient_bits": True}, "coefficient_bits must be a whole number"),
        ({"rounding": "up"}, "rounding must be one of stochastic"),
        ({"fields": "none"}, "fields must be one of target"),
        ({"descent": "yes"}, "descent must be True or False"),
        ({"kernel": "cuda"}, "kernel must be one of auto, numba, numpy"),
        ({"bits": 8}, "no option 'bits'"),
        ({"profile": "qboson-55"}, "profile must be one of .*did you mean 'qboson-550'"),
        ({"profile": "qboson-550", "coefficient_bits": 12}, "has coefficients of 8 bits"),
        ({"profile": "qboson-550", "fields": "mean"}, "holds fields by an ancilla spin"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(qhal.InputError, match=message):
        qhal.get_oracle("cim", **options)


def test_info_and_description():
    oracle = qhal.get_oracle("cim", coefficient_bits=8)
    assert oracle.info.coefficient_bits == 8
    assert Cim(coefficient_bits=8).info.coefficient_bits == 8
    assert Cim().info.coefficient_bits is None
    matrix = np.triu(np.ones((5, 5)), 1) * 64
    matrix[0, 1] = 1.0
    info = oracle.sample(qhal.Qubo(matrix), num_reads=7, seed=0).info
    assert info["coefficient_bits"] == 8
    assert info["rounding"] == "stochastic"
    assert info["descent"] is False
    assert info["num_steps"] == 100
    # Couplings 0.25 and 16; the largest field is 4 of the large ones.
    assert info["dynamic_range_bits"] == pytest.approx(8.0)
    assert 0 < info["energy_error_rms"] < 2.0
    full = Cim().sample(qhal.Qubo(matrix), num_reads=7, seed=0).info
    assert full["descent"] is True
    assert "coefficient_bits" not in full


def test_profile_has_the_limits_of_the_machine():
    oracle = qhal.get_oracle("cim", profile="qboson-550", num_steps=2)
    assert oracle.info.max_variables == 550
    assert oracle.info.coefficient_bits == oracle.coefficient_bits == 8
    assert Cim().info.max_variables is None
    for n in (550, 551):
        couplings = sp.csr_array(sp.diags_array(np.ones(n - 1), offsets=1))
        for field in (0.0, 1.0):
            problem = qhal.Ising(couplings, np.full(n, field))
            if n == 550 and not field:
                assert oracle.sample(problem, num_reads=2).states.shape == (2, 550)
                continue
            message = "at most 550 variables" if n > 550 else "550 spins, one of which"
            with pytest.raises(qhal.InputError, match=message):
                oracle.sample(problem, num_reads=2)
    with_fields = qhal.Qubo(sp.csr_array(sp.diags_array(np.ones(549))))
    assert oracle.sample(with_fields, num_reads=2).states.shape == (2, 549)


@pytest.mark.parametrize(("largest", "warns"), [(127.0, False), (300.0, True)])
def test_profile_warns_of_coefficients_that_do_not_fit(largest, warns):
    couplings = np.zeros((3, 3))
    couplings[0, 1], couplings[1, 2] = largest, 1.0
    info = Cim(profile="qboson-550").sample(qhal.Ising(couplings, np.zeros(3)), num_reads=5).info
    assert info["dynamic_range_bits"] == pytest.approx(np.log2(largest))
    assert ("warning" in info) == warns
    if warns:
        assert "need 9.2 bits, sign included, but the machine has 8" in info["warning"]


@pytest.mark.parametrize("options", [{"dynamics": "dopo"}, {"profile": "qboson-550"}], ids=str)
def test_conformance(options):
    report = check_oracle(Cim(**options))
    assert report.passed, report


def test_it_stands_in_for_oceans_simulated_annealing():
    from dwave.samplers import SimulatedAnnealingSampler

    bqm = dimod.generators.random.ran_r(3, 12, seed=1)
    bqm.relabel_variables({v: f"spin {v}" for v in list(bqm.variables)})
    for sampler in (CimSampler(), SimulatedAnnealingSampler()):
        samples = sampler.sample(bqm, num_reads=20, seed=3)
        assert isinstance(samples, dimod.SampleSet)
        assert samples.vartype is dimod.SPIN
        assert len(samples.record) == 20
        exact = dimod.ExactSolver().sample(bqm).first.energy
        assert samples.first.energy == pytest.approx(exact)
        ising = sampler.sample_ising({"a": 1.0}, {("a", "b"): -1.0}, num_reads=5, seed=0)
        assert ising.first.sample == {"a": -1, "b": -1}
    assert CimSampler(dynamics="bsb").sample_qubo({("x", "x"): -1}).first.sample == {"x": 1}


def test_every_option_is_documented():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for option in inspect.signature(Cim).parameters:
        assert f"| `{option}` |" in readme
        assert f"\n    {option} : " in Cim.__doc__
