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

from qhal.archive import write_arrays
from qhal.atomic import write_atomically
from qhal.datasets.arrays import read_npz
from qhal.errors import InputError, PluginError, UnknownNameError
from qhal.networks.gridspline import GridSplines, grid_splines
from qhal.networks.spec import (
    HiddenSpec,
    InputGrid,
    Ints,
    LayerSpec,
    NetworkSpec,
    SplineSpec,
    check_count,
)
from qhal.problems.arrays import FloatArray

FORMAT = "qhal-network-3"
_READABLE = ("qhal-network-2", FORMAT)  # 2: without fixed biases


@dataclass(frozen=True, eq=False)
class Network:
    """A network of `spec` with its weights.

    Attributes
    ----------
    spec : NetworkSpec
    weights : tuple of (outputs, inputs) int64 arrays, one for each layer
    biases : tuple of (outputs,) int64 arrays
    class_names : tuple of str
        With one output class 0 is a negative output, class 1 an output of at least 0; with several
        the class is the largest output. Of no use to a regression.
    """

    spec: NetworkSpec
    weights: tuple[Ints, ...]
    biases: tuple[Ints, ...]
    class_names: tuple[str, ...] = ("0", "1")
    provenance: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def splines(self) -> GridSplines:
        """The splines of its activations and its loss."""
        return grid_splines(self.spec)

    def decision_function(self, x: npt.ArrayLike, *, true_activation: bool = False) -> FloatArray:
        """Outputs for inputs `x` (num_samples, num_features).

        Shape (num_samples,) for one output, else (num_samples, num_outputs). `true_activation`
        evaluates the activation functions themselves instead of their splines.
        """
        outputs = self.outputs(self.spec.grid(x), true_activation=true_activation)
        return outputs[:, 0] if self.spec.num_outputs == 1 else outputs

    def outputs(self, q: Ints, *, true_activation: bool = False) -> FloatArray:
        """Outputs (num_samples, num_outputs) for inputs `q` that are on the grid already."""
        # float64 adds whole numbers of this size exactly, and multiplies them by BLAS.
        values = q.astype(np.float64)
        for k, hidden in enumerate(self.spec.hidden):
            z = values @ self.weights[k].T + self.biases[k]
            if true_activation:
                values = hidden.activation(z / hidden.unit) * hidden.resolution
            else:
                values = self.splines.hidden[k](z)
        z = values @ self.weights[-1].T + self.biases[-1]
        return np.asarray(z / self.spec.output_unit)

    def losses(self, q: Ints, y: npt.ArrayLike) -> FloatArray:
        """The exact loss (not its spline) of each sample on the grid, (num_samples,)."""
        return self.spec.losses(self.outputs(q), y)

    def predict(self, x: npt.ArrayLike, *, true_activation: bool = False) -> Ints:
        """Class indices (num_samples,) for inputs `x` (num_samples, num_features)."""
        return self.classes(self.outputs(self.spec.grid(x), true_activation=true_activation))

    def classes(self, outputs: FloatArray) -> Ints:
        """Class indices (num_samples,) for `outputs` (num_samples, num_outputs)."""
        if self.spec.num_outputs == 1:
            return (outputs[:, 0] >= 0).astype(np.int64)
        return np.asarray(outputs.argmax(axis=1), dtype=np.int64)

    def accuracy(self, x: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """Share of `x` whose predicted class is `y`."""
        return float((self.predict(x) == np.asarray(y)).mean())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model: one .npz of arrays and a JSON header, without pickle; atomic."""
        spec = self.spec
        header = {
            "format": FORMAT,
            "input_bits": spec.grid.bits,
            "layers": [vars(layer) for layer in spec.layers],
            "hidden": [
                {
                    "activation": hidden.activation.name,
                    "unit": hidden.unit,
                    "resolution": hidden.resolution,
                }
                for hidden in spec.hidden
            ],
            "spline": vars(spec.spline),
            "loss": spec.loss.name,
            "output_unit": spec.output_unit,
            "regression": spec.regression,
            "class_names": list(self.class_names),
            "provenance": self.provenance,
        }
        arrays: dict[str, npt.NDArray[Any]] = {"low": spec.grid.low, "high": spec.grid.high}
        for k, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            arrays |= {f"weights_{k}": weights, f"biases_{k}": biases}
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        write_atomically(path, write_arrays(arrays))

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the network as an ONNX model; needs onnx, `InputError` if it is absent.

        Input: `x`, float64 (num_samples, num_features), which the graph itself quantises. Outputs:
        `decision` as from `decision_function`, and of a classifier `class`, int64 (num_samples,),
        as from `predict`; the metadata hold `class_names` as JSON. NaN is not refused.
        """
        from qhal.networks.onnx_export import write_onnx

        write_onnx(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """Read a model that `save` wrote; raises `InputError` for anything else."""
        from qhal.registry import load

        arrays = read_npz(Path(path))
        try:
            header = json.loads(bytes(arrays.pop("header")).decode())
            if header["format"] not in _READABLE:
                raise ValueError(f"its format is {header['format']!r}")
            layers = tuple(LayerSpec(**layer) for layer in header["layers"])
            hidden = tuple(
                HiddenSpec(
                    load("activation", entry["activation"]),
                    check_count(entry["unit"], "unit", 1),
                    check_count(entry["resolution"], "resolution", 1),
                )
                for entry in header["hidden"]
            )
            spec = NetworkSpec(
                InputGrid(
                    arrays["low"], arrays["high"], check_count(header["input_bits"], "bits", 1, 8)
                ),
                layers,
                hidden,
                load("loss", header["loss"]),
                check_count(header["output_unit"], "output_unit", 1),
                SplineSpec(**header["spline"]),
                bool(header["regression"]),
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
        if not self.spec.regression and len(self.class_names) != self.spec.num_classes:
            raise ValueError("the number of classes is not that of the outputs")
        for layer, weights, biases in zip(self.spec.layers, self.weights, self.biases, strict=True):
            if weights.shape != (layer.outputs, layer.inputs) or biases.shape != (layer.outputs,):
                raise ValueError("the weights do not fit the layers")
            if layer.fixed and ((weights != 1).any() or (biases != layer.fixed_bias).any()):
                raise ValueError("a layer without parameters has some")
            if np.abs(weights).max() > layer.max_weight or np.abs(biases).max() > layer.max_bias:
                raise ValueError("a weight is outside its levels")
