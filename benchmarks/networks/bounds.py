"""How tight the bound on the approximation error is; draws docs/images/bounds.png.

    python benchmarks/networks/bounds.py [--out FILE]

For each spline, the largest difference between outputs of the spline network and the true one over
2,000 random inputs and 20 random networks, and the largest of their bounds.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from qhal.networks import Network, NetworkSpec, SplineSpec, make_spec
from qhal.networks.bounds import approximation_error
from qhal.qcgd.plot import new_figure, save_figure
from qhal.registry import load

PIECES = (1, 2, 3, 4, 6, 8, 12, 16)
SHAPES = {"1 hidden unit": (1,), "5 hidden units": (5,), "two layers of 3": (3, 3)}
NETWORKS, INPUTS = 20, 2000


@click.command()
@click.option("--out", type=Path, default=Path("docs/images/bounds.png"), show_default=True)
def main(out: Path) -> None:
    """Print the figures and draw them."""
    x = np.random.default_rng(0).random((INPUTS, 16))
    figure = new_figure((10.0, 3.6))
    for axis, (title, hidden) in zip(
        figure.subplots(1, 3, sharey=True), SHAPES.items(), strict=True
    ):
        for order, colour in ((0, "C0"), (1, "C1")):
            curves = np.array([_measure(x, hidden, SplineSpec(order, k)) for k in PIECES])
            axis.loglog(PIECES, curves[:, 0], f"{colour}-", label=f"bound, order {order}")
            axis.loglog(PIECES, curves[:, 1], f"{colour}o:", label=f"seen, order {order}")
            click.echo(f"{title}, order {order}: bound / seen {curves[:, 0] / curves[:, 1]}")
        axis.set(title=f"tanh, {title}", xlabel="spline pieces")
        axis.set_xticks(PIECES, PIECES)
    figure.axes[0].set_ylabel("error of the output")
    figure.axes[0].legend(fontsize="small")
    save_figure(figure, str(out))


def _measure(x: np.ndarray, hidden: tuple[int, ...], spline: SplineSpec) -> tuple[float, float]:
    spec = make_spec(
        x, load("activation", "tanh"), load("loss", "hinge"), hidden=hidden, spline=spline
    )
    q, rng = spec.grid(x), np.random.default_rng(1)
    bounds, seen = [], []
    for _ in range(NETWORKS):
        network = _draw(spec, rng)
        bounds.append(approximation_error(spec, network).output)
        difference = network.outputs(q) - network.outputs(q, true_activation=True)
        seen.append(float(np.abs(difference).max()))
    return max(bounds), max(seen)


def _draw(spec: NetworkSpec, rng: np.random.Generator) -> Network:
    weights, biases = [], []
    for layer in spec.layers:
        weights.append(rng.choice(layer.weights.levels, (layer.outputs, layer.inputs)))
        biases.append(rng.choice(layer.biases.levels, layer.outputs))
    return Network(spec, tuple(weights), tuple(biases))


if __name__ == "__main__":
    main()
