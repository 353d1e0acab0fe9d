"""How fast plain Frank-Wolfe converges on the lifted problem, and what a poor oracle costs it.

    python examples/convergence_study.py [--rounds 2000] [--seeds 3] [--out convergence.png]

Every state of a small problem is known here, so each oracle is exactly what it claims to be: the
exact one returns the minimum of the round's QUBO, a noisy one the minimum of a QUBO whose
coefficients carry independent errors of standard deviation sigma (relative to the largest one),
a b-bit one the minimum of the coefficients rounded to b bits, and one that is wrong now and then a
random state then. Errors are those of the running average over atoms, not of the best sample: the
residual norm, in units of one typical residual for each row, and |objective - optimum| / |optimum|.
Then the calls to the optimum, against the formula of `qhal.networks.bounds`. See
docs/convergence.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from qhal import Qcbo
from qhal.networks.bounds import time_to_solution
from qhal.problems.encoding import encode
from qhal.qcgd.lifting import Atoms, Lifting
from qhal.qcgd.rules import Rule
from qhal.qcgd.rules.frank_wolfe import FrankWolfe
from qhal.qcgd.rules.level import Level

Array = np.ndarray
MOST_CALLS = 2000


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


@dataclass(frozen=True)
class Oracle:
    """Minimises what it sees of a QUBO; `line_search` is about the rule that asks it.

    `sigma` is the standard deviation of an error of each coefficient, a share of the largest one;
    `bits` what coefficients are rounded to; `wrong` the probability of a random answer.
    """

    sigma: float = 0.0
    bits: int | None = None
    wrong: float = 0.0
    line_search: bool = False

    def answer(self, qubo: Array, states: Array, rng: np.random.Generator) -> int:
        """Which of `states`, float32 (all of them, n), it returns."""
        if rng.random() < self.wrong:
            return int(rng.integers(len(states)))
        largest = np.abs(qubo).max()
        if self.sigma:
            qubo = qubo + np.triu(rng.normal(scale=self.sigma * largest, size=qubo.shape))
        if self.bits is not None and largest:
            unit = largest / (2 ** (self.bits - 1) - 1)
            qubo = np.rint(qubo / unit) * unit
        energies = np.einsum("ij,ij->i", states @ qubo.astype(np.float32), states)
        return int(energies.argmin())


ORACLES = {
    "exact": Oracle(),
    "exact, line search": Oracle(line_search=True),
    "noise 1%": Oracle(sigma=0.01),
    "noise 5%": Oracle(sigma=0.05),
    "10% wrong": Oracle(wrong=0.1),
    "8 bits": Oracle(bits=8),
    "6 bits": Oracle(bits=6),
    "4 bits": Oracle(bits=4),
}
WRONG = (0.0, 0.25, 0.5, 0.75, 0.9)
RULES: dict[str, Callable[[Lifting], Rule]] = {
    "frank-wolfe": lambda lifting: FrankWolfe(lifting, line_search=False),
    "level": lambda lifting: Level(lifting, exact=False),
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

    def rounds(self, oracle: Oracle, rule: Rule, seed: int) -> Iterator[Atoms]:
        """The atom of each round, after `rule` has learnt from it; for ever."""
        rng = np.random.default_rng(seed)
        upper = None
        while True:
            qubo = self.lifting.qubo(rule.multipliers).matrix
            dense = qubo if isinstance(qubo, np.ndarray) else qubo.toarray()
            chosen = oracle.answer(dense, self.floats, rng)
            atom = self.lifting.atoms(self.states[[chosen]], 0.0)
            if atom.feasible[0] and (upper is None or atom.objectives[0] < upper):
                upper = float(atom.objectives[0])
            rule.update(atom, upper)
            yield atom

    def errors(self, oracle: Oracle, rounds: int, seed: int) -> Array:
        """Residual norm and objective error of the running average, (2, rounds)."""
        found = np.zeros((2, rounds))
        scale = max(1.0, abs(self.optimum))
        rule = FrankWolfe(self.lifting, line_search=oracle.line_search)
        for t, _ in zip(range(rounds), self.rounds(oracle, rule, seed), strict=False):
            average = rule.state()
            found[0, t] = np.linalg.norm(average["_mean"])
            found[1, t] = abs(float(average["_objective"]) - self.optimum) / scale
        return found

    def calls(self, oracle: Oracle, rule: Rule, seed: int) -> int:
        """Calls until the oracle returns an optimal feasible state, at most `MOST_CALLS`."""
        for t, atom in zip(range(MOST_CALLS), self.rounds(oracle, rule, seed), strict=False):
            if atom.feasible[0] and atom.objectives[0] <= self.optimum + 1e-9:
                return t + 1
        return MOST_CALLS


def slope(errors: Array) -> float:
    """The exponent of the error in T, fitted over the last six tenths of log T."""
    rounds = np.arange(1, len(errors) + 1)
    points = np.unique(np.geomspace(len(errors) ** 0.4, len(errors), 60).astype(int)) - 1
    logs = np.log(np.maximum(errors[points], 1e-15))
    return float(np.polyfit(np.log(rounds[points]), logs, 1)[0])


def times_to_solution(studies: dict[str, list[Study]], runs: int) -> Table:
    """Calls to the optimum, measured and as ln(1 - 0.99) / ln(1 - p) has it.

    An oracle that is right with probability p needs that many calls to be right once with 99%
    confidence. T0 are the calls that the exact oracle needs: if wrong answers did no harm, T0 times
    as many would be enough.
    """
    table = Table("problem", "rule", "right p", "T0", "mean", "99%", "formula", "T0 x formula")
    for family, problems in studies.items():
        for name, make in RULES.items():
            first = max(s.calls(Oracle(), make(s.lifting), 0) for s in problems)
            for wrong in WRONG:
                needed = [
                    [s.calls(Oracle(wrong=wrong), make(s.lifting), k) for k in range(runs)]
                    for s in problems
                ]
                tail = max(float(np.quantile(n, 0.99)) for n in needed)
                formula = time_to_solution(1.0, 1.0 - wrong)
                cells = [first, np.mean(needed), tail, formula, first * formula]
                table.add_row(family, name, f"{1 - wrong:g}", *(f"{cell:.3g}" for cell in cells))
    return table


@click.command()
@click.option("--rounds", default=2000, show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--runs", default=200, show_default=True, help="Of each time to solution.")
@click.option("--out", default="convergence.png", type=click.Path(path_type=Path))
def main(rounds: int, seeds: int, runs: int, out: Path) -> None:
    """Run the study, print the fitted slopes, draw the curves."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(2, len(FAMILIES), sharex=True, squeeze=False)
    table = Table("problem", "oracle", "residual at T", "its slope", "objective error", "its slope")
    studies = {
        family: [Study(make(np.random.default_rng([7, seed]))) for seed in range(seeds)]
        for family, make in FAMILIES.items()
    }
    for column, (family, problems) in enumerate(studies.items()):
        for label, oracle in ORACLES.items():
            found = [study.errors(oracle, rounds, k) for k, study in enumerate(problems)]
            mean = np.exp(np.log(np.maximum(np.array(found), 1e-15)).mean(axis=0))
            cells = [f"{value:.3g}" for e in mean for value in (e[-1], slope(e))]
            table.add_row(family, label, *cells)
            for row in range(2):
                axes[row, column].loglog(np.arange(1, rounds + 1), mean[row], label=label)
        for row, title in enumerate(("residual norm", "relative objective error")):
            guide = np.arange(1, rounds + 1)
            axes[row, column].loglog(guide, guide**-0.5, "k--", lw=0.8, label="1/√T")
            axes[row, column].set(title=f"{family}: {title}", xlabel="rounds T", ylim=(1e-7, 1e2))
    axes[0, 0].legend(fontsize=8)
    figure.savefig(out, dpi=80)
    console = Console(width=110)
    console.print(table)
    console.print(f"{rounds} rounds, geometric mean over {seeds} problems; curves in {out}")
    console.print(times_to_solution(studies, runs))
    console.print(f"calls to the optimum, {runs} runs on each problem, the worst problem's 99%")


if __name__ == "__main__":
    main()
