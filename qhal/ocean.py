"""Both ways between qhal's oracles and D-Wave Ocean's samplers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import dimod
import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError, OracleError
from qhal.oracle import Answer, Oracle, OracleInfo
from qhal.problems.arrays import States
from qhal.problems.ising import Ising
from qhal.problems.qubo import Qubo


def qubo_from_bqm(bqm: dimod.BinaryQuadraticModel) -> Qubo:
    """The energies of `bqm` over bits, in the order of ``bqm.variables`` (spins s = 2x - 1)."""
    binary = bqm.change_vartype(dimod.BINARY, inplace=False)
    n = binary.num_variables
    linear, (rows, columns, values), offset = binary.to_numpy_vectors(list(binary.variables))[:3]
    low, high = np.minimum(rows, columns), np.maximum(rows, columns)
    pairs = sp.coo_array((values, (low, high)), shape=(n, n))
    return Qubo(
        sp.csr_array(pairs + sp.diags_array(np.asarray(linear, dtype=float), shape=(n, n))),
        float(offset),
    )


def bqm_from_qubo(qubo: Qubo) -> dimod.BinaryQuadraticModel:
    """`qubo` as a dimod model over the variables 0 .. n-1."""
    pairs = sp.coo_array(sp.triu(sp.coo_array(qubo.matrix), k=1))
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        qubo.linear, (pairs.row, pairs.col, pairs.data), qubo.offset, dimod.BINARY
    )


def bqm_from_ising(ising: Ising) -> dimod.BinaryQuadraticModel:
    """`ising` as a dimod model over the spins 0 .. n-1."""
    pairs = sp.coo_array(ising.J)
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        ising.h, (pairs.row, pairs.col, pairs.data), ising.offset, dimod.SPIN
    )


class DimodOracle(Oracle):
    """A `dimod.Sampler` behind the oracle contract; see `from_dimod`."""

    def __init__(self, sampler: dimod.Sampler, parameters: Mapping[str, Any]) -> None:
        unknown = set(parameters) - set(sampler.parameters)
        if unknown:
            raise InputError(
                f"{type(sampler).__name__} has no parameter {sorted(unknown)[0]!r}; "
                f"it takes: {', '.join(sorted(sampler.parameters)) or 'none'}."
            )
        self.sampler = sampler
        self.parameters = dict(parameters)

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        bqm = bqm_from_qubo(qubo)
        # Ocean's seeds end at 2^31 - 1, and to some of its samplers 0 means none.
        offered: dict[str, Any] = {"num_reads": num_reads, "seed": 1 + seed % (2**31 - 1)}
        if time_limit is not None:
            offered["time_limit"] = time_limit
        if initial_states is not None:
            offered["initial_states"] = dimod.SampleSet.from_samples_bqm(
                (initial_states, list(bqm.variables)), bqm
            )
        taken = {key: value for key, value in offered.items() if key in self.sampler.parameters}
        samples = self.sampler.sample(bqm, **taken | self.parameters)
        return states_of(samples, list(bqm.variables)), {"sampler": type(self.sampler).__name__}


def from_dimod(sampler: dimod.Sampler, *, name: str | None = None, **parameters: Any) -> Oracle:
    """Any `dimod.Sampler` as an oracle.

    `num_reads`, `seed`, `time_limit` and `initial_states` are passed on if the sampler takes them;
    `parameters` go with every call and must be among its own.

    >>> from_dimod(dimod.ExactSolver())  # doctest: +ELLIPSIS
    <qhal.ocean.DimodOracle object at ...>
    """
    if not isinstance(sampler, dimod.Sampler):
        what = f"{sampler.__name__}, a class" if isinstance(sampler, type) else repr(sampler)[:60]
        raise InputError(f"from_dimod takes a sampler such as dimod.ExactSolver(), not {what}.")
    oracle = DimodOracle(sampler, parameters)
    accepted = set(sampler.parameters)
    oracle.info = OracleInfo(
        name=name or type(sampler).__name__,
        summary=(inspect.getdoc(type(sampler)) or "a dimod sampler").partition("\n")[0],
        factory=f"{type(sampler).__module__}:{type(sampler).__qualname__}",
        seeded="seed" in accepted,
        honours_time_limit="time_limit" in accepted,
        accepts_initial_states="initial_states" in accepted,
    )
    oracle.options = {key: repr(value) for key, value in parameters.items()}
    return oracle


def states_of(samples: dimod.SampleSet, order: list[Any]) -> States:
    """The bits of `samples` with columns in `order` and each repeated as often as it occurred."""
    if len(samples) == 0:
        raise OracleError("the dimod sampler returned no samples.")
    binary = samples.change_vartype(dimod.BINARY, inplace=False)
    columns = [binary.variables.index(label) for label in order]
    record = binary.record
    return np.repeat(record.sample[:, columns], record.num_occurrences, axis=0).astype(np.int8)


class OracleSampler(dimod.Sampler):  # type: ignore[misc]
    """An oracle behind dimod's sampler interface; see `Oracle.to_dimod`."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The sampling parameters that the oracle takes."""
        names = ["num_reads", "seed", "time_limit"]
        if self.oracle.info.accepts_initial_states:
            names.append("initial_states")
        return {name: [] for name in names}

    @property
    def properties(self) -> dict[str, Any]:
        """Name, distribution and declared capabilities of the oracle."""
        return dict(vars(self.oracle.info))

    def sample(self, bqm: dimod.BinaryQuadraticModel, **parameters: Any) -> dimod.SampleSet:
        """Sample `bqm`; raises `InputError` for parameters it does not have."""
        unknown = set(parameters) - set(self.parameters)
        if unknown:
            raise InputError(
                f"oracle {self.oracle.info.name!r} has no parameter {sorted(unknown)[0]!r}; "
                f"it takes: {', '.join(self.parameters)}."
            )
        order = list(bqm.variables)
        initial = parameters.pop("initial_states", None)
        if initial is not None:
            if not isinstance(initial, dimod.SampleSet):
                initial = dimod.SampleSet.from_samples_bqm(initial, bqm)
            initial = states_of(initial, order)
        samples = self.oracle.sample(qubo_from_bqm(bqm), initial_states=initial, **parameters)
        states = samples.states if bqm.vartype is dimod.BINARY else 2 * samples.states - 1
        return dimod.SampleSet.from_samples_bqm((states, order), bqm, info=dict(samples.info))
