"""The kit for activations and losses passes honest functions and rejects those that lie."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from qhal.errors import UnknownNameError
from qhal.functions import Activation, Loss
from qhal.testing.functions import check_activation, check_loss

HONEST = {
    "arctan": Activation(
        name="arctan", function=np.arctan, lipschitz=1.0, curvature=0.6496, odd=True
    ),
    "odd about 3": Activation(
        name="raised", function=lambda z: 3.0 + np.arctan(z), odd=True, centre=3.0
    ),
    "nothing stated": Activation(name="cube root", function=np.cbrt),
    "odd but not stated": Activation(name="cube", function=lambda z: z**3),
    "bounds too large": Activation(name="half", function=lambda z: z / 2, lipschitz=9, curvature=9),
    "booleans": Activation(
        name="bool", function=lambda z: z >= 1, lipschitz=0, breakpoints=(1.0,), jumps=True
    ),
    "jump and kink": Activation(
        name="both",
        function=lambda z: np.where(z < 0, 0.0, 1.0 + np.minimum(z, 2.0)),
        lipschitz=1.0,
        curvature=0.0,
        breakpoints=(0.0, 2.0),
        jumps=True,
    ),
    "steep": Activation(name="steep", function=lambda z: np.tanh(500 * z), lipschitz=500),
}


def _sign(z):
    return np.where(z >= 0.0, 1.0, -1.0)


def _abs(z):
    return np.abs(z - 0.33)


# function, attributes, the check that must fail
LIARS = {
    "lipschitz too small": (np.tanh, {"lipschitz": 0.999}, "lipschitz"),
    "curvature too small": (np.tanh, {"lipschitz": 1.0, "curvature": 0.769}, "curvature"),
    "curvature of a straight line": (np.tanh, {"curvature": 0.0}, "order-1-spline"),
    "constant between jumps": (np.tanh, {"lipschitz": 0.0}, "order-0-spline"),
    "not monotone": (lambda z: z + 1.1 * np.sin(z), {"monotone": True}, "monotone"),
    "not odd": (lambda z: np.tanh(z) + 1e-9, {"odd": True}, "odd"),
    "odd about another value": (lambda z: np.tanh(z) + 0.5, {"odd": True, "centre": 0.4}, "odd"),
    "odd about 0 only": (np.tanh, {"odd": True, "centre": 0.5}, "odd"),
    "centre not a number": (np.tanh, {"odd": True, "centre": math.nan}, "attributes"),
    "hidden small jump": (lambda z: z + 1e-4 * (z >= 0.7123), {}, "jumps"),
    "hidden jump far out": (lambda z: np.where(z < 222.3, np.tanh(z), 0.0), {}, "jumps"),
    "hidden jump, bounds stated": (
        lambda z: np.tanh(z) + 0.5 * (z >= 0.7123),
        {"lipschitz": 1.0, "curvature": 0.77},
        "lipschitz",
    ),
    "jump at a kink": (_sign, {"breakpoints": (0.0,)}, "jumps"),
    "no jump at all": (np.tanh, {"breakpoints": (0.0,), "jumps": True}, "jumps"),
    "jump elsewhere": (_sign, {"breakpoints": (0.25,), "jumps": True}, "jumps"),
    "value from the left": (np.sign, {"breakpoints": (0.0,), "jumps": True}, "jumps"),
    "hidden kink": (_abs, {"lipschitz": 1.0, "curvature": 0.0}, "curvature"),
    "breakpoint beside the kink": (_abs, {"curvature": 0.0, "breakpoints": (0.3,)}, "curvature"),
    "one number at a time": (math.tanh, {}, "arrays"),
    "looks at its neighbours": (lambda z: z - (z.mean() if z.size else 0), {}, "arrays"),
    "another shape": (np.ravel, {}, "arrays"),
    "single precision": (lambda z: np.tanh(z).astype(np.float32), {}, "arrays"),
    "complex": (lambda z: z + 0j, {}, "arrays"),
    "works in place": (lambda z: np.tanh(z, out=z), {}, "arrays"),
    "random": (lambda z: z + np.random.default_rng().random(np.shape(z)), {}, "arrays"),
    "not a number": (lambda z: np.sin(z) / np.where(z == 0.0, np.nan, z), {}, "finite"),
    "infinite far out": (lambda z: np.where(z > 400.0, np.inf, z), {}, "finite"),
    "raises": (lambda z: z[()].no_such_method(), {}, "arrays"),
    "negative bound": (np.tanh, {"lipschitz": -1.0}, "attributes"),
    "infinite bound": (np.tanh, {"curvature": math.inf}, "attributes"),
    "breakpoints in disorder": (np.tanh, {"breakpoints": (1.0, 0.0)}, "attributes"),
    "breakpoint not a number": (np.tanh, {"breakpoints": (math.nan,)}, "attributes"),
    "empty interval": (np.tanh, {"interval": (1.0, 1.0)}, "attributes"),
    "jumps nowhere": (np.tanh, {"jumps": True}, "attributes"),
}


def failed(report):
    return [check.name for check in report.checks if check.outcome == "failed"]


@pytest.mark.parametrize("name", HONEST)
def test_honest_activations_pass(name):
    report = check_activation(HONEST[name])
    assert report.passed, str(report)


@pytest.mark.parametrize("name", LIARS)
def test_liars_are_rejected(name):
    function, attributes, check = LIARS[name]
    report = check_activation(Activation(name="liar", function=function, **attributes))
    assert not report.passed
    assert check in failed(report)


def test_nothing_but_the_lie_is_reported():
    liar = Activation(name="liar", function=np.tanh, lipschitz=1.0, curvature=0.769, odd=True)
    report = check_activation(liar)
    assert failed(report) == ["curvature"]
    (detail,) = [check.detail for check in report.checks if check.outcome == "failed"]
    assert detail.startswith("Broken: |f''| reaches 0.7697")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("another shape", r"an array of shape \(\) gives one of shape \(1,\)"),
        ("random", "the same input gives different values"),
        ("looks at its neighbours", "depends on the other entries"),
        ("value from the left", "its value at 0 is not its limit from the right"),
        ("jump at a kink", "it jumps at 0: state jumps=True"),
        ("jump elsewhere", "it jumps nowhere"),
        ("hidden small jump", "it jumps near 0.7123, which is no breakpoint"),
        ("infinite far out", "its value is not finite at 4"),
        ("raises", "It raised AttributeError"),
    ],
)
def test_the_reason_is_named(name, reason):
    function, attributes, check = LIARS[name]
    report = check_activation(Activation(name="liar", function=function, **attributes))
    details = {result.name: result.detail for result in report.checks}
    assert re.search(reason, details[check])


def test_what_cannot_be_evaluated_is_not_tried_further():
    liar = Activation(name="liar", function=lambda z: np.tanh(z, out=z), lipschitz=1.0)
    report = check_activation(liar)
    assert [check.name for check in report.checks] == ["attributes", "arrays"]
    assert str(report).splitlines()[0] == "activation 'liar'"
    assert report.checks[-1].detail == "Broken: it changes its input: work on a copy."


def test_promises_not_made_are_skipped():
    report = check_activation(Activation(name="plain", function=np.tanh))
    skipped = [check.name for check in report.checks if check.outcome == "skipped"]
    assert skipped == [
        "lipschitz",
        "curvature",
        "order-0-spline",
        "order-1-spline",
        "odd",
        "monotone",
    ]
    assert json.loads(json.dumps(report.to_json()))["passed"] is True


def test_losses_are_checked_alike():
    honest = Loss(name="exponential", function=lambda margin: np.exp(-margin))
    assert check_loss(honest).passed
    wrong = Loss(name="cubic", function=lambda m: np.abs(1 - m) ** 3, curvature=2.0)
    assert "curvature" in failed(check_loss(wrong))
    nearly = Loss(name="nearly", function=lambda m: (1 - m) ** 2 + 1e-6 * m, quadratic=True)
    assert failed(check_loss(nearly)) == ["quadratic"]


def test_names_are_looked_up():
    assert check_activation("tanh").passed
    assert check_loss("hinge").passed
    with pytest.raises(UnknownNameError, match="did you mean 'tanh'"):
        check_activation("tahn")
