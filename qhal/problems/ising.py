"""The unconstrained problem over spins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.problems.arrays import (
    FloatArray,
    Matrix,
    as_scalar,
    as_square,
    as_vector,
    compact,
    freeze,
)


@dataclass(frozen=True, eq=False)
class Ising:
    """Minimise s'Js + h's + offset over s in {-1, +1}^n.

    Parameters
    ----------
    J : (n, n) array or scipy sparse matrix
        Couplings, **strictly upper triangular** (each pair once), float64.
    h : (n,) array
        Fields.
    offset : float
        Constant added to every energy.

    Vendors that minimise -s'Js are converted in their plugin.
    """

    J: Matrix
    h: FloatArray
    offset: float = 0.0

    def __post_init__(self) -> None:
        couplings = as_square(self.J, "the coupling matrix J")
        lower = sp.tril(couplings) if sp.issparse(couplings) else np.tril(couplings)
        if abs(lower).max() if lower.size else 0:
            raise InputError(
                "the coupling matrix J must be strictly upper triangular: each pair once, "
                "no diagonal (s_i squared is 1, so a diagonal belongs in the offset)."
            )
        fields = as_vector(self.h, "the fields h", couplings.shape[0])
        object.__setattr__(self, "J", freeze(compact(couplings)))
        object.__setattr__(self, "h", freeze(fields))
        object.__setattr__(self, "offset", as_scalar(self.offset, "the Ising offset"))

    @property
    def num_variables(self) -> int:
        """The number of spins, n."""
        return int(self.J.shape[0])

    def energies(self, states: Any) -> FloatArray:
        """Exact energies (num_reads,) of spin `states` (num_reads, n) with values -1 and +1."""
        spins = np.atleast_2d(np.asarray(states))
        if spins.ndim != 2 or spins.shape[1] != self.num_variables:
            raise InputError(
                f"spin states must have shape (num_reads, {self.num_variables}), "
                f"but have {spins.shape}."
            )
        if not np.isin(spins, (-1, 1)).all():
            raise InputError("spin states must hold only the values -1 and +1.")
        spins = spins.astype(np.float64)
        products = (self.J.T @ spins.T).T if sp.issparse(self.J) else spins @ self.J
        energies = np.einsum("ij,ij->i", spins, products) + spins @ self.h + self.offset
        return np.asarray(energies, dtype=np.float64)
