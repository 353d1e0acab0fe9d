"""What the benchmarks share: assignments of weights, completed, pooled, and one network chosen."""

from __future__ import annotations

import numpy as np

from qhal.networks import EncodedNetwork, Network, encode_network
from qhal.networks.selection import choose
from qhal.networks.training import CandidatePool, TrainingPlan


def encoded_samples(plan: TrainingPlan) -> EncodedNetwork:
    """The QCBO that `train_joint` would solve."""
    data, chosen = plan.dataset, plan.chosen
    return encode_network(plan.spec, data.x_train[chosen], data.y_train[chosen])


def offer(pool: CandidatePool, encoded: EncodedNetwork, values: np.ndarray) -> None:
    """Complete `values` (k, num_variables) and put them into `pool`."""
    assert encoded.problem.completion is not None
    whole = encoded.problem.completion(values.astype(np.int64))
    pool(whole, encoded.problem.objectives(whole))


def visit_random(plan: TrainingPlan, count: int) -> CandidatePool:
    """Fair coins for the weight bits."""
    encoded = encoded_samples(plan)
    pool = CandidatePool(plan.spec.num_weight_bits)
    shape = (count, encoded.problem.num_variables)
    offer(pool, encoded, np.random.default_rng(plan.seed).integers(0, 2, shape))
    return pool


def best_of(plan: TrainingPlan, pool: CandidatePool, *, means: bool = True) -> Network:
    """The network that `train_joint` would choose from `pool`."""
    data = plan.dataset
    candidates = pool.networks(encoded_samples(plan), data.class_names)
    network, _ = choose(candidates, data.x_train, data.y_train, means=means)
    return network
