"""qhal's own problem files (``.npz``): numpy arrays by name, no pickle.

==================================  =====================================================
array                               content
==================================  =====================================================
``format``                          the text ``qhal-problem-1``
``names``                           (n,) text, different from each other
``lower``, ``upper``                (n,) int64, bounds, inclusive; 0 and 1 mean binary
``spins``                           optional, (n,) bool: these take only the values -1 and 1
``linear``, ``offset``              (n,) and () float64, of the objective
``pairs``, ``pair_values``          (k, 2) int64, i <= j, and (k,) float64: the objective's
                                    products x[i] x[j]
``labels``, ``senses``, ``rhs``     (m,) text, text (``==``, ``<=``, ``>=``) and float64
``row_entries``, ``row_values``     (l, 2) int64 (row, variable) and (l,) float64: the linear
                                    part of the constraints
``row_products``,                   (q, 3) int64 (row, i, j), i <= j, and (q,) float64: the
``row_product_values``              products in the constraints
==================================  =====================================================

Everything of a `Qcbo` is kept but its `completion`, which is code.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from qhal.archive import parse_array, read_members, write_arrays
from qhal.errors import InputError
from qhal.problems import Constraints, Qcbo

FORMAT = "qhal-problem-1"

# name: kind of dtype, columns (0: one-dimensional), what its length is shared with
_LAYOUT: dict[str, tuple[str, int, str]] = {
    "names": ("U", 0, "n"),
    "lower": ("i", 0, "n"),
    "upper": ("i", 0, "n"),
    "spins": ("b", 0, "n"),
    "linear": ("f", 0, "n"),
    "pairs": ("i", 2, "k"),
    "pair_values": ("f", 0, "k"),
    "labels": ("U", 0, "m"),
    "senses": ("U", 0, "m"),
    "rhs": ("f", 0, "m"),
    "row_entries": ("i", 2, "l"),
    "row_values": ("f", 0, "l"),
    "row_products": ("i", 3, "q"),
    "row_product_values": ("f", 0, "q"),
}
_KINDS = {"U": "text", "i": "int64", "f": "float64", "b": "bool"}


def read(data: bytes, name: str) -> Qcbo:
    """The problem in `data`, the content of the ``.npz`` file `name`."""
    members = read_members(data, name)
    arrays = {
        key.removesuffix(".npy"): parse_array(content, f"{key} in {name}")
        for key, content in members.items()
    }
    if str(arrays.get("format", "")) != FORMAT:
        found = ", ".join(sorted(arrays)[:5]) or "no arrays"
        raise InputError(
            f"{name} is not a problem of qhal (it has no format = {FORMAT!r}, but {found}); "
            "data sets go to qhal train, models to qhal predict."
        )
    arrays.setdefault("spins", np.zeros(len(np.atleast_1d(arrays.get("names", ()))), dtype=bool))
    _check_layout(arrays, name)
    n, m = len(arrays["names"]), len(arrays["labels"])
    for key, sizes in (("pairs", (n, n)), ("row_entries", (m, n)), ("row_products", (m, n, n))):
        if ((arrays[key] < 0) | (arrays[key] >= sizes)).any():
            raise InputError(f"{key} in {name} points to a row or variable that does not exist.")
    if not set(arrays["senses"].tolist()) <= {"==", "<=", ">="}:
        raise InputError(f"senses in {name} must be '==', '<=' or '>='.")
    if max(np.abs(arrays[key].astype(float)).max(initial=0) for key in ("lower", "upper")) > 2**53:
        raise InputError(f"the bounds in {name} must lie within -2^53 and 2^53.")
    if len(set(arrays["labels"].tolist())) < m:
        raise InputError(f"labels in {name} must differ from each other.")
    return _problem(arrays)


def write(problem: Qcbo) -> bytes:
    """The content of an ``.npz`` file for `problem`."""
    objective = sp.coo_array(problem.quadratic)
    rows = problem.constraints
    linear, products = sp.coo_array(rows.linear), sp.coo_array(rows.products)
    return write_arrays(
        {
            "format": FORMAT,
            "names": _text(problem.names),
            "lower": problem.lower,
            "upper": problem.upper,
            "spins": problem.spins,
            "linear": problem.linear,
            "offset": np.float64(problem.offset),
            "pairs": _columns(objective.row, objective.col),
            "pair_values": objective.data,
            "labels": _text(rows.labels),
            "senses": _text(rows.senses),
            "rhs": rows.rhs,
            "row_entries": _columns(linear.row, linear.col),
            "row_values": linear.data,
            "row_products": _columns(products.row, *rows.pairs[products.col].T),
            "row_product_values": products.data,
        }
    )


def _check_layout(arrays: dict[str, npt.NDArray[Any]], name: str) -> None:
    lengths: dict[str, int] = {}
    for key, (kind, columns, length) in _LAYOUT.items():
        if key not in arrays:
            raise InputError(f"{name} lacks the array {key!r}.")
        array = arrays[key]
        shape = (columns,) if columns else ()
        if array.dtype.kind != kind or array.ndim == 0 or array.shape[1:] != shape:
            raise InputError(
                f"{key} in {name} must be {_KINDS[kind]} of the shape {('any', *shape)}, "
                f"but is {array.dtype} of the shape {array.shape}."
            )
        if lengths.setdefault(length, len(array)) != len(array):
            raise InputError(f"{key} in {name} has {len(array)} entries, not {lengths[length]}.")
        if kind == "f" and not np.isfinite(array).all():
            raise InputError(f"{key} in {name} contains NaN or an infinite value.")
    offset = arrays.get("offset")
    if offset is None or offset.shape != () or not np.isfinite(offset):
        raise InputError(f"offset in {name} must be one finite number.")


def _problem(arrays: dict[str, npt.NDArray[Any]]) -> Qcbo:
    n, m = len(arrays["names"]), len(arrays["labels"])
    products = arrays["row_products"]
    pairs, columns = np.unique(np.sort(products[:, 1:], axis=1), axis=0, return_inverse=True)
    constraints = Constraints(
        _csr(arrays["row_values"], arrays["row_entries"].T, (m, n)),
        _csr(
            arrays["row_product_values"],
            np.stack([products[:, 0], columns.reshape(-1)]),
            (m, len(pairs)),
        ),
        pairs.astype(np.intp),
        tuple(arrays["senses"].tolist()),
        arrays["rhs"],
        tuple(arrays["labels"].tolist()),
    )
    return Qcbo(
        _csr(arrays["pair_values"], np.sort(arrays["pairs"], axis=1).T, (n, n)),
        arrays["linear"],
        float(arrays["offset"]),
        constraints,
        arrays["lower"],
        arrays["upper"],
        tuple(arrays["names"].tolist()),
        spins=arrays["spins"],
    )


def _csr(
    values: npt.NDArray[Any], indices: npt.NDArray[Any], shape: tuple[int, int]
) -> sp.csr_array:
    return sp.csr_array(sp.coo_array((values, indices), shape=shape))


def _columns(*vectors: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.stack([np.asarray(vector, dtype=np.int64) for vector in vectors], axis=1)


def _text(words: tuple[Hashable, ...]) -> npt.NDArray[np.str_]:
    return np.array([str(word) for word in words], dtype=np.str_).reshape(len(words))
