"""The oracle contract: one verb, `_sample`; everything around it is checked by core."""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import math
import shlex
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from qhal.errors import (
    AnswerError,
    InputError,
    OracleError,
    PluginError,
    QhalError,
    TransientError,
    did_you_mean,
)
from qhal.problems.arrays import FloatArray, States, as_states
from qhal.problems.ising import Ising
from qhal.problems.qcbo import Qcbo, Values
from qhal.problems.qubo import Qubo
from qhal.samples import Samples, Status
from qhal.tracing import span

if TYPE_CHECKING:
    import dimod

# What a call takes, and users now and then give as options of the oracle.
_PARAMETERS = ("num_reads", "seed", "time_limit")

_LOG = logging.getLogger("qhal.oracle")

Answer: TypeAlias = "np.ndarray[Any, Any] | tuple[np.ndarray[Any, Any], Mapping[str, Any]]"


@dataclass(frozen=True, kw_only=True)
class OracleInfo:
    """What a plugin says of its oracle; the registry fills in distribution and version.

    `factory` is ``"module:Class"``, imported only when the oracle is asked for. `exact` promises a
    proved minimum; `seeded` the same samples for the same seed; `coefficient_bits` the precision
    of the couplings (None: double); `max_variables` the size limit; `connectivity` is
    ``"all-to-all"`` or the name of a graph; `remote` means calls leave this machine.
    """

    name: str
    summary: str
    factory: str
    exact: bool = False
    seeded: bool = False
    honours_time_limit: bool = False
    accepts_initial_states: bool = False
    coefficient_bits: int | None = None
    max_variables: int | None = None
    connectivity: str = "all-to-all"
    remote: bool = False
    distribution: str = ""
    version: str = ""

    def create(self, options: Mapping[str, Any]) -> Oracle:
        """Import the factory and make the oracle with `options` (keyword arguments).

        Raises `InputError` for an option the factory does not have, `PluginError` if it cannot be
        imported or makes something that is not an `Oracle`.
        """
        factory = import_factory("oracle", self.name, self.factory, self.distribution)
        _check_options(self.name, factory, options)
        oracle = factory(**options)
        if not isinstance(oracle, Oracle):
            raise PluginError(
                f"{self.factory!r} made a {type(oracle).__name__}, not a qhal.Oracle: "
                f"the plugin {self.distribution!r} must subclass qhal.Oracle."
            )
        oracle.info = oracle.describe(self)
        oracle.options = dict(options)
        return oracle


@dataclass(frozen=True, kw_only=True, eq=False)
class ExactAnswer:
    """What an exact method found out about a whole `Qcbo`; see `Oracle.solve_exactly`.

    Attributes
    ----------
    status : Status
        ``optimal`` and ``infeasible`` are proved, ``feasible`` means the limit came first, and
        ``no feasible solution found`` that nothing is known.
    values : (n,) int64 array or None
        The best assignment found, feasible in the sense of `Qcbo.feasible`.
    objective : float or None
        Objective of `values`, from the problem's own coefficients.
    lower_bound : float or None
        Proved bound on the objective of every feasible assignment; None if there is none.
    info : dict
        JSON-serialisable, units in the key names.
    """

    status: Status
    values: Values | None = None
    objective: float | None = None
    lower_bound: float | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


class Oracle(ABC):
    """A solver of QUBOs. Authors implement `_sample`; users call `sample`."""

    info: OracleInfo = OracleInfo(name="unregistered", summary="", factory="")
    options: Mapping[str, Any] = {}
    default_num_reads: int = 100

    @abstractmethod
    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        """Return states, integers in {0, 1} of shape (num_reads, n); or (states, info).

        `info` is JSON-serialisable with units in its key names. An exact oracle that did not
        finish sets ``info["proved"] = False``; its ``info["lower_bound"]`` is a proved bound on
        the minimum energy. Fewer or more rows than `num_reads` are allowed, none is not.
        """

    def describe(self, info: OracleInfo) -> OracleInfo:
        """`info` as it applies to this object's options (e.g. its coefficient bits)."""
        return info

    def sample(
        self,
        problem: Qubo | Ising,
        *,
        num_reads: int | None = None,
        seed: int | None = None,
        time_limit: float | None = None,
        initial_states: Any = None,
    ) -> Samples:
        """Sample low-energy states of `problem`.

        Parameters
        ----------
        num_reads : int >= 1, default `default_num_reads`
        seed : int in [0, 2^32), default drawn at random and recorded in `info`
        time_limit : seconds > 0, or None
        initial_states : (any number, n) in {0, 1}; only if the oracle accepts them

        Raises
        ------
        InputError
            For bad parameters, or a problem beyond the oracle's `max_variables`.
        OracleError
            If the oracle fails, or answers with a wrong shape or wrong values.
        """
        qubo = Qubo.from_ising(problem) if isinstance(problem, Ising) else problem
        if not isinstance(qubo, Qubo):
            raise InputError(f"an oracle takes a Qubo or an Ising, not a {type(problem).__name__}.")
        reads = checked_num_reads(self.default_num_reads if num_reads is None else num_reads)
        check_time_limit(time_limit)
        limit = self.info.max_variables
        if limit is not None and qubo.num_variables > limit:
            raise InputError(
                f"oracle {self.info.name!r} takes at most {limit} variables, "
                f"but the problem has {qubo.num_variables}."
            )
        if initial_states is not None:
            if not self.info.accepts_initial_states:
                raise InputError(f"oracle {self.info.name!r} does not accept initial_states.")
            # A copy: an oracle that works in place must not reach the caller's array.
            initial_states = as_states(initial_states, qubo.num_variables, "initial_states").copy()
        used_seed = checked_seed(seed)
        start = time.perf_counter()
        asked = {"num_variables": qubo.num_variables, "num_reads": int(reads), "seed": used_seed}
        with span("oracle", oracle=self.info.name, **asked):
            states, info = self._ask(qubo, int(reads), used_seed, time_limit, initial_states)
        elapsed = time.perf_counter() - start
        samples = self._to_samples(qubo, states, info, used_seed, elapsed)
        facts = asked | {"time_s": elapsed, "lowest_energy": float(samples.energies[0])}
        _LOG.debug("oracle %s answered", self.info.name, extra={"facts": facts})
        return samples

    def solve_exactly(
        self, problem: Qcbo, *, time_limit: float | None = None, seed: int = 0
    ) -> ExactAnswer | None:
        """Solve the whole constrained `problem` by an exact method of this oracle's own.

        None, the default, means that the oracle has none for this problem: it takes only QUBOs.
        Raises `InputError` if the problem's coefficients cannot be handled exactly. Who asks does
        so by `exactly`.
        """
        return None

    def stop(self) -> None:  # noqa: B027 (a choice, not a duty)
        """Ask a call that is running in another thread to end soon, as its answer is not wanted.

        By default nothing: then the call goes on, unseen, until it or the process ends.
        """

    def charged_seconds(self, qubo: Qubo, num_reads: int, time_limit: float | None) -> float | None:
        """The most machine time, in seconds, that such a call may be charged; None if unknown.

        By default the time limit, if the oracle honours it. What a call was charged in the end is
        ``info["charged_time_s"]``, or else its wall time.
        """
        return time_limit if self.info.honours_time_limit else None

    def to_dimod(self) -> dimod.Sampler:
        """This oracle as a `dimod.Sampler`, for use anywhere in Ocean."""
        from qhal.ocean import OracleSampler

        return OracleSampler(self)

    def _ask(
        self,
        qubo: Qubo,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> tuple[States, dict[str, Any]]:
        n = qubo.num_variables
        if n == 0:
            return np.zeros((num_reads, 0), dtype=np.int8), {}
        name = self.info.name
        with _in_words(name):
            answer = self._sample(
                qubo,
                num_reads=num_reads,
                seed=seed,
                time_limit=time_limit,
                initial_states=initial_states,
            )
        states, info = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, {})
        try:
            checked = as_states(states, n, f"oracle {name!r} answered states that")
            if np.ndim(states) != 2 or len(checked) == 0:
                raise InputError(f"oracle {name!r} must answer with a non-empty 2-D array.")
        except InputError as error:
            raise AnswerError(
                f"{error} Its plugin is broken: qhal check {shlex.quote(name)} tells more."
            ) from None
        try:
            return checked, dict(json.loads(json.dumps(dict(info), allow_nan=False)))
        except (TypeError, ValueError) as error:
            raise AnswerError(f"oracle {name!r} answered info that is not JSON: {error}.") from None

    def _to_samples(
        self, qubo: Qubo, states: States, info: dict[str, Any], seed: int, elapsed: float
    ) -> Samples:
        energies = qubo.energies(states)
        order = np.argsort(energies, kind="stable")
        bound = self._proved_bound(qubo, energies[order], info)
        record = {"oracle": self.info.name, "seed": seed, "options": dict(self.options)} | info
        return Samples(states[order], energies[order], bound, elapsed, record)

    def _proved_bound(
        self, qubo: Qubo, energies: FloatArray, info: Mapping[str, Any]
    ) -> float | None:
        """The bound of an exact oracle; one above a sampled energy is a lie and is refused."""
        if qubo.num_variables == 0:
            return qubo.offset
        if not self.info.exact:
            return None
        best = float(energies[0])
        bound = info.get("lower_bound", best if info.get("proved", True) else None)
        if bound is None:
            return None
        # Energies are sums of this many coefficients: their size says how exact a float can be.
        size = float(abs(qubo.matrix).sum()) + abs(qubo.offset)
        if bound > best + 1e-9 * size:
            raise OracleError(
                f"oracle {self.info.name!r} claims the lower bound {bound}, "
                f"but itself returned a state of energy {best}."
            )
        return min(float(bound), best)


def exactly(
    oracle: Oracle, problem: Qcbo, *, time_limit: float | None, seed: int
) -> ExactAnswer | None:
    """What `oracle.solve_exactly` answers; raises `OracleError` if it fails or answers nonsense."""
    name = oracle.info.name
    asked = {"num_variables": problem.num_variables, "whole_problem": True, "seed": seed}
    with span("oracle", oracle=name, **asked), _in_words(name):
        answer = oracle.solve_exactly(problem, time_limit=time_limit, seed=seed)
    if answer is None:
        return None
    if not isinstance(answer, ExactAnswer):
        raise AnswerError(f"oracle {name!r} answered a {type(answer).__name__}, no ExactAnswer.")
    if answer.lower_bound is not None and not math.isfinite(answer.lower_bound):
        raise AnswerError(f"oracle {name!r} answered the lower bound {answer.lower_bound}.")
    return answer


@contextmanager
def _in_words(name: str) -> Iterator[None]:
    """Whatever an oracle raises as one of our errors, a lost connection as one that may pass."""
    try:
        yield
    except QhalError:
        raise
    except (ConnectionError, TimeoutError) as error:
        raise TransientError(
            f"oracle {name!r} cannot be reached: {type(error).__name__}: {error}. "
            "Try again, or let the composite retry do so: '...|retry'."
        ) from error
    except Exception as error:
        raise OracleError(
            f"oracle {name!r} failed: {type(error).__name__}: {error}. "
            "If it is a fault of the plugin, qhal check says more; if of a machine, try again."
        ) from error


def import_factory(kind: str, name: str, factory: str, distribution: str) -> Any:
    """What ``"module:Class"`` names; `PluginError` if it cannot be imported."""
    module_name, _, attribute = factory.partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except Exception as error:
        raise PluginError(
            f"{kind} {name!r} of {distribution or 'an unknown distribution'} cannot "
            f"be loaded from {factory!r}: {type(error).__name__}: {error}. "
            f"Reinstall it with: pip install --force-reinstall {distribution}"
        ) from error


def checked_num_reads(num_reads: Any) -> int:
    """`num_reads` as an int of at least 1; `InputError` for anything else."""
    whole = isinstance(num_reads, (int, np.integer)) and not isinstance(num_reads, bool)
    if not whole or num_reads < 1:
        raise InputError(f"num_reads must be a whole number of at least 1, not {num_reads!r}.")
    return int(num_reads)


def checked_seed(seed: int | None) -> int:
    """`seed` as an int in [0, 2^32), or a random one for None; `InputError` for anything else."""
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise InputError(f"seed must be a whole number from 0 to 2^32 - 1, not {seed!r}.")
    return int(seed)


def check_time_limit(time_limit: float | None) -> None:
    """Raise `InputError` unless `time_limit` is None or a positive, finite number of seconds."""
    if time_limit is None:
        return
    number = isinstance(time_limit, (int, float, np.number)) and not isinstance(time_limit, bool)
    if not number or not 0 < time_limit < float("inf"):
        raise InputError(f"time_limit must be a positive number of seconds, not {time_limit!r}.")


def _check_options(name: str, factory: Any, options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(factory).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for option in options:
        if option not in parameters:
            known = ", ".join(parameters) or "none"
            near = (
                "." if option in _PARAMETERS else did_you_mean(option, [*parameters, *_PARAMETERS])
            )
            raise InputError(
                f"oracle {name!r} has no option {option!r}{near} Its options: {known}; "
                f"{', '.join(_PARAMETERS[:-1])} and {_PARAMETERS[-1]} are parameters of "
                "solve and sample, not options."
            )
