"""A simulated coherent Ising machine: the oracle `cim`, and `CimSampler` for users of dimod."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qhal_cim.oracle import Cim as Cim
    from qhal_cim.sampler import CimSampler as CimSampler

__all__ = ["Cim", "CimSampler"]


def __getattr__(name: str) -> Any:
    # Imported when first used: the plugin's entry module must stay light.
    if name == "Cim":
        from qhal_cim.oracle import Cim

        return Cim
    if name == "CimSampler":
        from qhal_cim.sampler import CimSampler

        return CimSampler
    raise AttributeError(f"module 'qhal_cim' has no attribute {name!r}")
