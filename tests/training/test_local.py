"""Local models as QUBOs: bits, trust region, whole coefficients."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qhal.networks.spec import Code
from qhal.training.blocks import Block, Group
from qhal.training.local import LocalModel, whole
from tests.problems.strategies import all_bits


def _model(linear, quadratic):
    n = len(linear)
    return LocalModel(np.zeros(n, dtype=np.int64), np.eye(n), linear, quadratic)


@given(st.sampled_from(["ternary", 1, 2, 3, 4, 5]), st.integers(1, 3), st.integers(0, 31))
def test_moves_stay_within_the_levels_in_any_combination(kind, step, place):
    code = Code.odd(kind, step) if isinstance(kind, int) else Code.of_weights(kind)
    number = int(code.levels[place % len(code.levels)])
    moves = np.array(code.moves(number))
    assert 0 not in moves
    assert len(moves) <= code.max_moves
    reached = np.unique(number + all_bits(len(moves)) @ moves)
    assert np.isin(reached, code.levels).all()
    least = code.step * (7 if code.num_bits > 3 else 2**3)
    near = code.levels[np.abs(code.levels - number) <= least]
    np.testing.assert_array_equal(np.intersect1d(reached, near), near)


@given(st.integers(0, 2**32 - 1), st.floats(0, 3))
def test_the_qubo_is_the_expansion_and_the_penalty(seed, radius):
    rng = np.random.default_rng(seed)
    codes = (Code.odd(1), Code.odd(2, step=3), Code.of_weights("ternary"), Code.odd(4, step=2))
    block = Block((Group(0, 0, (0, 1, 2, 3)),), codes)
    numbers = np.array([rng.choice(code.levels) for code in codes])
    gradient, root = rng.normal(size=4), rng.normal(size=(4, 4))
    parameters = (np.append(numbers, 0)[np.newaxis],)
    model = LocalModel.of(block, parameters, gradient, root @ root.T)
    flips = all_bits(len(model.linear))
    moved = model.numbers_after(flips) - numbers
    expected = moved @ gradient + 0.5 * ((moved @ root) ** 2).sum(axis=1)
    np.testing.assert_allclose(model.energies(flips), expected, atol=1e-9)
    energies = model.qubo(radius, None).energies(flips)
    penalty = radius * model.unit * flips.sum(axis=1)
    np.testing.assert_allclose(energies, expected + penalty, atol=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(2, 10), st.integers(1, 6))
def test_whole_coefficients_fit_and_are_the_nearest(seed, bits, n):
    rng = np.random.default_rng(seed)
    q = np.triu(rng.normal(size=(n, n)))
    largest = 2 ** (bits - 1) - 1
    qubo = _model(np.diag(q), q + q.T).qubo(0.0, bits)
    ising = qubo.to_ising()
    for part in (ising.J, ising.h):
        part = part.toarray() if hasattr(part, "toarray") else part
        np.testing.assert_allclose(part, np.rint(part), atol=1e-9)
        assert np.abs(part).max(initial=0) <= largest + 1e-9
    pairs = np.triu(q, 1) / 4
    fields = np.diag(q) / 2 + pairs.sum(0) + pairs.sum(1)
    scale = largest / max(np.abs(pairs).max(initial=0), np.abs(fields).max())
    rounded = whole(q, bits)
    np.testing.assert_allclose(np.triu(rounded, 1) / 4, np.rint(pairs * scale), atol=1e-9)


def test_nothing_to_round():
    np.testing.assert_array_equal(whole(np.zeros((2, 2)), 8), np.zeros((2, 2)))


def test_the_best_flips_are_the_single_ones_of_lowest_model():
    rng = np.random.default_rng(0)
    q = rng.normal(size=(5, 5))
    model = _model(rng.normal(size=5), q + q.T)
    energies = model.energies(np.eye(5, dtype=np.int8))
    np.testing.assert_allclose(model.flip_energies(), energies)
    np.testing.assert_array_equal(model.best_flips(2).argmax(axis=1), np.argsort(energies)[:2])
    assert len(model.best_flips(9)) == 5
