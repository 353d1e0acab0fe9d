"""Every loss by its name: known values, stated facts, and the conformance kit."""

from __future__ import annotations

import math
import pickle
from importlib import metadata

import numpy as np
import pytest

from qhal.functions import Loss
from qhal.registry import load, plugin_records
from qhal.testing.functions import check_loss

LN2, LN3 = math.log(2.0), math.log(3.0)

# Values at margins, from closed forms.
KNOWN = {
    "squared": {-1.0: 4.0, 0.0: 1.0, 0.5: 0.25, 1.0: 0.0, 3.0: 4.0},
    "hinge": {-2.0: 3.0, 0.0: 1.0, 0.5: 0.5, 1.0: 0.0, 3.0: 0.0},
    "squared-hinge": {-2.0: 9.0, 0.0: 1.0, 0.5: 0.25, 1.0: 0.0, 3.0: 0.0},
    "logistic": {0.0: 1.0, -LN3: 2.0, LN3: math.log2(4 / 3), -500.0: 500 / LN2, 500.0: 0.0},
    "absolute": {-2.0: 3.0, 0.0: 1.0, 1.0: 0.0, 3.0: 2.0},
    "huber": {-2.0: 2.5, 0.0: 0.5, 0.5: 0.125, 1.0: 0.0, 2.0: 0.5, 4.0: 2.5},
    "cross-entropy": {0.0: LN2, -LN3: 2 * LN2, LN3: math.log(4 / 3), -500.0: 500.0, 500.0: 0.0},
    "softmax": {0.0: LN2, -LN3: 2 * LN2, LN3: math.log(4 / 3), -500.0: 500.0, 500.0: 0.0},
}
NAMES = sorted(KNOWN)


def test_this_distribution_offers_these_and_no_others():
    entry_points = metadata.distribution("qhal-losses").entry_points
    assert sorted(entry.name for entry in entry_points) == NAMES
    assert set(NAMES) <= {record.name for record in plugin_records("loss")}


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_the_kit(name):
    report = check_loss(name)
    assert report.passed, str(report)


@pytest.mark.parametrize("name", NAMES)
def test_known_values(name):
    loss = load("loss", name)
    assert isinstance(loss, Loss)
    assert loss.name == name
    margins, values = zip(*KNOWN[name].items(), strict=True)
    assert loss(margins) == pytest.approx(values, rel=1e-15, abs=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_convex_and_nowhere_negative(name):
    margins = np.linspace(-9.0, 9.0, 3601)
    values = load("loss", name)(margins)
    assert (values >= 0.0).all()
    assert (np.diff(values, 2) >= -1e-12).all()


@pytest.mark.parametrize("name", ["squared", "hinge", "squared-hinge", "logistic", "absolute"])
def test_these_losses_bound_the_number_of_errors(name):
    margins = np.linspace(-9.0, 9.0, 3601)
    assert (load("loss", name)(margins) >= (margins <= 0.0)).all()


def test_the_logistic_loss_is_the_cross_entropy_in_bits():
    margins = np.linspace(-40.0, 40.0, 801)
    nats, bits = load("loss", "cross-entropy"), load("loss", "logistic")
    assert bits(margins) == pytest.approx(nats(margins) / LN2, rel=1e-14)
    # ... of the true class's probability, a sigmoid of the margin.
    likelihood = 1.0 / (1.0 + np.exp(-margins[300:500]))
    assert nats(margins[300:500]) == pytest.approx(-np.log(likelihood), rel=1e-12)


def test_only_the_squared_loss_needs_no_pieces():
    assert [name for name in NAMES if load("loss", name).quadratic] == ["squared"]


@pytest.mark.parametrize("name", NAMES)
def test_the_bounds_are_the_least_possible(name):
    loss = load("loss", name)
    m = np.linspace(-8.0, 8.0, 160_001)
    values, h = loss(m), m[1] - m[0]
    apart = np.ones(len(m) - 2, dtype=bool)  # steps that straddle no breakpoint
    for point in loss.breakpoints:
        apart &= (m[2:] <= point) | (m[:-2] >= point)
    bends = np.abs(np.diff(values, 2))[apart] / h**2
    assert bends.max() == pytest.approx(loss.curvature, rel=1e-4, abs=1e-5)
    slope = np.abs(np.diff(values)).max() / h
    if loss.lipschitz is None:
        assert slope > 17.0
    else:
        assert slope == pytest.approx(loss.lipschitz, rel=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_the_input_is_left_alone_and_the_function_can_be_sent_to_other_processes(name):
    loss = load("loss", name)
    margins = np.linspace(-2.0, 2.0, 7)
    result = loss.function(margins)
    assert not np.shares_memory(result, margins)
    assert (pickle.loads(pickle.dumps(loss))(margins) == result).all()  # noqa: S301
