"""What all rows of a benchmark share: architecture, data, and what is done with a network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from straight_through import Nets, accuracies, descend

from qhal.api import plan_training
from qhal.executors.serial import Serial
from qhal.networks.network import Network
from qhal.networks.training import TrainingPlan
from qhal.oracle import Oracle
from qhal.registry import get_oracle
from qhal.training.blocks import Parameters, network_of
from qhal.training.initial import checked_initial
from qhal.training.run import Limits, Trained
from qhal.training.sequential import Settings
from qhal.training.sequential_run import Run
from qhal.training.store import Store

RATES = (0.003, 0.01, 0.03)

Plan = Callable[[float], TrainingPlan]


class Figures(NamedTuple):
    """Accuracies of one run, and what it took."""

    train: float
    test: float
    calls: int = 0
    time_s: float = 0.0
    num_variables: int = 0
    history: tuple[Any, ...] = ()


def planner(input_bits: int = 4, **architecture: Any) -> Plan:
    """Plans by the gain of the hidden units, each made once."""
    made: dict[float, TrainingPlan] = {}

    def plan(gain: float) -> TrainingPlan:
        if gain not in made:
            made[gain] = plan_training(
                **architecture, gain=gain, input_bits=input_bits, seed=0, method="sequential"
            )
        return made[gain]

    return plan


def cim(**options: Any) -> Oracle:
    """The oracle of most rows; runs of 100 steps do for problems of some 50 spins."""
    return get_oracle("cim", num_steps=100, **options)


def sequential(
    plan: TrainingPlan, oracle: Oracle, seed: int, initial: Network | None = None, **settings: Any
) -> Figures:
    """Sequential training on all training samples, from `initial` or from random weights."""
    return figures_of(plan, _trained(plan, oracle, seed, initial, **settings))


def coarse_to_fine(
    coarse: TrainingPlan, plan: TrainingPlan, oracle: Oracle, seed: int, **settings: Any
) -> Figures:
    """`sequential` from a network that was trained on smaller images.

    That took 24 passes, the first of them over 2,000 samples; calls and time are those of both.
    """
    first = _trained(coarse, oracle, seed, epochs=24, batch=2000)
    initial = checked_initial(first.network, "sequential", plan.dataset)
    found = sequential(replace(plan, spec=initial.spec), oracle, seed, initial, **settings)
    return found._replace(
        calls=first.oracle_calls + found.calls, time_s=first.total_time_s + found.time_s
    )


def _trained(
    plan: TrainingPlan, oracle: Oracle, seed: int, initial: Network | None = None, **settings: Any
) -> Trained:
    data = plan.dataset
    run = Run(
        plan.spec,
        Store(data.x_train, data.y_train),
        oracle,
        Serial(),
        settings=Settings(**settings),
        limits=Limits(),
        seed=seed,
        class_names=data.class_names,
    )
    if initial is not None:
        run.begin_with(initial)
    return run.run(None)


def figures_of(plan: TrainingPlan, trained: Trained) -> Figures:
    """Accuracies on all samples."""
    return _measured(plan, trained.network)._replace(
        calls=trained.oracle_calls,
        time_s=trained.total_time_s,
        num_variables=trained.num_variables,
        history=trained.history,
    )


def _measured(plan: TrainingPlan, network: Network) -> Figures:
    data = plan.dataset
    return Figures(
        network.accuracy(data.x_train, data.y_train), network.accuracy(data.x_test, data.y_test)
    )


def tuned(
    plan: Plan, seeds: list[int], gains: tuple[float, ...], *, quantised: bool
) -> list[Figures]:
    """By gradients, for each seed: the best epoch, learning rate and gain, by training accuracy."""
    return [figures for figures, _, _ in _tuned(plan, seeds, gains, quantised)]


def polished(plan: Plan, gains: tuple[float, ...], seed: int, **settings: Any) -> Figures:
    """`sequential` from the best network by straight-through gradients; the time of both."""
    ((before, of_plan, parameters),) = _tuned(plan, [seed], gains, True)
    initial = network_of(of_plan.spec, parameters, of_plan.dataset.class_names)
    after = sequential(of_plan, cim(), seed, initial, **settings)
    return after._replace(time_s=before.time_s + after.time_s)


def _tuned(
    plan: Plan, seeds: list[int], gains: tuple[float, ...], quantised: bool
) -> list[tuple[Figures, TrainingPlan, Parameters]]:
    """What `tuned` says of each seed, with the plan and, if quantised, the parameters."""
    began = time.perf_counter()
    found = [_descended(plan(gain), seeds, quantised) for gain in gains]
    best = [max(runs, key=lambda run: run[0].train) for runs in zip(*found, strict=True)]
    each = (time.perf_counter() - began) / max(1, len(seeds))
    return [(figures._replace(time_s=each), *rest) for figures, *rest in best]


def _descended(
    plan: TrainingPlan, seeds: list[int], quantised: bool
) -> list[tuple[Figures, TrainingPlan, Parameters]]:
    """For each seed the best epoch and learning rate."""
    data, spec = plan.dataset, plan.spec
    q, q_test = (
        torch.tensor(spec.grid(x), dtype=torch.float32) for x in (data.x_train, data.x_test)
    )
    y, y_test = torch.tensor(data.y_train), torch.tensor(data.y_test)
    nets = Nets(spec, q, len(RATES), seeds, quantised=quantised)
    best = [Figures(0.0, 0.0)] * nets.count
    kept: list[Parameters] = [()] * nets.count
    for _ in descend(nets, q, y, RATES, seeds):
        train, test = accuracies(nets, q, y), accuracies(nets, q_test, y_test)
        for k in range(nets.count):
            if train[k] > best[k].train:
                best[k], kept[k] = Figures(train[k], test[k]), nets.parameters_of(k)
    chosen = [
        max(range(k, nets.count, len(seeds)), key=lambda net: best[net].train)
        for k in range(len(seeds))
    ]
    if quantised:  # what counts is the network of whole numbers that everyone else gets
        for net in chosen:
            best[net] = _measured(plan, network_of(spec, kept[net], data.class_names))
    return [(best[net], plan, kept[net]) for net in chosen]


def spread(values: list[float]) -> str:
    """Mean and standard deviation, in percent."""
    deviation = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return f"{np.mean(values):.2%} ± {deviation:.2%}"
