"""Whether a checkpoint is of this run: its data, architecture and parameters."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.networks.spec import NetworkSpec
from qhal.qcgd.checkpoint import Arrays
from qhal.training.blocks import Parameters
from qhal.training.store import Store, draw

# So many samples tell a data set from others.
SAMPLES = 2**16


def checked_parameters(spec: NetworkSpec, arrays: Arrays, name: str) -> Parameters:
    """Those that a checkpoint keeps under `name`; ValueError unless they are ones of `spec`."""
    parts = tuple(np.array(arrays[f"{name}_{k}"], dtype=np.int64) for k in range(len(spec.layers)))
    check_parameters(spec, parts)
    return parts


def check_parameters(spec: NetworkSpec, parameters: Parameters) -> None:
    """Raise ValueError unless these are whole numbers of the shapes and levels of `spec`."""
    for part, layer in zip(parameters, spec.layers, strict=True):
        if part.shape != (layer.outputs, layer.inputs + 1) or part.dtype.kind not in "iu":
            raise ValueError("its weights are not whole numbers of the layers' shapes")
        if not np.isin(part[:, :-1], layer.weights.levels).all():
            raise ValueError("a weight is none of its levels")
        if not np.isin(part[:, -1], layer.biases.levels).all():
            raise ValueError("a bias is none of its levels")


def digest(parameters: Parameters) -> str:
    """A hash of weights and biases."""
    return hashlib.sha256(b"".join(part.tobytes() for part in parameters)).hexdigest()


def fingerprint(spec: NetworkSpec, store: Store) -> str:
    """A hash of the architecture and of a part of the samples."""
    x, y = store.arrays
    digest = hashlib.sha256()
    rows = draw(len(y), SAMPLES, np.random.default_rng(0))[0].indices()
    parts: tuple[npt.NDArray[Any], ...] = (spec.grid.low, spec.grid.high, x[rows], y[rows])
    for array in parts:
        digest.update(np.ascontiguousarray(array).tobytes())
    facts = [
        [vars(layer) for layer in spec.layers],
        [[hidden.activation.name, hidden.unit, hidden.resolution] for hidden in spec.hidden],
        [spec.loss.name, spec.output_unit, spec.regression, vars(spec.spline), spec.grid.bits],
        [x.shape, str(x.dtype), str(y.dtype)],
    ]
    digest.update(json.dumps(facts).encode())
    return digest.hexdigest()
