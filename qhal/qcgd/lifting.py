"""Multipliers to QUBO, states to residuals: the lifted problem, with Y = ww' never formed.

The lift of ``rows @ x = rhs`` and ``forms(x) = 0`` to conv{ww' : w = (1, x), x binary} asks, of the
distribution over states that Y stands for,

    E[a'x - b] = 0 (multiplier mu, free),  E[(a'x - b)^2] = 0 (lambda >= 0),  E[q(x)] = 0 (nu >= 0),

all linear in Y. Together they make every state in the support feasible, so the lift is exact, and
its linear minimisation step is the QUBO that `Lifting.qubo` builds. (Our reading of
arXiv:2506.18240; the lift itself is Burer, Math. Program. 120, 2009.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.problems.arrays import FloatArray, States
from qhal.problems.program import BinaryProgram
from qhal.problems.qcbo import Values
from qhal.problems.qubo import Qubo
from qhal.qcgd.assembly import Assembly
from qhal.tracing import span

# A multiplier is a multiple of 2^-GRID_BITS of the objective's scale, divided by the power of two
# in its typical residual: a QUBO of whole or dyadic coefficients then has energies that float64
# adds without any rounding, unless the coefficients reach far.
GRID_BITS = 20
MAX_DIGITS = 290
_PROBES = 64


@dataclass(frozen=True, eq=False)
class Atoms:
    """What the method keeps of states: objective and residuals, in units of the objective's scale.

    `objectives` (k,), without the offset, which may dwarf every difference; `residuals`
    (k, num_multipliers); `feasible` (k,); `feasible_share` is the part of the oracle's samples that
    were feasible.
    """

    objectives: FloatArray
    residuals: FloatArray
    feasible: np.ndarray[tuple[int], np.dtype[np.bool_]]
    feasible_share: float

    def sorted_by_energy(self, multipliers: FloatArray) -> Atoms:
        """The same atoms, lowest energy of the QUBO of `multipliers` first."""
        order = np.argsort(self.energies(multipliers), kind="stable")
        return Atoms(
            self.objectives[order],
            self.residuals[order],
            self.feasible[order],
            self.feasible_share,
        )

    def energies(self, multipliers: FloatArray) -> FloatArray:
        """Energies of the QUBO of `multipliers` at the atoms, shape (k,)."""
        return self.objectives + self.residuals @ multipliers


class Lifting:
    """The lifted problem of `program`; multipliers are (mu, lambda, nu), each row's in order.

    `scale` is the mean change of the objective when one bit that it depends on flips. Rules see
    objectives divided by it, so that one unit of multiplier is one typical change.
    """

    def __init__(self, program: BinaryProgram) -> None:
        self.program = program
        _check_magnitudes(program)
        self.scale = _flip_scale(program.objective)
        self._assembly = Assembly(program)
        self._objective = Qubo(program.objective.matrix)
        self._source = replace(program.source, offset=0.0)
        self._grid = 2.0 ** -(GRID_BITS + np.floor(np.log2(self.residual_scales)))
        # Whole numbers miss by nothing or by at least 1.
        self._tolerances = np.where(program.row_misses > 0, program.row_misses, 0.5)
        self._form_tolerances = np.where(program.form_misses > 0, program.form_misses, 0.5)

    @property
    def num_multipliers(self) -> int:
        """Two for each row, one for each form."""
        return 2 * len(self.program.rhs) + len(self.program.forms)

    @property
    def signed(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which multipliers must stay >= 0 (lambda and nu), shape (num_multipliers,)."""
        return np.arange(self.num_multipliers) >= len(self.program.rhs)

    @property
    def unit(self) -> float:
        """What the QUBO's coefficients are whole multiples of, for multipliers on the grid.

        0 if nothing: then float64 rounds them.
        """
        source = self.program.source
        if source.objective_step is None or not self.program.is_whole:
            return 0.0
        parts = (source.objective_step, Fraction(source.offset))
        shares = [part.denominator for part in parts]
        if any(share & (share - 1) for share in shares):
            return 0.0
        return min(self.scale * float(self._grid.min(initial=1.0)), 1.0 / max(shares))

    @property
    def residual_scales(self) -> FloatArray:
        """Typical |residual| of each multiplier over random states, at least 1.

        For a row the standard deviation of a'x over fair coins, for its square that squared.
        """
        spread = np.sqrt(np.asarray((self.program.rows**2).sum(axis=1)).ravel()) / 2
        spread = np.maximum(spread, 1.0)
        return np.concatenate([spread, spread**2, self._form_sizes])

    @property
    def _form_sizes(self) -> FloatArray:
        """1 for forms of products, a typical coefficient for linear ones."""
        forms = self.program.forms
        counts = np.maximum(np.diff(forms.linear.indptr), 1)
        size = np.sqrt(np.asarray((forms.linear**2).sum(axis=1)).ravel() / counts)
        return np.where(forms.quadratic, 1.0, np.maximum(size, 1.0))

    @property
    def residual_units(self) -> FloatArray:
        """What one typical bit changes in each multiplier's residual: size of a row, its square."""
        rows = self.program.rows[:, : self.program.num_primary + len(self.program.helpers)]
        counts = np.maximum(np.diff(rows.indptr), 1)
        size = np.sqrt(np.asarray((rows**2).sum(axis=1)).ravel() / counts)
        size = np.where(size > 0, size, 1.0)
        return np.concatenate([size, size**2, self._form_sizes])

    @property
    def misses(self) -> FloatArray:
        """What each multiplier's |residual| may be at a feasible assignment's bits."""
        rows, forms = self.program.row_misses, self.program.form_misses
        return np.concatenate([rows, rows**2, forms])

    def objective_of(self, values: Values) -> float:
        """The objective of feasible `values` (n,) in the units of `Atoms.objectives`.

        They may lie outside of what presolve left, and so have no bits.
        """
        ends = np.stack([values, self.program.code.lower])
        found, origin = self._source.objectives(ends).tolist()
        return float(found - origin) / self.scale

    def slop(self, multipliers: FloatArray) -> float:
        """By how much the bits of a feasible assignment may exceed its objective in the QUBO.

        0 for rows of whole numbers; in the objective's own units. For multipliers with lambda and
        nu >= 0.
        """
        return float(np.abs(multipliers) @ self.misses) * self.scale

    def on_grid(self, multipliers: FloatArray) -> FloatArray:
        """`multipliers` rounded to the grid on which the QUBO's coefficients are exact."""
        return np.round(multipliers / self._grid) * self._grid

    @span("assembly")
    def qubo(self, multipliers: FloatArray, with_objective: bool = True) -> Qubo:
        """The linear minimisation step: objective plus multipliers times residuals.

        In the objective's own units: energies are `scale` times those of `Atoms.energies`.
        `with_objective=False` leaves the objective out, for a proof of infeasibility.
        """
        scaled = multipliers * self.scale
        matrix = self._assembly.matrix(scaled, with_objective)
        offset = self._assembly.offset(scaled, with_objective)
        return Qubo(matrix, offset)

    def atoms(self, bits: States, feasible_share: float) -> Atoms:
        """Objectives and residuals of `bits` (k, N)."""
        rows = self.program.row_residuals(bits)
        forms = self.program.form_residuals(bits)
        met: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.logical_and(
            (np.abs(rows) <= self._tolerances).all(axis=1),
            (forms <= self._form_tolerances).all(axis=1),
        )
        objectives = self._objective.energies(bits) / self.scale
        return Atoms(objectives, np.hstack([rows, rows**2, forms]), met, feasible_share)


def _check_magnitudes(program: BinaryProgram) -> None:
    """Raise `InputError` if squared rows times the objective would come near float64's limits."""
    parts = (program.objective.matrix, program.rows, program.forms.products, program.forms.linear)
    sizes = [float(abs(part).max()) if min(part.shape) else 0.0 for part in parts]
    rows = max(1.0, *sizes[1:], float(np.abs(program.rhs).max(initial=0.0)))
    if math.log10(max(sizes[0], 1.0)) + 2 * math.log10(rows) > MAX_DIGITS:
        raise InputError(
            "the problem's coefficients are so large that their products overflow float64: "
            "scale the objective and the constraints down."
        )


def dynamic_range_bits(qubo: Qubo) -> float:
    """log2 of the largest over the smallest non-zero |coefficient| of `qubo` (0 if none)."""
    data = np.abs(qubo.matrix.data if qubo.is_sparse else qubo.matrix[qubo.matrix != 0])
    data = data[data > 0]
    return math.log2(float(data.max() / data.min())) if len(data) else 0.0


def _flip_scale(objective: Qubo) -> float:
    """Mean |change| of the objective under one flip of a bit that it involves."""
    n = objective.num_variables
    matrix = sp.csr_array(objective.matrix)
    symmetric = sp.csr_array(
        matrix + matrix.T - 2 * sp.diags_array(matrix.diagonal(), shape=(n, n))
    )
    involved = (np.diff(symmetric.indptr) > 0) | (matrix.diagonal() != 0)
    if not involved.any():
        return 1.0
    bits = np.random.default_rng(0).integers(0, 2, (_PROBES, n)).astype(np.float64)
    changes = np.abs((symmetric @ bits.T).T + matrix.diagonal())[:, involved]
    mean = float(changes.mean())
    return 2.0 ** math.floor(math.log2(mean)) if mean > 0 else 1.0
