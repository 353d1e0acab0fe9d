"""`dwave-qpu`: quantum annealers of D-Wave, through Ocean's own classes."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import Any

import dimod
import numpy as np

from qhal.errors import InputError, OracleError
from qhal.ocean import bqm_from_ising, states_of
from qhal.oracle import Answer, Oracle, OracleInfo
from qhal.problems.arrays import States
from qhal.problems.qubo import Qubo
from qhal_dwave.cloud import connected, translated
from qhal_dwave.reads import on_grid

Edges = frozenset[tuple[int, int]]

# Embeddings that are kept, and a seed so that the same graph is always embedded alike.
_KEPT = 16
_EMBEDDING_SEED = 1
# What the mock says each of its calls took, as a machine would.
_MOCK_ACCESS_S = 0.01


class DWaveQpu(Oracle):
    """A quantum annealer of D-Wave (dwave-system), found and paid for by Ocean's configuration.

    The minor embedding of a graph is computed once (minorminer) and used again for every problem
    whose couplings are among those of that graph, so all calls of a run share one. Broken chains
    are decided by majority. The info has Ocean's timing in microseconds, the access time that is
    charged in seconds, the embedding's size and the share of broken chains. Tokens are read by
    Ocean alone and appear in no error, info or file of qhal.

    Parameters
    ----------
    solver : name of a machine, or None for the one that Ocean's configuration chooses
    profile : profile of Ocean's configuration file, or None for its default
    annealing_time_us : microseconds of each anneal, or None for the machine's default
    chain_strength : factor > 0 of Ocean's uniform torque compensation
    mock : whether dwave-system's MockDWaveSampler stands in for a machine, to try things for free
    """

    default_num_reads = 100

    def __init__(
        self,
        *,
        solver: str | None = None,
        profile: str | None = None,
        annealing_time_us: float | None = None,
        chain_strength: float = 1.414,
        mock: bool = False,
    ) -> None:
        for key, value in (
            ("chain_strength", chain_strength),
            ("annealing_time_us", annealing_time_us),
        ):
            real = isinstance(value, (int, float)) and not isinstance(value, bool)
            if value is not None and (not real or not 0 < value < 1e9):
                raise InputError(f"{key} must be a number above 0, not {value!r}.")
        self.solver, self.profile, self.mock = solver, profile, bool(mock)
        self.annealing_time_us, self.chain_strength = annealing_time_us, float(chain_strength)
        self._sampler: Any = None
        self._embeddings: list[tuple[int, Edges, dict[int, Any]]] = []
        self._lock = threading.Lock()

    def describe(self, info: OracleInfo) -> OracleInfo:
        """The mock stays on this machine."""
        return replace(info, remote=not self.mock)

    def charged_seconds(self, qubo: Qubo, num_reads: int, time_limit: float | None) -> float | None:
        """D-Wave's own estimate of the access time."""
        if self.mock:
            return _MOCK_ACCESS_S
        embedding, _ = self._embedding(bqm_from_ising(on_grid(qubo)[0].to_ising()))
        try:
            microseconds = self._connected().solver.estimate_qpu_access_time(
                num_qubits=sum(map(len, embedding.values())),
                num_reads=num_reads,
                annealing_time=self.annealing_time_us,
            )
        except Exception as error:  # noqa: BLE001 (see translated)
            raise translated(self.info.name, error, self.profile) from None
        return float(microseconds) * 1e-6

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        bqm = bqm_from_ising(on_grid(qubo)[0].to_ising())
        sampler = self._connected()
        most = sampler.properties.get("num_reads_range", [1, num_reads])[1]
        if num_reads > most:
            raise InputError(f"{self.info.name!r} takes at most {most} reads a call.")
        embedding, reused = self._embedding(bqm)

        from dwave.embedding.chain_strength import uniform_torque_compensation
        from dwave.system import FixedEmbeddingComposite

        chosen: dict[str, Any] = {}
        if self.annealing_time_us is not None:
            chosen["annealing_time"] = self.annealing_time_us
        try:
            samples = FixedEmbeddingComposite(sampler, embedding).sample(
                bqm,
                num_reads=num_reads,
                answer_mode="raw",
                chain_strength=partial(uniform_torque_compensation, prefactor=self.chain_strength),
                **chosen,
            )
            samples.resolve()
        except Exception as error:  # noqa: BLE001 (see translated)
            raise translated(self.info.name, error, self.profile) from None
        chains = [len(chain) for chain in embedding.values()]
        info: dict[str, Any] = _timing(samples.info.get("timing", {}), "qpu_access_time")
        info["embedding"] = {
            "qubits": sum(chains),
            "longest_chain": max(chains),
            "reused": reused,
        }
        if "chain_break_fraction" in samples.record.dtype.names:
            info["broken_chains"] = float(np.mean(samples.record.chain_break_fraction))
        if "problem_id" in samples.info:
            info["problem_id"] = str(samples.info["problem_id"])
        return states_of(samples, list(bqm.variables)), info

    def _connected(self) -> Any:
        with self._lock:
            if self._sampler is None:
                self._sampler = connected("dwave-qpu", self._connect, self.profile)
            return self._sampler

    def _connect(self) -> Any:
        if self.mock:
            from dwave.system.testing import MockDWaveSampler

            return MockDWaveSampler(
                topology_type="pegasus", topology_shape=[6], parameter_warnings=False
            )
        from dwave.system import DWaveSampler

        given = {"solver": self.solver, "profile": self.profile}
        return DWaveSampler(**{key: value for key, value in given.items() if value is not None})

    def _embedding(self, bqm: dimod.BQM) -> tuple[dict[int, Any], bool]:
        """An embedding of the graph of `bqm`, and whether it was there already."""
        sampler, n = self._connected(), bqm.num_variables
        edges: Edges = frozenset((min(u, v), max(u, v)) for u, v in bqm.quadratic)
        with self._lock:
            for size, known, embedding in self._embeddings:
                if size == n and edges <= known:
                    return embedding, True
            import minorminer

            source = [*edges, *((v, v) for v in bqm.variables)]
            found: dict[int, Any] = {}
            if len(edges) <= len(sampler.edgelist):  # else none can be, and the search takes long
                found = minorminer.find_embedding(
                    source, list(sampler.edgelist), random_seed=_EMBEDDING_SEED
                )
            # minorminer leaves out variables without couplings now and then.
            used = {qubit for chain in found.values() for qubit in chain}
            spare = iter(qubit for qubit in sampler.nodelist if qubit not in used)
            embedding = {v: tuple(found[v]) for v in bqm.variables if v in found}
            lonely = [v for v in bqm.variables if v not in found]
            if edges and not found:
                raise OracleError(
                    f"no embedding of {n} variables with {len(edges)} couplings was found on "
                    f"{self.info.name!r}: the problem is too large or too dense for it. Try "
                    "'...|decompose(size=50)' around it."
                )
            embedding |= {v: (qubit,) for v, qubit in zip(lonely, spare, strict=False)}
            if len(embedding) < n:
                raise OracleError(f"{self.info.name!r} has not enough qubits for {n} variables.")
            self._embeddings = [(n, edges, embedding), *self._embeddings[: _KEPT - 1]]
            return embedding, False

    def __getstate__(self) -> dict[str, Any]:
        hidden = ("_lock", "_sampler")
        return {key: value for key, value in vars(self).items() if key not in hidden}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock(), _sampler=None)


def _timing(timing: dict[str, Any], charged: str) -> dict[str, Any]:
    """Ocean's times, which are in microseconds, and the one that is charged in seconds."""
    known = {key: float(value) for key, value in timing.items() if isinstance(value, (int, float))}
    info: dict[str, Any] = {"timing_us": known}
    if charged in known:
        info["charged_time_s"] = known[charged] * 1e-6
    return info


class LeapHybrid(Oracle):
    """The hybrid solver for binary quadratic models in D-Wave's Leap service (dwave-system).

    It gives one sample a call and has a least time limit that grows with the problem; a shorter
    one is raised to it, and the time that counts is in the info. Configuration and secrets as for
    `dwave-qpu`.

    Parameters
    ----------
    solver : name of a solver, or None for the one that Ocean's configuration chooses
    profile : profile of Ocean's configuration file, or None for its default
    mock : whether dwave-system's mock stands in for the service, to try things for free
    """

    default_num_reads = 1

    def __init__(
        self, *, solver: str | None = None, profile: str | None = None, mock: bool = False
    ) -> None:
        self.solver, self.profile, self.mock = solver, profile, bool(mock)
        self._sampler: Any = None
        self._lock = threading.Lock()

    def describe(self, info: OracleInfo) -> OracleInfo:
        """The mock stays on this machine."""
        return replace(info, remote=not self.mock)

    def charged_seconds(self, qubo: Qubo, num_reads: int, time_limit: float | None) -> float | None:
        """The time limit, at least the service's least."""
        return self._limit(bqm_from_ising(qubo.to_ising()), time_limit)

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        bqm = bqm_from_ising(on_grid(qubo)[0].to_ising())
        limit = self._limit(bqm, time_limit)
        try:
            samples = self._connected().sample(bqm, time_limit=limit)
            samples.resolve()
        except Exception as error:  # noqa: BLE001 (see translated)
            raise translated(self.info.name, error, self.profile) from None
        times = {key: samples.info[key] for key in _HYBRID_TIMES if key in samples.info}
        info = {"time_limit_s": limit, "charged_time_s": limit} | _timing(times, "charge_time")
        return states_of(samples, list(bqm.variables)), info

    def _limit(self, bqm: dimod.BQM, time_limit: float | None) -> float:
        sampler = self._connected()
        try:
            least = float(sampler.min_time_limit(bqm))
        except Exception as error:  # noqa: BLE001 (see translated)
            raise translated(self.info.name, error, self.profile) from None
        return max(least, time_limit or 0.0)

    def _connected(self) -> Any:
        with self._lock:
            if self._sampler is None:
                self._sampler = connected("leap-hybrid", self._connect, self.profile)
            return self._sampler

    def _connect(self) -> Any:
        from dwave.system import LeapHybridSampler

        if self.mock:
            from dwave.system.testing import MockLeapHybridSolver

            class Offline(LeapHybridSampler):
                """The real class on a mock of its solver."""

                def __init__(self) -> None:
                    self.client, self.solver = None, MockLeapHybridSolver()

            return Offline()
        given = {"solver": self.solver, "profile": self.profile}
        return LeapHybridSampler(
            **{key: value for key, value in given.items() if value is not None}
        )

    def __getstate__(self) -> dict[str, Any]:
        hidden = ("_lock", "_sampler")
        return {key: value for key, value in vars(self).items() if key not in hidden}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock(), _sampler=None)


_HYBRID_TIMES = ("run_time", "charge_time", "qpu_access_time")
