"""Networks as scikit-learn estimators: `fit`, `predict`, pipelines, grid search.

Needs scikit-learn (``pip install 'qhal-core[data]'``), which nothing else in this package imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise InputError(
        "the estimators need scikit-learn 1.6 or newer: pip install 'qhal-core[data]'"
    ) from error

from qhal.functions import Activation, Loss
from qhal.networks.architecture import make_spec
from qhal.networks.ensembles import votes
from qhal.networks.named import as_activations, as_function
from qhal.networks.network import Network
from qhal.networks.selection import choose, rank
from qhal.networks.spec import SplineSpec, WeightBits, check_count
from qhal.networks.training import Visited, draw_samples, visit
from qhal.oracle import Oracle
from qhal.problems.arrays import FloatArray
from qhal.qcgd.limits import Limits
from qhal.qcgd.loop import Callback
from qhal.registry import get_oracle

VOTERS = 9
HIDDEN = 3


class _QuantizedNetwork(BaseEstimator):  # type: ignore[misc]
    """What both estimators share; their parameters are described in each."""

    _regression = False

    def __init__(
        self,
        *,
        hidden: int | Sequence[int] | None = None,
        weight_bits: WeightBits | Sequence[WeightBits] = 1,
        bias_bits: int = 4,
        input_bits: int = 3,
        activation: str | Activation | Sequence[str | Activation] = "hard-tanh",
        loss: str | Loss = "hinge",
        spline_order: int = 1,
        spline_pieces: int = 4,
        spline_knots: str = "uniform",
        samples: int = 20,
        oracle: str | Oracle = "cim",
        oracle_options: Mapping[str, Any] | None = None,
        num_reads: int | None = None,
        iterations: int = 10,
        time_limit: float | None = None,
        ensemble: str = "mean",
        callback: Callback | None = None,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.weight_bits = weight_bits
        self.bias_bits = bias_bits
        self.input_bits = input_bits
        self.activation = activation
        self.loss = loss
        self.spline_order = spline_order
        self.spline_pieces = spline_pieces
        self.spline_knots = spline_knots
        self.samples = samples
        self.oracle = oracle
        self.oracle_options = oracle_options
        self.num_reads = num_reads
        self.iterations = iterations
        self.time_limit = time_limit
        self.ensemble = ensemble
        self.callback = callback
        self.random_state = random_state

    def _train(self, x: FloatArray, y: npt.NDArray[Any], outputs: int) -> None:
        """Set the fitted attributes; `y` are class indices, or targets of order one."""
        ensembles = ("mean", "best") if self._regression else ("mean", "best", "vote")
        if self.ensemble not in ensembles:
            raise InputError(f"ensemble must be one of {', '.join(ensembles)}.")
        if self.callback is not None and not callable(self.callback):
            raise InputError(f"callback must be a function of a state, not {self.callback!r}.")
        if not isinstance(self.oracle_options or {}, Mapping):
            raise InputError(f"oracle_options must be a dict, not {self.oracle_options!r}.")
        # A hidden layer for several outputs needs more spins than a QCBO of few samples can train.
        default = HIDDEN if outputs == 1 else 0
        spec = make_spec(
            x,
            as_activations(self.activation),
            as_function("loss", self.loss),
            hidden=default if self.hidden is None else self.hidden,
            outputs=outputs,
            weight_bits=self.weight_bits,
            bias_bits=self.bias_bits,
            input_bits=self.input_bits,
            spline=SplineSpec(self.spline_order, self.spline_pieces, self.spline_knots),
            regression=self._regression,
        )
        count = min(check_count(self.samples, "samples", 1), len(y))
        seed = int(check_random_state(self.random_state).randint(2**31))
        groups = np.zeros(len(y), dtype=np.int64) if self._regression else y
        chosen = draw_samples(groups, count, seed)
        oracle = get_oracle(self.oracle, **(self.oracle_options or {}))
        visited: Visited = visit(
            spec,
            x[chosen],
            y[chosen],
            oracle,
            limits=Limits(iterations=self.iterations, time_limit=self.time_limit),
            seed=seed,
            num_reads=self.num_reads,
            callback=self.callback,
            class_names=tuple(str(k) for k in range(spec.num_classes)),
        )
        if self.ensemble == "vote":
            self.networks_ = rank(visited.networks, x, y)[:VOTERS]
        else:
            self.networks_ = [choose(visited.networks, x, y, means=self.ensemble == "mean")[0]]
        self.solution_, self.num_spins_ = visited.solution, visited.num_spins

    @property
    def network_(self) -> Network:
        """The network, or the best of those that vote."""
        check_is_fitted(self)
        return self.networks_[0]

    def _inputs(self, X: Any) -> FloatArray:
        check_is_fitted(self)
        return np.asarray(validate_data(self, X, reset=False, dtype=np.float64))


class QuantizedNetworkClassifier(ClassifierMixin, _QuantizedNetwork):  # type: ignore[misc]
    """A network of few-bit weights, trained as one QCBO through an oracle.

    Parameters
    ----------
    hidden : int, sequence or None (default)
        Units of the hidden layers; 0 for none. None: 3 for two classes, none for more.
    weight_bits : 1 (+-1, default), "ternary", up to 8, or one for each layer of weights
    bias_bits, input_bits : int, default 4 and 3
    activation, loss : names of plugins, or objects; "hard-tanh" and "hinge" by default
    spline_order, spline_pieces, spline_knots : 0 or 1 (default), 4, "uniform" or "adaptive"
    samples : int, default 20
        Training samples in the QCBO, as equally many of each class as there are. The network is
        then chosen by all of them.
    oracle, oracle_options, num_reads, iterations, time_limit, callback : as for `qhal.train`
    ensemble : "mean" (default), "best" or "vote"
        The best network with or without requantised means of those visited, or the majority of the
        9 best visited.
    random_state : None, int or RandomState

    Attributes
    ----------
    classes_ : (num_classes,) array
    networks_ : list of Network
        The network, or those that vote.
    solution_ : Solution
        The run of QCGD.
    num_spins_ : dict
        Binary variables of the QCBO by part.
    """

    def fit(self, X: Any, y: Any) -> QuantizedNetworkClassifier:
        """Train on `X` (num_samples, num_features) with the classes `y` (num_samples,)."""
        x, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, indices = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError("y holds 1 class only: a classifier needs at least two.")
        self._train(x, indices, len(self.classes_) if len(self.classes_) > 2 else 1)
        return self

    def decision_function(self, X: Any) -> FloatArray:
        """Outputs (num_samples,) for two classes, else (num_samples, num_classes).

        The network's outputs, or the shares of the votes (for two classes their difference). A
        single output is half a grid step too high, so that it is never 0 and its sign is the class.
        """
        x = self._inputs(X)
        if self.ensemble != "vote":
            outputs = self.networks_[0].decision_function(x)
            return outputs + 0.5 / self.network_.spec.output_unit if outputs.ndim == 1 else outputs
        shares = votes(self.networks_, x) / len(self.networks_)
        return np.asarray(shares if len(self.classes_) > 2 else shares[:, 1] - shares[:, 0])

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The class of each of `X`, (num_samples,)."""
        outputs = self.decision_function(X)
        chosen = outputs > 0 if outputs.ndim == 1 else outputs.argmax(axis=1)
        return np.asarray(self.classes_[chosen.astype(np.int64)])


class QuantizedNetworkRegressor(RegressorMixin, _QuantizedNetwork):  # type: ignore[misc]
    """A network of few-bit weights for one real target, trained as one QCBO through an oracle.

    The target is brought to mean 0 and standard deviation 1. Parameters and attributes are those
    of `QuantizedNetworkClassifier`, but the loss must be one of the error ("squared" by default,
    "absolute" or "huber"), weights have 2 bits by default, and there is no vote.
    """

    _regression = True

    def __init__(
        self,
        *,
        hidden: int | Sequence[int] = 3,
        weight_bits: WeightBits | Sequence[WeightBits] = 2,
        bias_bits: int = 4,
        input_bits: int = 3,
        activation: str | Activation | Sequence[str | Activation] = "hard-tanh",
        loss: str | Loss = "squared",
        spline_order: int = 1,
        spline_pieces: int = 4,
        spline_knots: str = "uniform",
        samples: int = 20,
        oracle: str | Oracle = "cim",
        oracle_options: Mapping[str, Any] | None = None,
        num_reads: int | None = None,
        iterations: int = 10,
        time_limit: float | None = None,
        ensemble: str = "mean",
        callback: Callback | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            hidden=hidden,
            weight_bits=weight_bits,
            bias_bits=bias_bits,
            input_bits=input_bits,
            activation=activation,
            loss=loss,
            spline_order=spline_order,
            spline_pieces=spline_pieces,
            spline_knots=spline_knots,
            samples=samples,
            oracle=oracle,
            oracle_options=oracle_options,
            num_reads=num_reads,
            iterations=iterations,
            time_limit=time_limit,
            ensemble=ensemble,
            callback=callback,
            random_state=random_state,
        )

    def fit(self, X: Any, y: Any) -> QuantizedNetworkRegressor:
        """Train on `X` (num_samples, num_features) with the targets `y` (num_samples,)."""
        x, targets = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        if targets.dtype.kind not in "biuf":
            raise InputError(f"targets must be numbers, not of type {targets.dtype}.")
        self.target_mean_, spread = float(targets.mean()), float(targets.std())
        self.target_scale_ = spread if spread > 0 else 1.0
        self._train(x, (targets - self.target_mean_) / self.target_scale_, 1)
        return self

    def predict(self, X: Any) -> FloatArray:
        """The target of each of `X`, (num_samples,)."""
        x = self._inputs(X)
        outputs = self.networks_[0].decision_function(x)
        return np.asarray(self.target_mean_ + self.target_scale_ * outputs)
