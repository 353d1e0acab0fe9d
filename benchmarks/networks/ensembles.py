"""The best visited network, requantised means and a majority vote, on coat against sandal.

    python benchmarks/networks/ensembles.py [--seeds 5]

All three choose by errors on the training set from what the same run visited (20 samples, 3 units,
1-bit weights, `cim` at 8 bits); the test set is only looked at afterwards.
"""

from __future__ import annotations

from statistics import mean, stdev

import click
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from qhal.datasets import load_dataset
from qhal.networks import QuantizedNetworkClassifier


@click.command()
@click.option("--seeds", default=5, show_default=True)
def main(seeds: int) -> None:
    """Print the table."""
    data = load_dataset("fashion-mnist")
    table = Table("ensemble", "training accuracy", "test accuracy", box=MARKDOWN)
    for ensemble in ("best", "mean", "vote"):
        train, test = [], []
        for seed in range(seeds):
            model = QuantizedNetworkClassifier(
                ensemble=ensemble, oracle_options={"coefficient_bits": 8}, random_state=seed
            ).fit(data.x_train, data.y_train)
            train.append(100 * model.score(data.x_train, data.y_train))
            test.append(100 * model.score(data.x_test, data.y_test))
        cells = [f"{mean(v):.2f}% ± {stdev(v) if len(v) > 1 else 0:.2f}%" for v in (train, test)]
        table.add_row(ensemble, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
