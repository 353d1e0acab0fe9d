"""Simulated annealing, thermal and path-integral."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import dimod
import numpy as np
import numpy.typing as npt
from dwave.samplers import PathIntegralAnnealingSampler, SimulatedAnnealingSampler

from qhal.errors import InputError
from qhal.problems.arrays import States
from qhal_dwave.reads import ReadByRead, Search, whole_option

FloatArray = npt.NDArray[np.float64]

# Where in the schedule reads from given states begin. From its start, nothing of the state is left
# when the temperature has fallen (reverse annealing: Perdomo-Ortiz et al., Quantum Inf. Process.
# 10, 2011).
HALF_WAY = 0.5


class _Annealing(ReadByRead):
    """One anneal for each read, on a geometric schedule of inverse temperatures.

    Reads from given states begin half way and take as many sweeps for the rest.
    """

    def __init__(self, num_sweeps: int, beta_range: tuple[float, float] | None) -> None:
        self.num_sweeps = whole_option("num_sweeps", num_sweeps, 1)
        self.beta_range = None if beta_range is None else _checked_range(beta_range)

    @abstractmethod
    def _anneal(
        self, spins: dimod.BQM, betas: FloatArray, begin: float = 0.0, **parameters: Any
    ) -> dimod.SampleSet:
        """Anneal `spins` through `betas`, one sweep each, from the part `begin` of the schedule."""

    def _prepare(
        self, bqm: dimod.BQM, exponent: int, time_limit: float | None
    ) -> tuple[Search, Mapping[str, Any]]:
        spins = bqm.change_vartype(dimod.SPIN, inplace=False)
        low, high = self._betas(spins, exponent)
        sweeps = self.num_sweeps
        if time_limit is not None:
            # Early sweeps, which flip most, are dearest: what they cost is on the safe side.
            sweeps = _affordable(
                sweeps, time_limit, lambda trial: self._anneal(spins, np.full(trial, low), seed=1)
            )

        def anneal(starts: States, labels: list[int], begin: float, seed: int) -> dimod.SampleSet:
            return self._anneal(
                spins,
                np.geomspace(low ** (1 - begin) * high**begin, high, sweeps),
                begin,
                # dimod cannot tell spins from bits where all of them are 1.
                initial_states=dimod.SampleSet.from_samples(
                    (2 * starts - 1, labels), energy=0, vartype=dimod.SPIN
                ),
                initial_states_generator="none",
                num_reads=len(starts),
                seed=seed,
            )

        def search(left_s: float | None, given: int, **parameters: Any) -> dimod.SampleSet:
            (states, labels), seed = parameters["initial_states"], parameters["seed"]
            # With the same random numbers, warm and cold reads would end in the same states.
            other = int(np.random.default_rng(seed).integers(1, 2**31))
            parts = ((states[:given], HALF_WAY, other), (states[given:], 0.0, seed))
            found = [anneal(part, labels, *how) for part, *how in parts if len(part)]
            return dimod.concatenate(found)

        return search, {"num_sweeps": sweeps}

    def _betas(self, spins: dimod.BQM, exponent: int) -> tuple[float, float]:
        if self.beta_range is None:
            return default_beta_range(spins)
        with np.errstate(over="ignore", under="ignore"):
            low, high = np.clip(np.ldexp(self.beta_range, exponent), 1e-300, 1e300)
        return float(low), float(high)


class SimulatedAnnealing(_Annealing):
    """Simulated annealing by single-spin Metropolis updates (dwave-samplers).

    Parameters
    ----------
    num_sweeps : int >= 1
        Sweeps of each read. Under a time limit fewer, if otherwise not even one read would fit.
    beta_range : (first, last) inverse temperatures > 0, in 1 / energy of the problem, or None
        By default from the coefficients, see `default_beta_range`.
    """

    def __init__(
        self, *, num_sweeps: int = 1000, beta_range: tuple[float, float] | None = None
    ) -> None:
        super().__init__(num_sweeps, beta_range)

    def _anneal(
        self, spins: dimod.BQM, betas: FloatArray, begin: float = 0.0, **parameters: Any
    ) -> dimod.SampleSet:
        return SimulatedAnnealingSampler().sample(
            spins, beta_schedule_type="custom", beta_schedule=betas, **parameters
        )


class PathIntegralAnnealing(_Annealing):
    """Annealing of a transverse-field Ising model by path-integral Monte Carlo (dwave-samplers).

    The state is a world line for each spin in continuous imaginary time, updated spin by spin
    (King et al., Nature Communications 12, 1113, 2021). While the temperature falls, the
    transverse field goes linearly to 0. A sweep is some ten times the work of one of `sa`.

    Parameters
    ----------
    num_sweeps : int >= 1
        Sweeps of each read. Under a time limit fewer, if otherwise not even one read would fit.
    beta_range : (first, last) inverse temperatures > 0, in 1 / energy of the problem, or None
        By default from the coefficients, see `default_beta_range`.
    transverse_field : float from 0 to 1000
        Its strength at the start in units of the temperature; 0 gives thermal annealing.
    """

    default_num_reads = 20

    def __init__(
        self,
        *,
        num_sweeps: int = 200,
        beta_range: tuple[float, float] | None = None,
        transverse_field: float = 3.0,
    ) -> None:
        super().__init__(num_sweeps, beta_range)
        if not 0 <= float(transverse_field) <= 1000:
            raise InputError(
                f"transverse_field must be a number from 0 to 1000, not {transverse_field!r}."
            )
        self.transverse_field = float(transverse_field)

    def _anneal(
        self, spins: dimod.BQM, betas: FloatArray, begin: float = 0.0, **parameters: Any
    ) -> dimod.SampleSet:
        return PathIntegralAnnealingSampler().sample(
            spins,
            beta_schedule_type="custom",
            Hp_field=betas,
            Hd_field=np.linspace((1 - begin) * self.transverse_field, 0.0, len(betas)),
            **parameters,
        )


def default_beta_range(spins: dimod.BQM) -> tuple[float, float]:
    """Ocean's rule for the first and last inverse temperature of the spin model `spins`.

    Hot: even the spin with the largest total bias, all of it aligned, flips with probability one
    half. Cold: the smallest bias anywhere is excited with probability one hundredth.
    """
    fields, (first, second, couplings), _ = spins.to_numpy_vectors()
    strengths = np.abs(couplings)
    total = np.abs(fields)
    np.add.at(total, first, strengths)
    np.add.at(total, second, strengths)
    if not total.any():
        return 0.1, 1.0  # every state is as good as any other
    least = np.where(fields == 0, np.inf, np.abs(fields))
    present = strengths > 0
    np.minimum.at(least, first[present], strengths[present])
    np.minimum.at(least, second[present], strengths[present])
    smallest = float(least.min())
    hot = math.log(2) / (2 * float(total.max()))
    cold = math.log(100 * np.count_nonzero(least == smallest)) / (2 * smallest)
    return hot, max(hot, cold)


def _affordable(num_sweeps: int, time_limit: float, run: Callable[[int], Any]) -> int:
    """As many sweeps, up to `num_sweeps`, as leave time for two reads in `time_limit` seconds."""
    begin = time.perf_counter()
    fixed = _time_s(run, 1)
    trial = 4
    while trial < num_sweeps:
        took = _time_s(run, trial)
        left = begin + time_limit - time.perf_counter() - fixed
        each = max(took - fixed, 1e-9) / (trial - 1)
        if took > 0.2 * left or trial * each > 0.02 * time_limit:
            return max(1, min(num_sweeps, int(0.5 * left / each)))
        trial *= 4
    return num_sweeps


def _time_s(run: Callable[[int], Any], sweeps: int) -> float:
    start = time.perf_counter()
    run(sweeps)
    return time.perf_counter() - start


def _checked_range(value: Any) -> tuple[float, float]:
    try:
        low, high = (float(beta) for beta in value)
    except (TypeError, ValueError):
        low = high = math.nan
    if not 0 < low <= high < math.inf:
        raise InputError(f"beta_range must be two numbers, 0 < first <= last, not {value!r}.")
    return low, high
