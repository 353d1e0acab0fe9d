"""Splines of every shipped function and of awkward ones: knots, values and error bounds."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qhal.errors import InputError
from qhal.functions import Activation
from qhal.networks.splines import adaptive_knots, fit_spline, uniform_knots
from qhal.registry import SHIPPED_BY, load

SHIPPED = [(kind, name) for kind in ("activation", "loss") for name in SHIPPED_BY[kind]]
AWKWARD = {
    "sawtooth": Activation(
        name="sawtooth",
        function=lambda x: x - np.floor(x),
        lipschitz=1.0,
        curvature=0.0,
        breakpoints=tuple(float(k) for k in range(-50, 51)),
        jumps=True,
    ),
    "cliff": Activation(  # rises towards its jump, falls after it
        name="cliff",
        function=lambda x: np.where(x < 0.5, np.exp(-((x - 0.5) ** 2)), np.cos(x) - 3.0),
        lipschitz=1.0,
        curvature=2.0,
        breakpoints=(0.5,),
        jumps=True,
    ),
    "unstated kink": Activation(name="kink", function=lambda x: np.abs(x - 0.3), lipschitz=1.0),
    "curvature alone": Activation(name="square", function=np.square, curvature=2.0),
    "too careful": Activation(name="half", function=lambda x: x / 2, lipschitz=3.0, curvature=1.0),
}
FUNCTIONS = {name: load(kind, name) for kind, name in SHIPPED} | AWKWARD
PIECEWISE_LINEAR = [name for name, f in FUNCTIONS.items() if f.curvature == 0.0]

functions = st.sampled_from(sorted(FUNCTIONS)).map(FUNCTIONS.__getitem__)
orders = st.sampled_from([0, 1])
makers = st.sampled_from([uniform_knots, adaptive_knots])
ends = st.one_of(st.integers(-12, 12).map(float), st.floats(-40.0, 40.0, width=32))


@st.composite
def domains(draw):
    low, high = sorted((draw(ends), draw(ends)))
    assume(high - low > 1e-3)
    return low, high


def probes(knots, breakpoints=()):
    """A dense grid over the domain and the immediate neighbourhood of every knot."""
    marks = np.union1d(knots, [b for b in breakpoints if knots[0] <= b <= knots[-1]])
    near = [marks, np.nextafter(marks, -np.inf), np.nextafter(marks, np.inf), marks - 1e-9]
    points = np.concatenate([np.linspace(knots[0], knots[-1], 6007), *near])
    return points[(points >= knots[0]) & (points <= knots[-1])]


def largest_error(function, spline, points):
    return float(np.abs(spline(points) - function(points)).max())


@settings(max_examples=200)
@given(functions, orders, makers, domains(), st.integers(1, 20))
def test_the_error_bound_holds_and_is_tight(function, order, make, domain, pieces):
    spline = fit_spline(function, order, make(function, *domain, pieces, order))
    points = probes(spline.knots, function.breakpoints)
    points = points[points <= domain[1]]
    seen = largest_error(function, spline, points)
    scale = float(np.abs(function(points)).max())
    assert seen <= spline.error_bound + 1e-12 * (1 + scale)
    assert spline.error_bound <= 1.03 * seen + 1e-6 * (1 + scale)


@settings(max_examples=100)
@given(functions, st.lists(st.floats(-20.0, 20.0, width=16), min_size=2, max_size=12, unique=True))
def test_the_error_bound_never_exceeds_the_textbook_one(function, points):
    inside = [b for b in function.breakpoints if min(points) < b < max(points)]
    knots = np.unique([*points, *inside])
    widest = np.diff(knots).max()
    if function.lipschitz is not None:
        bound = fit_spline(function, 0, knots).error_bound
        assert bound <= function.lipschitz * widest / 2 * (1 + 1e-12) + 1e-12
    if function.curvature is not None:
        bound = fit_spline(function, 1, knots).error_bound
        assert bound <= function.curvature * widest**2 / 8 * (1 + 1e-12) + 1e-12


@settings(max_examples=100)
@given(functions, orders, makers, domains(), st.integers(1, 20))
def test_knots_increase_and_contain_both_ends_and_the_breakpoints(
    function, order, make, domain, pieces
):
    knots = make(function, *domain, pieces, order)
    inside = {b for b in function.breakpoints if domain[0] < b < domain[1]}
    assert (np.diff(knots) > 0).all()
    assert knots[0] == domain[0]
    assert {*domain, *inside} <= set(knots)
    assert len(knots) <= pieces + 3 + len(inside) + function.jumps


@settings(max_examples=100)
@given(functions, orders, domains(), st.integers(1, 20))
def test_adaptive_knots_are_no_worse_than_uniform_ones(function, order, domain, pieces):
    uniform = uniform_knots(function, *domain, pieces, order)
    adaptive = adaptive_knots(function, *domain, pieces, order)
    points = probes(uniform)
    errors = [
        largest_error(function, fit_spline(function, order, knots), points[points <= domain[1]])
        for knots in (uniform, adaptive)
    ]
    assert len(adaptive) <= len(uniform)
    assert errors[1] <= 1.01 * errors[0] + 1e-9


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
@pytest.mark.parametrize("pieces", [3, 4, 8, 16])
def test_adaptive_knots_are_clearly_better_for_s_shaped_functions(name, pieces):
    function = FUNCTIONS[name]
    bounds = [
        fit_spline(function, 1, make(function, -10.0, 10.0, pieces)).error_bound
        for make in (uniform_knots, adaptive_knots)
    ]
    assert bounds[1] < 0.75 * bounds[0]


def test_adaptive_knots_approach_the_best_possible_error():
    # With k pieces it tends to (integral of sqrt|f''|)^2 / (8 k^2), and to the rise / (2 k).
    tanh, k = FUNCTIONS["tanh"], 40
    x = np.linspace(-6.0, 6.0, 100_001)
    bend = np.sqrt(np.abs(2 * np.tanh(x) / np.cosh(x) ** 2))
    best = {0: math.tanh(6.0) / k, 1: (bend.sum() * (x[1] - x[0])) ** 2 / (8 * k**2)}
    for order in (0, 1):
        knots = adaptive_knots(tanh, -6.0, 6.0, k - 2, order)
        assert len(knots) == k + 1
        error = largest_error(tanh, fit_spline(tanh, order, knots), x)
        assert best[order] * 0.98 <= error <= best[order] * 1.03


@pytest.mark.parametrize("name", PIECEWISE_LINEAR)
@pytest.mark.parametrize("make", [uniform_knots, adaptive_knots])
def test_piecewise_linear_functions_are_reproduced_by_their_breakpoints_alone(name, make):
    function = FUNCTIONS[name]
    knots = make(function, -7.25, 9.5, 6)
    inside = [b for b in function.breakpoints if -7.25 < b < 9.5]
    spline = fit_spline(function, 1, knots)
    assert knots.tolist() == [-7.25, *inside, 9.5]
    assert spline.error_bound <= 1e-12
    assert largest_error(function, spline, probes(knots)) <= 1e-9  # 1e-9 beside a jump


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("name", ["sign", "step"])
def test_step_functions_are_exact_for_either_order(name, order):
    function = FUNCTIONS[name]
    spline = fit_spline(function, order, uniform_knots(function, -3.0, 5.0, 4, order))
    points = np.array([-3.0, -1e-300, -0.0, 0.0, 1e-300, 5.0, -9.0, 9.0])
    assert spline.error_bound == 0.0
    assert (spline(points) == function(points)).all()


@pytest.mark.parametrize("order", [0, 1])
def test_a_jump_must_be_a_knot(order):
    with pytest.raises(InputError, match="'sign' jumps at 0.0, which must be a knot"):
        fit_spline(FUNCTIONS["sign"], order, np.array([-1.0, 1e-12, 1.0]))
    assert fit_spline(FUNCTIONS["sign"], order, np.array([0.0, 1.0])).error_bound == 0.0


def test_the_piece_before_a_jump_keeps_its_own_side():
    sawtooth = AWKWARD["sawtooth"]
    line = fit_spline(sawtooth, 1, [0.0, 1.0, 2.0])
    assert line(np.array([0.5, 0.75, 1.0, 1.5])) == pytest.approx([0.5, 0.75, 0.0, 0.5])
    steps = fit_spline(sawtooth, 0, [0.0, 0.5, 1.0])
    assert steps.values == pytest.approx([0.25, 0.75])
    assert steps.error_bound == pytest.approx(0.25)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("make", [uniform_knots, adaptive_knots])
def test_a_jump_at_either_end_of_the_domain_keeps_its_value(order, make):
    step = FUNCTIONS["step"]
    for low, high in ((-2.0, 0.0), (0.0, 2.0)):
        spline = fit_spline(step, order, make(step, low, high, 3, order))
        points = np.linspace(low, high, 9)
        assert spline(points) == pytest.approx(step(points), abs=0)


def test_a_kink_between_knots_is_accounted_for():
    hard_tanh = FUNCTIONS["hard-tanh"]
    spline = fit_spline(hard_tanh, 1, [-3.0, 0.0, 3.0])  # off by 2/3 at the kinks
    assert spline.error_bound == pytest.approx(2 / 3)


def test_constant_pieces_know_how_far_a_function_with_a_kink_can_go():
    assert fit_spline(AWKWARD["unstated kink"], 0, [-0.7, 1.3]).error_bound == pytest.approx(1.0)


def test_steps_that_fall_on_a_breakpoint_are_not_doubled():
    kinked = Activation(  # 0.3 is not the third of ten equal steps from 0 to 1, but nearly
        name="kinked", function=np.tanh, curvature=1.0, breakpoints=(0.3,), interval=(0.0, 1.0)
    )
    knots = uniform_knots(kinked, 0.0, 1.0, 10)
    assert len(knots) == 11
    assert 0.3 in knots


def test_constant_pieces_follow_a_tail_that_rises():
    relu, tanh, hinge = FUNCTIONS["relu"], FUNCTIONS["tanh"], FUNCTIONS["hinge"]
    assert uniform_knots(hinge, -7.0, 8.0, 4, 0).tolist() == [-7.0, -5.0, -3.0, -1.0, 1.0, 8.0]
    assert uniform_knots(relu, -8.0, 8.0, 4, 0).tolist() == [-8.0, 0.0, 2.0, 4.0, 6.0, 8.0]
    assert uniform_knots(tanh, -8.0, 8.0, 2, 0).tolist() == [-8.0, -3.0, 0.0, 3.0, 8.0]


def test_an_unknown_function_has_no_bound():
    unknown = Activation.from_callable(lambda x: x**3)
    spline = fit_spline(unknown, 1, [0.0, 1.0, 2.0])
    assert spline.error_bound is None
    assert spline([0.5, 1.5, 3.0]) == pytest.approx([0.5, 4.5, 15.0])


@pytest.mark.parametrize(
    ("order", "knots", "message"),
    [
        (2, [0.0, 1.0], "order must be 0 or 1"),
        (1, [0.0], "at least two knots"),
        (1, [0.0, 1.0, 1.0], "in increasing order"),
        (1, [0.0, math.nan], "knots contains NaN"),
        (0, [0.0, math.inf], "knots contains an infinite value"),
        (0, [[0.0, 1.0]], "one-dimensional"),
    ],
)
def test_bad_knots_are_explained(order, knots, message):
    with pytest.raises(InputError, match=message):
        fit_spline(FUNCTIONS["tanh"], order, knots)


@pytest.mark.parametrize("make", [uniform_knots, adaptive_knots])
def test_bad_domains_are_explained(make):
    bad = [(0.0, 0.0), (1.0, -1.0), (0.0, math.inf), (math.nan, 1.0)]
    for (low, high), order in itertools.product(bad, (0, 1)):
        with pytest.raises(InputError, match="finite domain with low < high"):
            make(FUNCTIONS["relu"], low, high, 3, order)
    with pytest.raises(InputError, match="at least 1 piece, not 0"):
        make(FUNCTIONS["sign"], 0.0, 1.0, 0)
    with pytest.raises(InputError, match="order must be 0 or 1"):
        make(FUNCTIONS["tanh"], 0.0, 1.0, 3, 2)


@pytest.mark.parametrize("order", [0, 1])
def test_the_side_before_a_jump_is_seen_past_underflow(order):
    gentle = Activation(  # the largest number below 0 times 0.1 is not below 0
        name="gentle",
        function=lambda x: np.where(0.1 * x >= 0.0, 1.0, 0.0),
        lipschitz=0.0,
        curvature=0.0,
        breakpoints=(0.0,),
        jumps=True,
    )
    assert fit_spline(gentle, order, [-1.0, 0.0, 1.0])([-1.0, -0.5, 0.0]).tolist() == [0, 0, 1]
