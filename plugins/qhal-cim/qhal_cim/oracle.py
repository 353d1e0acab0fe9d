"""The oracle `cim`."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

import qhal
from qhal.errors import InputError, did_you_mean
from qhal_cim.descent import descend
from qhal_cim.forms import over_bits, over_spins
from qhal_cim.plugin import qhal_oracle
from qhal_cim.precision import ROUNDINGS, dynamic_range_bits, energy_error, rounded
from qhal_cim.schedules import chosen
from qhal_cim.simulation import FIELDS, Machine

DYNAMICS = ("portfolio", "cac", "bsb")

# Replicas that run side by side: enough to fill vector units, few enough for the cache.
_BATCH = 128
# Redrawn this often per call, stochastic rounding errs differently in every group of replicas.
_DRAWS = 5
# Share of the time limit for the dynamics; the rest is for the descent and for exact energies.
_SHARE = 0.9


class Cim(qhal.Oracle):
    """A simulated coherent Ising machine.

    Parameters
    ----------
    dynamics : ``"cac"``, ``"bsb"`` (see `qhal_cim.kernels`), or ``"portfolio"``: both, and several
        schedules, shared out over the reads
    num_steps : time steps per read, at least 1
    coefficient_bits : None for double precision, or 2 to 24: the dynamics see couplings and fields
        as signed integers of so many bits. Energies are always those of the exact problem.
    rounding : ``"stochastic"`` (redrawn for every fifth of the reads), ``"nearest"`` or
        ``"clipped"``; see `qhal_cim.precision`. Only with `coefficient_bits`.
    fields : what makes linear terms comparable with couplings between soft spins: ``"target"``,
        the amplitude that spins aim at, ``"mean"``, the mean amplitude of the replica, or
        ``"ancilla"``, one more spin, as on machines that have couplings only
    descent : finish every read by single-flip descent on the exact coefficients, as a host
        computer would. Default: at full precision only, so that with `coefficient_bits` the
        samples are what a machine of that precision returns.
    """

    info = qhal_oracle()
    default_num_reads: ClassVar[int] = 100

    def __init__(
        self,
        *,
        dynamics: str = "portfolio",
        num_steps: int = 500,
        coefficient_bits: int | None = None,
        rounding: str = "stochastic",
        fields: str = "target",
        descent: bool | None = None,
    ) -> None:
        self.dynamics = _one_of("dynamics", dynamics, DYNAMICS)
        self.num_steps = _whole("num_steps", num_steps, 1, 10**9)
        if coefficient_bits is not None:
            coefficient_bits = _whole("coefficient_bits", coefficient_bits, 2, 24)
        self.coefficient_bits = coefficient_bits
        self.rounding = _one_of("rounding", rounding, ROUNDINGS)
        self.fields = _one_of("fields", fields, FIELDS)
        if descent is not None and not isinstance(descent, bool):
            raise InputError(f"descent must be True or False, not {descent!r}.")
        self.descent = coefficient_bits is None if descent is None else descent
        self.info = self.describe(self.info)

    def describe(self, info: qhal.OracleInfo) -> qhal.OracleInfo:
        """`info` with this object's coefficient bits."""
        return replace(info, coefficient_bits=self.coefficient_bits)

    def _sample(
        self,
        qubo: qhal.Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: np.ndarray | None,
    ) -> tuple[np.ndarray, dict[str, Any]]:
        start = time.perf_counter()
        exact, unit = over_bits(qubo)
        spins = over_spins(exact)
        schedules = chosen(self.dynamics, spins.has_linear)
        given = np.zeros((0, exact.num_variables)) if initial_states is None else initial_states
        states, errors, steps = [], [], self.num_steps
        machine: Machine | None = None
        sizes = self._batch_sizes(num_reads)
        for index, size in enumerate(sizes):
            rng = np.random.default_rng([seed, index])
            if machine is None or self._redraws:
                seen = spins
                if self.coefficient_bits is not None:
                    seen = rounded(spins, self.coefficient_bits, self.rounding, rng)
                    errors.append(energy_error(spins, seen))
                machine = Machine(seen, self.fields)
            now = time.perf_counter()
            share = (start + _SHARE * (time_limit or 0) - now) / (len(sizes) - index)
            end = now + share if time_limit else None
            own, given = given[:size], given[size:]
            spun, done = machine.run(schedules, size, rng, self.num_steps, end, 2 * own - 1)
            bits = (spun > 0).astype(np.int8)
            states.append(descend(exact, bits) if self.descent else bits)
            steps = min(steps, done)
        info: dict[str, Any] = {
            "num_steps": steps,
            "descent": self.descent,
            "kernel": machine.kernel.name if machine else "none",
        }
        if self.coefficient_bits is not None:
            largest = float(np.finfo(np.float64).max)
            info |= {
                "coefficient_bits": self.coefficient_bits,
                "rounding": self.rounding,
                "dynamic_range_bits": dynamic_range_bits(spins),
                "energy_error_rms": min(float(np.mean(errors)) * unit, largest),
            }
        return np.concatenate(states), info

    @property
    def _redraws(self) -> bool:
        return self.coefficient_bits is not None and self.rounding == "stochastic"

    def _batch_sizes(self, num_reads: int) -> list[int]:
        """How many replicas run side by side, one batch after the other."""
        draws = _DRAWS if self._redraws else 1
        count = max(-(-num_reads // _BATCH), min(draws, num_reads))
        return [num_reads * (i + 1) // count - num_reads * i // count for i in range(count)]


def _one_of(name: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise InputError(
            f"{name} must be one of {', '.join(choices)}, not {value!r}"
            f"{did_you_mean(str(value), choices)}."
        )
    return str(value)


def _whole(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InputError(f"{name} must be a whole number, not {value!r}.")
    if not low <= value <= high:
        raise InputError(f"{name} must be from {low} to {high}, not {value}.")
    return int(value)
