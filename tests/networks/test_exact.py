"""Tiny networks solved to proved optimality."""

from __future__ import annotations

import numpy as np
import pytest

import qhal
from qhal.networks import encode_network, make_spec
from tests.networks.strategies import ACTIVATIONS, LOSSES
from tests.problems.strategies import all_bits

SQUARE = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
CUBE = all_bits(3).astype(float)


@pytest.mark.parametrize(
    ("x", "hidden", "bias_bits"),
    [(SQUARE, (2, 2), 2), (CUBE, (3, 2), 3)],
    ids=["xor", "parity of three"],
)
def test_parity_with_two_hidden_layers_is_solved_and_proved(
    x: np.ndarray, hidden: tuple, bias_bits: int
) -> None:
    pytest.importorskip("ortools")
    y = x.sum(axis=1).astype(int) % 2
    spec = make_spec(
        x, ACTIVATIONS["sign"], LOSSES["hinge"], hidden=hidden, bias_bits=bias_bits, input_bits=1
    )
    encoded = encode_network(spec, x, y)
    answer = qhal.get_oracle("cpsat").solve_exactly(encoded.problem, time_limit=60.0)
    assert answer is not None
    assert answer.status is qhal.Status.OPTIMAL
    network = encoded.network(answer.values)
    assert (network.predict(x) == y).all()
    objective = encoded.problem.objectives(answer.values)[0]
    assert answer.lower_bound == pytest.approx(objective, abs=1e-9)


def test_the_best_network_is_that_of_enumeration() -> None:
    """QCGD with an exact oracle against all weight assignments."""
    y = np.array([0, 1, 1, 1])
    spec = make_spec(
        SQUARE, ACTIVATIONS["step"], LOSSES["hinge"], hidden=1, bias_bits=1, input_bits=1
    )
    encoded = encode_network(spec, SQUARE, y)
    heads = all_bits(spec.num_weight_bits)
    tails = np.zeros((len(heads), encoded.problem.num_variables - heads.shape[1]), dtype=np.int64)
    values = encoded.problem.completion(np.hstack([heads, tails]).astype(np.int64))
    best = encoded.problem.objectives(values).min()
    solution = qhal.solve(encoded.problem, oracle="exhaustive", seed=0)
    assert solution.objective == pytest.approx(best, abs=1e-12)
