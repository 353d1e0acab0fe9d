"""Limits of machines that exist."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a machine accepts. It holds couplings only: fields take one more spin, an ancilla.

    Parameters
    ----------
    max_spins : spins of the machine, the ancilla included
    coefficient_bits : couplings are signed integers of so many bits
    """

    max_spins: int
    coefficient_bits: int


# QBoson's documentation (Kaiwu SDK, "Parameter Precision") gives 8-bit signed integers and linear
# terms as couplings to an auxiliary spin; its examples size the machine at 550 spins.
PROFILES = {"qboson-550": Profile(max_spins=550, coefficient_bits=8)}
