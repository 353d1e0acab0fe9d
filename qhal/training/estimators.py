"""Sequential training as a scikit-learn classifier, for data sets of any size.

Needs scikit-learn (``pip install 'qhal-core[data]'``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise InputError(
        "the estimators need scikit-learn 1.6 or newer: pip install 'qhal-core[data]'"
    ) from error

from qhal.executors import Executor
from qhal.functions import Activation
from qhal.networks.architecture import make_spec
from qhal.networks.named import as_activations, as_function
from qhal.networks.spec import WeightBits
from qhal.oracle import Oracle
from qhal.problems.arrays import FloatArray
from qhal.registry import get_oracle
from qhal.training.fitting import fitted
from qhal.training.run import Callback, Limits
from qhal.training.sequential import Settings


class SequentialNetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A network of few-bit weights, trained on all samples by small QUBOs through an oracle.

    Parameters
    ----------
    hidden : int or sequence, default 16
        Units of the hidden layers; 0 for none.
    weight_bits : 1, "ternary", up to 8, or one for each layer of weights; default 2
    bias_bits, input_bits : int, default 4
    activation : name of a plugin or object, or one for each hidden layer; "hard-tanh" by default
    gain : float, default 2
        By how much the arguments of hidden units are larger than order one.
    epochs, starts, batch, final_batch, num_reads, coefficient_bits, max_variables, exact_samples
        See `qhal.training.sequential.Settings`.
    max_oracle_calls, time_limit, patience : see `qhal.training.run.Limits`
    validation : float, default 0
        Share of the samples that are kept apart to choose the best epoch by.
    oracle, oracle_options, executor, callback : as for `qhal.train`
    random_state : None, int or RandomState

    Attributes
    ----------
    classes_ : (num_classes,) array
    network_ : Network
    trained_ : Trained
        The run: history, oracle calls, why it stopped.
    """

    def __init__(
        self,
        *,
        hidden: int | Sequence[int] = 16,
        weight_bits: WeightBits | Sequence[WeightBits] = 2,
        bias_bits: int = 4,
        input_bits: int = 4,
        activation: str | Activation | Sequence[str | Activation] = "hard-tanh",
        gain: float = 2.0,
        epochs: int = 30,
        starts: int = 1,
        batch: int = 4096,
        final_batch: int = 2**16,
        num_reads: int = 6,
        coefficient_bits: int | None = 8,
        max_variables: int = 550,
        exact_samples: int = 0,
        max_oracle_calls: int | None = None,
        time_limit: float | None = None,
        patience: int | None = None,
        validation: float = 0.0,
        oracle: str | Oracle = "cim",
        oracle_options: Mapping[str, Any] | None = None,
        executor: str | Executor = "serial",
        callback: Callback | None = None,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.weight_bits = weight_bits
        self.bias_bits = bias_bits
        self.input_bits = input_bits
        self.activation = activation
        self.gain = gain
        self.epochs = epochs
        self.starts = starts
        self.batch = batch
        self.final_batch = final_batch
        self.num_reads = num_reads
        self.coefficient_bits = coefficient_bits
        self.max_variables = max_variables
        self.exact_samples = exact_samples
        self.max_oracle_calls = max_oracle_calls
        self.time_limit = time_limit
        self.patience = patience
        self.validation = validation
        self.oracle = oracle
        self.oracle_options = oracle_options
        self.executor = executor
        self.callback = callback
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> SequentialNetworkClassifier:
        """Train on `X` (num_samples, num_features) with the classes `y` (num_samples,)."""
        x, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, indices = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError("y holds 1 class only: a classifier needs at least two.")
        spec = make_spec(
            x,
            as_activations(self.activation),
            as_function("loss", "softmax"),
            hidden=self.hidden,
            outputs=len(self.classes_) if len(self.classes_) > 2 else 1,
            weight_bits=self.weight_bits,
            bias_bits=self.bias_bits,
            input_bits=self.input_bits,
            gain=self.gain,
        )
        names = "epochs starts batch final_batch num_reads coefficient_bits".split()
        names += ["max_variables", "exact_samples"]
        limits = "max_oracle_calls time_limit patience".split()
        self.trained_ = fitted(
            spec,
            x,
            indices,
            get_oracle(self.oracle, **(self.oracle_options or {})),
            self.executor,
            settings=Settings(**{name: getattr(self, name) for name in names}),
            limits=Limits(**{name: getattr(self, name) for name in limits}),
            seed=int(check_random_state(self.random_state).randint(2**31)),
            validation=self.validation,
            class_names=tuple(str(k) for k in range(spec.num_classes)),
            callback=self.callback,
        )
        self.network_ = self.trained_.network
        return self

    def decision_function(self, X: Any) -> FloatArray:
        """Outputs (num_samples,) for two classes, else (num_samples, num_classes).

        A single output is half a grid step too high, so that it is never 0 and its sign is the
        class.
        """
        check_is_fitted(self)
        x = np.asarray(validate_data(self, X, reset=False, dtype=np.float64))
        outputs = self.network_.decision_function(x)
        return outputs + 0.5 / self.network_.spec.output_unit if outputs.ndim == 1 else outputs

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The class of each of `X`, (num_samples,)."""
        outputs = self.decision_function(X)
        chosen = outputs > 0 if outputs.ndim == 1 else outputs.argmax(axis=1)
        return np.asarray(self.classes_[chosen.astype(np.int64)])
