"""An oracle whose energies are off by a known variance."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from qhal import Qubo
from qhal.oracle import Oracle


class Disturbed(Oracle):
    """`inner` on coefficients with errors of standard deviation `sigma`, drawn anew at each call.

    `sigma` is a share of the largest coefficient; the bits that leaves are what the oracle states.
    For wrong answers see ``noisy`` of `qhal.composites`.
    """

    def __init__(self, inner: Oracle, sigma: float) -> None:
        self._inner, self._sigma = inner, sigma
        bits = max(2, round(-math.log2(sigma)))
        name = f"disturbed {inner.info.name}"
        self.info = replace(inner.info, name=name, exact=False, coefficient_bits=bits)

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: Any,
    ) -> np.ndarray:
        matrix = sp.csr_array(qubo.matrix).copy()
        scale = self._sigma * float(np.abs(matrix.data).max(initial=0.0))
        errors = np.random.default_rng(seed).normal(scale=scale, size=matrix.nnz)
        matrix.data = matrix.data + errors
        samples = self._inner.sample(
            Qubo(matrix, qubo.offset),
            num_reads=num_reads,
            seed=seed,
            time_limit=time_limit,
            initial_states=initial_states,
        )
        return samples.states
