"""The part of QCGD that can be exchanged: how multipliers follow from the atoms seen so far."""

from __future__ import annotations

from typing import Protocol

from qhal.errors import UnknownNameError, did_you_mean
from qhal.problems.arrays import FloatArray
from qhal.qcgd.lifting import Atoms, Lifting


class Rule(Protocol):
    """Chooses the multipliers of each round."""

    multipliers: FloatArray

    def update(self, atoms: Atoms, upper: float | None) -> None:
        """Set `multipliers` for the next round.

        `atoms` are this round's samples, lowest energy first; `upper` is the best feasible
        objective so far in the units of `Atoms.objectives`, None while there is none.
        """
        ...


METHODS = ("level", "frank-wolfe", "fully-corrective")


def make_rule(method: str, lifting: Lifting, exact: bool) -> Rule:
    """The rule called `method` for `lifting`; `exact` says whether the oracle proves minima."""
    from qhal.qcgd.rules.frank_wolfe import FrankWolfe
    from qhal.qcgd.rules.fully_corrective import FullyCorrective
    from qhal.qcgd.rules.level import Level

    if method == "level":
        return Level(lifting, exact)
    if method == "frank-wolfe":
        return FrankWolfe(lifting)
    if method == "fully-corrective":
        return FullyCorrective(lifting)
    raise UnknownNameError(
        f"no method {method!r}{did_you_mean(method, METHODS)} Methods: {', '.join(METHODS)}."
    )
