"""A block's problem against forward passes of whole networks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhal.networks.fip import encode_network
from qhal.networks.gridspline import grid_splines
from qhal.training.block_fip import encode_block
from qhal.training.blocks import Block, Group, all_blocks, network_of
from tests.networks.strategies import cases


@st.composite
def blocks(draw):
    """A case with parameters and a random block of any layers."""
    case = draw(cases())
    spec = case.spec
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    parameters = tuple(
        np.column_stack(
            [
                rng.choice(layer.weights.levels, (layer.outputs, layer.inputs)),
                rng.choice(layer.biases.levels, layer.outputs),
            ]
        )
        for layer in spec.layers
    )
    groups = tuple(
        Group(k, unit, tuple(np.flatnonzero(rng.random(layer.inputs + 1) < 0.6).tolist()))
        for k, layer in enumerate(spec.layers)
        for unit in range(layer.outputs)
        if rng.random() < 0.5
    )
    return case, parameters, Block.of(spec, groups), rng


def spline_loss(spec, parameters, q, y):
    """The mean spline loss by a forward pass."""
    network = network_of(spec, parameters)
    outputs = network.outputs(q)
    if spec.loss.quadratic:
        return float(spec.losses(outputs, y).mean())
    signs, shifts = spec.margins(y)
    margins = signs * np.rint(outputs * spec.output_unit) + shifts
    return float(grid_splines(spec).loss(margins).sum(axis=1).mean())


@given(blocks())
@settings(max_examples=50)
def test_the_objective_is_the_loss_of_the_whole_network(case):
    drawn, parameters, block, rng = case
    spec, q, y = drawn.spec, drawn.spec.grid(drawn.x), drawn.y
    problem = encode_block(spec, parameters, block, q, y)
    bits = rng.integers(0, 2, (6, block.num_bits))
    values = np.zeros((6, problem.num_variables), dtype=np.int64)
    values[:, : block.num_bits] = bits
    completed = problem.completion(values)
    assert (completed[:, : block.num_bits] == bits).all()
    assert problem.feasible(completed).all()
    for state, objective in zip(completed, problem.objectives(completed), strict=True):
        changed = block.replaced(parameters, block.decode(state[: block.num_bits]))
        assert objective == pytest.approx(spline_loss(spec, changed, q, y), rel=1e-9, abs=1e-9)


@given(blocks())
@settings(max_examples=12)
def test_with_everything_free_it_is_the_joint_problem(case):
    drawn, parameters, _, _ = case
    spec, q, y = drawn.spec, drawn.spec.grid(drawn.x), drawn.y
    every = tuple(group for block in all_blocks(spec, 10_000) for group in block.groups)
    block = Block.of(spec, every)
    problem = encode_block(spec, parameters, block, q, y)
    joint = encode_network(spec, drawn.x, y)
    assert block.num_bits == spec.num_weight_bits
    assert problem.num_variables == joint.problem.num_variables


@given(blocks())
@settings(max_examples=12)
def test_holding_parameters_never_takes_more_bits(case):
    drawn, parameters, block, _ = case
    spec, q, y = drawn.spec, drawn.spec.grid(drawn.x), drawn.y
    every = tuple(group for each in all_blocks(spec, 10_000) for group in each.groups)
    whole = encode_block(spec, parameters, Block.of(spec, every), q, y)
    part = encode_block(spec, parameters, block, q, y)
    assert part.num_variables <= whole.num_variables
