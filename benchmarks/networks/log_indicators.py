"""Binary codes instead of unary indicators: the same networks, measured beside each other.

    python benchmarks/networks/log_indicators.py [--seeds 5] [--rounds 10]

A unit of P parts has P - 1 unary indicators, beta_j = 1 for part j, all 0 for the reference. Here
it has ceil(log2 P) code bits: part j is the number j in binary, j = 0 the reference. But a unit's
value and its rows must be linear in bits, so every product of code bits that some part has together
needs a helper bit. Let u_S be the product of the code bits of the number S, 0 < S < P; those with
one 1 in binary are the code bits, the others helpers, and

    u_S = sum of beta_j over all j that contain S,
    beta_j = sum of +-u_S over all S that contain j,

P - 1 bits in all, as many as unary ones. That both are the same function is checked on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from statistics import mean, stdev
from time import process_time
from typing import Any

import click
import numpy as np
import scipy.sparse as sp
from candidates import encoded_samples
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from qhal.api import plan_training
from qhal.networks import EncodedNetwork
from qhal.networks.selection import choose
from qhal.networks.training import CandidatePool
from qhal.networks.units import Units
from qhal.problems.constraints import Constraints
from qhal.problems.encoding import encode
from qhal.problems.qcbo import Qcbo, Values
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import run
from qhal.registry import get_oracle

NETWORKS: dict[str, dict[str, Any]] = {
    "hard-tanh, hinge (default)": {},
    "tanh, 3 pieces, hinge": {"activation": "tanh", "spline_pieces": 3},
    "tanh, 4 pieces, hinge": {"activation": "tanh"},
    "hard-tanh, logistic": {"loss": "logistic"},
}
Form = dict[tuple[int, ...], float]  # columns of a product of bits (none: constant) to coefficient


@click.command()
@click.option("--seeds", default=5, show_default=True)
@click.option("--rounds", default=10, show_default=True)
@click.option("--only", multiple=True, metavar="TEXT", help="Only networks whose name holds TEXT.")
def main(seeds: int, rounds: int, only: tuple[str, ...]) -> None:
    """Print the table."""
    headings = ("network", "indicators", "spins", "code bits", "helpers", "rows", "range")
    table = Table(*headings, "test accuracy", "lowest loss", "CPU / s", box=MARKDOWN)
    for name, options in NETWORKS.items():
        if only and not any(text in name for text in only):
            continue
        for kind in ("unary", "log"):
            runs = [_run(kind, rounds, seed, options) for seed in range(seeds)]
            spins, codes, helpers, rows, span, test, loss, cpu = zip(*runs, strict=True)
            sizes = [f"{mean(part):,.0f}" for part in (spins, codes, helpers, rows)]
            accuracy = f"{mean(test):.2%} ± {stdev(test) if seeds > 1 else 0:.2%}"
            rest = (f"{mean(span):.1f}", accuracy, f"{mean(loss):.3f}", f"{mean(cpu):.1f}")
            table.add_row(name, kind, *sizes, *rest)
    Console(width=160).print(table)


def _run(kind: str, rounds: int, seed: int, options: dict[str, Any]) -> tuple[float, ...]:
    start, plan = process_time(), plan_training(seed=seed, **options)
    data, encoded = plan.dataset, encoded_samples(plan)
    codes, helpers = encoded.num_spins["indicators"], 0
    if kind == "log":
        encoded, codes, helpers = in_binary_codes(encoded)
    pool = CandidatePool(plan.spec.num_weight_bits)
    oracle = get_oracle("cim", coefficient_bits=8)
    limits = Limits(iterations=rounds)
    solution = run(encoded.problem, oracle, limits=limits, seed=seed, observer=pool)
    network, _ = choose(pool.networks(encoded, ("0", "1")), data.x_train, data.y_train)
    return (
        encoded.problem.num_variables,
        codes,
        helpers,
        encoded.problem.num_constraints,
        max(state["range_bits"] for state in solution.history),
        network.accuracy(data.x_test, data.y_test),
        pool.lowest_loss,
        process_time() - start,
    )


def in_binary_codes(encoded: EncodedNetwork) -> tuple[EncodedNetwork, int, int]:
    """The same network with binary codes; how many code bits and helpers it has.

    The indicators' columns become those of the u_S, in order; all others stay.
    """
    problem = encoded.problem
    units = [list(columns) for columns in _units(encoded)]
    to_unary, to_log = _changes(units, problem.num_variables)
    log = Qcbo(
        problem.quadratic,
        to_unary.T @ problem.linear,
        problem.offset,
        _constraints(problem.constraints, units, to_unary),
        problem.lower,
        problem.upper,
        problem.names,
        lambda values: _completed(encoded, to_log, values),
    )
    assert encode(log).num_bits == problem.num_variables  # every quadratic row is a form
    _check_equal(problem, log)
    codes = sum(_single(number) for unit in units for number in range(1, len(unit) + 1))
    return replace(encoded, problem=log), codes, sum(map(len, units)) - codes


def _check_equal(unary: Qcbo, log: Qcbo) -> None:
    """For random weights both completions are feasible and cost the same."""
    states = np.random.default_rng(0).integers(0, 2, (100, unary.num_variables))
    assert unary.completion is not None
    assert log.completion is not None
    coded = log.completion(states)
    assert log.feasible(coded).all()
    assert np.allclose(unary.objectives(unary.completion(states)), log.objectives(coded))


def _completed(encoded: EncodedNetwork, to_log: sp.csr_array, values: Values) -> Values:
    assert encoded.problem.completion is not None
    return np.asarray((to_log @ encoded.problem.completion(values).T).T)


def _units(encoded: EncodedNetwork) -> Iterator[np.ndarray]:
    """The indicators' columns of each unit."""
    completion: Any = encoded.problem.completion
    for step in completion.steps:
        assert isinstance(step, Units), "networks with products are not for this benchmark"
        explicit = step.indicators >= 0
        rows, columns = step.parts.row[explicit], step.indicators[explicit]
        yield from np.split(columns, np.flatnonzero(np.diff(rows)) + 1)


def _changes(units: list[list[int]], n: int) -> tuple[sp.csr_array, sp.csr_array]:
    """The matrices unary = to_unary @ log and log = to_log @ unary, (n, n) each."""
    to_unary, to_log = sp.lil_array((n, n)), sp.lil_array((n, n))
    to_unary.setdiag(np.ones(n))
    to_log.setdiag(np.ones(n))
    for unit in units:
        for low, high in combinations(range(1, len(unit) + 1), 2):
            if low & high == low:
                sign = (-1) ** (high.bit_count() - low.bit_count())
                to_unary[unit[low - 1], unit[high - 1]] = sign
                to_log[unit[low - 1], unit[high - 1]] = 1
    return sp.csr_array(to_unary), sp.csr_array(to_log).astype(np.int64)


def _constraints(rows: Constraints, units: list[list[int]], to_unary: sp.csr_array) -> Constraints:
    """Places as they are, gates as forms, and for each unit the forms of its code."""
    linear = sp.csr_array(rows.linear @ to_unary)
    owner = {column: k for k, unit in enumerate(units) for column in unit}
    forms: list[tuple[Form, float, str]] = []
    for k, label in enumerate(map(str, rows.labels)):
        if label.endswith("gate"):
            forms.append((_gate(rows, k, units, owner, to_unary), 0.0, label))
        elif not label.endswith("one"):
            ends = slice(linear.indptr[k], linear.indptr[k + 1])
            places = zip(linear.indices[ends].tolist(), linear.data[ends].tolist(), strict=True)
            forms.append(({(column,): value for column, value in places}, rows.rhs[k], label))
    for unit in units:
        for k, form in enumerate(_code_forms(unit)):
            forms.append((form, 0.0, f"code{unit[0]}_{k}"))
    return _built(forms, linear.shape[1])


def _gate(
    rows: Constraints, k: int, units: list[list[int]], owner: dict[int, int], to_unary: sp.csr_array
) -> Form:
    """d (an affine form of u), plus enough of the code's forms never to be negative."""
    form: Form = {}
    ends = slice(rows.linear.indptr[k], rows.linear.indptr[k + 1])
    for column, value in zip(rows.linear.indices[ends], rows.linear.data[ends], strict=True):
        _add(form, (int(column),), float(value))
    unit: list[int] = []
    ends = slice(rows.products.indptr[k], rows.products.indptr[k + 1])
    for pair, value in zip(rows.products.indices[ends], rows.products.data[ends], strict=True):
        a, b = rows.pairs[pair].tolist()
        if a in owner and b in owner:
            continue  # only there to keep the unary form from being negative
        beta, d = (a, b) if a in owner else (b, a)
        unit = units[owner[beta]]
        cells = to_unary[[beta], :].tocoo()
        for column, cell in zip(cells.coords[1].tolist(), cells.data.tolist(), strict=True):
            _add(form, (min(column, d), max(column, d)), float(value * cell))
    depth = -sum(value for value in form.values() if value < 0)
    for code in _code_forms(unit):
        for product, value in code.items():
            _add(form, product, depth * value)
    return form


def _code_forms(unit: list[int]) -> list[Form]:
    """What is 0 exactly if the helpers are products and the code is that of a part, else >= 1."""
    forms: list[Form] = []
    count = len(unit)
    for number in range(1, 1 << count.bit_length()):
        bit = 1 << (number.bit_length() - 1)
        rest = number - bit
        if not rest or rest > count:
            continue
        x, y = sorted((unit[rest - 1], unit[bit - 1]))
        if number > count:
            forms.append({(x, y): 1.0})
            continue
        u = unit[number - 1]
        forms.append({(u,): 3.0, (x, y): 1.0, (min(u, x), max(u, x)): -2.0} | _minus(u, y))
    return forms


def _minus(u: int, y: int) -> Form:
    return {(min(u, y), max(u, y)): -2.0}


def _single(number: int) -> bool:
    return number.bit_count() == 1


def _add(form: Form, product: tuple[int, ...], value: float) -> None:
    form[product] = form.get(product, 0.0) + value


def _built(forms: list[tuple[Form, float, str]], n: int) -> Constraints:
    pairs = sorted({product for form, _, _ in forms for product in form if len(product) == 2})
    place = {pair: k for k, pair in enumerate(pairs)}
    linear = sp.lil_array((len(forms), n))
    products = sp.lil_array((len(forms), len(pairs)))
    for k, (form, _, _) in enumerate(forms):
        for product, value in form.items():
            if len(product) == 1:
                linear[k, product[0]] = value
            else:
                products[k, place[product]] = value
    return Constraints(
        sp.csr_array(linear),
        sp.csr_array(products),
        np.array(pairs, dtype=np.int64).reshape(-1, 2),
        ("==",) * len(forms),
        np.array([rhs for _, rhs, _ in forms]),
        tuple(label for _, _, label in forms),
    )


if __name__ == "__main__":
    main()
