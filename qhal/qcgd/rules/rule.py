"""What every rule is: multipliers, a way to update them, and a memory that can be kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError
from qhal.problems.arrays import FloatArray
from qhal.qcgd.lifting import Atoms


class Rule(ABC):
    """Chooses the multipliers of each round.

    `memory` names the attributes (numbers and float arrays) that, beside `multipliers`, the next
    rounds depend on; of those in `growing` the first dimension varies, alike for all. `warm_share`
    is the part of the reads that begin at states of earlier rounds, if the oracle can do that;
    `reduces` says whether calls to heuristics may be about parts of the problem, and `insists`
    whether the oracle's own samples must become feasible, whatever completion makes of them.
    """

    multipliers: FloatArray
    insists: bool = True
    warm_share: ClassVar[float] = 0.0
    reduces: ClassVar[bool] = False
    memory: ClassVar[tuple[str, ...]] = ()
    growing: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def update(self, atoms: Atoms, upper: float | None) -> None:
        """Set `multipliers` for the next round.

        `atoms` are this round's samples, lowest energy first; `upper` is the best feasible
        objective so far in the units of `Atoms.objectives`, None while there is none.
        """

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that the next rounds depend on, as arrays by name."""
        return {name: np.array(getattr(self, name)) for name in ("multipliers", *self.memory)}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what `state` returned; raises `InputError` if it does not fit."""
        kept = [state[name] for name in self.growing if name in state]
        lengths = {len(array) for array in kept if array.ndim}
        for name in ("multipliers", *self.memory):
            present, stored = np.asarray(getattr(self, name)), state.get(name)
            shape: tuple[int, ...] = present.shape
            if name in self.growing and len(lengths) == 1:
                shape = (*lengths, *present.shape[1:])
            if stored is None or stored.dtype != present.dtype or stored.shape != shape:
                raise InputError(f"the checkpoint is damaged: its {name!r} does not fit.")
            setattr(self, name, stored.copy() if stored.ndim else stored.item())
