"""Progressive hedging and its dual bound against brute force, and the bound's conditions."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qhal
from qhal.errors import InputError
from qhal.oracle import ExactAnswer
from qhal.reference import Exhaustive
from qhal.samples import Status
from qhal.training.bundles import with_fields
from qhal.training.consensus import Hedge, Penalty
from qhal.training.dual import balanced_prices, dual_bound
from tests.problems.strategies import all_bits


@st.composite
def scenarios(draw, copies=4, bits=4):
    """Problems over the same bits, with a helper bit of its own each, and their sizes."""
    count, n = draw(st.integers(1, copies)), draw(st.integers(1, bits))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    scale = 10.0 ** draw(st.integers(-3, 3))
    problems = [
        qhal.Qcbo.from_arrays(
            np.triu(rng.normal(0, scale, (n + 1, n + 1))), offset=float(rng.normal(0, scale))
        )
        for _ in range(count)
    ]
    sizes = rng.integers(1, 20, count).tolist()
    return problems, sizes, n, rng


def lowest(problem, n):
    """For each state of the first n bits the least objective, (2^n,), and the states."""
    states = all_bits(n)
    both = [np.column_stack([states, np.full(len(states), last)]) for last in (0, 1)]
    return np.minimum(*(problem.objectives(each) for each in both)), states


@given(scenarios(), st.sampled_from(["fixed", "balanced", "per-bit"]))
@settings(max_examples=40)
def test_hedging_terms_are_those_of_the_method(case, rule):
    problems, _, n, rng = case
    shares = rng.dirichlet(np.ones(len(problems)))
    hedge = Hedge(shares, rng.random(n), rng.random(n), Penalty(0.5, rule))
    for _ in range(4):
        fields, offset = hedge.fields()
        for number, problem in enumerate(problems):
            plain, states = lowest(problem, n)
            hedged, _ = lowest(with_fields(problem, fields[number], offset), n)
            squares = (states - hedge.mean) ** 2 @ hedge.rho / 2
            expected = plain + states @ hedge.multipliers[number] + squares
            assert hedged == pytest.approx(expected, rel=1e-9, abs=1e-9)
        hedge.update(rng.integers(0, 2, (len(problems), n), dtype=np.int8))
        size = np.abs(hedge.multipliers).max() + 1
        assert np.abs(shares @ hedge.multipliers).max() < 1e-12 * size
        assert hedge.mean == pytest.approx(shares @ hedge.bits)


def test_penalty_rules():
    changes, shares = np.array([1.0, 3.0, 0.0]), np.array([0.5, 0.5])
    start = {
        rule: Hedge(shares, np.zeros(3), changes, Penalty(0.3, rule)).rho.tolist()
        for rule in ("fixed", "balanced", "per-bit")
    }
    assert start["fixed"] == start["balanced"] == pytest.approx([0.4] * 3)
    assert start["per-bit"] == pytest.approx([0.3, 0.9, 0.04])
    apart = np.array([[0, 0, 0], [1, 1, 1]], dtype=np.int8)
    for rule, factor in (("fixed", 1.0), ("balanced", 2.0)):
        hedge = Hedge(shares, np.full(3, 0.5), changes, Penalty(0.3, rule))
        hedge.update(apart)  # the mean stays, the copies differ
        assert hedge.rho == pytest.approx(0.4 * factor)
    hedge = Hedge(shares, np.zeros(3), changes, Penalty(0.3, "balanced"))
    hedge.update(np.ones((2, 3), dtype=np.int8))  # the mean moves, the copies agree
    assert hedge.rho == pytest.approx(0.2)
    assert hedge.disagreement == 0.0
    assert Hedge(shares, np.zeros(3), np.zeros(3), Penalty()).rho.min() > 0


@pytest.mark.parametrize(
    "options", [{"rho": 0.0}, {"rho": -1.0}, {"rho": np.inf}, {"rule": "guess"}]
)
def test_bad_penalties(options):
    with pytest.raises(InputError, match="rho"):
        Penalty(**options)


@given(scenarios(), st.integers(0, 6))
@settings(max_examples=60)
def test_the_bound_is_below_the_best_common_bits(case, rounds):
    problems, sizes, n, _ = case
    total = sum(sizes)
    shares = np.array(sizes) / total
    tables = [lowest(problem, n) for problem in problems]
    changes = np.full(n, np.mean([np.ptp(values) for values, _ in tables]) / 2 + 1e-12)
    hedge = Hedge(shares, np.full(n, 0.5), changes, Penalty(0.5, "fixed"))
    for _ in range(rounds):
        fields, _ = hedge.fields()
        best = [
            states[np.argmin(values + states @ own)]
            for (values, states), own in zip(tables, fields, strict=True)
        ]
        hedge.update(np.array(best, dtype=np.int8))
    prices = balanced_prices(hedge.multipliers, sizes)
    bound = dual_bound(problems, sizes, prices, exhaustive(), total=total)
    assert bound.value is not None
    optimum = min(
        sum(
            Fraction(float(values[k])) * size
            for (values, _), size in zip(tables, sizes, strict=True)
        )
        / total
        for k in range(2**n)
    )
    rounding = 1e-12 * max(np.abs(values).max() for values, _ in tables)  # of the tables
    assert Fraction(bound.value) <= optimum + Fraction(rounding)
    if len(problems) == 1:  # then nothing is relaxed
        assert bound.value == pytest.approx(float(optimum), rel=1e-9, abs=1e-9)


def exhaustive():
    return qhal.get_oracle("exhaustive")


class Claims(Exhaustive):
    """Says of itself what it is told to."""

    def __init__(self, exact, bound):
        self.bound = bound
        self.info = replace(exhaustive().info, exact=exact)

    def solve_exactly(self, problem, *, time_limit=None, seed=0):
        return ExactAnswer(status=Status.FEASIBLE, lower_bound=self.bound)


def test_no_bound_where_it_is_not_valid():
    problems = [qhal.Qcbo.from_arrays([[1.0]]), qhal.Qcbo.from_arrays([[-2.0]])]
    sizes, balanced = [1, 3], np.array([[0.5], [-0.5]])

    def bound(prices=balanced, sizes=sizes, oracle=None, total=4):
        found = dual_bound(problems, sizes, prices, oracle or exhaustive(), total=total)
        assert (found.value is None) == bool(found.reason)
        return found

    assert bound().value == pytest.approx((0.0 + 3 * -2.0 - 0.5) / 4)
    assert "do not add up to 0" in bound(prices=np.array([[0.5], [-0.5 + 2**-50]])).reason
    assert "do not add up to 0" in bound(prices=np.array([[0.5], [0.5]])).reason
    assert "hold 4 of the 5 samples" in bound(total=5).reason
    assert "hold 3 of the 4 samples" in bound(sizes=[0, 3]).reason
    assert "proves no minimum" in bound(oracle=qhal.get_oracle("random")).reason
    assert "proves no minimum" in bound(oracle=Claims(False, 0.0)).reason
    assert "nothing is proved about bundle 0" in bound(oracle=Claims(True, None)).reason
    assert bound(oracle=Claims(True, -7.0)).value == pytest.approx(-3.5)  # not only a minimum


def test_prices_add_up_exactly_and_are_close():
    rng = np.random.default_rng(0)
    for scale in (1e-9, 1.0, 1e9):
        multipliers = rng.normal(0, scale, (7, 5))
        sizes = rng.integers(1, 40, 7)
        multipliers -= sizes @ multipliers / sizes.sum()
        prices = balanced_prices(multipliers, sizes)
        assert all(sum(map(Fraction, column)) == 0 for column in prices.T.tolist())
        assert prices == pytest.approx(sizes[:, None] * multipliers, abs=1e-6 * scale * 40)
    assert not balanced_prices(np.zeros((3, 2)), [1, 2, 3]).any()


def test_rounding_of_prices_is_taken_off():
    """1e16 + 1 is no float64: the oracle gets another problem, and the bound knows by how much."""
    problems = [qhal.Qcbo.from_arrays([[-1e16]]), qhal.Qcbo.from_arrays([[0.0]])]
    prices = np.array([[-1.0], [1.0]])
    bound = dual_bound(problems, [1, 1], prices, exhaustive(), total=2).value
    assert Fraction(bound) <= Fraction(-(10**16) - 1, 2)
