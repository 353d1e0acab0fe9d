"""scikit-learn's small data sets through the classifier with its default settings.

    python benchmarks/networks/small_datasets.py [--seeds 5] [--only iris ...]

A third of each set is the test set, drawn anew for every seed, stratified. The default is 20
samples in the QCBO (the other training samples only choose among the visited networks), 3 hidden
units for two classes and none for more, 1-bit weights, `cim`. Beside it scikit-learn's logistic
regression with real weights on the whole training set, and on 20 samples drawn as the classifier's
are. Sets of several classes are also tried with 3 hidden units, and as one problem for each class
(OneVsRestClassifier).
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean, stdev
from time import process_time
from typing import Any

import click
import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qhal.networks import QuantizedNetworkClassifier
from qhal.networks.training import draw_samples

Data = tuple[np.ndarray, np.ndarray]
CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    "default": lambda seed: QuantizedNetworkClassifier(random_state=seed),
    "3 hidden units": lambda seed: QuantizedNetworkClassifier(hidden=3, random_state=seed),
    "one against the rest": lambda seed: OneVsRestClassifier(
        QuantizedNetworkClassifier(random_state=seed)
    ),
}


@click.command()
@click.option("--seeds", default=5, show_default=True)
@click.option("--only", multiple=True, metavar="TEXT", help="Only data whose name holds TEXT.")
def main(seeds: int, only: tuple[str, ...]) -> None:
    """Print the table."""
    headings = ("data", "classifier", "accuracy", "spins", "CPU / s")
    table = Table(*headings, "logistic, all", "logistic, 20 samples", box=MARKDOWN)
    for label, (x, y) in _datasets().items():
        if only and not any(text in label for text in only):
            continue
        for name, make in CLASSIFIERS.items():
            if name != "default" and len(np.unique(y)) == 2:
                continue
            rows = zip(*(_run(x, y, make, seed) for seed in range(seeds)), strict=True)
            accuracy, spins, time_s, whole, few = (list(row) for row in rows)
            table.add_row(
                label,
                name,
                _spread(accuracy),
                f"{mean(spins):,.0f}",
                f"{mean(time_s):.1f}",
                _spread(whole),
                _spread(few),
            )
    Console(width=120).print(table)


def _datasets() -> dict[str, Data]:
    x, y = load_digits(return_X_y=True)
    pair = np.isin(y, (3, 8))
    return {
        "digits, 3 and 8": (x[pair], y[pair]),
        "digits, all ten": (x, y),
        "breast cancer": load_breast_cancer(return_X_y=True),
        "iris": load_iris(return_X_y=True),
    }


def _run(x: np.ndarray, y: np.ndarray, make: Callable[[int], Any], seed: int) -> tuple[float, ...]:
    """Accuracy on the test set, largest spins, time; accuracies of the logistic regressions."""
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=1 / 3, stratify=y, random_state=seed
    )
    start = process_time()
    model = make(seed).fit(x_train, y_train)
    time_s = process_time() - start
    few = draw_samples(y_train, 20, seed)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return (
        model.score(x_test, y_test),
        max(sum(part.num_spins_.values()) for part in getattr(model, "estimators_", [model])),
        time_s,
        linear.fit(x_train, y_train).score(x_test, y_test),
        linear.fit(x_train[few], y_train[few]).score(x_test, y_test),
    )


def _spread(values: list[float]) -> str:
    return f"{mean(values):.1%} ± {stdev(values) if len(values) > 1 else 0:.1%}"


if __name__ == "__main__":
    main()
