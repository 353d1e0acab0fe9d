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


Noisy = _Plugin(
    "noisy", "fault injection: failures, hangs, garbage, wrong bits, delays", "noisy:Noisy"
)
