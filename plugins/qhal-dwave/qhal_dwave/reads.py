"""What the samplers share: well-scaled coefficients, starting states, reads within a time limit."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

import dimod
import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.ocean import bqm_from_qubo, states_of
from qhal.oracle import Answer, Oracle
from qhal.problems.arrays import States
from qhal.problems.qubo import Qubo

# Quarters of the coefficients (couplings of spins) still add up exactly in 53 bits.
_GRID_BITS = 50


class Search(Protocol):
    """One batch of reads by a vendor's sampler, in at most about `left_s` seconds (None: any)."""

    def __call__(self, left_s: float | None, given: int, **parameters: Any) -> dimod.SampleSet:
        """Read once from each of ``parameters["initial_states"]``, of which `given` are not random.

        Those come first.
        """
        ...


class ReadByRead(Oracle):
    """Independent reads, each from its own starting state: the given ones first, then random ones.

    Without a time limit all reads are one batch. Under a limit batches grow as measured, until the
    next read would be too late.
    """

    @abstractmethod
    def _prepare(
        self, bqm: dimod.BQM, exponent: int, time_limit: float | None
    ) -> tuple[Search, Mapping[str, Any]]:
        """How to search `bqm`, the problem divided by 2^exponent, and the info to report."""

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        begin = time.perf_counter()
        n = qubo.num_variables
        rng = np.random.default_rng(seed)
        starts = starting_states(initial_states, num_reads, n, rng)
        rounded, exponent = on_grid(qubo)
        search, info = self._prepare(bqm_from_qubo(rounded), exponent, time_limit)
        labels = list(range(n))
        given = 0 if initial_states is None else len(initial_states)

        def read(first: int, end: int, left_s: float | None) -> States:
            batch = starts[first:end]
            samples = search(
                left_s,
                min(max(given - first, 0), len(batch)),
                # Seed 0 makes the path-integral sampler draw one from the operating system.
                seed=int(rng.integers(1, 2**31)),
                num_reads=len(batch),
                initial_states=(batch, labels),
                initial_states_generator="none",
            )
            return states_of(samples, labels)

        if time_limit is None:
            return read(0, num_reads, None), info
        found: list[States] = []
        done, batch = 0, 1
        while done < num_reads and batch > 0:
            start = time.perf_counter()
            found.append(read(done, done + batch, begin + time_limit - start))
            done += len(found[-1])
            now = time.perf_counter()
            affordable = 0.8 * (begin + time_limit - now) * batch / (now - start)
            batch = min(4 * batch, int(affordable))
        return np.concatenate(found), info


def on_grid(qubo: Qubo) -> tuple[Qubo, int]:
    """`qubo` divided by 2^exponent and rounded to a grid on which float64 adds up exactly.

    The samplers update energies flip by flip. With rounding, errors pile up (1e300 beside 1e-300)
    and a descent can even go round in circles; on the grid nothing is ever rounded. What the grid
    loses is below 2^-50 of the sum of all coefficients, about what float64 loses in any energy;
    core computes the energies reported from the original. Magnitudes afterwards: up to 1.
    """
    sparse = qubo.is_sparse
    data = qubo.matrix.data if sparse else qubo.matrix
    exponent = math.frexp(float(np.abs(data).max(initial=0.0)))[1]
    unit = np.ldexp(data, -exponent)
    total = float(np.abs(unit).sum())
    bits = _GRID_BITS - math.ceil(math.log2(total)) if total else 0
    rounded = np.ldexp(np.rint(np.ldexp(unit, bits)), -bits)
    if sparse:
        rounded = sp.csr_array(
            (rounded, qubo.matrix.indices, qubo.matrix.indptr), shape=qubo.matrix.shape
        )
    return Qubo(rounded), exponent


def starting_states(
    initial_states: States | None, num_reads: int, n: int, rng: np.random.Generator
) -> States:
    """`num_reads` rows: the given states first (surplus ones are ignored), random ones after."""
    given = np.empty((0, n), dtype=np.int8) if initial_states is None else initial_states
    given = given[:num_reads]
    random = rng.integers(0, 2, (num_reads - len(given), n), dtype=np.int8)
    return np.concatenate([given, random])


def whole_option(name: str, value: Any, least: int) -> int:
    """`value` as an int of at least `least`, or `InputError`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)
