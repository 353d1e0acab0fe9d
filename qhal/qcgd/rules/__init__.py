"""The part of QCGD that can be exchanged: how multipliers follow from the atoms seen so far."""

from __future__ import annotations

from qhal.errors import UnknownNameError, did_you_mean
from qhal.qcgd.lifting import Lifting
from qhal.qcgd.rules.rule import Rule

__all__ = ["METHODS", "Rule", "make_rule"]
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
        return FullyCorrective(lifting, exact)
    names = (*METHODS, "direct")
    raise UnknownNameError(
        f"no method {method!r}{did_you_mean(str(method), names)} Methods: {', '.join(names)}."
    )
