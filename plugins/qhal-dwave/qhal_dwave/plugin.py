"""Registers the oracles of D-Wave's samplers and machines; imports nothing of D-Wave's."""

from qhal import OracleInfo, hookimpl


class _Plugin:
    def __init__(self, name: str, summary: str, factory: str, local: bool = True) -> None:
        self._info = OracleInfo(
            name=name,
            summary=summary,
            factory=factory,
            seeded=local,
            honours_time_limit=local,
            accepts_initial_states=local,
            connectivity="pegasus or zephyr, by embedding" if name == "dwave-qpu" else "all-to-all",
            remote=not local,
        )

    @hookimpl
    def qhal_oracle(self) -> OracleInfo:
        """See `qhal.hookspecs.qhal_oracle`."""
        return self._info


SA = _Plugin(
    "sa",
    "simulated annealing (dwave-samplers)",
    "qhal_dwave.annealing:SimulatedAnnealing",
)
PathIntegral = _Plugin(
    "path-integral",
    "annealing of path integrals in a transverse field (dwave-samplers)",
    "qhal_dwave.annealing:PathIntegralAnnealing",
)
Tabu = _Plugin(
    "tabu",
    "multistart tabu search (dwave-samplers)",
    "qhal_dwave.descent:TabuSearch",
)
SteepestDescent = _Plugin(
    "steepest-descent",
    "steepest descent from random starts (dwave-samplers)",
    "qhal_dwave.descent:SteepestDescent",
)
QPU = _Plugin(
    "dwave-qpu",
    "quantum annealers of D-Wave (dwave-system); needs an account",
    "qhal_dwave.qpu:DWaveQpu",
    local=False,
)
Leap = _Plugin(
    "leap-hybrid",
    "hybrid solver in D-Wave's Leap service (dwave-system); needs an account",
    "qhal_dwave.qpu:LeapHybrid",
    local=False,
)
