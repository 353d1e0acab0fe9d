"""Progressive hedging: copies of the same bits that are drawn together, round by round.

Rockafellar and Wets, Mathematics of Operations Research 16 (1991) 119. Copy s minimises
f_s(w) + W_s'w + rho/2 |w - mean|^2, then mean = sum p_s w_s and W_s += rho (w_s - mean). For bits
w^2 is w, so that both terms are linear in w: only fields of a QUBO change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError
from qhal.problems.arrays import FloatArray, as_scalar

Bits: TypeAlias = npt.NDArray[np.int8]
RhoRule: TypeAlias = Literal["fixed", "balanced", "per-bit"]

# Residual balancing (Boyd et al., Foundations and Trends in Machine Learning 3 (2011), 3.4.1).
_IMBALANCE, _FACTOR = 10.0, 2.0
# A bit whose flip changes nothing yet gets this share of the mean penalty.
_LEAST_SHARE = 0.1


@dataclass(frozen=True)
class Penalty:
    """How strongly copies are drawn together.

    `rho` > 0 is in units of what a single flip changes in a copy's objective, on average. Rules:
    "fixed" keeps it; "balanced" doubles or halves it where the copies' spread and the mean's steps
    differ tenfold; "per-bit" takes for each bit what its own flips change (as Watson and Woodruff,
    Computational Management Science 8 (2011) 355, take a variable's cost).
    """

    rho: float = 0.1
    rule: RhoRule = "per-bit"

    def __post_init__(self) -> None:
        if not 0 < as_scalar(self.rho, "rho") < np.inf:
            raise InputError(f"rho must be a positive number, not {self.rho!r}.")
        if self.rule not in get_args(RhoRule):
            names = ", ".join(get_args(RhoRule))
            raise InputError(f"rho_rule must be one of {names}, not {self.rule!r}.")

    def start(self, changes: FloatArray) -> FloatArray:
        """The penalties (n,), of which `changes` (n,) are the mean changes by single flips."""
        mean = float(changes.mean()) if len(changes) else 0.0
        unit = mean if mean > 0 else 1.0
        if self.rule == "per-bit":
            return np.asarray(self.rho * np.maximum(changes, _LEAST_SHARE * unit))
        return np.full(len(changes), self.rho * unit)


class Hedge:
    """The state of progressive hedging on S copies of n bits.

    `weights` (S,) are the copies' shares p, `mean` (n,) is in [0, 1], at first where to begin;
    `changes` (n,) the mean changes of the copies' objectives by single flips there. `multipliers`
    (S, n) are W: their p-weighted sum is 0 at all times, up to rounding.
    """

    def __init__(
        self, weights: FloatArray, mean: FloatArray, changes: FloatArray, penalty: Penalty
    ) -> None:
        self.weights, self.mean, self.penalty = weights, mean, penalty
        self.rho = penalty.start(changes)
        self.multipliers = np.zeros((len(weights), len(mean)))
        self.bits: Bits = np.zeros((len(weights), len(mean)), dtype=np.int8)

    def fields(self) -> tuple[FloatArray, float]:
        """Linear coefficients (S, n) to add to each copy's objective, and the common offset."""
        return self.multipliers + self.rho * (0.5 - self.mean), float(self.rho @ self.mean**2) / 2

    def update(self, bits: Bits) -> None:
        """Take the copies' answers (S, n): a new mean, new multipliers, and perhaps new penalties.

        The same penalty for all copies, or the multipliers would no longer add up to 0.
        """
        before, self.bits = self.mean, bits
        self.mean = self.weights @ bits
        self.multipliers += self.rho * (bits - self.mean)
        if self.penalty.rule == "balanced":
            spread = float(np.sqrt(self.weights @ ((bits - self.mean) ** 2).sum(axis=1)))
            step = float(np.linalg.norm(self.mean - before))
            if spread > _IMBALANCE * step:
                self.rho = self.rho * _FACTOR
            elif step > _IMBALANCE * spread:
                self.rho = self.rho / _FACTOR

    @property
    def disagreement(self) -> float:
        """The mean share of copies that a bit's minority has, from 0 (consensus) to 0.5."""
        return float(np.minimum(self.mean, 1.0 - self.mean).mean()) if len(self.mean) else 0.0

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that changes, as arrays; `restore` takes it back."""
        return {
            "mean": self.mean,
            "multipliers": self.multipliers,
            "bits": self.bits,
            "rho": self.rho,
        }

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what `state` returned; raises ValueError if it is not of this shape."""
        for name, own in self.state().items():
            if arrays[name].shape != own.shape or not np.isfinite(arrays[name]).all():
                raise ValueError(f"its {name} do not fit")
        if not np.isin(arrays["bits"], (0, 1)).all() or not (arrays["rho"] > 0).all():
            raise ValueError("its bits or penalties are none")
        self.mean, self.multipliers = arrays["mean"].copy(), arrays["multipliers"].copy()
        self.bits, self.rho = arrays["bits"].astype(np.int8), arrays["rho"].copy()
