"""`cim` as a sampler of D-Wave's Ocean."""

from __future__ import annotations

from typing import Any

from qhal.ocean import OracleSampler
from qhal_cim.oracle import Cim


class CimSampler(OracleSampler):
    """The oracle `cim` as a `dimod.Sampler`; takes the options of `Cim`.

    It stands in for ``dwave.samplers.SimulatedAnnealingSampler()``: `sample`, `sample_ising` and
    `sample_qubo` take `num_reads`, `seed` and `initial_states`, and `time_limit` in seconds.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(Cim(**options))
