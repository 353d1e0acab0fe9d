"""How tight the bounds are; draws docs/images/bounds.png.

    python benchmarks/networks/bounds.py [--out FILE]

Error of the output: the largest difference between outputs of the spline network and the true one
over 2,000 random inputs and 20 random networks, and the largest of their bounds. Spins of a unit:
what the encoder builds, and the bound. Generalisation: all 2^B networks of a linear class against a
parity that none of them computes; the 95% quantile over 400 training sets of the largest (true
error - training error), and the gap. Time to solution: the 99% quantile of the runs until the first
success, of 100,000 simulated ones, which are whole, and the formula, which is not.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np

from qhal.networks import Network, NetworkSpec, SplineSpec, encode_network, make_spec
from qhal.networks.bounds import (
    approximation_error,
    generalisation_gap,
    time_to_solution,
    unit_spins,
)
from qhal.networks.gridspline import grid_splines, layer_reach
from qhal.qcgd.plot import new_figure, save_figure
from qhal.registry import load

PIECES = (1, 2, 3, 4, 6, 8, 12, 16)
SHAPES = {"1 hidden unit": (1,), "5 hidden units": (5,), "two layers of 3": (3, 3)}
NETWORKS, INPUTS = 20, 2000
SAMPLES = (10, 20, 50, 100, 200, 500, 1000, 2000)
TRAINING_SETS, RUNS = 400, 100_000
RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)


@click.command()
@click.option("--out", type=Path, default=Path("docs/images/bounds.png"), show_default=True)
def main(out: Path) -> None:
    """Print the figures and draw them."""
    figure = new_figure((10.5, 6.6))
    axes = figure.subplots(2, 3)
    x = np.random.default_rng(0).random((INPUTS, 16))
    for axis, (title, hidden) in zip(axes[0], SHAPES.items(), strict=True):
        _errors(axis, x, title, hidden)
    axes[0, 0].set_ylabel("error of the output")
    _spins(axes[1, 0], x)
    _gaps(axes[1, 1])
    _times(axes[1, 2])
    for axis in axes.ravel():
        axis.legend(fontsize="small")
    save_figure(figure, str(out))


def _draw(axis: Any, x: Any, bound: Any, seen: Any, label: str = "", colour: str = "C0") -> None:
    bound, seen = np.asarray(bound, dtype=float), np.asarray(seen, dtype=float)
    axis.loglog(x, bound, f"{colour}-", label=f"bound{label}")
    axis.loglog(x, seen, f"{colour}o:", label=f"seen{label}")
    click.echo(f"{axis.get_title()}{label}: bound / seen {np.round(bound / seen, 2)}")


def _errors(axis: Any, x: np.ndarray, title: str, hidden: tuple[int, ...]) -> None:
    axis.set(title=f"Error: tanh, {title}", xlabel="spline pieces")
    for order in (0, 1):
        curves = np.array([_error(x, hidden, SplineSpec(order, k)) for k in PIECES])
        _draw(axis, PIECES, *curves.T, f", order {order}", f"C{order}")
    axis.set_xticks(PIECES, PIECES)


def _error(x: np.ndarray, hidden: tuple[int, ...], spline: SplineSpec) -> tuple[float, float]:
    spec = _spec(x, hidden, spline)
    q, rng = spec.grid(x), np.random.default_rng(1)
    bounds, seen = [], []
    for _ in range(NETWORKS):
        network = _random(spec, rng)
        bounds.append(approximation_error(spec, network).output)
        difference = network.outputs(q) - network.outputs(q, true_activation=True)
        seen.append(float(np.abs(difference).max()))
    return max(bounds), max(seen)


def _spins(axis: Any, x: np.ndarray) -> None:
    """A single unit over one sample of the largest inputs, so that z reaches furthest."""
    axis.set(title="Spins of a unit: tanh", xlabel="spline pieces")
    for order in (0, 1):
        bounds, seen = [], []
        for pieces in PIECES:
            spec = _spec(x, (1,), SplineSpec(order, pieces), loss="squared")
            spline = grid_splines(spec).hidden[0]
            reach = layer_reach(spec.layers[0], 2**spec.grid.bits - 1)
            slopes = len(np.unique(spline.slopes))
            bounds.append(unit_spins(len(spline.starts), slopes, 2 * reach + 1))
            spins = encode_network(spec, np.ones((1, x.shape[1])), np.array([1])).num_spins
            seen.append(spins["indicators"] + spins["offsets"])
        _draw(axis, PIECES, bounds, seen, f", order {order}", f"C{order}")
    axis.set_xticks(PIECES, PIECES)


def _gaps(axis: Any) -> None:
    axis.set(title="Generalisation: 2^10 networks", xlabel="samples")
    x = np.array(list(product([0.0, 1.0], repeat=9)))
    spec = _spec(x, (), SplineSpec(), bias_bits=1, input_bits=1)
    signs = np.array(list(product([-1, 1], repeat=10)))
    q, step = spec.grid(x), spec.layers[0].bias_step
    target = x[:, :3].sum(axis=1) % 2  # a parity, which no linear network is
    wrong = ((q @ signs[:, :9].T + step * signs[:, 9] >= 0) != target[:, np.newaxis]).astype(float)
    rng = np.random.default_rng(0)
    bounds, seen = [], []
    for count in SAMPLES:
        excess = []
        for _ in range(TRAINING_SETS):
            shares = np.bincount(rng.integers(0, len(x), count), minlength=len(x)) / count
            excess.append(float((wrong.mean(axis=0) - shares @ wrong).max()))
        bounds.append(generalisation_gap(spec, count, 0.95))
        seen.append(float(np.quantile(excess, 0.95)))
    _draw(axis, SAMPLES, bounds, seen)


def _times(axis: Any) -> None:
    axis.set(title="Time to solution, 99%", xlabel="success rate of a run", ylabel="runs")
    rng = np.random.default_rng(0)
    seen = [float(np.quantile(rng.geometric(rate, RUNS), 0.99)) for rate in RATES]
    _draw(axis, RATES, [time_to_solution(1.0, rate) for rate in RATES], seen)
    for line, label in zip(axis.lines, ("formula", "simulated"), strict=True):
        line.set_label(label)


def _spec(
    x: np.ndarray, hidden: tuple[int, ...], spline: SplineSpec, loss: str = "hinge", **options: Any
) -> NetworkSpec:
    functions = load("activation", "tanh"), load("loss", loss)
    return make_spec(x, *functions, hidden=hidden, spline=spline, **options)


def _random(spec: NetworkSpec, rng: np.random.Generator) -> Network:
    weights, biases = [], []
    for layer in spec.layers:
        weights.append(rng.choice(layer.weights.levels, (layer.outputs, layer.inputs)))
        biases.append(rng.choice(layer.biases.levels, layer.outputs))
    return Network(spec, tuple(weights), tuple(biases))


if __name__ == "__main__":
    main()
