"""Sequential training as scikit-learn sees it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.utils.estimator_checks import parametrize_with_checks

from qhal.errors import InputError
from qhal.training import SequentialNetworkClassifier

QUICK = {"oracle": "steepest-descent", "epochs": 6, "random_state": 0}


@parametrize_with_checks([SequentialNetworkClassifier(hidden=4, **QUICK)])
def test_scikit_learns_own_checks(estimator, check) -> None:
    check(estimator)


def test_several_classes_by_name() -> None:
    data = load_iris()
    names = data.target_names[data.target]
    model = SequentialNetworkClassifier(hidden=4, **QUICK).fit(data.data, names)
    assert model.decision_function(data.data).shape == (150, 3)
    assert set(model.predict(data.data)) <= set(data.target_names)
    assert model.score(data.data, names) > 0.9
    again = clone(model).fit(data.data, names)
    assert (again.decision_function(data.data) == model.decision_function(data.data)).all()
    kept = clone(model).set_params(validation=0.3).fit(data.data, names)
    assert kept.score(data.data, names) > 0.85


def test_bad_options_are_sentences() -> None:
    data = load_iris()
    for options, message in (
        ({"validation": 1.0}, "validation must be a share"),
        ({"validation": 1e-6}, "leaves 0 of 150 samples apart"),
        ({"epochs": 0}, "epochs must be"),
        ({"coefficient_bits": 1}, "coefficient_bits must be"),
        ({"executor": "sreial"}, "did you mean 'serial'"),
    ):
        with pytest.raises(InputError, match=message):
            SequentialNetworkClassifier(**options).fit(data.data, data.target)
    with pytest.raises(InputError, match="1 class only"):
        SequentialNetworkClassifier().fit(data.data, np.zeros(150))
