"""A machine's coefficients: couplings and fields of few bits, rounded at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qhal.oracle import Answer, Oracle
from qhal.problems.arrays import States
from qhal.problems.qubo import Qubo


class Coarse(Oracle):
    """`child` with the couplings and fields of its spins rounded to `bits` bits, sign included.

    All go on one scale and are rounded up or down at random, with the mean at their value, anew in
    each call. (Rounding to the nearest loses whatever is small in every call alike.)
    """

    def __init__(self, child: Oracle, bits: int) -> None:
        self.child, self.bits = child, bits
        # What is exact for the rounded problem proves nothing about the problem.
        self.info = replace(child.info, exact=False, coefficient_bits=bits)
        self.options = child.options

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        samples = self.child.sample(
            self.rounded(qubo, seed),
            num_reads=num_reads,
            seed=seed,
            time_limit=time_limit,
            initial_states=initial_states,
        )
        return samples.states, {}

    def rounded(self, qubo: Qubo, seed: int) -> Qubo:
        """A QUBO whose spins have couplings J and fields h of ``-(2^(bits-1) - 1) ..`` levels."""
        matrix = qubo.matrix.toarray() if qubo.is_sparse else np.array(qubo.matrix)
        couplings = np.triu(matrix, k=1) / 4.0
        fields = np.diag(matrix) / 2.0 + couplings.sum(axis=0) + couplings.sum(axis=1)
        largest = max(np.abs(couplings).max(initial=0.0), np.abs(fields).max(initial=0.0))
        if largest == 0.0:
            return qubo
        scale = (2 ** (self.bits - 1) - 1) / largest
        rng = np.random.default_rng([seed, 5])
        at_random = rng.random(matrix.shape) * (couplings != 0)
        couplings = np.floor(couplings * scale + at_random)
        fields = np.floor(fields * scale + rng.random(len(fields)) * (fields != 0))
        whole = 4.0 * couplings
        whole[np.diag_indices_from(whole)] = 2.0 * (
            fields - couplings.sum(axis=0) - couplings.sum(axis=1)
        )
        return Qubo(whole)

    def stop(self) -> None:
        """See `Oracle.stop`."""
        self.child.stop()
