"""Rows ``low <= expression <= high``, as MPS and QPLIB hold them, become rows of one sense each."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.problems import Constraints
from qhal.problems.arrays import FloatArray
from qhal.problems.qcbo import MAX_BOUND

_LOG = logging.getLogger("qhal.files")


def constraints_within(
    linear: sp.csr_array,
    products: npt.NDArray[np.int64],
    values: FloatArray,
    low: FloatArray,
    high: FloatArray,
    labels: Sequence[str],
) -> Constraints:
    """The rows ``low <= linear @ x + products <= high`` (m of them), infinite sides left out.

    `products` (q, 3) holds (row, i, j) and `values` (q,) their coefficients. Equal sides make an
    equation; two different finite ones make the rows ``label_low`` and ``label_high``; a row
    without any says nothing and is dropped.
    """
    m = linear.shape[0]
    picked: list[tuple[int, str, float, str]] = []
    for row, (below, above, label) in enumerate(zip(low, high, labels, strict=True)):
        if below == above:
            picked.append((row, "==", below, label))
            continue
        both = np.isfinite(below) and np.isfinite(above)
        for side, sense, end in ((below, ">=", "_low"), (above, "<=", "_high")):
            if np.isfinite(side):
                picked.append((row, sense, side, label + end if both else label))
    made = [label for *_, label in picked]
    if len(set(made)) < len(made):
        twice = next(label for label in made if made.count(label) > 1)
        raise InputError(f"two constraints share the label {twice!r}: labels must be unique.")
    pairs, columns = np.unique(np.sort(products[:, 1:], axis=1), axis=0, return_inverse=True)
    coefficients = sp.csr_array(
        sp.coo_array((values, (products[:, 0], columns.reshape(-1))), shape=(m, len(pairs)))
    )
    coefficients.eliminate_zeros()
    rows = np.array([row for row, *_ in picked], dtype=np.intp)
    if not (np.isfinite(linear.data).all() and np.isfinite(coefficients.data).all()):
        raise InputError("coefficients of one row and variable add up to more than a float holds.")
    return Constraints(
        sp.csr_array(linear[rows]),
        sp.csr_array(coefficients[rows]),
        pairs.astype(np.intp).reshape(-1, 2),
        tuple(sense for _, sense, *_ in picked),
        np.array([side for *_, side, _ in picked], dtype=np.float64),
        tuple(made),
    )


def whole_bounds(
    low: float, high: float, name: str, variable: str, hint: str
) -> tuple[float, float]:
    """The whole numbers from `low` to `high`; `InputError`, with a `hint`, if they are too many."""
    if not (abs(low) <= MAX_BOUND and abs(high) <= MAX_BOUND):
        raise InputError(
            f"{name}: integer variable {variable!r} needs finite bounds below 2^53: {hint}."
        )
    return float(np.ceil(low)), float(np.floor(high))


def note_maximised(name: str) -> None:
    """Tell the user that the signs of the file's objective are the other way round here."""
    _LOG.info(
        "%s is to be maximised: qhal minimises the negated objective, so every objective and "
        "bound is the negative of the file's.",
        name,
    )


def check_words(words: Sequence[str], suffix: str, forbidden: str = "") -> None:
    """Raise `InputError` for a name that a format of words between white space cannot hold.

    `forbidden` are the characters that no name may start with.
    """
    for word in words:
        if len(word.split()) != 1 or word.split()[0] != word or word[0] in forbidden:
            raise InputError(
                f"an {suffix} file cannot hold the name {word!r}: names are words without white "
                f"space{f', and do not start with {forbidden}' if forbidden else ''}; rename it."
            )
        if "\0" in word or any(0xD800 <= ord(letter) < 0xE000 for letter in word):
            raise InputError(f"an {suffix} file cannot hold the name {word!r}: rename it.")
