"""The incremental forward pass and the local models, against the network itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhal.networks import make_spec
from qhal.registry import load
from qhal.training.blocks import Block, Group, all_blocks, network_of
from qhal.training.chunk import Chunk, Tables
from qhal.training.objective import Objective
from tests.networks.strategies import Case, cases


def random_parameters(spec, rng):
    return tuple(
        np.column_stack(
            [
                rng.choice(layer.weights.levels, (layer.outputs, layer.inputs)),
                rng.choice(layer.biases.levels, layer.outputs),
            ]
        )
        for layer in spec.layers
    )


def chunk_of(case, parameters):
    return Chunk(Tables(case.spec), case.spec.grid(case.x), case.y, parameters)


@settings(max_examples=60, deadline=None)
@given(cases(max_samples=6), st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_any_chain_of_changes_is_a_fresh_forward_pass(case: Case, seed: int, count: int):
    rng = np.random.default_rng(seed)
    parameters = random_parameters(case.spec, rng)
    chunk = chunk_of(case, parameters)
    blocks = all_blocks(case.spec, 4)
    for _ in range(count):
        block = blocks[rng.integers(len(blocks))]
        bits = rng.integers(0, 2, block.num_bits).astype(np.int8)
        changed = block.replaced(parameters, block.decode(bits))
        network = network_of(case.spec, changed)
        expected = network.losses(case.spec.grid(case.x), case.y).sum()
        assert chunk.score_at(changed)[0] == pytest.approx(expected, rel=1e-5, abs=1e-5)
        if rng.integers(2):
            chunk.advance(changed)
            parameters = changed
    fresh = chunk_of(case, parameters)
    for mine, other in zip((*chunk.z, *chunk.values), (*fresh.z, *fresh.values), strict=True):
        np.testing.assert_array_equal(mine, other)
    outputs = network_of(case.spec, parameters).outputs(case.spec.grid(case.x))
    np.testing.assert_allclose(chunk.z[-1].T / case.spec.output_unit, outputs)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_errors_are_those_of_the_network_at_ties_as_well(outputs: int, seed: int):
    case = smooth_case("softmax", outputs=outputs)
    rng = np.random.default_rng(seed)
    z = rng.integers(-2, 2, (outputs, 30))
    y = rng.integers(0, case.spec.num_classes, 30)
    classes = network_of(case.spec, random_parameters(case.spec, rng)).classes(z.T)
    assert Objective(case.spec, 3).errors(z.astype(np.float32), y) == (classes != y).sum()


@settings(max_examples=60, deadline=None)
@given(cases(max_samples=4), st.integers(0, 2**32 - 1))
def test_decode_inverts_encode(case: Case, seed: int):
    parameters = random_parameters(case.spec, np.random.default_rng(seed))
    for block in all_blocks(case.spec, 5):
        numbers = block.numbers(parameters)
        assert block.num_bits <= 5
        np.testing.assert_array_equal(block.decode(block.encode(numbers)), numbers)
        same = block.replaced(parameters, numbers)
        assert all((a == b).all() for a, b in zip(same, parameters, strict=True))


def smooth_case(loss, sizes=(3, 2), outputs=3, samples=7):
    """Identity units: pieces never change, so derivatives can be checked by differences."""
    rng = np.random.default_rng(1)
    x, y = rng.random((samples, 4)), rng.integers(0, max(2, outputs), samples)
    spec = make_spec(
        x, load("activation", "identity"), load("loss", loss), hidden=sizes, outputs=outputs,
        weight_bits=2, bias_bits=2,
    )  # fmt: skip
    return Case(spec, x, y, None)


def blocks_of(spec):
    """One output's parameters, some of two units of a layer, some of two layers."""
    first, last = Group(0, 1, (0, 2, spec.layers[0].inputs)), len(spec.layers) - 1
    outputs = [b for b in all_blocks(spec, 550) if b.groups[0].layer == last]
    two = (first, Group(0, 0, (1,)))
    return [*outputs, Block.of(spec, two), Block.of(spec, (*two, Group(last, 0, (0,))))]


@pytest.mark.parametrize("loss", ["softmax", "squared", "cross-entropy"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_local_model_is_the_second_order_expansion(loss, outputs):
    case = smooth_case(loss, outputs=outputs)
    spec, q = case.spec, case.spec.grid(case.x).astype(float)
    parameters = random_parameters(spec, np.random.default_rng(2))
    chunk = chunk_of(case, parameters)

    def loss_at(block, numbers):
        values = q
        moved = block.replaced(tuple(p.astype(float) for p in parameters), numbers)
        for layer, part in enumerate(moved):
            z = values @ part[:, :-1].T + part[:, -1]
            if layer < len(spec.hidden):
                values = z / spec.hidden[layer].unit * spec.hidden[layer].resolution
        return spec.losses(z / spec.output_unit, case.y).sum()

    for block in blocks_of(spec):
        numbers = block.numbers(parameters).astype(float)
        gradient, hessian = chunk.local_model(block)
        n, step = len(numbers), 0.05
        units = np.eye(n) * step
        found = [
            (loss_at(block, numbers + e) - loss_at(block, numbers - e)) / 2 / step for e in units
        ]
        # A loss of margins is differentiated by secants, half a margin wide.
        np.testing.assert_allclose(gradient, found, rtol=0.1, atol=0.02 * np.abs(gradient).max())
        if len({group.layer for group in block.groups}) > 1:
            continue  # across layers Gauss-Newton leaves out the products of weights
        curved = np.array(
            [
                [
                    loss_at(block, numbers + e + f)
                    - loss_at(block, numbers + e - f)
                    - loss_at(block, numbers - e + f)
                    + loss_at(block, numbers - e - f)
                    for f in units
                ]
                for e in units
            ]
        ) / (4 * step**2)  # fmt: skip
        np.testing.assert_allclose(hessian, curved, rtol=0.1, atol=0.03 * np.abs(hessian).max())


@pytest.mark.parametrize("loss", ["softmax", "squared"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_local_model_of_a_hidden_unit_goes_through_the_loss_at_three_points(loss, outputs):
    rng = np.random.default_rng(4)
    x, y = rng.random((9, 4)), rng.integers(0, max(2, outputs), 9)
    spec = make_spec(
        x, load("activation", "hard-tanh"), load("loss", loss), hidden=(3, 2), outputs=outputs,
        gain=4,
    )  # fmt: skip
    parameters = random_parameters(spec, rng)
    chunk = chunk_of(Case(spec, x, y, None), parameters)
    q = spec.grid(x)

    def losses(layer, unit, shift):
        values = q
        for k, part in enumerate(parameters):
            z = values @ part[:, :-1].T + part[:, -1]
            if k == layer:
                z[:, unit] += shift
            if k < len(spec.hidden):
                values = np.clip(z, -spec.hidden[k].unit, spec.hidden[k].unit)
                values *= spec.hidden[k].resolution // spec.hidden[k].unit
        return spec.losses(z / spec.output_unit, y)

    for block in all_blocks(spec, 550):
        (group,) = block.groups
        if group.layer == len(spec.hidden):
            continue
        width = spec.hidden[group.layer].unit
        low, mid, high = (losses(group.layer, group.unit, k * width) for k in (-1, 0, 1))
        curvature = np.maximum(high - 2 * mid + low, 0) / width**2
        features = chunk.values[group.layer].astype(float)
        gradient, hessian = chunk.local_model(block)
        expected = features @ (high - low) / (2 * width)
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4)
        expected = features * curvature @ features.T
        np.testing.assert_allclose(hessian, expected, rtol=1e-3, atol=1e-4 * expected.max())


def test_losses_at_a_kink_have_curvature():
    case = smooth_case("hinge", sizes=(), outputs=1, samples=200)
    parameters = random_parameters(case.spec, np.random.default_rng(0))
    block = all_blocks(case.spec, 550)[0]
    _, hessian = chunk_of(case, parameters).local_model(block)
    assert np.linalg.eigvalsh(hessian)[0] > -1e-6
    assert hessian.trace() > 0


def test_saturated_units_have_a_surrogate_slope():
    x = np.random.default_rng(0).random((20, 4))
    spec = make_spec(x, load("activation", "hard-tanh"), load("loss", "softmax"), gain=4)
    tables, unit = Tables(spec), spec.hidden[0].unit
    z = np.array([0, 2 * unit, 6 * unit], dtype=np.float32)
    inner, near, far = tables.slopes(0, z)
    assert inner == 1
    assert 0 < near < 1
    assert far == 0
