"""Every activation by its name: known values, stated facts, and the conformance kit."""

from __future__ import annotations

import math
import pickle
from importlib import metadata

import numpy as np
import pytest

from qhal import hookimpl
from qhal.functions import Activation
from qhal.registry import load, plugin_records
from qhal.testing.functions import check_activation

INF = 500.0  # far out, where every tail is flat or straight to double precision

# Values at points, from closed forms or printed tables.
KNOWN = {
    "sign": {-2.0: -1.0, -1e-300: -1.0, 0.0: 1.0, 3.0: 1.0},
    "step": {-2.0: 0.0, -1e-300: 0.0, 0.0: 1.0, 3.0: 1.0},
    "relu": {-2.0: 0.0, 0.0: 0.0, 3.0: 3.0},
    "leaky-relu": {-2.0: -0.02, 0.0: 0.0, 3.0: 3.0},
    "hard-tanh": {-2.0: -1.0, -0.25: -0.25, 0.0: 0.0, 1.0: 1.0, 7.0: 1.0},
    "tanh": {0.0: 0.0, math.log(2.0): 0.6, -math.log(3.0): -0.8, INF: 1.0},
    "sigmoid": {0.0: 0.5, math.log(3.0): 0.75, -math.log(4.0): 0.2, INF: 1.0, -INF: 0.0},
    "softplus": {0.0: math.log(2.0), math.log(7.0): math.log(8.0), INF: INF, -INF: 0.0},
    "silu": {0.0: 0.0, math.log(3.0): 0.75 * math.log(3.0), INF: INF, -INF: 0.0},
    "gelu": {0.0: 0.0, 1.0: 0.8413447460685429, -1.0: -0.15865525393145707, INF: INF, -INF: 0.0},
    "identity": {-2.5: -2.5, 0.0: 0.0, INF: INF},
    "sin": {0.0: 0.0, math.pi / 6: 0.5, -math.pi / 2: -1.0, math.pi: 0.0},
}
ODD = {"sign", "hard-tanh", "tanh", "identity", "sin", "step", "sigmoid"}  # the last two about 1/2
NAMES = sorted(KNOWN)


def test_this_distribution_offers_these_and_no_others():
    entry_points = metadata.distribution("qhal-activations").entry_points
    assert sorted(entry.name for entry in entry_points) == NAMES
    assert set(NAMES) <= {record.name for record in plugin_records("activation")}


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_the_kit(name):
    report = check_activation(name)
    assert report.passed, str(report)


@pytest.mark.parametrize("name", NAMES)
def test_known_values(name):
    activation = load("activation", name)
    assert isinstance(activation, Activation)
    assert activation.name == name
    points, values = zip(*KNOWN[name].items(), strict=True)
    assert activation(points) == pytest.approx(values, rel=1e-15, abs=1e-15)


@pytest.mark.parametrize("name", ["sign", "step"])
def test_both_zeros_belong_to_the_upper_side(name):
    assert load("activation", name)([-0.0, 0.0]).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", NAMES)
def test_monotony_is_stated_where_it_holds(name):
    activation = load("activation", name)
    values = activation(np.linspace(-20, 20, 4001))
    assert activation.monotone == bool((np.diff(values) >= 0).all())


@pytest.mark.parametrize("name", NAMES)
def test_oddness_is_stated_where_it_holds(name):
    activation = load("activation", name)
    assert activation.odd == (name in ODD)
    z = np.linspace(0.01, 9.0, 500)
    mean = (activation(z) + activation(-z)) / 2
    assert (np.ptp(mean) < 1e-12) == activation.odd
    assert not activation.odd or mean[0] == pytest.approx(activation.centre, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_bounds_are_the_least_possible(name):
    activation = load("activation", name)
    x = np.linspace(-8.0, 8.0, 160_001)
    apart = np.ones(len(x) - 2, dtype=bool)  # steps that straddle no breakpoint
    for point in activation.breakpoints:
        apart &= (x[2:] <= point) | (x[:-2] >= point)
    values, h = activation(x), x[1] - x[0]
    slopes = np.abs(values[2:] - values[:-2])[apart] / (2 * h)
    if activation.jumps:  # a step up to the jump already contains it
        slopes = np.zeros(1)
    bends = np.abs(np.diff(values, 2))[apart & ~np.isin(x[2:], activation.breakpoints)] / h**2
    assert slopes.max() == pytest.approx(activation.lipschitz, rel=1e-3)
    assert bends.max() == pytest.approx(activation.curvature, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_input_is_left_alone_and_the_function_can_be_sent_to_other_processes(name):
    activation = load("activation", name)
    points = np.linspace(-2.0, 2.0, 7)
    result = activation.function(points)
    assert not np.shares_memory(result, points)
    assert (pickle.loads(pickle.dumps(activation))(points) == result).all()  # noqa: S301


@pytest.mark.parametrize("name", NAMES)
def test_the_plugin_object_implements_the_hook(name):
    (entry,) = metadata.entry_points(group="qhal.activations", name=name)
    hook = type(entry.load()).qhal_activation
    assert hasattr(hook, f"{hookimpl.project_name}_impl")
