"""Descent on the exact coefficients, in float64, by single flips and by pairs of flips.

A pair moves what a penalty holds: a 1 and a 0 change places and the sum of a row stays. Pairs that
are not coupled gain nothing that single flips do not.
"""

from __future__ import annotations

import numpy as np

from qhal_cim.forms import QuadraticForm
from qhal_cim.kernels import compiled, with_numba

# Flips that gain no more than rounding errors could go on for ever; descents take a few passes.
_PASSES = 100


def descend(form: QuadraticForm, bits: np.ndarray, kernel: str = "auto") -> np.ndarray:
    """Flip the bits of states (num_reads, n) until no flip or pair of flips lowers the energy.

    Works over x in {0, 1} rather than over spins: there a large coefficient that is switched off
    takes no digits from the small ones.
    """
    bits = np.ascontiguousarray(bits, dtype=np.int8).copy()
    states = bits.astype(np.float64)
    products = states @ form.matrix if form.is_dense else (form.matrix @ states.T).T
    slopes = np.ascontiguousarray(products) + form.linear
    tolerance = 1e-13 * np.abs(form.linear)
    if not with_numba(kernel):
        _descend_all(form, bits, slopes, tolerance)
    elif form.is_dense:
        matrix = np.ascontiguousarray(form.matrix)
        compiled.descend_dense(matrix, form.largest, bits, slopes, tolerance)
    else:
        matrix = form.matrix
        indptr, indices = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
        compiled.descend_sparse(indptr, indices, matrix.data, form.largest, bits, slopes, tolerance)
    return bits


def _descend_all(
    form: QuadraticForm, bits: np.ndarray, slopes: np.ndarray, tolerance: np.ndarray
) -> None:
    """All states side by side, in place."""
    active = np.arange(len(bits))
    for _ in range(_PASSES):
        if not active.size:
            break
        _flip(form, bits, slopes, tolerance, active)
        active = _exchange(form, bits, slopes, tolerance, active)


def _flip(
    form: QuadraticForm,
    bits: np.ndarray,
    slopes: np.ndarray,
    tolerance: np.ndarray,
    active: np.ndarray,
) -> None:
    """Steepest descent of the `active` states by single flips."""
    for _ in range(_PASSES * form.num_variables):
        if not active.size:
            break
        gains = (1 - 2 * bits[active]) * slopes[active] + tolerance
        flips = gains.argmin(axis=1)
        still = gains[np.arange(active.size), flips] < 0
        active, flips = active[still], flips[still]
        _turn(form, bits, slopes, active, flips)


def _exchange(
    form: QuadraticForm,
    bits: np.ndarray,
    slopes: np.ndarray,
    tolerance: np.ndarray,
    active: np.ndarray,
) -> np.ndarray:
    """Flip each variable with its best partner, where that pays; returns the states it paid for."""
    changed = np.zeros(len(bits), dtype=bool)
    for i in range(form.num_variables):
        flip = 1 - 2 * bits[active, i]
        loss = flip * slopes[active, i]
        near = np.flatnonzero(loss < form.largest[i])
        if not near.size:
            continue
        partners, couplings = _couplings(form, i)
        states = np.ix_(active[near], partners)
        changes = slopes[states] + flip[near, np.newaxis] * couplings
        changes *= 1 - 2 * bits[states]
        best = changes.argmin(axis=1)
        chosen = partners[best]
        total = loss[near] + changes[np.arange(near.size), best]
        paid = total < -tolerance[i] - tolerance[chosen]
        if paid.any():
            rows = active[near[paid]]
            _turn(form, bits, slopes, rows, np.full(rows.size, i))
            _turn(form, bits, slopes, rows, chosen[paid])
            changed[rows] = True
    return np.flatnonzero(changed)


def _couplings(form: QuadraticForm, i: int) -> tuple[np.ndarray, np.ndarray]:
    """What variable i is coupled with, and by how much."""
    if form.is_dense:
        others = np.delete(np.arange(form.num_variables), i)
        return others, form.matrix[i, others]
    entries = slice(form.matrix.indptr[i], form.matrix.indptr[i + 1])
    return form.matrix.indices[entries], form.matrix.data[entries]


def _turn(
    form: QuadraticForm, bits: np.ndarray, slopes: np.ndarray, states: np.ndarray, flips: np.ndarray
) -> None:
    """Flip one variable of each of `states`."""
    signs = 1 - 2 * bits[states, flips]
    bits[states, flips] += signs
    rows = form.matrix[flips]
    slopes[states] += signs[:, np.newaxis] * (rows if form.is_dense else rows.toarray())
