"""The independent check of certificates, in rational arithmetic.

A certificate (a dict of JSON) holds an assignment, multipliers, and what an exact oracle stated: a
QUBO and a lower bound on its energies. From the user's problem alone this module works out the
Lagrangian of those multipliers, term by term, and confirms that its minimum bounds the objective of
every feasible assignment (weak duality: lambda, nu >= 0, and on feasible bits every lifted row is
0), that the assignment is feasible, and that bound and objective meet. It shares no code with what
made the certificate, and trusts only the oracle's statement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from qhal.problems.qcbo import Qcbo
from qhal.qcgd.replay import Key, Poly, Refused, Row, Stated, lost, require

__all__ = ["Refused", "verify"]
FORMAT = "qhal-certificate-1"


def verify(problem: Qcbo, certificate: Mapping[str, Any]) -> float | None:
    """Confirm what `certificate` claims of `problem`, or raise `Refused` with a sentence.

    Returns the lower bound that it proves, None for a proof of infeasibility. The claim is
    ``"optimal"``, ``"infeasible"`` or ``"bound"``.
    """
    try:
        return _verify(problem, certificate)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise Refused(f"the certificate is damaged ({type(error).__name__}: {error}).") from None


def _verify(problem: Qcbo, certificate: Mapping[str, Any]) -> float | None:
    require(certificate["format"] == FORMAT, "this is not a certificate that can be read here.")
    claim, statement = certificate["claim"], certificate["statement"]
    require(claim in ("optimal", "infeasible", "bound"), f"nothing can be claimed as {claim!r}.")
    stated = Stated(problem)
    objective = None
    if claim != "infeasible" and certificate["assignment"] is not None:
        objective = _objective(problem, certificate["assignment"])
        require(
            abs(objective - Fraction(certificate["objective"])) <= _rounding(problem),
            "the objective is not that of the assignment.",
        )
    if "whole_problem" in statement:  # nothing is left to check but the oracle's word
        require(claim != "bound" or objective is None, "the claim is less than what is stated.")
        if claim == "infeasible":
            return None
        proved = Fraction(statement["lower_bound"])
        return _meeting(problem, certificate, objective, proved)
    stated.replay(certificate["presolve"])
    if claim == "infeasible" and "contradiction" in statement:
        row, *others = statement["contradiction"]
        require(stated.contradicts(row, *others), "the named rows do not contradict each other.")
        return None
    proved = _Lagrangian(stated, certificate).proved(statement)
    if claim == "infeasible":
        require(not statement["with_objective"] and proved > 0, "a violation of 0 is not excluded.")
        return None
    require(statement["with_objective"], "the stated minimum is not that of the objective.")
    return _meeting(problem, certificate, objective, proved)


def _meeting(
    problem: Qcbo, certificate: Mapping[str, Any], objective: Fraction | None, proved: Fraction
) -> float:
    """The claimed bound, which must follow from the `proved` one, and meet an optimal objective."""
    step = None if certificate["step"] is None else Fraction(certificate["step"])
    reached, doubt = _attainable(problem, step, proved)
    bound = Fraction(certificate["bound"])
    require(bound <= reached + _ulp(bound), "the bound is higher than what is proved.")
    if certificate["claim"] == "optimal":
        require(objective is not None, "there is no assignment.")
        room = _unit(problem) * Fraction(1, 10**8) if step is None else step / 2
        gap = (objective or Fraction(0)) - bound
        certain = doubt <= _rounding(problem) and (not doubt or 4 * doubt <= room)
        require(certain, "the objective's steps are not certain.")
        require(gap <= room + _ulp(bound), "bound and objective do not meet.")
    return float(bound)


class _Lagrangian:
    """Objective, lifted rows and multipliers of a certificate as one polynomial over bits."""

    def __init__(self, stated: Stated, certificate: Mapping[str, Any]) -> None:
        self.stated = stated
        self.values = self._code(certificate["bits"])
        self.num_primary = sum(len(weights) for weights in certificate["bits"])
        self.helpers = [tuple(pair) for pair in certificate["helpers"]]
        require(
            all(0 <= bit < self.num_primary for pair in self.helpers for bit in pair),
            "a helper bit is not a product of two bits of variables.",
        )
        self.poly: Poly = {}
        self.slop = Fraction(0)
        if certificate["statement"]["with_objective"]:
            self._add(self._over_bits(stated.objective), Fraction(1))
            self._add({(): stated.offset}, Fraction(1))
        self.taken = self.num_primary + len(self.helpers)
        for lifted in certificate["rows"]:
            self._add_row(lifted)
        for lifted in certificate["forms"]:
            self._add_form(lifted)

    def _code(self, bits: Sequence[Sequence[int]]) -> list[Poly]:
        """Each variable as its lower bound plus weighted bits; these must reach every value."""
        stated, values, first = self.stated, list[Poly](), 0
        require(len(bits) == len(stated.low), "there must be bits for every variable.")
        for i, weights in enumerate(bits):
            step = stated.step[i]
            require(
                all(weight % step == 0 for weight in weights)
                and _reach([weight // step for weight in weights])
                >= (stated.high[i] - stated.low[i]) // step,
                f"the bits of variable {i} do not reach all its values.",
            )
            poly: Poly = {(): Fraction(stated.low[i])}
            poly.update({(first + k,): Fraction(weight) for k, weight in enumerate(weights)})
            values.append(poly)
            first += len(weights)
        return values

    def _over_bits(self, terms: Poly) -> Poly:
        total: Poly = {}
        for key, value in terms.items():
            product: Poly = {(): Fraction(1)}
            for i in key:
                product = _times(product, self.values[i])
            _accumulate(total, product, value)
        return total

    def _add(self, poly: Poly, weight: Fraction) -> None:
        _accumulate(self.poly, poly, weight)

    def _add_row(self, lifted: Mapping[str, Any]) -> None:
        """mu r + lambda r^2 for a row r that can be 0, or within a miss of it, where it is met."""
        mu, lam = Fraction(lifted["mu"]), Fraction(lifted["lambda"])
        require(lam >= 0, "a multiplier lambda is negative.")
        terms, side = _read(lifted["terms"]), Fraction(lifted["side"])
        row = self.stated.rows[lifted["row"]]
        above, below, whole = self._compare(row, terms, side)
        weights, step = lifted["slack"], Fraction(lifted["step"])
        least = sum((min(Fraction(0), value) for value in terms.values()), Fraction(0))
        if row.equal:
            require(not weights, "an equality has no slack.")
            miss = max(above, below)
        else:
            require(step > 0, "the step of a slack is not positive.")
            short = max(Fraction(0), side - least - _reach(weights) * step)
            grid = Fraction(0) if whole and step == 1 else step / 2 if weights else Fraction(0)
            miss = grid + max(Fraction(0), above) + short
        poly = dict(terms)
        poly[()] = -side
        for weight in weights:
            poly[(self.taken,)] = weight * step
            self.taken += 1
        self._add(poly, mu)
        self._add(_times(poly, poly), lam)
        self.slop += abs(mu) * miss + lam * miss**2

    def _add_form(self, lifted: Mapping[str, Any]) -> None:
        """nu q for a form q that is at most a miss above 0 where its row is met."""
        nu = Fraction(lifted["nu"])
        require(nu >= 0, "a multiplier nu is negative.")
        terms, side = _read(lifted["terms"]), Fraction(lifted["side"])
        if lifted["row"] is None:
            require(not side and not self._expanded(terms), "a helper's form is not 0 on products.")
        else:
            above, *_ = self._compare(self.stated.rows[lifted["row"]], terms, side)
            self.slop += nu * max(Fraction(0), above)
        self._add(terms, nu)
        self._add({(): -side}, nu)

    def _compare(self, row: Row, terms: Poly, side: Fraction) -> tuple[Fraction, Fraction, bool]:
        """By how much ``terms - side`` can exceed 0, or fall below it, where `row` is met.

        Also whether the terms are whole numbers, of which any excess below 1 is none.
        """
        own, found = self._over_bits(row.terms), self._expanded(terms)
        shift = own.pop((), Fraction(0))
        key = max(own, key=lambda k: abs(own[k]), default=())
        require(key in found or not own, "a lifted row is not that of the problem.")
        factor = found[key] / own[key] if own else Fraction(1)
        require(factor > 0 or (row.equal and factor < 0), "an inequality is turned round.")
        doubt = abs(factor) * row.miss + sum(
            abs(found.get(k, Fraction(0)) - factor * own.get(k, Fraction(0)))
            for k in {*found, *own}
        )
        meant = factor * (row.side - shift)
        above, below = meant - side + doubt, side - meant + doubt
        whole = side.denominator == 1 and all(v.denominator == 1 for v in found.values())
        if whole:
            above, below = (Fraction(max(0, math.floor(excess))) for excess in (above, below))
        return above, below, whole

    def _expanded(self, terms: Poly) -> Poly:
        """`terms` with every helper bit replaced by its product."""
        total: Poly = {}
        for key, value in terms.items():
            bits: set[int] = set()
            for bit in key:
                helper = bit - self.num_primary
                require(helper < len(self.helpers), "a lifted row contains an unknown bit.")
                bits.update(self.helpers[helper] if helper >= 0 else (bit,))
            _accumulate(total, {tuple(sorted(bits)): Fraction(1)}, value)
        return total

    def proved(self, statement: Mapping[str, Any]) -> Fraction:
        """The bound that the stated minimum proves: less what the QUBO misses of the Lagrangian."""
        qubo = _read(statement["terms"])
        qubo[()] = Fraction(statement["offset"])
        require(all(bit < self.taken for key in qubo for bit in key), "the QUBO has unknown bits.")
        off = sum(
            abs(self.poly.get(key, Fraction(0)) - qubo.get(key, Fraction(0)))
            for key in {*self.poly, *qubo}
        )
        size = sum((abs(value) for value in qubo.values()), Fraction(0))
        margin = lost(size, list(qubo.values()), 2**52) * (self.taken + 4) / 8
        return Fraction(statement["lower_bound"]) - off - margin - self.slop


def _objective(problem: Qcbo, assignment: Sequence[int]) -> Fraction:
    """The exact objective of a feasible `assignment`."""
    stated = Stated(problem)
    at = [int(value) for value in assignment]
    require(len(at) == len(stated.low), "the assignment has not a value for every variable.")
    for i, value in enumerate(at):
        inside = stated.low[i] <= value <= stated.high[i]
        require(
            inside and (value - stated.low[i]) % stated.step[i] == 0 and value == assignment[i],
            f"the assignment gives variable {i} a value that it cannot take.",
        )
    for k, row in stated.rows.items():
        excess = _value(row.terms, at) - row.side
        met = excess <= row.miss and (not row.equal or -excess <= row.miss)
        require(met, f"the assignment violates constraint {problem.constraints.labels[k]!r}.")
    return _value(stated.objective, at) + stated.offset


def _attainable(problem: Qcbo, step: Fraction | None, bound: Fraction) -> tuple[Fraction, Fraction]:
    """The least value from `bound` on that the objective can take, if it moves in steps.

    Also by how much its values may lie beside the steps, as its coefficients are rounded decimals.
    """
    stated = Stated(problem)
    if step is None:
        return bound, Fraction(0)
    require(step >= 0, "the objective's step is negative.")
    doubt, reach = (
        Fraction(0),
        [max(abs(a), abs(b)) for a, b in zip(stated.low, stated.high, strict=True)],
    )
    for key, value in stated.objective.items():
        nearest = step * round(value / step) if step else Fraction(0)
        doubt += abs(value - nearest) * math.prod(reach[i] for i in key)
    if not step:
        require(not doubt, "the objective is not constant.")
        return max(bound, stated.offset), Fraction(0)
    steps = math.ceil((bound - doubt - stated.offset) / step)
    if doubt > _rounding(problem):  # these are not its steps
        return bound, doubt
    return stated.offset + steps * step, doubt


def _value(terms: Poly, at: Sequence[int]) -> Fraction:
    return sum((v * math.prod(at[i] for i in key) for key, v in terms.items()), Fraction(0))


def _unit(problem: Qcbo) -> Fraction:
    return Fraction(problem.objective_unit)


def _rounding(problem: Qcbo) -> Fraction:
    """What float64 may lose in the objective."""
    stated = Stated(problem)
    reach = [max(abs(a), abs(b)) for a, b in zip(stated.low, stated.high, strict=True)]
    size = sum(abs(v) * math.prod(reach[i] for i in key) for key, v in stated.objective.items())
    return (size + abs(stated.offset)) * (len(reach) + 4) * Fraction(1, 2**52)


def _ulp(value: Fraction) -> Fraction:
    return 4 * Fraction(math.ulp(float(value)))


def _reach(weights: Sequence[int]) -> int:
    """How far the sums of `weights` go without a gap."""
    reach = 0
    for weight in sorted(weights):
        require(0 < weight <= reach + 1, "bits leave a gap in the values that they stand for.")
        reach += weight
    return reach


def _read(terms: Sequence[Sequence[Any]]) -> Poly:
    """Terms ``[bit, value]`` and ``[bit, bit, value]``; each only once."""
    poly: Poly = {}
    for *key, value in terms:
        bits: Key = tuple(sorted({int(bit) for bit in key}))
        require(bool(bits) and bits[0] >= 0 and bits not in poly, "a term is there twice.")
        poly[bits] = Fraction(value)
    return poly


def _times(one: Poly, other: Poly) -> Poly:
    """The product of polynomials over bits, in which x squared is x."""
    total: Poly = {}
    for key, value in one.items():
        for more, by in other.items():
            bits = key if more == key else tuple(sorted({*key, *more}))
            total[bits] = total.get(bits, Fraction(0)) + value * by
    return total


def _accumulate(total: Poly, poly: Poly, weight: Fraction) -> None:
    for key, value in poly.items():
        total[key] = total.get(key, Fraction(0)) + weight * value
        if not total[key]:
            del total[key]
