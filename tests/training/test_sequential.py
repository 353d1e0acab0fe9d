"""Runs: limits, checkpoints, executors, and that every QUBO fits the machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import qhal
from qhal.errors import InputError, OracleError
from qhal.executors import Executor
from qhal.executors.serial import Serial
from qhal.networks import make_spec
from qhal.qcgd.checkpoint import Checkpoint
from qhal.registry import get_oracle, load
from qhal.samples import StopReason
from qhal.training import store as stores
from qhal.training.blocks import all_blocks
from qhal.training.run import Limits
from qhal.training.sequential import Settings
from qhal.training.sequential_run import Run
from qhal.training.store import Store, draw, in_order


class Backwards(Executor):
    """Runs tasks last to first, as an executor may."""

    def _run(self, function, tasks):
        for k in reversed(range(len(tasks))):
            yield k, function(tasks[k])


class Watched(qhal.Oracle):
    """Random samples; keeps what it was asked, and fails when told to."""

    info = qhal.OracleInfo(name="watched", summary="", factory="")

    def __init__(self, fail_at=None):
        self.qubos, self.fail_at = [], fail_at

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        self.qubos.append(qubo)
        if len(self.qubos) == self.fail_at:
            raise RuntimeError("no light")
        return np.random.default_rng(seed).integers(0, 2, (num_reads, qubo.num_variables))


def make_data(count=300, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, count)
    centres = rng.random((classes, 6))
    return np.clip(centres[y] + rng.normal(0, 0.1, (count, 6)), 0, 1), y


def make_run(oracle=None, executor=None, limits=None, seed=0, samples=300, data=None, **settings):
    x, y = data or make_data(samples)
    spec = make_spec(
        x, load("activation", "hard-tanh"), load("loss", "softmax"), hidden=4, outputs=3,
        weight_bits=(1, 2), gain=2,
    )  # fmt: skip
    return Run(
        spec,
        Store(x, y),
        oracle or get_oracle("sa", num_sweeps=20),
        executor or Serial(),
        settings=Settings(**({"epochs": 4, "batch": 200} | settings)),
        limits=limits or Limits(),
        seed=seed,
        class_names=("a", "b", "c"),
    )


def same(left, right):
    return all(
        (a == b).all()
        for a, b in zip(
            (*left.network.weights, *left.network.biases),
            (*right.network.weights, *right.network.biases),
            strict=True,
        )
    )


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(stores, "CHUNK", 64)


def test_it_learns_and_keeps_the_best():
    trained = make_run(epochs=6).run(None)
    x, y = make_data()
    assert trained.network.accuracy(x, y) > 0.9
    assert max(e["accuracy"] for e in trained.history) == trained.network.accuracy(x, y)
    assert trained.history[-1]["best_accuracy"] == trained.network.accuracy(x, y)
    assert trained.stop_reason is StopReason.ITERATIONS


def test_the_same_on_every_executor_and_order(small_chunks):
    first, second = make_run().run(None), make_run(executor=Backwards()).run(None)
    assert same(first, second)
    assert first.oracle_calls == second.oracle_calls
    assert not same(first, make_run(seed=1).run(None))


@pytest.mark.parametrize("limit", [6, 12, 550])
def test_every_qubo_fits_the_machine(limit):
    oracle = Watched()
    trained = make_run(oracle, max_variables=limit, coefficient_bits=4, epochs=2).run(None)
    assert len(oracle.qubos) == trained.oracle_calls
    assert max(q.num_variables for q in oracle.qubos) == trained.num_variables <= limit
    for qubo in oracle.qubos:
        ising = qubo.to_ising()
        couplings = ising.J.toarray() if hasattr(ising.J, "toarray") else ising.J
        values = np.concatenate([couplings.ravel(), ising.h])
        assert np.abs(values).max() <= 7
        assert (values == np.rint(values)).all()


def test_blocks_cover_every_bit_once():
    spec = make_run().spec
    for limit in (6, 9, 550):
        places = [
            (g.layer, g.unit, column)
            for block in all_blocks(spec, limit)
            for g in block.groups
            for column in g.columns
        ]
        assert len(set(places)) == len(places) == spec.num_parameters
    with pytest.raises(InputError, match="max_variables"):
        all_blocks(spec, 3)


def test_draws_are_distinct_samples():
    rng = np.random.default_rng(0)
    for total in (1, 2, 9, 10, 4097):
        for count in (1, total // 2 + 1, total, 2 * total):
            rows = np.concatenate([part.indices() for part in draw(total, count, rng)])
            assert len(set(rows.tolist())) == len(rows) == min(count, total)
            assert rows.min() >= 0
            assert rows.max() < total
        whole = np.concatenate([part.indices() for part in in_order(total)])
        np.testing.assert_array_equal(whole, np.arange(total))


def test_files_give_the_same_as_arrays(tmp_path):
    x, y = make_data()
    spec = make_run().spec
    run = make_run()
    on_disk = Store(x, y).in_folder(tmp_path)
    other = Run(
        spec, on_disk, run.oracle, Serial(), settings=run.settings, limits=Limits(), seed=0,
        class_names=("a", "b", "c"),
    )  # fmt: skip
    assert same(run.run(None), other.run(None))


def test_memory_does_not_grow_with_the_samples(tmp_path):
    def peak(count):
        x = np.lib.format.open_memmap(tmp_path / f"{count}.npy", "w+", np.uint8, (count, 6))
        y = np.lib.format.open_memmap(tmp_path / f"y{count}.npy", "w+", np.int64, (count,))
        for start in range(0, count, 10_000):
            part, labels = make_data(10_000, seed=start)
            x[start : start + 10_000], y[start : start + 10_000] = part * 255, labels
        del x, y
        store = Store(tmp_path / f"{count}.npy", tmp_path / f"y{count}.npy")
        spec = make_run().spec
        batches = Settings(epochs=1, batch=4096, final_batch=4096)
        run = Run(
            spec,
            store,
            Watched(),
            Serial(),
            settings=batches,
            limits=Limits(),
            seed=0,
            class_names=("a", "b", "c"),
        )
        tracemalloc.start()
        run.run(None)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    few = peak(10_000)
    assert peak(200_000) < 1.2 * few + 1e6


def test_limits_end_a_run_with_the_best_so_far():
    assert make_run(limits=Limits(max_oracle_calls=9)).run(None).oracle_calls == 9
    stopped = make_run(limits=Limits(max_oracle_calls=9)).run(None)
    assert stopped.stop_reason is StopReason.ORACLE_CALLS
    assert make_run(limits=Limits(time_limit=1e-6)).run(None).stop_reason is StopReason.TIME_LIMIT
    seen = []
    called = make_run().run(lambda epoch: seen.append(epoch.epoch) or len(seen) < 2)
    assert called.stop_reason is StopReason.CALLBACK
    assert seen == [1, 2]
    patient = make_run(Watched(), epochs=200, limits=Limits(patience=3), num_reads=1).run(None)
    assert patient.stop_reason is StopReason.NO_PROGRESS
    seen = [(-epoch["accuracy"], epoch["loss"]) for epoch in patient.history]
    assert len(seen) == seen.index(min(seen)) + 1 + 3


def test_ctrl_c_and_a_failing_oracle_return_the_best_so_far():
    def press(epoch):
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    stopped = make_run().run(press)
    assert stopped.stop_reason is StopReason.INTERRUPTED
    assert same(stopped, make_run().run(lambda epoch: epoch.epoch < 2))
    broken = make_run(Watched(fail_at=30)).run(None)
    assert broken.stop_reason is StopReason.ORACLE_FAILED
    assert "no light" in broken.notes["failure"]
    early = make_run(Watched(fail_at=5)).run(None)
    assert early.stop_reason is StopReason.ORACLE_FAILED
    assert (early.oracle_calls, len(early.history)) == (4, 0)
    with pytest.raises(OracleError, match="no light"):
        make_run(Watched(fail_at=1)).run(None)


def test_ctrl_c_while_the_run_keeps_its_books_is_heard_afterwards(tmp_path, monkeypatch):
    usual = Checkpoint.save

    def save(checkpoint, snapshot):
        signal.raise_signal(signal.SIGINT)
        usual(checkpoint, snapshot)

    monkeypatch.setattr(Checkpoint, "save", save)
    run = make_run()
    run.resume(tmp_path / "run.ckpt")
    stopped = run.run(None)
    assert (stopped.stop_reason, len(stopped.history)) == (StopReason.INTERRUPTED, 1)
    other = make_run()
    other.resume(tmp_path / "run.ckpt")
    assert len(other.history) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class Pressed(Serial):
    """Ctrl-C in the middle of every map from the 10th on."""

    maps = 0

    def _run(self, function, tasks):
        self.maps += 1
        if self.maps >= 10:
            signal.raise_signal(signal.SIGINT)
        yield from super()._run(function, tasks)


def test_ctrl_c_is_heard_within_an_epoch_and_once_more_after_it():
    executor = Pressed()
    stopped = make_run(executor=executor).run(None)
    assert stopped.stop_reason is StopReason.INTERRUPTED
    assert not stopped.history
    assert executor.maps == 11  # the second time it hit the last judgement


def test_starts_are_independent_and_the_best_is_kept():
    both = make_run(epochs=3, starts=2).run(None)
    first = make_run(epochs=3).run(None)
    assert [e["loss"] for e in both.history[:3]] == [e["loss"] for e in first.history]
    assert len(both.history) == 6
    assert both.history[3]["loss"] > first.history[2]["loss"]
    best = both.history[-1]["best_accuracy"]
    assert best == max(e["accuracy"] for e in both.history)


def test_batches_grow_by_equal_factors_to_the_last():
    settings = Settings(epochs=10, starts=2, batch=10, final_batch=1000)
    sizes = [settings.batch_of(epoch, 10**6) for epoch in range(1, 21)]
    assert sizes[:10] == sizes[10:]
    assert (sizes[0], sizes[9]) == (10, 1000)
    assert sizes[4] / sizes[3] == pytest.approx(sizes[7] / sizes[6], rel=0.1)
    assert Settings(batch=9, final_batch=3).batch_of(1, 10**6) == 3
    assert Settings(epochs=1).batch_of(1, 10**6) == Settings().batch
    assert [settings.batch_of(epoch, 300) for epoch in (1, 10)] == [10, 300]


def check_resume(make, path):
    """A run of `make()` that goes on from the file at `path` is the whole run."""
    whole = make().run(None)
    first = make()
    first.resume(path)
    first.run(lambda epoch: epoch.epoch < 2)
    second = make()
    second.resume(path)
    resumed = second.run(None)
    assert same(whole, resumed)
    keys = ("epoch", "loss", "accuracy", "oracle_calls")
    for mine, other in zip(whole.history, resumed.history, strict=True):
        assert [mine[k] for k in keys] == [other[k] for k in keys]


def test_resume_is_bit_for_bit(tmp_path):
    check_resume(make_run, tmp_path / "run.ckpt")


def test_checkpoints_of_other_runs_are_refused(tmp_path):
    path = tmp_path / "run.ckpt"
    first = make_run()
    first.resume(path)
    first.run(lambda epoch: False)
    for other in (
        make_run(seed=1),
        make_run(batch=100),
        make_run(data=make_data(seed=1)),
        make_run(get_oracle("tabu")),
    ):
        with pytest.raises(InputError, match="checkpoint"):
            other.resume(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="damaged"):
        make_run().resume(path)


SCRIPT = """
import json, os, signal, sys
sys.path.insert(0, sys.argv[3])
from tests.training.test_sequential import make_run
run = make_run()
run.resume(__import__("pathlib").Path(sys.argv[1]))
kill = int(sys.argv[2])
def after(epoch):
    if epoch.epoch == kill:
        os.kill(os.getpid(), signal.SIGKILL)
trained = run.run(after)
print(json.dumps([part.tolist() for part in trained.network.weights]))
"""


@pytest.mark.slow
def test_resume_after_kill_9(tmp_path, pytestconfig):
    def start(kill):
        command = [sys.executable, "-c", SCRIPT, tmp_path / "c", str(kill), pytestconfig.rootpath]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True)

    assert start(3).returncode == -signal.SIGKILL
    finished = start(0)
    expected = [part.tolist() for part in make_run().run(None).network.weights]
    assert json.loads(finished.stdout) == expected
