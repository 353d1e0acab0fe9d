"""A network as an ONNX graph that quantises its inputs and gives the network's own outputs.

All arithmetic is float64, on whole numbers once the inputs are quantised, so a runtime that keeps
to IEEE 754 gives the same outputs as `Network`, bit for bit. Weights and biases are stored as the
smallest integers that hold them.
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.atomic import write_atomically
from qhal.errors import InputError
from qhal.networks.gridspline import GridSpline
from qhal.networks.network import Network

_OPSET, _IR_VERSION = 17, 8  # of 2022: what older runtimes can read
_INTEGERS = (np.int8, np.int16, np.int32, np.int64)


def write_onnx(network: Network, path: str | os.PathLike[str]) -> None:
    """Write `network` to `path`; needs onnx. See `Network.to_onnx`."""
    try:
        from onnx import checker
    except ImportError:
        raise InputError("ONNX files need onnx: pip install 'qhal-core[onnx]'") from None

    model = _Graph(network).model()
    checker.check_model(model, full_check=True)
    write_atomically(path, model.SerializeToString())


class _Graph:
    """Nodes and constants, collected from the inputs to the outputs."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def model(self) -> Any:
        """The whole graph as an `onnx.ModelProto`."""
        from onnx import TensorProto, helper

        spec = self.network.spec
        count: list[int | str] = ["num_samples"]
        several = count + ([spec.num_outputs] if spec.num_outputs > 1 else [])
        tensor = helper.make_tensor_value_info
        scores = self._scores()
        results = [tensor("decision", TensorProto.DOUBLE, several)]
        self._decide(scores)
        if not spec.regression:
            results.append(tensor("class", TensorProto.INT64, count))
        inputs = [tensor("x", TensorProto.DOUBLE, [*count, len(spec.grid.low)])]
        graph = helper.make_graph(self.nodes, "qhal", inputs, results, self.constants)
        model = helper.make_model(
            graph,
            producer_name="qhal",
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
        )
        if not spec.regression:
            names = json.dumps(list(self.network.class_names))
            helper.set_model_props(model, {"class_names": names})
        return model

    def _scores(self) -> str:
        """The outputs, (num_samples, num_outputs), by name."""
        network = self.network
        values = self._quantised()
        for k, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
            product = self._node("MatMul", values, self._whole(weights.T))
            z = self._node("Add", product, self._whole(biases))
            if k < len(network.splines.hidden):
                values = self._spline(network.splines.hidden[k], z)
        return self._node("Div", z, self._constant(float(network.spec.output_unit)))

    def _quantised(self) -> str:
        """The inputs on their grid, as `InputGrid` rounds them (ties to even, as ONNX does)."""
        grid = self.network.spec.grid
        from_low = self._node("Sub", "x", self._constant(grid.low))
        scaled = self._node("Div", from_low, self._constant(grid.span))
        clipped = self._node("Clip", scaled, self._constant(0.0), self._constant(1.0))
        steps = self._constant(float(2**grid.bits - 1))
        return self._node("Round", self._node("Mul", clipped, steps))

    def _spline(self, spline: GridSpline, z: str) -> str:
        """`spline` at `z`: the piece is the number of later starts that are not above z."""
        from onnx import TensorProto

        starts = spline.starts.astype(np.float64)
        bounds = self._constant(np.append(-np.inf, starts[1:]))
        last = self._constant(np.array([-1]))
        reached = self._node("GreaterOrEqual", self._node("Unsqueeze", z, last), bounds)
        ones = self._node("Cast", reached, to=TensorProto.INT64)
        count = self._node("ReduceSum", ones, last, keepdims=0)
        piece = self._node("Sub", count, self._constant(np.array(1)))
        value, slope, start = (
            self._node("Gather", self._constant(part), piece)
            for part in (spline.values, spline.slopes, starts)
        )
        rise = self._node("Mul", slope, self._node("Sub", z, start))
        return self._node("Add", value, rise)

    def _decide(self, scores: str) -> None:
        """The results: `decision` and, of a classifier, `class`."""
        from onnx import TensorProto

        spec = self.network.spec
        if spec.num_outputs > 1:
            self._node("Identity", scores, output="decision")
            if not spec.regression:
                self._node("ArgMax", scores, output="class", axis=1, keepdims=0)
            return
        self._node("Squeeze", scores, self._constant(np.array([1])), output="decision")
        if not spec.regression:
            positive = self._node("GreaterOrEqual", "decision", self._constant(0.0))
            self._node("Cast", positive, output="class", to=TensorProto.INT64)

    def _whole(self, numbers: npt.NDArray[np.int64]) -> str:
        """Whole numbers as float64, stored in few bytes."""
        from onnx import TensorProto

        largest = np.abs(numbers).max()
        kind = next(kind for kind in _INTEGERS if largest <= np.iinfo(kind).max)
        return self._node("Cast", self._constant(numbers.astype(kind)), to=TensorProto.DOUBLE)

    def _constant(self, value: npt.ArrayLike) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name
