"""`solve` and `train`: names become objects here."""

from __future__ import annotations

import inspect
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qhal.datasets import load_dataset
from qhal.errors import InputError, did_you_mean
from qhal.executors import Executor
from qhal.functions import Activation, Loss
from qhal.networks.architecture import make_spec
from qhal.networks.named import as_activations, as_function
from qhal.networks.network import Network
from qhal.networks.spec import SplineSpec, WeightBits, check_count
from qhal.networks.training import TrainingPlan, TrainingResult, train_joint
from qhal.oracle import Oracle, checked_seed
from qhal.problems import Ising, Qcbo, Qubo
from qhal.qcgd.direct import certified, solve_directly
from qhal.qcgd.limits import DEFAULT_ITERATIONS, Limits
from qhal.qcgd.loop import Callback, run
from qhal.registry import exact_oracle, make_oracle
from qhal.samples import Solution, StopReason
from qhal.training.initial import checked_initial
from qhal.training.result import SequentialResult

DEFAULT_SAMPLES = 20
DEFAULT_ROUNDS = 10


class Defaults(NamedTuple):
    """What depends on the method of training; `hidden` units are those for several classes."""

    loss: str
    loss_of_several: str
    gain: float
    hidden: int


DEFAULTS = {
    "joint": Defaults(loss="hinge", loss_of_several="hinge", gain=1.0, hidden=0),
    "sequential": Defaults(loss="softmax", loss_of_several="softmax", gain=2.0, hidden=32),
    "hedging": Defaults(loss="hinge", loss_of_several="squared", gain=1.0, hidden=32),
}
# The methods of `train`, with the options that only they have.
METHODS: Mapping[str, tuple[str, ...]] = {
    "joint": ("iterations",),
    "sequential": (
        "epochs",
        "starts",
        "batch",
        "final_batch",
        "exact_samples",
        "max_variables",
        "coefficient_bits",
        "max_oracle_calls",
        "patience",
        "validation",
        "checkpoint",
        "executor_options",
    ),
    "hedging": (
        "epochs",
        "bundle_size",
        "bundles",
        "replacement",
        "hedging_rounds",
        "rho",
        "rho_rule",
        "certify",
        "iterations",
        "max_variables",
        "coefficient_bits",
        "max_oracle_calls",
        "patience",
        "validation",
        "checkpoint",
        "executor_options",
    ),
}


def solve(
    problem: Any,
    *,
    oracle: str | Oracle = "cim",
    oracle_options: Mapping[str, Any] | None = None,
    method: str = "level",
    num_reads: int | None = None,
    iterations: int = DEFAULT_ITERATIONS,
    time_limit: float | None = None,
    max_oracle_calls: int | None = None,
    target: float | None = None,
    certify: str | Oracle | None = None,
    polish: bool = True,
    seed: int | None = None,
    callback: Callback | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Solution:
    """Solve a constrained (or unconstrained) binary problem through an oracle.

    Parameters
    ----------
    problem : Qcbo, Qubo, Ising, a dimod model (CQM or BQM), or the path of a file
        Spins come back as -1 and 1 under their own labels.
    oracle : name of an installed oracle (see `qhal.list_oracles`) or an `Oracle`
    oracle_options : keyword arguments of the oracle's class, with a name only
    method : "level" (default), "frank-wolfe", "fully-corrective" or "direct"
        How the multipliers follow from the samples; see `qhal.qcgd.rules`. "direct" is no QCGD: the
        oracle's own exact method solves the whole problem (``cpsat``, ``exhaustive``).
    num_reads : samples for each oracle call, default the oracle's own
    iterations, time_limit (s), max_oracle_calls, target (objective) : limits
    certify : name of an exact oracle
        After the run, have it prove a lower bound for the whole problem within `time_limit`. What
        it found is in ``info["certificate"]``, also why it failed, if it did.
    polish : descend from new incumbents by local moves; raw figures are reported apart
    seed : whole number; the same seed gives the same result with a seeded oracle
    callback : called with a `RunState` after each round; returning False stops the run
    checkpoint : path of a file
        Replaced after each round. If it holds a run of the same problem and settings, that run goes
        on, bit for bit (but for a time limit); `iterations` counts its rounds too.

    Raises
    ------
    InputError
        For bad input; `UnknownNameError` and `PluginError` for oracles that cannot be had.
    """
    qcbo = as_qcbo(problem)
    solver = make_oracle(oracle, oracle_options)
    certifier = None if certify is None else exact_oracle(certify)
    if callback is not None and not callable(callback):
        raise InputError(f"the callback must be a function, not {callback!r}.")
    if not isinstance(polish, (bool, np.bool_)):
        raise InputError(f"polish must be True or False, not {polish!r}.")
    limits = Limits(
        iterations=iterations,
        time_limit=time_limit,
        max_oracle_calls=max_oracle_calls,
        target=target,
    )
    if method == "direct":
        if checkpoint is not None:
            raise InputError("a direct solve keeps no checkpoint: leave it out, or choose a rule.")
        solution = solve_directly(qcbo, solver, limits, seed)
    else:
        solution = run(
            qcbo,
            solver,
            method=method,
            num_reads=num_reads,
            limits=limits,
            polish=bool(polish),
            seed=seed,
            callback=callback,
            checkpoint=None if checkpoint is None else _as_path(checkpoint),
        )
    interrupted = solution.stop_reason is StopReason.INTERRUPTED
    if certifier is not None and not solution.certified and not interrupted:
        try:
            solution = certified(solution, qcbo, certifier, time_limit)
        except KeyboardInterrupt:
            solution = replace(solution, stop_reason=StopReason.INTERRUPTED)
    return replace(solution, versions=versions(solver))


def plan_training(
    data: str | os.PathLike[str] = "fashion-mnist",
    *,
    classes: str | Sequence[str] | None = "default",
    image_size: int | None = None,
    samples: int = DEFAULT_SAMPLES,
    hidden: int | Sequence[int] | None = None,
    weight_bits: WeightBits | Sequence[WeightBits] = 1,
    bias_bits: int = 4,
    input_bits: int = 3,
    activation: str | Activation | Sequence[str | Activation] = "hard-tanh",
    loss: str | Loss | None = None,
    gain: float | None = None,
    spline_order: int = 1,
    spline_pieces: int = 4,
    spline_knots: str = "uniform",
    seed: int | None = None,
    method: str = "joint",
    initial: str | os.PathLike[str] | Network | None = None,
) -> TrainingPlan:
    """What `train` with these options would encode, and its size: `plan.num_spins()`.

    See `train` for the parameters and errors.
    """
    if not isinstance(data, (str, os.PathLike)):
        raise InputError(
            f"data must be the name of a data set or the path of a file, not a "
            f"{type(data).__name__}: give arrays to qhal.networks.QuantizedNetworkClassifier."
        )
    check_count(samples, "samples", 1)
    used_seed = checked_seed(seed)
    dataset = load_dataset(os.fspath(data), classes=classes, image_size=image_size)
    if initial is not None:
        network = checked_initial(initial, method, dataset)
        return TrainingPlan(
            dataset, network.spec, min(samples, len(dataset.y_train)), used_seed, network
        )
    usual = DEFAULTS[method]
    several = len(dataset.class_names) > 2
    usual_loss = usual.loss_of_several if several else usual.loss
    spec = make_spec(
        dataset.x_train,
        as_activations(activation),
        as_function("loss", usual_loss if loss is None else loss),
        hidden=(usual.hidden if several else 3) if hidden is None else hidden,
        outputs=len(dataset.class_names) if several else 1,
        weight_bits=weight_bits,
        bias_bits=bias_bits,
        input_bits=input_bits,
        gain=usual.gain if gain is None else gain,
        spline=SplineSpec(spline_order, spline_pieces, spline_knots),
    )
    return TrainingPlan(dataset, spec, min(samples, len(dataset.y_train)), used_seed)


def train(
    data: str | os.PathLike[str] = "fashion-mnist",
    *,
    oracle: str | Oracle = "cim",
    oracle_options: Mapping[str, Any] | None = None,
    method: str = "joint",
    executor: str | Executor = "serial",
    num_reads: int | None = None,
    time_limit: float | None = None,
    callback: Callable[[Any], bool | None] | None = None,
    **options: Any,
) -> TrainingResult | SequentialResult:
    """Train a network of few-bit weights through an oracle.

    Parameters
    ----------
    data : "fashion-mnist", "digits", the path of an .npz file or of a folder of idx files
    oracle, oracle_options, num_reads : as for `solve`
    method : "joint" (default), "sequential" or "hedging"
        "joint": a few samples in one QCBO, solved by QCGD. "sequential": whole data sets, by QUBOs
        of machine size, one for each unit of the network at a time; see
        `qhal.training.sequential`. "hedging": whole data sets, by progressive hedging on bundles
        of samples, each a QCBO of machine size; see `qhal.training.hedging`.
    time_limit : seconds for the whole of it
    callback : called after each QCGD round with a `RunState`, or after each pass over all units
        with an `Epoch`; returning False stops the run

    Other parameters
    ----------------
    classes : class names, as a sequence or "a,b"; by default coat and sandal for Fashion-MNIST
        Two classes have one output; more have one each, against the rest.
    image_size : side to which square images are pooled, by default 7 for Fashion-MNIST
    samples : training samples, equally many of each class (default 20 for "joint", else all)
    hidden : units of the hidden layer, or a sequence for several layers, 0 for none
        By default 3 for two classes; for more none for "joint", where so few units only harm, and
        32 for the others.
    weight_bits : 1 (default, +-1), "ternary", or up to 8; a sequence for each layer of weights
    bias_bits, input_bits : of each bias (default 4) and each input (default 3)
    activation, loss : names of plugins or objects; a sequence of activations for each hidden layer
        Unless given, the loss is "hinge", or "softmax" for "sequential", or "squared" for "hedging"
        of several classes, whose outputs then take no bits of their own.
    gain : by how much the arguments of hidden units are larger than order one (default 1, but 2
        for "sequential"); rounded to a power of two
    spline_order, spline_pieces, spline_knots : 0 or 1 (default), 4, "uniform" or "adaptive"
    seed : whole number; the same seed gives the same result with a seeded oracle
    iterations : QCGD rounds of "joint", one oracle call each (default 10); of "hedging", for each
        bundle in each round (default 3)

    Only for "sequential" and "hedging"
    -----------------------------------
    initial : a `Network`, or the path of one that was saved; only for "sequential"
        The first start begins there. Its architecture and its loss count, whatever the options of
        these say. One that was trained on smaller images is enlarged if `image_size` is a multiple
        of theirs; have one start then, others would begin at random with the scales of smaller
        images. On the samples that judge the result is never worse than the network it begins with;
        with `validation` give the seed and the share that it was trained with, or it has seen them.
        A `batch` as large as `final_batch` only improves it; a small one looks for another.
    executor : name of an installed executor (see `qhal plugins`); the result is the same on each
    executor_options : keyword arguments of the executor's class, as the address of a cluster
    epochs, starts, batch, final_batch, exact_samples, max_variables, coefficient_bits : see
        `qhal.training.sequential.Settings`
    epochs, bundle_size, bundles, replacement, hedging_rounds, rho, rho_rule, max_variables,
    coefficient_bits : see `qhal.training.hedging.HedgingSettings`
    certify : name of an exact oracle, for "hedging" only
        Afterwards have it prove a lower bound on the loss over the last visit's bundles, within
        20 s for each; see `qhal.training.hedging.Hedging.dual_bound`.
    max_oracle_calls, patience : see `qhal.training.run.Limits`
    validation : share of the training samples that are kept apart to choose the best epoch
        (default 0: the training samples choose)
    checkpoint : path of a file
        Replaced after each epoch, or round of hedging. If it holds a run of the same data and
        settings, that run goes on, bit for bit.

    Raises
    ------
    InputError
        For bad input, or if the time limit passes while the problem is being encoded.
    """
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, not {method!r}.")
    architecture = inspect.signature(plan_training).parameters
    own = METHODS[method]
    for option in options:
        if option in architecture or option in own:
            continue
        others = [repr(other) for other, names in METHODS.items() if option in names]
        if others:
            raise InputError(
                f"{option} is an option of method {' and '.join(others)}, not of {method!r}."
            )
        raise InputError(
            f"train has no option {option!r}{did_you_mean(option, [*architecture, *own])}."
        )
    solver = make_oracle(oracle, oracle_options)
    arguments = {key: options.pop(key) for key in list(options) if key in architecture}
    if method != "joint":
        from qhal.training.fitting import train_hedging, train_sequential

        found = (train_hedging if method == "hedging" else train_sequential)(
            plan_training(data, method=method, **arguments),
            solver,
            executor,
            whole="samples" not in arguments,
            num_reads=num_reads,
            time_limit=time_limit,
            callback=callback,
            **options,
        )
        return replace(found, versions=versions(solver))
    if executor != "serial":
        raise InputError(f"method 'joint' is one problem: leave executor {executor!r} out.")
    result = train_joint(
        plan_training(data, **arguments),
        solver,
        limits=Limits(iterations=options.get("iterations", DEFAULT_ROUNDS), time_limit=time_limit),
        num_reads=num_reads,
        callback=callback,
    )
    return replace(result, solution=replace(result.solution, versions=versions(solver)))


def _as_path(name: Any) -> Path:
    if not isinstance(name, (str, os.PathLike)) or "\0" in str(name):
        raise InputError(f"checkpoint must be the path of a file, not {name!r}.")
    return Path(name)


def as_qcbo(problem: Any) -> Qcbo:
    """Whatever `solve` takes, as a `Qcbo`; `InputError` if it has no variables, as of a file."""
    qcbo = _as_qcbo(problem)
    if qcbo.num_variables == 0:
        raise InputError("the problem has no variables: nothing to solve.")
    return qcbo


def _as_qcbo(problem: Any) -> Qcbo:
    if isinstance(problem, Qcbo):
        return problem
    if isinstance(problem, Ising):
        return Qcbo.from_ising(problem)
    if isinstance(problem, Qubo):
        return Qcbo.from_qubo(problem)
    if isinstance(problem, (str, os.PathLike)):
        from qhal.files import read_problem

        return read_problem(os.fspath(problem))
    import dimod

    if isinstance(problem, dimod.BinaryQuadraticModel):
        problem = dimod.ConstrainedQuadraticModel.from_bqm(problem)
    if isinstance(problem, dimod.ConstrainedQuadraticModel):
        return Qcbo.from_cqm(problem)
    raise InputError(
        f"cannot solve a {type(problem).__name__}: give a Qcbo, Qubo, Ising, dimod model or path."
    )


def versions(oracle: Oracle) -> dict[str, str]:
    """What a result needs to be reproduced."""
    names = {"qhal-core", "numpy", "scipy", "dimod", oracle.info.distribution} - {""}
    record = {"python": platform.python_version()}
    for name in sorted(names):
        try:
            record[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return record
