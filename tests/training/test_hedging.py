"""Hedging on data sets: limits on every QUBO, the same everywhere, resumed, stopped, killed."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qhal
from qhal.api import plan_training
from qhal.errors import InputError, OracleError
from qhal.executors import RetryWarning
from qhal.networks import Network
from qhal.reference import Random
from qhal.samples import StopReason
from qhal.training.blocks import all_blocks, network_of
from qhal.training.bundles import draw_bundles
from qhal.training.coarse import Coarse
from qhal.training.hedging import Hedging, HedgingSettings, plan_blocks
from qhal.training.initial import initial_parameters
from tests.problems.strategies import all_bits

QUICK = {
    "method": "hedging",
    "oracle": "random",
    "num_reads": 5,
    "bundles": 3,
    "bundle_size": 6,
    "hedging_rounds": 2,
    "iterations": 2,
    "epochs": 2,
    "hidden": 2,
    "seed": 3,
}


@pytest.fixture
def data(tmp_path):
    """Three classes that four features tell apart."""
    rng = np.random.default_rng(0)
    y = np.arange(240) % 3
    centres = np.array([[0.2, 0.2, 0.8, 0.5], [0.8, 0.3, 0.2, 0.5], [0.5, 0.9, 0.5, 0.5]])
    x = np.clip(centres[y] + rng.normal(0, 0.1, (240, 4)), 0, 1)
    path = tmp_path / "data.npz"
    np.savez(path, x=x, y=np.array(["a", "b", "c"])[y])
    return str(path)


def weights(result):
    network = result.network
    return [part.tolist() for part in (*network.weights, *network.biases)]


# --- what a visit draws ---------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(1, 10), st.integers(1, 8), st.booleans(), st.integers(0, 9))
def test_bundles(total, size, count, replacement, seed):
    size = min(size, total)
    visits = 2 * total // size + 1
    drawn = [
        draw_bundles(total, size, count, replacement=replacement, seed=seed, visit=visit)
        for visit in range(visits)
    ]
    for bundles in drawn:
        assert len(bundles) == count
        for rows in bundles:
            assert len(set(rows.tolist())) == size
            assert rows.min() >= 0
            assert rows.max() < total
    if not replacement:
        flat = [rows for bundles in drawn for rows in bundles]
        per_order = total // size
        for start in range(0, len(flat) - per_order + 1, per_order):
            seen = np.concatenate(flat[start : start + per_order])
            assert len(set(seen.tolist())) == per_order * size


@pytest.mark.parametrize("size", [0, 11])
def test_bundles_of_no_or_too_many_samples(size):
    with pytest.raises(InputError, match="bundle_size must be from 1 to the 10 samples"):
        draw_bundles(10, size, 1, replacement=False, seed=0, visit=0)


def test_blocks_are_as_large_as_fit_and_cover_everything(data):
    plan = plan_training(data, method="hedging", hidden=(4, 3), seed=0)
    spec, q = plan.spec, plan.spec.grid(plan.dataset.x_train)
    parameters = initial_parameters(spec, q.mean(axis=0), np.random.default_rng(0))
    bundle = q[:6], plan.dataset.y_train[:6]
    counts = []
    for limit in (10_000, 400, 150, 60):
        blocks = plan_blocks(spec, parameters, bundle, limit)
        counts.append(len(blocks))
        found = [(g.layer, g.unit, c) for b in blocks for g in b.groups for c in g.columns]
        every = [(g.layer, g.unit, c) for b in all_blocks(spec, limit) for g in b.groups
                 for c in g.columns]  # fmt: skip
        assert sorted(found) == sorted(every)
    assert counts[0] == 1
    assert counts == sorted(counts)
    assert counts[-1] > 3


# --- limits on what a machine is asked ------------------------------------------------------------


class Watching(Random):
    """Notes the sizes and coefficients that it sees."""

    def __init__(self, fails_after=None):
        self.info = qhal.get_oracle("random").info
        self.sizes, self.levels, self.fails_after = [], [], fails_after

    def _sample(self, qubo, **parameters):
        if self.fails_after is not None and len(self.sizes) >= self.fails_after:
            raise OracleError("the machine is gone")
        self.sizes.append(qubo.num_variables)
        couplings = np.triu(qubo.matrix.toarray() if qubo.is_sparse else qubo.matrix, 1) / 4
        fields = np.diag(qubo.matrix.toarray() if qubo.is_sparse else qubo.matrix) / 2
        fields = fields + couplings.sum(axis=0) + couplings.sum(axis=1)
        self.levels.append(np.concatenate([couplings.ravel(), fields]))
        return super()._sample(qubo, **parameters)


@pytest.mark.parametrize("limit", [40, 90, 550])
def test_every_qubo_fits_the_machine(data, limit):
    oracle = Watching()
    options = QUICK | {"oracle": oracle, "max_variables": limit, "coefficient_bits": 4}
    result = qhal.train(data, **options | {"epochs": 1})
    assert max(oracle.sizes) <= limit
    assert result.to_json()["num_variables"] == max(oracle.sizes)
    assert len(oracle.sizes) == result.to_json()["oracle_calls"]
    for levels in oracle.levels:
        assert np.allclose(levels, np.rint(levels))
        assert np.abs(levels).max() <= 8


def test_a_machine_that_is_too_small_is_said(data):
    with pytest.raises(InputError, match="raise max_variables"):
        qhal.train(data, **QUICK | {"max_variables": 8})


def test_rounding_has_the_mean_of_what_is_rounded():
    rng = np.random.default_rng(0)
    qubo = qhal.Qubo(np.triu(rng.normal(size=(6, 6))))
    coarse = Coarse(qhal.get_oracle("random"), 3)
    rounded = [coarse.rounded(qubo, seed).matrix for seed in range(4000)]
    couplings = np.triu(qubo.matrix, 1) / 4
    fields = np.diag(qubo.matrix) / 2 + couplings.sum(axis=0) + couplings.sum(axis=1)
    scale = 3 / max(np.abs(couplings).max(), np.abs(fields).max())
    assert np.mean(rounded, axis=0) / scale == pytest.approx(qubo.matrix, abs=0.15)
    assert not coarse.info.exact
    assert coarse.rounded(qhal.Qubo(np.zeros((2, 2))), 0).matrix.sum() == 0


# --- the same everywhere --------------------------------------------------------------------------


def test_it_learns_and_is_the_same_on_every_executor(data):
    options = QUICK | {"oracle": "cim", "epochs": 3, "num_reads": 8, "rho": 0.05}
    options |= {"hidden": 3, "weight_bits": (1, 2), "hedging_rounds": 3}
    one = qhal.train(data, **options)
    assert one.test_accuracy > 0.6
    document = one.to_json()
    assert (document["method"], document["executor"]) == ("hedging", "serial")
    assert document["num_constraints"] > 0
    other = qhal.train(data, **options, executor="processes", executor_options={"num_workers": 2})
    assert weights(one) == weights(other)
    strip = ("oracle_time_s", "elapsed_s")
    for a, b in zip(one.trained.history, other.trained.history, strict=True):
        assert {k: v for k, v in a.items() if k not in strip} == {
            k: v for k, v in b.items() if k not in strip
        }


@pytest.mark.parametrize("stop", [1, 3, 6, 9])
def test_a_run_that_is_resumed_is_the_run_that_was_not_stopped(data, tmp_path, stop):
    """Cut off by its budget after some rounds, in the middle of a visit or at its end."""
    path = tmp_path / "run.ckpt"
    whole = qhal.train(data, **QUICK)
    part = qhal.train(data, **QUICK, checkpoint=path, max_oracle_calls=6 * stop)
    assert part.to_json()["oracle_calls"] <= 6 * stop
    resumed = qhal.train(data, **QUICK, checkpoint=path)
    assert weights(resumed) == weights(whole)
    assert resumed.to_json()["oracle_calls"] == whole.to_json()["oracle_calls"]
    again = qhal.train(data, **QUICK, checkpoint=path)
    assert weights(again) == weights(whole)


def test_other_checkpoints_are_refused(data, tmp_path):
    path = tmp_path / "run.ckpt"
    qhal.train(data, **QUICK, checkpoint=path, max_oracle_calls=6)
    for change, expected in (
        ({"rho": 0.7}, "was made with rho"),
        ({"seed": 4}, "was made with seed"),
        ({"hidden": 3}, "belongs to another problem"),
        ({"bundle_size": 5}, "was made with bundle_size"),
    ):
        with pytest.raises(InputError, match=expected):
            qhal.train(data, **QUICK | change, checkpoint=path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="damaged"):
        qhal.train(data, **QUICK, checkpoint=path)


PROGRAM = """
import sys, qhal
data, path = sys.argv[1:]
qhal.train(data, **{options!r}, checkpoint=path)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_goes_on(data, tmp_path, end):
    path = tmp_path / "run.ckpt"
    options = QUICK | {"epochs": 4}
    program = [sys.executable, "-c", PROGRAM.format(options=options), data, str(path)]
    process = subprocess.Popen(program)
    give_up = time.monotonic() + 60
    while not path.exists() and process.poll() is None:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    process.send_signal(end)
    process.wait(60)
    assert weights(qhal.train(data, **options, checkpoint=path)) == weights(
        qhal.train(data, **options)
    )


# --- stopping -------------------------------------------------------------------------------------


def test_a_budget_is_never_exceeded(data):
    for calls in (1, 7):
        result = qhal.train(data, **QUICK, max_oracle_calls=calls)
        assert result.to_json()["oracle_calls"] <= calls
        assert result.trained.stop_reason is StopReason.ORACLE_CALLS
        assert isinstance(result.network, Network)


def test_other_ends(data):
    timed = qhal.train(data, **QUICK | {"epochs": 10_000}, time_limit=0.2)
    assert timed.trained.stop_reason is StopReason.TIME_LIMIT
    told = qhal.train(data, **QUICK | {"epochs": 10_000}, callback=lambda epoch: False)
    assert told.trained.stop_reason is StopReason.CALLBACK
    assert len(told.trained.history) == 1
    patient = qhal.train(data, **QUICK | {"epochs": 10_000}, patience=1)
    assert patient.trained.stop_reason is StopReason.NO_PROGRESS
    with pytest.warns(RetryWarning, match="the machine is gone"):
        failed = qhal.train(data, **QUICK | {"oracle": Watching(fails_after=8)})
    assert failed.trained.stop_reason is StopReason.ORACLE_FAILED
    assert "the machine is gone" in failed.to_json()["notes"]["failure"]


class Interrupting(Random):
    def __init__(self):
        self.info = qhal.get_oracle("random").info
        self.calls = 0

    def _sample(self, qubo, **parameters):
        self.calls += 1
        if self.calls == 8:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
        return super()._sample(qubo, **parameters)


def test_ctrl_c_returns_the_best_so_far(data):
    oracle = Interrupting()
    result = qhal.train(data, **QUICK | {"oracle": oracle, "epochs": 10_000})
    assert result.trained.stop_reason is StopReason.INTERRUPTED
    assert oracle.calls < 30
    assert isinstance(result.network, Network)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"bundle_size": 1000}, "bundle_size must be from 1 to the"),
        ({"bundles": 0}, "bundles must be"),
        ({"rho": -1.0}, "rho must be a positive number"),
        ({"rho_rule": "best"}, "rho_rule must be one of fixed, balanced, per-bit"),
        ({"coefficient_bits": 1}, "coefficient_bits must be"),
        ({"replacement": "yes"}, "replacement must be True or False"),
        ({"loss": "softmax"}, "joins the outputs"),
        ({"batch": 5}, "batch is an option of method 'sequential', not of 'hedging'"),
    ],
)
def test_bad_options(data, change, expected):
    with pytest.raises(InputError, match=expected):
        qhal.train(data, **QUICK | change)


def test_the_dual_bound_of_a_visit(tmp_path):
    """On a network so small that minima are proved: below the loss of the bits that are kept."""
    rng = np.random.default_rng(1)
    y = np.arange(40) % 2
    x = np.clip(0.3 + 0.4 * y[:, None] + rng.normal(0, 0.15, (40, 2)), 0, 1)
    np.savez(tmp_path / "two.npz", x=x, y=y)
    plan = plan_training(
        str(tmp_path / "two.npz"), hidden=0, bias_bits=2, input_bits=2, loss="squared", seed=0
    )
    chosen = HedgingSettings(bundles=3, bundle_size=5, hedging_rounds=3, coefficient_bits=None)
    state = Hedging(
        plan.spec,
        plan.spec.grid(plan.dataset.x_train).astype(np.uint8),
        plan.dataset.y_train,
        qhal.get_oracle("exhaustive"),
        qhal.get_executor("serial").map,
        chosen,
        0,
        lambda calls: None,
    )
    assert state.dual_bound(qhal.get_oracle("exhaustive")).value is None
    while not state.advance():
        pass
    bound = state.dual_bound(qhal.get_oracle("exhaustive"))
    block, parameters, _ = state.last
    rows = np.concatenate(state._bundles(0))
    losses = [
        network_of(plan.spec, block.replaced(parameters, block.decode(bits.astype(np.int8))))
        .losses(state.q[rows].astype(np.int64), state.y[rows])
        .mean()
        for bits in all_bits(block.num_bits)
    ]
    assert bound.value is not None, bound.reason
    assert bound.value <= min(losses) + 1e-12
    assert "proves no minimum" in state.dual_bound(qhal.get_oracle("random")).reason


def test_a_certificate_is_asked_for_by_name(data):
    small = QUICK | {"hidden": 0, "bias_bits": 0, "coefficient_bits": None, "bundle_size": 2}
    found = qhal.train(data, **small | {"loss": "squared"}, certify="exhaustive").to_json()
    assert set(found["dual_bound"]) == {"value", "reason"}
    assert (found["dual_bound"]["value"] is None) == bool(found["dual_bound"]["reason"])
    assert "dual_bound" not in qhal.train(data, **QUICK, max_oracle_calls=6).to_json()
    with pytest.raises(InputError, match="is not exact"):
        qhal.train(data, **QUICK, certify="random")
