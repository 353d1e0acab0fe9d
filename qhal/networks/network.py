"""A trained network: whole-number weights and a forward pass that never sees the encoder."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.datasets.arrays import read_npz
from qhal.errors import InputError, PluginError, UnknownNameError
from qhal.networks.gridspline import GridSpline, activation_spline
from qhal.networks.spec import InputGrid, Ints, LayerSpec, NetworkSpec
from qhal.problems.arrays import FloatArray

FORMAT = "qhal-network-1"
_INTEGERS = ("unit", "resolution", "output_unit", "spline_order", "spline_pieces")


@dataclass(frozen=True, eq=False)
class Network:
    """A two-class network with the weights of `spec`.

    Attributes
    ----------
    spec : NetworkSpec
    weights : tuple of (outputs, inputs) int64 arrays, one for each layer
    biases : tuple of (outputs,) int64 arrays
    class_names : (str, str)
        Class 0 is a negative output, class 1 an output of at least 0.
    """

    spec: NetworkSpec
    weights: tuple[Ints, ...]
    biases: tuple[Ints, ...]
    class_names: tuple[str, ...] = ("0", "1")
    provenance: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def spline(self) -> GridSpline:
        """The activation on its grid."""
        return activation_spline(self.spec)

    def decision_function(self, x: npt.ArrayLike, *, true_activation: bool = False) -> FloatArray:
        """Outputs (num_samples,) for inputs `x` (num_samples, num_features).

        `true_activation` evaluates the activation function itself instead of its spline.
        """
        return self.outputs(self.spec.grid(x), true_activation=true_activation)

    def outputs(self, q: Ints, *, true_activation: bool = False) -> FloatArray:
        """As `decision_function`, for inputs `q` that are on the grid already."""
        # float64 adds whole numbers of this size exactly, and multiplies them by BLAS.
        z = q.astype(np.float64) @ self.weights[0].T + self.biases[0]
        if len(self.weights) == 1:
            return np.asarray(z[:, 0] / self.spec.output_unit)
        if true_activation:
            hidden = self.spec.activation(z / self.spec.unit) * self.spec.resolution
        else:
            hidden = self.spline(z)
        output = hidden @ self.weights[1].T + self.biases[1]
        return np.asarray(output[:, 0] / self.spec.output_unit)

    def predict(self, x: npt.ArrayLike, *, true_activation: bool = False) -> Ints:
        """Class indices (num_samples,), 0 or 1, for inputs `x` (num_samples, num_features)."""
        outputs = self.decision_function(x, true_activation=true_activation)
        return (outputs >= 0).astype(np.int64)

    def accuracy(self, x: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """Share of `x` whose predicted class is `y`."""
        return float((self.predict(x) == np.asarray(y)).mean())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model: one .npz of arrays and a JSON header, without pickle; atomic."""
        spec = self.spec
        header = {
            "format": FORMAT,
            "activation": spec.activation.name,
            "loss": spec.loss.name,
            "input_bits": spec.grid.bits,
            "layers": [vars(layer) for layer in spec.layers],
            "class_names": list(self.class_names),
            "provenance": self.provenance,
        } | {name: getattr(spec, name) for name in _INTEGERS}
        arrays: dict[str, npt.NDArray[Any]] = {"low": spec.grid.low, "high": spec.grid.high}
        for k, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            arrays |= {f"weights_{k}": weights, f"biases_{k}": biases}
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        target = Path(path)
        partial = target.with_name(target.name + ".partial")
        try:
            with open(partial, "wb") as file:
                np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
            os.replace(partial, target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise InputError(f"cannot write the model {target}: {error.strerror}.") from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """Read a model that `save` wrote; raises `InputError` for anything else."""
        from qhal.registry import load

        arrays = read_npz(Path(path))
        try:
            header = json.loads(bytes(arrays.pop("header")).decode())
            if header["format"] != FORMAT:
                raise ValueError(f"its format is {header['format']!r}")
            layers = tuple(LayerSpec(**layer) for layer in header["layers"])
            spec = NetworkSpec(
                InputGrid(arrays["low"], arrays["high"], int(header["input_bits"])),
                layers,
                load("activation", header["activation"]),
                load("loss", header["loss"]),
                **{name: int(header[name]) for name in _INTEGERS},
            )
            network = cls(
                spec,
                tuple(arrays[f"weights_{k}"].astype(np.int64) for k in range(len(layers))),
                tuple(arrays[f"biases_{k}"].astype(np.int64) for k in range(len(layers))),
                tuple(str(name) for name in header["class_names"]),
                dict(header["provenance"]),
            )
            network._check()
        except (PluginError, UnknownNameError):
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path} is not a qhal model, or it is damaged ({error}); train it again."
            ) from None
        return network

    def _check(self) -> None:
        """Raise ValueError unless shapes and levels are those of the spec."""
        grid = self.spec.grid
        if not 1 <= len(self.spec.layers) <= 2 or len(self.class_names) != 2:
            raise ValueError("the model needs one or two layers and two classes")
        if not 1 <= grid.bits <= 8 or grid.low.shape != (self.spec.layers[0].inputs,):
            raise ValueError("the input grid does not fit the first layer")
        for layer, weights, biases in zip(self.spec.layers, self.weights, self.biases, strict=True):
            if weights.shape != (layer.outputs, layer.inputs) or biases.shape != (layer.outputs,):
                raise ValueError("the weights do not fit the layers")
            if np.abs(weights).max() > layer.max_weight or np.abs(biases).max() > layer.max_bias:
                raise ValueError("a weight is outside its levels")
