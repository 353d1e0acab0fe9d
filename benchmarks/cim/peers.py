"""qhal-cim and its peers behind one call; each at its defaults and with six settings to tune.

An adapter prepares the solver's own input outside the measured time; `sample` is what is timed.
A setting is a dict of the solver's own parameters, and {} means its defaults.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import product
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from instances import Instance
from qhal_cim.forms import over_bits, over_spins
from qhal_cim.oracle import Cim
from qhal_cim.schedules import default_steps

from qhal.problems.qubo import Qubo

Setting = dict[str, Any]


class Solver(ABC):
    """One solver: `name`, what it imports, the parameter that buys quality, and its settings."""

    name: str
    module: str
    effort: str
    default_effort: int
    settings: tuple[Setting, ...]
    probe_reads: ClassVar[int] = 8  # the fewest of a call: fewer would cost more each
    max_reads: ClassVar[int] = 128

    @property
    def missing(self) -> str | None:
        """Why it cannot be imported, or None."""
        try:
            importlib.import_module(self.module)
        except Exception as error:  # noqa: BLE001 (whatever a peer raises on import)
            return f"{type(error).__name__}: {error}".splitlines()[0][:80]
        return None

    def effort_for(self, instance: Instance) -> int:
        """What `effort` is by default."""
        return self.default_effort

    @abstractmethod
    def prepare(self, instance: Instance) -> Any:
        """The problem in the solver's own form."""

    @abstractmethod
    def sample(self, native: Any, reads: int, seed: int, setting: Setting) -> np.ndarray:
        """Spins (reads, n)."""


def _grid(**choices: list[Any]) -> tuple[Setting, ...]:
    return tuple(dict(zip(choices, values, strict=True)) for values in product(*choices.values()))


class QhalCim(Solver):
    """Ours."""

    name, module = "qhal-cim", "qhal_cim.oracle"
    effort, default_effort = "num_steps", 500
    probe_reads = 128
    settings = _grid(num_steps=[400, 1600], dynamics=["portfolio", "bsb", "cac"])

    def effort_for(self, instance: Instance) -> int:
        """See `Solver.effort_for`."""
        return default_steps(over_spins(over_bits(self.prepare(instance))[0]))

    def prepare(self, instance: Instance) -> Qubo:
        """See `Solver.prepare`."""
        return Qubo.from_ising(instance.ising)

    def sample(self, native: Qubo, reads: int, seed: int, setting: Setting) -> np.ndarray:
        """See `Solver.sample`."""
        return 2 * Cim(**setting).sample(native, num_reads=reads, seed=seed).states - 1


class QhalCimScipy(QhalCim):
    """Ours as it is without numba, chosen as it would be chosen then."""

    name = "qhal-cim, scipy"

    def sample(self, native: Qubo, reads: int, seed: int, setting: Setting) -> np.ndarray:
        """See `Solver.sample`."""
        return super().sample(native, reads, seed, {"kernel": "numpy"} | setting)


class _Bqm(Solver):
    seeded: ClassVar[bool] = True

    def prepare(self, instance: Instance) -> Any:
        """See `Solver.prepare`."""
        import dimod

        pairs = sp.coo_array(instance.ising.J)
        return dimod.BinaryQuadraticModel.from_numpy_vectors(
            instance.ising.h, (pairs.row, pairs.col, pairs.data), 0.0, dimod.SPIN
        )

    def sample(self, native: Any, reads: int, seed: int, setting: Setting) -> np.ndarray:
        """See `Solver.sample`."""
        seeds = {"seed": seed + 1} if self.seeded else {}
        answer = self.sampler().sample(native, num_reads=reads, **seeds, **setting)
        order = np.argsort(np.asarray(answer.variables))
        record = answer.record
        return np.repeat(record.sample, record.num_occurrences, axis=0)[:, order]

    @abstractmethod
    def sampler(self) -> Any:
        """The sampler of Ocean."""


class DwaveSa(_Bqm):
    """dwave-samplers' simulated annealing."""

    name, module = "dwave SA", "dwave.samplers"
    effort, default_effort = "num_sweeps", 1000
    settings = _grid(num_sweeps=[300, 1000, 3000], beta_schedule_type=["geometric", "linear"])

    def sampler(self) -> Any:
        """The sampler of Ocean."""
        from dwave.samplers import SimulatedAnnealingSampler

        return SimulatedAnnealingSampler()


class DwaveTabu(_Bqm):
    """dwave-samplers' tabu search; `timeout` is in ms for each read."""

    name, module = "dwave tabu", "dwave.samplers"
    effort, default_effort = "timeout", 20
    settings = _grid(timeout=[10, 50, 200], tenure=[10, 20])

    def sampler(self) -> Any:
        """The sampler of Ocean."""
        from dwave.samplers import TabuSampler

        return TabuSampler()


class OpenJij(_Bqm):
    """openjij's simulated annealing."""

    name, module = "openjij SA", "openjij"
    seeded = False  # with a seed, all its reads are the same
    effort, default_effort = "num_sweeps", 1000
    settings = _grid(num_sweeps=[300, 1000, 3000], sparse=[False, True])

    def sampler(self) -> Any:
        """The sampler of Ocean."""
        from openjij import SASampler

        return SASampler()


class SimulatedBifurcation(Solver):
    """simulated-bifurcation; a tuned setting ramps over all its steps, 1,000 if not said."""

    name, module = "simulated-bifurcation", "simulated_bifurcation"
    effort, default_effort = "max_steps", 10_000
    probe_reads = 16
    settings = _grid(time_step=[0.3, 0.6, 1.0], mode=["ballistic", "discrete"])

    def prepare(self, instance: Instance) -> Any:
        """See `Solver.prepare`."""
        import simulated_bifurcation.core as core
        import torch

        torch.set_num_threads(1)
        return core.Ising(-_symmetric(instance), instance.ising.h.copy())

    def sample(self, native: Any, reads: int, seed: int, setting: Setting) -> np.ndarray:
        """See `Solver.sample`."""
        import simulated_bifurcation as sb
        import torch

        torch.manual_seed(seed)
        setting = dict(setting)
        if "time_step" in setting:
            # Once the clock runs faster, the ramp must still end with the run.
            step, steps = setting.pop("time_step"), setting.get("max_steps", 1000)
            sb.set_env(time_step=step, pressure_slope=1 / (steps * step))
            setting |= {"max_steps": steps, "early_stopping": False}
        try:
            with _silence():
                spins = native.minimize(agents=reads, verbose=False, **setting)
        finally:
            sb.reset_env()
        return np.where(np.asarray(spins) > 0, 1, -1).T


class _MindQuantum(Solver):
    module = "mindquantum.algorithm.qaia"
    effort, default_effort = "n_iter", 1000
    max_reads = 32

    def __init__(self, kind: str, iterations: list[int], steps: list[float]) -> None:
        self.name, self._kind = f"mindquantum {kind}", kind
        self.settings = _grid(n_iter=iterations, dt=steps)

    def prepare(self, instance: Instance) -> Any:
        """See `Solver.prepare`."""
        field = -instance.ising.h if instance.ising.h.any() else None
        return sp.csr_matrix(-_symmetric(instance)), field

    def sample(self, native: Any, reads: int, seed: int, setting: Setting) -> np.ndarray:
        """See `Solver.sample`."""
        couplings, field = native
        np.random.seed(seed)  # noqa: NPY002 (what the peer draws from)
        solver = getattr(importlib.import_module(self.module), self._kind)(
            couplings, h=field, batch_size=reads, **setting
        )
        with np.errstate(all="ignore"):
            solver.update()
        return np.where(solver.x > 0, 1, -1).T


class CimOptimizer(Solver):
    """Tuned around the parameters that the package gives for Gset graphs, at 1000 steps."""

    name, module = "cim-optimizer", "cim_optimizer.solve_Ising"
    effort, default_effort = "num_timesteps_per_run", 1000
    settings = _grid(feedback=[1.5, 3.0, 6.0], cac_time_step=[0.05, 0.1])
    probe_reads = 4
    max_reads = 8  # it keeps all trajectories

    def prepare(self, instance: Instance) -> Any:
        """See `Solver.prepare`."""
        return -_symmetric(instance), -instance.ising.h

    def sample(self, native: Any, reads: int, seed: int, setting: Setting) -> np.ndarray:
        """See `Solver.sample`."""
        import torch
        from cim_optimizer.solve_Ising import Ising

        torch.set_num_threads(1)
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 (what the peer draws from)
        couplings, field = native
        setting = dict(setting)
        n = len(field)
        if "feedback" in setting and field.any():  # its other method: the same factors
            setting = {
                "hyperparameters_randomtune": False,
                "ahc_ext_eps": setting["feedback"] / 9,
                "ahc_ext_time_step": setting["cac_time_step"] / 3.2,
            }
        elif "feedback" in setting:
            setting |= {
                "hyperparameters_randomtune": False,
                "cac_beta": setting.pop("feedback") * n / np.abs(couplings).sum(),
                "cac_gamma": 0.075 / n,
                "cac_tau": 9 * n,
            }
        with _silence():
            answer = Ising(couplings, field).solve(
                num_runs=reads,
                num_parallel_runs=reads,
                return_spin_trajectories_all_runs=False,
                suppress_statements=True,
                **setting,
            )
        return np.asarray(answer.result["spin_config_all_runs"]).reshape(reads, -1)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def _symmetric(instance: Instance) -> np.ndarray:
    couplings = instance.ising.J
    dense = couplings.toarray() if sp.issparse(couplings) else np.array(couplings)
    return dense + dense.T


OURS, OURS_SCIPY, SA = QhalCim(), QhalCimScipy(), DwaveSa()
BSB = _MindQuantum("BSB", [300, 1000], [0.5, 0.75, 1.0])
PEERS: tuple[Solver, ...] = (
    SA,
    DwaveTabu(),
    OpenJij(),
    SimulatedBifurcation(),
    _MindQuantum("CAC", [1000, 3000], [0.025, 0.05, 0.1]),
    _MindQuantum("CFC", [1000, 3000], [0.05, 0.1, 0.2]),
    BSB,
    _MindQuantum("DSB", [300, 1000], [0.5, 0.75, 1.0]),
    CimOptimizer(),
)
