"""QCGD behind the interface that Ocean's samplers of constrained models have."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import dimod
import numpy as np
import numpy.typing as npt

from qhal.api import solve, versions
from qhal.errors import InputError, did_you_mean
from qhal.oracle import Oracle
from qhal.problems.arrays import FloatArray, distinct_rows
from qhal.problems.qcbo import Qcbo, Values
from qhal.qcgd.direct import certified
from qhal.qcgd.limits import DEFAULT_ITERATIONS, Limits
from qhal.qcgd.loop import run
from qhal.registry import exact_oracle, make_oracle

# Distinct assignments that a sample set may hold.
MAX_SAMPLES = 100


class QcgdSampler:
    """Solves `dimod.ConstrainedQuadraticModel` through any oracle, as Ocean's samplers do.

    In code written for ``LeapHybridCQMSampler()`` or ``dimod.ExactCQMSolver()``, only the line that
    makes the sampler changes; `sample_cqm` answers the same kind of sample set.

    Parameters
    ----------
    oracle, oracle_options : as for `qhal.solve`

    >>> import dimod
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> x, y = dimod.Binaries("xy")
    >>> cqm.set_objective(-x - 2 * y)
    >>> _ = cqm.add_constraint(x + y <= 1)
    >>> QcgdSampler("exhaustive").sample_cqm(cqm).first.sample
    {'x': 0.0, 'y': 1.0}
    """

    def __init__(
        self, oracle: str | Oracle = "cim", oracle_options: Mapping[str, Any] | None = None
    ) -> None:
        self.oracle = make_oracle(oracle, oracle_options)

    @property
    def parameters(self) -> dict[str, list[str]]:
        """What `sample_cqm` takes beside the model."""
        names = "time_limit label seed num_reads iterations method target certify".split()
        return {name: [] for name in names}

    @property
    def properties(self) -> dict[str, Any]:
        """What the oracle says of itself."""
        return dict(vars(self.oracle.info))

    def min_time_limit(self, cqm: dimod.ConstrainedQuadraticModel) -> float:
        """The shortest `time_limit` in seconds that is of use for `cqm`."""
        return 1e-3

    def sample_cqm(
        self,
        cqm: dimod.ConstrainedQuadraticModel,
        time_limit: float | None = None,
        *,
        label: str | None = None,
        seed: int | None = None,
        num_reads: int | None = None,
        iterations: int = DEFAULT_ITERATIONS,
        method: str = "level",
        target: float | None = None,
        certify: str | Oracle | None = None,
        **others: Any,
    ) -> dimod.SampleSet:
        """Assignments for `cqm`: at most 100 distinct ones, the best feasible ones first of all.

        The sample set has dimod's ``is_feasible`` and ``is_satisfied`` for each, energies by the
        model itself, and in ``info`` the document of ``qhal solve --json``.

        Parameters
        ----------
        cqm : dimod.ConstrainedQuadraticModel
        time_limit : seconds
        label : a name for the run, put into the info
        seed, num_reads, iterations, method, target, certify : as for `qhal.solve`
        """
        for name in others:
            raise InputError(
                f"sample_cqm has no parameter {name!r}{did_you_mean(name, self.parameters)} "
                f"It takes: {', '.join(self.parameters)}."
            )
        if not isinstance(cqm, dimod.ConstrainedQuadraticModel):
            raise InputError(
                f"sample_cqm takes a dimod.ConstrainedQuadraticModel, not a {type(cqm).__name__}."
            )
        problem = Qcbo.from_cqm(cqm)
        seen = _Seen(problem)
        if method == "direct":
            solution = solve(
                problem, oracle=self.oracle, method=method, time_limit=time_limit, seed=seed
            )
        else:
            limits = Limits(iterations=iterations, time_limit=time_limit, target=target)
            solution = run(
                problem,
                self.oracle,
                method=method,
                num_reads=num_reads,
                limits=limits,
                seed=seed,
                observer=seen.look,
            )
            if certify is not None and not solution.certified:
                solution = certified(solution, problem, exact_oracle(certify), time_limit)
        solution = replace(solution, versions=versions(self.oracle))
        if solution.assignment:
            seen.put_first(solution.values())
        info = solution.to_json() | ({} if label is None else {"problem_label": os.fspath(label)})
        del info["assignment"]
        samples = (seen.best(MAX_SAMPLES), list(problem.names))
        return dimod.SampleSet.from_samples_cqm(samples, cqm, info=info)


class _Seen:
    """The distinct assignments that a run looked at, the best of them."""

    def __init__(self, problem: Qcbo) -> None:
        self._problem = problem
        self._values: Values = np.empty((0, problem.num_variables), dtype=np.int64)
        self._ranks: FloatArray = np.empty((0, 2))

    def look(self, values: Values, objectives: FloatArray) -> None:
        """Keep the best of `values` (k, n): feasible before infeasible, then by objective."""
        infeasible = ~self._problem.feasible(values)
        ranks = np.column_stack([infeasible.astype(float), objectives])
        self._keep(np.concatenate([self._values, values]), np.concatenate([self._ranks, ranks]))

    def put_first(self, values: npt.NDArray[np.int64]) -> None:
        """Whatever else there is, `values` (n,) is among the best."""
        self._keep(
            np.concatenate([values[np.newaxis], self._values]),
            np.concatenate([[[-1.0, 0.0]], self._ranks]),
        )

    def best(self, count: int) -> Values:
        """At most `count` of them, the best first."""
        return self._values[:count]

    def _keep(self, values: Values, ranks: FloatArray) -> None:
        first, _ = distinct_rows(values)
        order = first[np.lexsort((ranks[first, 1], ranks[first, 0]))][:MAX_SAMPLES]
        self._values, self._ranks = values[order], ranks[order]
