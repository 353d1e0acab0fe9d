"""How fast plain Frank-Wolfe converges on the lifted problem, and what a poor oracle costs it.

    python examples/convergence_study.py [--rounds 2000] [--seeds 3] [--out convergence.png]

Every state of a small problem is known here, so each oracle is exactly what it claims to be: the
exact one returns the minimum of the round's QUBO, a noisy one the minimum of a QUBO whose
coefficients carry independent errors of standard deviation sigma (relative to the largest one),
and a b-bit one the minimum of the coefficients rounded to b bits. Errors are those of the running
average over atoms, not of the best sample: the residual norm, in units of one typical residual for
each row, and |objective - optimum| / |optimum|. See docs/convergence.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from qhal import Qcbo
from qhal.problems.encoding import encode
from qhal.qcgd.lifting import Lifting
from qhal.qcgd.rules.frank_wolfe import FrankWolfe

Array = np.ndarray
Disturb = Callable[[Array, np.random.Generator], Array]


def graph_matching(rng: np.random.Generator) -> Qcbo:
    """Two isomorphic graphs of four vertices: 16 bits, 8 rows."""
    graph = np.triu(rng.random((4, 4)) < 0.5, k=1)
    graph[0, 1] = True
    graph = graph | graph.T
    order = rng.permutation(4)
    cost = -2.0 * np.kron(np.triu(graph), graph[np.ix_(order, order)])
    eye, one = np.eye(4), np.ones((1, 4))
    rows = np.vstack([np.kron(eye, one), np.kron(one, eye)])
    square = np.triu(cost) + np.tril(cost, k=-1).T
    return Qcbo.from_arrays(square, A_eq=rows, b_eq=np.ones(8))


def random_linear(rng: np.random.Generator) -> Qcbo:
    """A random quadratic objective under three random equalities: 12 bits."""
    rows, planted = rng.integers(-2, 3, (3, 12)), rng.integers(0, 2, 12)
    square = np.triu(rng.integers(-5, 6, (12, 12)))
    return Qcbo.from_arrays(square, A_eq=rows, b_eq=rows @ planted)


def exact(matrix: Array, rng: np.random.Generator) -> Array:
    """The QUBO as it is."""
    return matrix


def noisy(sigma: float) -> Disturb:
    """Every coefficient with an error of standard deviation sigma times the largest one."""

    def disturb(matrix: Array, rng: np.random.Generator) -> Array:
        error = rng.normal(scale=sigma * np.abs(matrix).max(), size=matrix.shape)
        return matrix + np.triu(error)

    return disturb


def rounded(bits: int) -> Disturb:
    """Every coefficient rounded to the nearest of the integers that `bits` bits hold."""

    def disturb(matrix: Array, rng: np.random.Generator) -> Array:
        unit = np.abs(matrix).max() / (2 ** (bits - 1) - 1)
        return np.rint(matrix / unit) * unit if unit else matrix

    return disturb


ORACLES: dict[str, Disturb] = {
    "exact": exact,
    "noise 1%": noisy(0.01),
    "noise 5%": noisy(0.05),
    "8 bits": rounded(8),
    "6 bits": rounded(6),
    "4 bits": rounded(4),
}
FAMILIES = {"graph matching": graph_matching, "random linear": random_linear}


class Study:
    """One problem with all its states."""

    def __init__(self, problem: Qcbo) -> None:
        self.lifting = Lifting(encode(problem))
        n = self.lifting.program.num_bits
        self.states = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.int8)
        self.floats = self.states.astype(np.float32)
        atoms = self.lifting.atoms(self.states, 0.0)
        self.optimum = float(atoms.objectives[atoms.feasible].min())

    def errors(self, disturb: Disturb, rounds: int, seed: int) -> tuple[Array, Array]:
        """Residual norm and objective error of the running average after each round."""
        rng, rule = np.random.default_rng(seed), FrankWolfe(self.lifting)
        objective, residual = 0.0, np.zeros(self.lifting.num_multipliers)
        found = np.zeros((2, rounds))
        for t in range(rounds):
            qubo = self.lifting.qubo(rule.multipliers).matrix
            dense = qubo if isinstance(qubo, np.ndarray) else qubo.toarray()
            asked = disturb(dense, rng).astype(np.float32)
            energies = np.einsum("ij,ij->i", self.floats @ asked, self.floats)
            atom = self.lifting.atoms(self.states[[int(energies.argmin())]], 0.0)
            eta = 2.0 / (t + 2)
            objective += eta * (atom.objectives[0] - objective)
            residual += eta * (atom.residuals[0] / self.lifting.residual_scales - residual)
            rule.update(atom, None)
            scale = max(1.0, abs(self.optimum))
            found[:, t] = np.linalg.norm(residual), abs(objective - self.optimum) / scale
        return found[0], found[1]


def slope(errors: Array) -> float:
    """The exponent of the error in T, fitted over the last six tenths of log T."""
    rounds = np.arange(1, len(errors) + 1)
    points = np.unique(np.geomspace(len(errors) ** 0.4, len(errors), 60).astype(int)) - 1
    logs = np.log(np.maximum(errors[points], 1e-15))
    return float(np.polyfit(np.log(rounds[points]), logs, 1)[0])


@click.command()
@click.option("--rounds", default=2000, show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--out", default="convergence.png", type=click.Path(path_type=Path))
def main(rounds: int, seeds: int, out: Path) -> None:
    """Run the study, print the fitted slopes, draw the curves."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(2, len(FAMILIES), sharex=True, squeeze=False)
    table = Table("problem", "oracle", "residual at T", "its slope", "objective error", "its slope")
    for column, (family, make) in enumerate(FAMILIES.items()):
        studies = [Study(make(np.random.default_rng([7, seed]))) for seed in range(seeds)]
        for label, disturb in ORACLES.items():
            runs = [study.errors(disturb, rounds, k) for k, study in enumerate(studies)]
            mean = np.exp(np.log(np.maximum(np.array(runs), 1e-15)).mean(axis=0))
            cells = [f"{value:.3g}" for e in mean for value in (e[-1], slope(e))]
            table.add_row(family, label, *cells)
            for row in range(2):
                axes[row, column].loglog(np.arange(1, rounds + 1), mean[row], label=label)
        for row, title in enumerate(("residual norm", "relative objective error")):
            guide = np.arange(1, rounds + 1)
            axes[row, column].loglog(guide, guide**-0.5, "k--", lw=0.8, label="1/√T")
            axes[row, column].set(title=f"{family}: {title}", xlabel="rounds T")
    axes[0, 0].legend(fontsize=8)
    figure.savefig(out, dpi=80)
    console = Console()
    console.print(table)
    console.print(f"{rounds} rounds, geometric mean over {seeds} problems; curves in {out}")


if __name__ == "__main__":
    main()
