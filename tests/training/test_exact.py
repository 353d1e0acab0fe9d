"""Local models with exact samples against forward passes, and runs with them."""

from __future__ import annotations

import secrets
import signal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import qhal
from qhal.errors import InputError
from qhal.executors.serial import Serial
from qhal.networks import make_spec
from qhal.networks.gridspline import grid_splines
from qhal.problems.encoding import encode
from qhal.registry import get_executor, get_oracle, load
from qhal.samples import Status, StopReason
from qhal.training.blocks import Block, Group
from qhal.training.chunk import Chunk, Tables
from qhal.training.exact import ExactSamples, SharpModel, ask_sharply
from qhal.training.initial import initial_parameters
from qhal.training.reduction import Reduction
from qhal.training.run import Limits
from qhal.training.sequential import Settings
from qhal.training.sequential_run import Run
from qhal.training.store import Store, in_order
from qhal.training.tasks import Job
from tests.networks.strategies import cases
from tests.problems.strategies import all_bits
from tests.training.test_block_fip import spline_loss
from tests.training.test_chunk import random_parameters
from tests.training.test_sequential import Watched, check_resume, same


def exact_samples(spec, x, y, limit, max_variables=10_000):
    job = Job(secrets.token_hex(8), spec, Store(x, y))
    return ExactSamples(Reduction(job, Serial()), limit, max_variables)


@st.composite
def hidden_blocks(draw):
    """A case with parameters and a block of some parameters of one hidden unit."""
    case = draw(cases(max_samples=5))
    spec = case.spec
    assume(spec.hidden)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    parameters = random_parameters(spec, rng)
    layer = int(rng.integers(len(spec.hidden)))
    facts = spec.layers[layer]
    free = [facts.weights.num_bits > 0] * facts.inputs + [facts.biases.num_bits > 0]
    columns = np.flatnonzero(free & (rng.random(facts.inputs + 1) < 0.9)).tolist()
    assume(columns)
    block = Block.of(spec, (Group(layer, int(rng.integers(facts.outputs)), tuple(columns)),))
    return case, parameters, block


def flips_to_a_kink(spec, parameters, block, q):
    """For each sample how many flips of the bit that moves the unit most, from a forward pass."""
    (group,) = block.groups
    values, layers = q.astype(np.float64), grid_splines(spec).hidden
    for k in range(group.layer):
        values = layers[k](values @ parameters[k][:, :-1].T + parameters[k][:, -1])
    inputs = np.column_stack([values, np.ones(len(q))])
    z = inputs @ parameters[group.layer][group.unit]
    starts, spline = layers[group.layer].starts, layers[group.layer]
    # Reading off the values around each start of a piece where the line through them bends.
    near = np.unique(np.concatenate([starts[1:] - 1, starts[1:]]))
    kinks = [k for k in near if spline(k + 1) - spline(k) != spline(k) - spline(k - 1)]
    moves = np.abs(inputs[:, list(group.columns)] @ block.steps).max(axis=1)
    far = [
        min((abs(at - kink) / move for kink in kinks), default=np.inf) if move else np.inf
        for at, move in zip(z, moves, strict=True)
    ]
    return np.array(far)


@given(hidden_blocks(), st.integers(1, 5), st.floats(0, 3))
@settings(max_examples=30)
def test_the_problem_is_the_exact_samples_the_others_parabolas_and_the_penalty(case, limit, radius):
    drawn, parameters, block = case
    spec, q, y = drawn.spec, drawn.spec.grid(drawn.x), drawn.y
    model = exact_samples(spec, drawn.x, y, limit).model(in_order(len(y)), parameters, block)

    far = flips_to_a_kink(spec, parameters, block, q)
    chosen = [k for k in np.argsort(far, kind="stable")[:limit] if np.isfinite(far[k])]
    others = np.setdiff1d(np.arange(len(y)), chosen)
    assert isinstance(model, SharpModel) == bool(chosen)
    if not chosen:
        return
    gradient, hessian = 0.0, 0.0
    if len(others):
        chunk = Chunk(Tables(spec), q[others], y[others], parameters)
        gradient, hessian = chunk.local_model(block)

    def parabolas(step):
        return gradient @ step + step @ hessian @ step / 2 if len(others) else 0.0

    def loss(bits):
        numbers = block.decode(bits)
        changed = block.replaced(parameters, numbers)
        exact = len(chosen) * spline_loss(spec, changed, q[chosen], y[chosen])
        return (exact + parabolas(numbers - block.numbers(parameters))) / len(y)

    every, present = all_bits(block.num_bits), block.encode(block.numbers(parameters))
    losses = np.array([loss(bits) for bits in every])
    here = loss(present)
    near = 1e-5 * max(1.0, np.abs(losses).max())  # derivatives are float32
    flips = every ^ present
    np.testing.assert_allclose(model.energies(flips), losses - here, atol=near)
    singles = [loss(present ^ flip) - here for flip in np.eye(block.num_bits, dtype=np.int8)]
    assert model.unit == pytest.approx(np.abs(singles).mean(), abs=near)

    problem = model.penalised(radius)
    values = np.zeros((len(every), problem.num_variables), dtype=np.int64)
    values[:, : block.num_bits] = every
    values = problem.completion(values)
    assert problem.feasible(values).all()
    penalties = radius * model.unit * flips.sum(axis=1)
    np.testing.assert_allclose(problem.objectives(values), losses + penalties, atol=near)
    np.testing.assert_array_equal(model.numbers_after(flips), block.decode(every))


def make_data(count=120, features=6, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, count)
    centres = rng.random((2, features))
    return np.clip(centres[y] + rng.normal(0, 0.25, (count, features)), 0, 1), y


def make(x, hidden=2, loss="softmax", outputs=1, bias_bits=4):
    return make_spec(
        x, load("activation", "hard-tanh"), load("loss", loss), hidden=hidden, outputs=outputs,
        weight_bits=1, bias_bits=bias_bits, gain=2,
    )  # fmt: skip


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_with_all_samples_exact_the_optimum_over_all_bits_is_found(seed):
    x, y = make_data(2, features=4, seed=seed)
    spec = make(x, loss="squared", bias_bits=2)
    parameters = random_parameters(spec, np.random.default_rng(seed))
    block = Block.of(spec, (Group(0, 0, tuple(range(5))),))
    model = exact_samples(spec, x, y, 2).model(in_order(2), parameters, block)
    q = spec.grid(x)
    losses = np.array(
        [
            spline_loss(spec, block.replaced(parameters, block.decode(bits)), q, y)
            for bits in all_bits(block.num_bits)
        ]
    )
    assert losses.max() > losses.min()
    answer = ask_sharply(
        model,
        0.0,
        get_oracle("exhaustive"),
        num_reads=1,
        coefficient_bits=None,
        seed=seed,
        goes_on=lambda calls: True,
        rounds=60,
    )
    assert answer.solution.status is Status.OPTIMAL
    assert answer.solution.objective == pytest.approx(losses.min(), abs=1e-6)
    found = model.numbers_after(answer.flips)
    seen = [spline_loss(spec, block.replaced(parameters, each), q, y) for each in found]
    assert min(seen) == pytest.approx(losses.min(), abs=1e-6)


def make_run(oracle=None, executor=None, limits=None, seed=0, **options):
    x, y = make_data()
    return Run(
        make(x),
        Store(x, y),
        oracle or get_oracle("sa", num_sweeps=20),
        executor or Serial(),
        settings=Settings(**({"epochs": 3, "batch": 60, "exact_samples": 5} | options)),
        limits=limits or Limits(),
        seed=seed,
    )


def test_it_learns_and_depends_on_the_seed_alone():
    first, again = make_run().run(None), make_run().run(None)
    assert first.network.accuracy(*make_data()) > 0.85
    assert first.num_constraints > 0
    assert same(first, again)
    assert first.oracle_calls == again.oracle_calls
    plain = make_run(exact_samples=0).run(None)
    assert plain.num_constraints == 0
    assert not same(first, plain)
    assert not same(first, make_run(seed=1).run(None))


def test_the_same_in_other_processes(tmp_path, monkeypatch):
    monkeypatch.setattr("qhal.training.store.CHUNK", 16)
    alone = make_run().run(None)
    x, y = make_data()
    run = make_run()
    with get_executor("processes", num_workers=2) as executor:
        other = Run(
            run.spec,
            Store(x, y).in_folder(tmp_path),
            run.oracle,
            executor,
            settings=run.settings,
            limits=run.limits,
            seed=0,
        ).run(None)
    assert same(alone, other)
    assert [e["loss"] for e in alone.history] == [e["loss"] for e in other.history]


def test_resume_is_bit_for_bit_and_only_with_the_same_setting(tmp_path):
    path = tmp_path / "run.ckpt"
    check_resume(make_run, path)
    for other in (0, 4):
        with pytest.raises(InputError, match="checkpoint"):
            make_run(exact_samples=other).resume(path)


def test_without_exact_samples_a_checkpoint_knows_nothing_of_them():
    assert "exact_samples" not in make_run(exact_samples=0)._identity()
    assert make_run()._identity()["exact_samples"] == 5


@pytest.mark.parametrize("limit", [11, 40, 80])
def test_every_qubo_fits_the_machine(limit):
    oracle = Watched()
    trained = make_run(oracle, max_variables=limit, epochs=1, exact_samples=9).run(None)
    assert len(oracle.qubos) == trained.oracle_calls
    assert max(q.num_variables for q in oracle.qubos) <= trained.num_variables <= limit
    assert (trained.num_constraints > 0) == (limit > 11)  # a block alone has 10 bits, or 12 moves


def test_as_many_samples_as_fit_are_exact():
    x, y = make_data()
    spec = make(x)
    parameters = initial_parameters(spec, spec.grid(x).mean(axis=0), np.random.default_rng(0))
    block = Block.of(spec, (Group(0, 1, tuple(range(7))),))

    def size(limit, room=10_000):
        model = exact_samples(spec, x, y, limit, room).model(in_order(len(y)), parameters, block)
        return encode(model.problem).num_bits if isinstance(model, SharpModel) else 0

    sizes = [size(limit) for limit in (1, 2, 3, 4)]
    assert sorted(set(sizes)) == sizes
    assert size(4, sizes[3]) == sizes[3]
    assert size(4, sizes[3] - 1) == sizes[2]
    assert size(4, sizes[0]) == sizes[0]
    assert size(4, sizes[0] - 1) == 0


def test_limits_end_a_run_within_a_question():
    for calls in (1, 2, 7):
        trained = make_run(Watched(), limits=Limits(max_oracle_calls=calls)).run(None)
        assert trained.oracle_calls == calls
        assert trained.stop_reason is StopReason.ORACLE_CALLS


class Pressed(Watched):
    """Ctrl-C in the middle of its fifth call."""

    def _sample(self, qubo, **options):
        states = super()._sample(qubo, **options)
        if len(self.qubos) == 5:
            signal.raise_signal(signal.SIGINT)
        return states


def test_ctrl_c_and_a_failing_oracle_end_a_question_and_the_run():
    pressed = Pressed()
    assert make_run(pressed).run(None).stop_reason is StopReason.INTERRUPTED
    assert len(pressed.qubos) == 5
    broken = make_run(Watched(fail_at=20)).run(None)
    assert broken.stop_reason is StopReason.ORACLE_FAILED
    assert "no light" in broken.notes["failure"]


def test_what_has_no_kinks_of_its_own_is_refused_in_a_sentence():
    x, y = make_data()
    options = {
        "settings": Settings(exact_samples=3), "limits": Limits(), "seed": 0,
    }  # fmt: skip
    run = [Store(x, y), get_oracle("sa"), Serial()]
    with pytest.raises(InputError, match="joins the outputs.*'cross-entropy'"):
        Run(make(x, outputs=3), *run, **options)
    with pytest.raises(InputError, match="add hidden units"):
        Run(make(x, hidden=0), *run, **options)
    with pytest.raises(InputError, match="exact_samples must be a whole number"):
        Settings(exact_samples=-1)
    Run(make(x, outputs=3, loss="cross-entropy"), *run, **options)


def test_train_takes_them():
    options = {"classes": "coat,sandal", "hidden": 2, "samples": 60, "epochs": 1, "seed": 0}
    options |= {"method": "sequential", "oracle": "sa", "oracle_options": {"num_sweeps": 10}}
    result = qhal.train("fashion-mnist", **options, exact_samples=2)
    assert result.trained.num_constraints > 0
    with pytest.raises(InputError, match="exact_samples is an option of method 'sequential'"):
        qhal.train("fashion-mnist", classes="coat,sandal", exact_samples=2)
