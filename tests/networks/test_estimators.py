"""The estimators as scikit-learn sees them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from qhal.errors import InputError
from qhal.networks import QuantizedNetworkClassifier, QuantizedNetworkRegressor

QUICK = {"oracle": "sa", "num_reads": 20, "iterations": 5, "random_state": 0}
LINEAR = {"hidden": 0, "samples": 15, **QUICK}
CHECKED = LINEAR | {"oracle": "steepest-descent", "num_reads": 100}


@parametrize_with_checks(
    [
        QuantizedNetworkClassifier(weight_bits=2, **CHECKED),
        QuantizedNetworkClassifier(weight_bits=2, ensemble="vote", **CHECKED),
        QuantizedNetworkRegressor(weight_bits=3, **CHECKED | {"samples": 30}),
    ]
)
def test_scikit_learns_own_checks(estimator, check) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def cancer():
    data = load_breast_cancer()
    return train_test_split(data.data, data.target, random_state=0, stratify=data.target)


@pytest.mark.parametrize("ensemble", ["mean", "best", "vote"])
def test_a_classifier_learns(cancer, ensemble: str) -> None:
    x, x_test, y, y_test = cancer
    model = QuantizedNetworkClassifier(hidden=2, activation="sign", ensemble=ensemble, **QUICK)
    model.fit(x, y)
    assert model.score(x_test, y_test) > 0.75  # the larger class has 0.63
    assert sum(model.num_spins_.values()) == model.solution_.num_variables
    assert len(model.networks_) == (9 if ensemble == "vote" else 1)
    assert set(np.unique(model.network_.weights[0])) <= {-1, 1}
    again = clone(model).fit(x, y)
    assert (again.decision_function(x_test) == model.decision_function(x_test)).all()


def test_several_classes_by_name() -> None:
    data = load_iris()
    names = data.target_names[data.target]
    model = QuantizedNetworkClassifier(weight_bits=2, **LINEAR).fit(data.data, names)
    assert model.decision_function(data.data).shape == (150, 3)
    assert set(model.predict(data.data)) <= set(data.target_names)
    assert model.score(data.data, names) > 0.85


def test_pipelines_and_grid_search(cancer) -> None:
    x, x_test, y, y_test = cancer
    pipeline = make_pipeline(StandardScaler(), QuantizedNetworkClassifier(**LINEAR))
    grid = {"quantizednetworkclassifier__weight_bits": [1, "ternary"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(x[:200], y[:200])
    assert search.score(x_test, y_test) > 0.85


def test_a_regressor_with_a_hidden_layer() -> None:
    x = np.linspace(0, 1, 60)[:, np.newaxis]
    y = 10 + 5 * np.abs(x[:, 0] - 0.5)
    model = QuantizedNetworkRegressor(hidden=2, activation="relu", **QUICK).fit(x, y)
    assert model.score(x, y) > 0.4  # a mean of y has 0
    assert model.network_.spec.regression


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ensemble": "median"}, "ensemble must be one of mean, best, vote"),
        ({"oracle": "simm"}, "no oracle"),
        ({"samples": 0}, "samples must be a whole number"),
        ({"samples": 1}, "samples must be from 2"),
        ({"activation": np.tanh, "hidden": 2}, "Activation.from_callable"),
        ({"callback": 3}, "callback must be a function of a state, not 3"),
        ({"oracle_options": ["mock"]}, "oracle_options must be a dict"),
    ],
)
def test_bad_parameters_are_sentences(cancer, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        QuantizedNetworkClassifier(**(LINEAR | options)).fit(cancer[0], cancer[2])


def test_bad_targets_are_sentences(cancer) -> None:
    x, _, y, _ = cancer
    with pytest.raises(InputError, match="targets must be numbers"):
        QuantizedNetworkRegressor(**LINEAR).fit(x, y.astype(str))
    with pytest.raises(InputError, match="from 30 to 426, one of each class at least; not 15"):
        QuantizedNetworkClassifier(**LINEAR).fit(x, np.arange(len(x)) % 30)


def test_a_callback_stops_the_run(cancer) -> None:
    seen = []

    def stop(state) -> bool:
        seen.append(state.iteration)
        return False

    QuantizedNetworkClassifier(**LINEAR | {"hidden": 1, "callback": stop}).fit(cancer[0], cancer[2])
    assert seen == [1]


def test_several_classes_have_no_hidden_units_unless_asked() -> None:
    x = np.vstack([np.eye(3)] * 4)
    y = np.tile([0, 1, 2], 4)
    default = QuantizedNetworkClassifier(**QUICK).fit(x, y)
    assert len(default.network_.spec.layers) == 1
    assert len(QuantizedNetworkClassifier(**QUICK).fit(x, y > 0).network_.spec.layers) == 2
