"""The oracle `cim`."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np

import qhal
from qhal.errors import InputError, did_you_mean
from qhal_cim.descent import descend
from qhal_cim.dopo import Dopo, Oscillators
from qhal_cim.forms import QuadraticForm, over_bits, over_spins
from qhal_cim.kernels import KERNELS, compiled
from qhal_cim.machine import Machine
from qhal_cim.plugin import qhal_oracle
from qhal_cim.precision import ROUNDINGS, dynamic_range_bits, energy_error, rounded
from qhal_cim.profiles import PROFILES, Profile
from qhal_cim.ramp import Deadline
from qhal_cim.schedules import chosen, default_steps
from qhal_cim.simulation import FIELDS, Simulation

DYNAMICS = ("portfolio", "cac", "bsb", "dopo")

# Replicas that run side by side: enough to fill vector units, few enough for the cache.
_BATCH = 128
# Redrawn this often per call, stochastic rounding errs differently in every group of replicas, of
# at least so many: fewer leave vector units idle.
_DRAWS, _SMALLEST_GROUP = 5, 8


class Cim(qhal.Oracle):
    """A simulated coherent Ising machine.

    Parameters
    ----------
    dynamics : ``"cac"``, ``"bsb"`` (see `qhal_cim.kernels`), ``"portfolio"``: both, and several
        schedules, shared out over the reads, or ``"dopo"``: optical parametric oscillators with
        their quantum noise, as in the machine itself (see `qhal_cim.dopo`)
    num_steps : time steps (``"dopo"``: round trips) per read, at least 1. Default: 500, fewer for
        less than 64 variables; without fields, and with more than 8 neighbours a variable, as many
        as there are variables (half as many if they are densely coupled), from 500 to 2000; with
        ``"dopo"`` always 500.
    coefficient_bits : None for double precision, or 2 to 24: the dynamics see couplings and fields
        as signed integers of so many bits. Energies are always those of the exact problem.
    rounding : ``"stochastic"`` (redrawn for every fifth of the reads, at least 8), ``"nearest"`` or
        ``"clipped"``; see `qhal_cim.precision`. Only with `coefficient_bits`.
    fields : what makes linear terms comparable with couplings between soft spins: ``"target"``,
        the amplitude that spins aim at, ``"mean"``, the mean amplitude of the replica, or
        ``"ancilla"``, one more spin, as on machines that have couplings only
    descent : finish every read by descent on the exact coefficients, by flips and pairs of flips,
        as a host computer would. Default: at full precision only, so that with `coefficient_bits`
        the samples are what a machine of that precision returns.
    profile : ``"qboson-550"``: a machine of 550 spins that holds couplings only, as 8-bit signed
        integers. Sets `coefficient_bits` to 8 and `fields` to ``"ancilla"``, refuses more than 550
        variables (549 if there are fields, whose ancilla is a spin), and warns in ``info`` if the
        coefficients need more bits.
    kernel : ``"numba"`` (compiled, of the extra ``fast``), ``"numpy"`` (numpy and scipy alone, the
        same arithmetic) or ``"auto"``: numba if it is installed. ``"dopo"`` is numpy in any case,
        up to its descent.
    pump_end : only with ``"dopo"``, as all that follow; see `qhal_cim.dopo.Dopo`. Pump at the end
        of its ramp, in units of a lone oscillator's threshold; default 1.5.
    loss : share of its photons that a pulse loses per round trip; default 0.2
    out_coupling : share of its photons that is taken out and measured; default 0.1
    saturation_photons : photons of a pulse at twice its threshold pump; default 10^4
    feedback_gain : strength of the measured feedback; default 0.8
    """

    info = qhal_oracle()
    default_num_reads = 100

    def __init__(
        self,
        *,
        dynamics: str = "portfolio",
        num_steps: int | None = None,
        coefficient_bits: int | None = None,
        rounding: str = "stochastic",
        fields: str = "target",
        descent: bool | None = None,
        profile: str | None = None,
        kernel: str = "auto",
        pump_end: float | None = None,
        loss: float | None = None,
        out_coupling: float | None = None,
        saturation_photons: float | None = None,
        feedback_gain: float | None = None,
    ) -> None:
        self.dynamics = _one_of("dynamics", dynamics, DYNAMICS)
        if num_steps is not None:
            num_steps = _whole("num_steps", num_steps, 1, 10**9)
        self.num_steps = num_steps
        self.profile: Profile | None = None
        if profile is not None:
            self.profile = PROFILES[_one_of("profile", profile, tuple(PROFILES))]
            coefficient_bits, fields = _under(profile, coefficient_bits, fields)
        if coefficient_bits is not None:
            coefficient_bits = _whole("coefficient_bits", coefficient_bits, 2, 24)
        self.coefficient_bits = coefficient_bits
        self.rounding = _one_of("rounding", rounding, ROUNDINGS)
        self.fields = _one_of("fields", fields, FIELDS)
        if descent is not None and not isinstance(descent, bool):
            raise InputError(f"descent must be True or False, not {descent!r}.")
        self.descent = coefficient_bits is None if descent is None else descent
        self.kernel = _one_of("kernel", kernel, KERNELS)
        if kernel == "numba" and compiled is None:
            raise InputError("kernel='numba' needs numba: pip install 'qhal-cim[fast]'.")
        physics = {
            "pump_end": pump_end,
            "loss": loss,
            "out_coupling": out_coupling,
            "saturation_photons": saturation_photons,
            "feedback_gain": feedback_gain,
        }
        self.dopo = _dopo({k: v for k, v in physics.items() if v is not None}, self.dynamics)
        self.info = self.describe(self.info)

    def describe(self, info: qhal.OracleInfo) -> qhal.OracleInfo:
        """`info` with this object's coefficient bits and the size limit of its profile."""
        limit = self.profile.max_spins if self.profile else None
        return replace(info, coefficient_bits=self.coefficient_bits, max_variables=limit)

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
        self._check_spins(spins)
        given = _lowest(qubo, initial_states, num_reads)
        states: list[np.ndarray] = []
        errors: list[float] = []
        steps = num_steps = self._steps(spins)
        setup_s = 0.0
        machine: Machine | None = None
        sizes = self._batch_sizes(num_reads)
        deadline = Deadline(start, time_limit, num_reads, exact)
        for index, size in enumerate(sizes):
            if not deadline.allows(size, setup_s):
                break
            began = time.perf_counter()
            rng = np.random.default_rng([seed, index])
            if machine is None or self._redraws:
                seen = spins
                if self.coefficient_bits is not None:
                    seen = rounded(spins, self.coefficient_bits, self.rounding, rng)
                    errors.append(energy_error(spins, seen))
                machine = self._machine(seen, spins)
            setup_s = time.perf_counter() - began
            end = deadline.share(size, len(sizes) - index, setup_s)
            own, given = given[:size], given[size:]
            spun, done = machine.run(size, rng, num_steps, end, 2 * own - 1)
            began = time.perf_counter()
            bits = (spun > 0).astype(np.int8)
            states.append(descend(exact, bits, self.kernel) if self.descent else bits)
            deadline.finished(size, time.perf_counter() - began)
            steps = min(steps, done)
        info = {"num_steps": steps, "kernel": machine.kernel_name if machine else "none"}
        return np.concatenate(states), info | self._about(spins, unit, errors)

    def _check_spins(self, spins: QuadraticForm) -> None:
        limit = self.profile.max_spins if self.profile else None
        if limit is not None and spins.has_linear and spins.num_variables >= limit:
            raise InputError(
                f"the machine has {limit} spins, one of which must hold the fields of this "
                f"problem: use at most {limit - 1} variables, or a problem without fields."
            )

    def _steps(self, spins: QuadraticForm) -> int:
        if self.num_steps is not None:
            return self.num_steps
        return 500 if self.dopo is not None else default_steps(spins)

    def _machine(self, seen: QuadraticForm, spins: QuadraticForm) -> Machine:
        if self.dopo is not None:
            return Oscillators(seen, self.fields, self.dopo)
        return Simulation(seen, self.fields, chosen(self.dynamics, spins), self.kernel)

    def _about(self, spins: QuadraticForm, unit: float, errors: list[float]) -> dict[str, Any]:
        """What `info` says of the machine and of the precision that the problem would need."""
        info: dict[str, Any] = {"descent": self.descent}
        if self.dopo is not None:
            info["dopo"] = asdict(self.dopo)
        if self.coefficient_bits is not None:
            largest = float(np.finfo(np.float64).max)
            info |= {
                "coefficient_bits": self.coefficient_bits,
                "rounding": self.rounding,
                "dynamic_range_bits": dynamic_range_bits(spins),
                "energy_error_rms": min(float(np.mean(errors)) * unit, largest),
            }
            if self.profile:
                info |= _warning(info["dynamic_range_bits"], self.coefficient_bits)
        return info

    @property
    def _redraws(self) -> bool:
        return self.coefficient_bits is not None and self.rounding == "stochastic"

    def _batch_sizes(self, num_reads: int) -> list[int]:
        """How many replicas run side by side, one batch after the other."""
        draws = min(_DRAWS, max(num_reads // _SMALLEST_GROUP, 1)) if self._redraws else 1
        count = max(-(-num_reads // _BATCH), draws)
        return [num_reads * (i + 1) // count - num_reads * i // count for i in range(count)]


def _lowest(qubo: qhal.Qubo, states: np.ndarray | None, count: int) -> np.ndarray:
    """At most `count` of the states, those of lowest energy, in its order."""
    if states is None:
        return np.zeros((0, qubo.num_variables), dtype=np.int8)
    return states[np.argsort(qubo.energies(states), kind="stable")[:count]]


def _under(profile: str, bits: int | None, fields: str) -> tuple[int, str]:
    """`coefficient_bits` and `fields` as the machine has them; `InputError` for others."""
    own = PROFILES[profile].coefficient_bits
    if bits not in (None, own):
        raise InputError(
            f"profile {profile!r} has coefficients of {own} bits: "
            f"leave out coefficient_bits={bits!r}."
        )
    if fields not in ("target", "ancilla"):
        raise InputError(
            f"profile {profile!r} holds fields by an ancilla spin: leave out fields={fields!r}."
        )
    return own, "ancilla"


def _warning(range_bits: float, bits: int) -> dict[str, str]:
    needed = range_bits + 1  # the sign's
    if needed <= bits:
        return {}
    return {
        "warning": f"the coefficients need {needed:.1f} bits, sign included, but the machine has "
        f"{bits}: the smallest are lost to rounding; rescale, or split large coefficients."
    }


def _dopo(given: dict[str, Any], dynamics: str) -> Dopo | None:
    if dynamics == "dopo":
        return Dopo(**given)
    if given:
        raise InputError(
            f"{', '.join(given)} can only be set together with dynamics='dopo', "
            f"not with dynamics={dynamics!r}."
        )
    return None


def _one_of(name: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise InputError(
            f"{name} must be one of {', '.join(choices)}, not {value!r}"
            f"{did_you_mean(str(value), choices)}"
        )
    return str(value)


def _whole(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InputError(f"{name} must be a whole number, not {value!r}.")
    if not low <= value <= high:
        raise InputError(f"{name} must be from {low} to {high}, not {value}.")
    return int(value)
