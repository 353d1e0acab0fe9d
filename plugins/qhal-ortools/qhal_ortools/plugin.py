"""Registers `cpsat`; OR-Tools itself is imported when the oracle is asked for."""

from qhal import OracleInfo, hookimpl


@hookimpl
def qhal_oracle() -> OracleInfo:
    """See `qhal.hookspecs.qhal_oracle`."""
    return OracleInfo(
        name="cpsat",
        summary="OR-Tools CP-SAT: proved minima of QUBOs and of whole constrained problems",
        factory="qhal_ortools.oracle:CpSat",
        exact=True,
        seeded=True,
        honours_time_limit=True,
        accepts_initial_states=True,
    )
