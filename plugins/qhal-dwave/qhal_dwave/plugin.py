"""Registers `sa`, `tabu`, `steepest-descent` and `path-integral`; imports nothing of D-Wave's."""

from qhal import OracleInfo, hookimpl


class _Plugin:
    def __init__(self, name: str, summary: str, factory: str) -> None:
        self._info = OracleInfo(
            name=name,
            summary=summary,
            factory=factory,
            seeded=True,
            honours_time_limit=True,
            accepts_initial_states=True,
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
