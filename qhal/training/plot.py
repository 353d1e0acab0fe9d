"""A run of sequential training as one picture: history, confusion, weights as images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qhal.networks.plot import draw_confusion, draw_weights
from qhal.qcgd.plot import new_figure, save_figure

if TYPE_CHECKING:
    from qhal.training.result import SequentialResult


def plot_sequential(result: SequentialResult, path: str) -> None:
    """Write the picture of `result` to `path` (.png, .pdf, .svg); needs matplotlib."""
    many = len(result.dataset.class_names) > 2
    figure = new_figure((11.0, 8.0) if many else (9.0, 6.0))
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.9 if many else 1.3, 1))
    history, confusion = top.subplots(1, 2, width_ratios=(1.3 if many else 1.8, 1))
    epochs = result.trained.history
    calls = [epoch["oracle_calls"] for epoch in epochs]
    history.plot(calls, [epoch["accuracy"] for epoch in epochs], color="tab:blue", alpha=0.5)
    history.plot(calls, [epoch["best_accuracy"] for epoch in epochs], color="tab:blue")
    history.set(xlabel="oracle calls", ylabel="accuracy", title=f"{result.method} training")
    losses = history.twinx()
    losses.plot(calls, [epoch["loss"] for epoch in epochs], color="tab:orange")
    losses.set_ylabel("loss", color="tab:orange")
    draw_confusion(confusion, result)
    draw_weights(bottom, result)
    bottom.suptitle(f"weights ({result.network.spec.bits_per_parameter:.2f} bits per parameter)")
    names = result.dataset.class_names
    title = f"{len(names)} classes" if many else " against ".join(names)
    figure.suptitle(
        f"{title} through {result.oracle.info.name}: test accuracy {result.test_accuracy:.2%}"
    )
    save_figure(figure, path)
