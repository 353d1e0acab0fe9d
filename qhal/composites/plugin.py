"""Registers the composites of the core; imports none of them."""

from __future__ import annotations

from typing import Literal

from qhal.composite import CompositeInfo
from qhal.hookspecs import hookimpl


class _Plugin:
    def __init__(
        self,
        name: str,
        summary: str,
        factory: str,
        takes: Literal["one", "several", "none"] = "one",
    ) -> None:
        self._info = CompositeInfo(
            name=name, summary=summary, factory=f"qhal.composites.{factory}", takes=takes
        )

    @hookimpl
    def qhal_composite(self) -> CompositeInfo:
        """See `qhal.hookspecs.qhal_composite`."""
        return self._info


Budget = _Plugin("budget", "hard caps on calls, reads, seconds and money", "budget:Budget")
Cache = _Plugin("cache", "asks the same question only once (SQLite)", "cache:Cache")
Decompose = _Plugin(
    "decompose", "problems larger than the machine, block by block", "decompose:Decompose"
)
Noisy = _Plugin(
    "noisy", "fault injection: failures, hangs, garbage, wrong bits, delays", "noisy:Noisy"
)
Portfolio = _Plugin(
    "portfolio", "the best of several oracles", "portfolio:Portfolio", takes="several"
)
Precision = _Plugin(
    "precision", "coefficients of a few bits, wider ones split over copies", "precision:Precision"
)
Presolve = _Plugin("presolve", "roof duality and connected components", "presolve:Presolve")
Record = _Plugin("record", "keeps every answer in a file of JSON lines", "recording:Record")
Replay = _Plugin(
    "replay", "gives recorded answers again, without the oracle", "recording:Replay", takes="none"
)
Retry = _Plugin("retry", "asks again after failures that may pass", "retry:Retry")
