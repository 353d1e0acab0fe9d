"""The entry point of `cim`; light, as everything here is imported to list and describe oracles."""

from __future__ import annotations

import qhal


@qhal.hookimpl
def qhal_oracle() -> qhal.OracleInfo:
    """Describe the oracle."""
    return qhal.OracleInfo(
        name="cim",
        summary="simulated coherent Ising machine (fast, or physical with its quantum noise)",
        factory="qhal_cim.oracle:Cim",
        seeded=True,
        honours_time_limit=True,
        accepts_initial_states=True,
    )
