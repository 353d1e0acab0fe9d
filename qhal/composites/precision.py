"""`precision`: coefficients as integers of a few bits, and wider ones over copies of variables."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.composite import Composite
from qhal.composites.copies import Copies, least_spins, spread
from qhal.composites.options import choice, flag, positive, whole
from qhal.errors import InputError
from qhal.oracle import Answer, Oracle, OracleInfo
from qhal.problems.arrays import FloatArray, States, lowest_bits
from qhal.problems.ising import Ising
from qhal.problems.qubo import Qubo

ROUNDINGS = ("nearest", "clipped", "stochastic")
MAX_BITS, MAX_SPINS = 32, 2000
# Candidate clipping scales as shares of the largest coefficient.
_CLIPS = np.linspace(0.05, 1.0, 96)


class Precision(Composite):
    """Asks `child` with couplings and fields of spins that are signed integers of `bits` bits.

    Energies of the answers are those of the problem as it was; the info tells the root mean square
    over all states of the energy error that rounding induced, and the dynamic range. Rounding
    takes back `exact`.

    Parameters
    ----------
    bits : of couplings and fields with their sign, from 2 to 32
    rounding : "nearest", "clipped" or "stochastic"
        "nearest": the largest coefficient is the largest integer. "clipped": the step of least mean
        square error, what lies beyond is cut off (J. Max, IRE Trans. Inf. Theory 6, 7, 1960).
        "stochastic": up or down at random, right in the mean, by the call's seed.
    split : whether coefficients beyond `bits` are spread over copies of their variables
        The copies are held together by ferromagnetic couplings and decoded by majority. Where the
        info says ``"chain_bound": true``, the ground states are provably those of the problem
        rounded to ``range_bits``.
    range_bits : bits to which coefficients are rounded before they are split, default 16
        Fewer if all of them are multiples of a larger step, or if it would take too many spins.
    max_spins : spins that copies may take, by default the child's `max_variables`, or else 2000
    chain_strength : couplings of copies as a share of what is provably enough, above 0
        Less takes fewer copies, and they may disagree.
    """

    name: ClassVar[str] = "precision"
    frugal: ClassVar[bool] = True

    def __init__(
        self,
        child: Oracle,
        *,
        bits: int = 8,
        rounding: str = "nearest",
        split: bool = False,
        range_bits: int = 16,
        max_spins: int | None = None,
        chain_strength: float = 1.0,
    ) -> None:
        self.bits, self.range_bits = whole("bits", bits, 2), whole("range_bits", range_bits, 2)
        if max(self.bits, self.range_bits) > MAX_BITS:
            raise InputError(f"bits and range_bits must be at most {MAX_BITS}.")
        self.rounding = choice("rounding", rounding, ROUNDINGS)
        self.split = flag("split", split)
        self.chain_strength = positive("chain_strength", chain_strength)
        if self.split and self.rounding == "clipped":
            raise InputError("split and clipped exclude each other: what is split is not clipped.")
        limit = child.info.max_variables if isinstance(child, Oracle) else None
        most = [n for n in (limit, max_spins) if n is not None]
        self.max_spins = whole("max_spins", min(most, default=MAX_SPINS), 0)
        super().__init__(
            child,
            bits=bits,
            rounding=rounding,
            split=split,
            range_bits=range_bits,
            max_spins=max_spins,
            chain_strength=chain_strength,
        )

    def describe(self, info: OracleInfo) -> OracleInfo:
        """No proof survives rounding, and spreading over copies takes its own time."""
        known = info.coefficient_bits
        return replace(
            info,
            exact=False,
            honours_time_limit=info.honours_time_limit and not self.split,
            coefficient_bits=self.bits if known is None else min(self.bits, known),
        )

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        exact = qubo.to_ising()
        rounded = _Rounding(exact, np.random.default_rng(seed), self.rounding)
        copies = self._copies(rounded) if self.split else None
        if copies is None or copies.num_spins == qubo.num_variables:
            problem, own = rounded.to_bits(self.bits), rounded.about()
            copies = None
        else:
            problem, own = copies.ising, rounded.about()
            own |= {"spins": copies.num_spins, "chain_bound": copies.chain_bound}
            initial_states = _copied(copies, initial_states)
        samples = self.ask(
            Qubo.from_ising(problem),
            num_reads=num_reads,
            seed=seed,
            time_limit=time_limit,
            initial_states=initial_states,
        )
        states = samples.states
        if copies is not None:
            states, own["broken_chains"] = copies.decode(states)
        return states, self.report(samples, **own)

    def _copies(self, rounded: _Rounding) -> Copies | None:
        """The problem over copies with as many bits as `range_bits` and the child allow."""
        limit, most = 2 ** (self.bits - 1) - 1, self.max_spins
        for bits in range(max(self.range_bits, self.bits), self.bits, -1):
            couplings, fields = rounded.to_whole(bits)
            if least_spins(couplings, fields, limit, self.chain_strength) > most:
                continue
            copies = spread(couplings, fields, limit, self.chain_strength)
            if copies.num_spins <= most:
                return copies
        return None


@dataclass
class _Rounding:
    """One problem and what its last rounding did to it."""

    exact: Ising
    rng: np.random.Generator
    mode: str
    bits: int = 0
    step: float = 0.0
    error: float = 0.0

    def __post_init__(self) -> None:
        self._pairs = sp.coo_array(self.exact.J)
        self._values = np.concatenate([self._pairs.data, self.exact.h])
        self._largest = float(np.abs(self._values).max(initial=0.0))

    def to_bits(self, bits: int) -> Ising:
        """The problem with integers of `bits` bits."""
        couplings, fields = self.to_whole(bits, always_full=True)
        return Ising(sp.csr_array(couplings.astype(np.float64)), fields.astype(np.float64))

    def to_whole(
        self, bits: int, always_full: bool = False
    ) -> tuple[sp.coo_array, npt.NDArray[np.int64]]:
        """Couplings and fields as integers of at most `bits` bits.

        Unless `always_full`, the step is the largest that loses nothing, if there is one.
        """
        limit = 2 ** (bits - 1) - 1
        self.bits, self.step = bits, self._largest / limit
        if not always_full:
            grid = float(lowest_bits(self._values).min(initial=math.inf))
            if math.isfinite(grid) and self._largest <= grid * limit:
                self.step = grid
        if self.mode == "clipped":
            self.step *= _best_clip(self._values / (self._largest or 1.0), limit)
        whole = self._round(limit)
        split = len(self._pairs.data)
        pairs = sp.coo_array(
            (whole[:split], (self._pairs.row, self._pairs.col)), shape=self._pairs.shape
        )
        pairs.eliminate_zeros()
        return pairs, whole[split:]

    def _round(self, limit: int) -> npt.NDArray[np.int64]:
        if self.step == 0:
            return np.zeros(len(self._values), dtype=np.int64)
        steps = self._values / self.step
        if self.mode == "stochastic":
            # What is whole but for rounding errors stays as it is.
            is_whole = np.abs(steps - np.rint(steps)) < 1e-9
            steps = np.where(is_whole, steps, np.floor(steps + self.rng.random(len(steps))))
        whole = np.clip(np.rint(steps), -limit, limit)
        errors = (whole * self.step - self._values) / self._largest
        self.error = self._largest * float(np.sqrt(np.sum(errors**2)))
        return whole.astype(np.int64)

    def about(self) -> dict[str, Any]:
        """Bits, dynamic range, and the energy error of the last rounding."""
        present = np.abs(self._values[self._values != 0])
        spread_bits = 0.0
        if len(present):
            spread_bits = math.log2(float(present.max())) - math.log2(float(present.min()))
        return {
            "range_bits": self.bits,
            "dynamic_range_bits": spread_bits,
            "energy_error_rms": self.error,
        }


def _best_clip(shares: FloatArray, limit: int) -> float:
    """The step, as a share of the usual one, with the least mean square error."""

    def error(clip: float) -> float:
        step = clip / limit
        return float(np.sum((np.clip(np.rint(shares / step), -limit, limit) * step - shares) ** 2))

    return min((float(clip) for clip in _CLIPS), key=error)


def _copied(copies: Copies, initial_states: States | None) -> States | None:
    if initial_states is None:
        return None
    states = initial_states
    if copies.has_reference:
        states = np.hstack([states, np.ones((len(states), 1), dtype=np.int8)])
    return np.repeat(states, np.diff(copies.first), axis=1)
