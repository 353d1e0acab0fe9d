"""A training run as one picture: history, confusion, weights as images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from qhal.networks.spec import Ints
from qhal.qcgd.plot import draw_history, new_figure, save_figure

if TYPE_CHECKING:
    from qhal.datasets import Dataset
    from qhal.networks.network import Network
    from qhal.networks.training import TrainingResult

MOST_UNITS = 8


class Fitted(Protocol):
    """A network with the data set it was trained on."""

    @property
    def network(self) -> Network:
        """The network."""
        ...

    @property
    def dataset(self) -> Dataset:
        """The data set."""
        ...


def plot_training(result: TrainingResult, path: str) -> None:
    """Write the picture of `result` to `path` (.png, .pdf, .svg); needs matplotlib."""
    figure = new_figure((9.0, 6.0))
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.3, 1))
    history, confusion = top.subplots(1, 2, width_ratios=(1.8, 1))
    draw_history(history, result.solution.history)
    history.set(xlabel="oracle calls", ylabel="training loss", title="QCGD")
    draw_confusion(confusion, result)
    draw_weights(bottom, result)
    bottom.suptitle(f"weights ({result.network.spec.bits_per_parameter:.2f} bits per parameter)")
    figure.suptitle(
        f"{' against '.join(result.dataset.class_names)} through {result.solution.oracle}: "
        f"test accuracy {result.test_accuracy:.2%}"
    )
    save_figure(figure, path)


def draw_weights(figure: Any, result: Fitted) -> None:
    """The weights of the first units, as images if the features are one."""
    units, biases = result.network.weights[0], result.network.biases[0]
    axes = np.atleast_1d(figure.subplots(1, min(len(units), MOST_UNITS)))
    size = result.dataset.image_size
    limit = float(np.abs(units).max())
    for k, axis in enumerate(axes):
        draw_image(axis, units[k].reshape(size, size) if size else units[k][np.newaxis, :], limit)
        axis.set_title(f"unit {k + 1}, bias {biases[k]:+d}", fontsize="small")


def draw_image(axis: Any, weights: Ints, limit: float) -> None:
    """`weights` (rows, columns), from black for -limit to white for +limit."""
    axis.imshow(weights, cmap="gray", vmin=-limit, vmax=limit)
    axis.set(xticks=[], yticks=[])


def draw_confusion(axis: Any, result: Fitted) -> None:
    """How many test samples of each class (rows) are taken for which (columns)."""
    data, names, counts = result.dataset, result.dataset.class_names, confusion_counts(result)
    axis.imshow(counts, cmap="Blues")
    for i, j in np.ndindex(*counts.shape):
        dark = counts[i, j] > counts.max() / 2
        axis.text(j, i, str(counts[i, j]), ha="center", va="center", color="w" if dark else "k")
    ticks = np.arange(len(names))
    slant: dict[str, Any] = {"rotation": 45, "ha": "right"} if len(names) > 4 else {}
    axis.set_xticks(ticks, names, **slant)
    axis.set_yticks(ticks, names)
    axis.set(xlabel="predicted", ylabel="true", title=f"{len(data.y_test):,} test samples")


def confusion_counts(result: Fitted) -> Ints:
    """Test samples by true and predicted class, (classes, classes)."""
    data, size = result.dataset, len(result.dataset.class_names)
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (data.y_test, result.network.predict(data.x_test)), 1)
    return counts
