"""What calls of ours cost, small ones and large ones, and what limited precision does to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import dimod
import numpy as np
from instances import Instance, from_qcgd, independent_set, spin_glass
from lab import Lab, spread
from measure import hits, reference
from peers import OURS, SA
from qhal_cim.forms import Forces, over_bits, over_spins
from qhal_cim.kernels import Batch
from qhal_cim.oracle import Cim
from qhal_cim.precision import ROUNDINGS
from qhal_cim.sampler import CimSampler
from qhal_cim.schedules import BSB as BALLISTIC
from qhal_cim.schedules import Replicas
from qhal_cim.simulation import Simulation
from rich.table import Table

from qhal.problems.qubo import Qubo


def precision(lab: Lab) -> Any:
    """Rescored gap of the best of 100 reads against coefficient bits, Gaussian SK, n = 100."""
    problems = [spin_glass(100, True, 100 + k) for k in range(3 if lab.quick else 10)]
    grounds = [reference(problem) for problem in problems]
    natives = [OURS.prepare(problem) for problem in problems]
    bits = (3, 5, 8) if lab.quick else tuple(range(2, 11))
    raw: dict[str, Any] = {"bits": list(bits)}
    table = Table("rounding", "host descent", *(f"{b} bits" for b in bits))
    table.title = f"Mean gap / 1e-3 of the best of 100 reads, {len(problems)} SK Gaussian, n = 100"
    for rounding in ROUNDINGS:
        for descent in (False, True):
            means = []
            for count in bits:
                machine = Cim(coefficient_bits=count, rounding=rounding, descent=descent)
                gaps = []
                for problem, native, ground in zip(problems, natives, grounds, strict=True):
                    states = machine.sample(native, num_reads=100, seed=count).states
                    lowest = problem.energies(2 * states - 1).min()
                    gaps.append((lowest - ground) / abs(ground))
                means.append(float(np.mean(gaps)))
            table.add_row(rounding, "yes" if descent else "no", *(f"{m * 1e3:.3f}" for m in means))
            raw[f"{rounding}, {'with' if descent else 'without'} descent"] = means
    lab.console.print(table)
    return raw


def small_problems(lab: Lab) -> Any:
    """100 reads of n = 50 and 100: time of whole `sample` calls and success, against dwave SA."""
    if SA.missing:
        return {}
    raw = {}
    table = Table(
        "instance", "dwave SA / ms", "CimSampler / ms", "ratio", "Cim / ms", "ratio",
        "success: SA", "CimSampler",
        title="100 reads, whole sample call at defaults, CPU time; ratios: median (quartiles)",
    )  # fmt: skip
    problems = [
        build(n)
        for n in (50, 100)
        for build in (
            lambda n: spin_glass(n, False, 3),
            lambda n: spin_glass(n, True, 3),
            lambda n: independent_set(n, 5, 3),
        )
    ] + [from_qcgd("assignment", 3), from_qcgd("knapsack", 3)]
    for instance in problems:
        calls = _whole_calls(instance)
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        energies: dict[str, list[np.ndarray]] = {"sa": [], "sampler": []}
        for repeat in range(3 if lab.quick else 10):
            for name, call in calls.items():
                start = time.process_time()
                answer = call(repeat)
                seconds[name].append(time.process_time() - start)
                if isinstance(answer, dimod.SampleSet):
                    record = answer.record
                    energies[name].append(np.repeat(record.energy, record.num_occurrences))
        best = min(np.min(values) for values in energies.values())
        success = {name: hits(np.concatenate(v), best).mean() for name, v in energies.items()}
        times = {name: np.array(values) for name, values in seconds.items()}
        table.add_row(
            f"{instance.name}, n = {instance.size}",
            *(
                cell
                for name in calls
                for cell in (
                    [f"{np.median(times[name]) * 1e3:.2f}"]
                    + ([] if name == "sa" else [spread(times["sa"] / times[name])])
                )
            ),
            *(f"{share:.1%}" for share in success.values()),
        )
        raw[instance.name] = {"seconds": seconds, "success": success}
    lab.console.print(table)
    return raw


def _whole_calls(instance: Instance) -> dict[str, Callable[[int], Any]]:
    """The three calls that `small_problems` compares, as functions of the seed."""
    from dwave.samplers import SimulatedAnnealingSampler

    native, bqm = Qubo.from_ising(instance.ising), SA.prepare(instance)
    annealer, sampler, oracle = SimulatedAnnealingSampler(), CimSampler(), Cim()
    return {
        "sa": lambda seed: annealer.sample(bqm, num_reads=100, seed=seed + 1),
        "sampler": lambda seed: sampler.sample(bqm, num_reads=100, seed=seed),
        "oracle": lambda seed: oracle.sample(native, num_reads=100, seed=seed),
    }


def overhead(lab: Lab) -> Any:
    """What a call costs whatever the dynamics do: the CPU time of one step, in microseconds."""
    table = Table(
        "n", "couplings", "reads", "1 step / us", "default / us",
        title="Fixed overhead of Cim.sample: CPU time, median (quartiles) of 50 calls",
    )  # fmt: skip
    raw = []
    one, default = Cim(num_steps=1), Cim()
    for n in (10, 50, 100):
        for problem in (independent_set(n, 5, 3), spin_glass(n, True, 3)):
            qubo = Qubo.from_ising(problem.ising)
            for reads in (1, 10):
                times: dict[str, list[float]] = {"1 step": [], "default": []}
                for seed in range(50):
                    for name, oracle in (("1 step", one), ("default", default)):
                        start = time.process_time()
                        oracle.sample(qubo, num_reads=reads, seed=seed)
                        times[name].append((time.process_time() - start) * 1e6)
                kind = "sparse" if qubo.is_sparse else "dense"
                cells = (spread(np.array(values)) for values in times.values())
                table.add_row(str(n), kind, str(reads), *cells)
                raw.append({"n": n, "couplings": kind, "reads": reads, "times_us": times})
    lab.console.print(table)
    return raw


def dense_step(lab: Lab) -> Any:
    """A step of the compiled dense kernel against one product of the same matrices by BLAS."""
    from threadpoolctl import threadpool_info

    blas = {f"{b['internal_api']} {b.get('architecture')}" for b in threadpool_info()}
    table = Table(
        "replicas", "step / ms", "sgemm / ms", "ratio",
        title=f"n = 2000, dense; {', '.join(sorted(blas))}; ratio: median (quartiles)",
    )  # fmt: skip
    form = over_spins(over_bits(OURS.prepare(spin_glass(2000, True, 5)))[0])
    raw: dict[str, Any] = {"blas": sorted(blas)}
    for width in (64, 128):
        machine = Simulation(form, "target", (BALLISTIC,), "numba")
        replicas = Replicas.share((BALLISTIC,), width)
        batch = Batch.begin(replicas, replicas.start(2000, np.random.default_rng(0)))
        matrix = Forces.of(form).matrix
        out, pump = np.empty_like(batch.x), np.full((10, width), 0.3, dtype=np.float32)
        times = []
        for _ in range(5 if lab.quick else 20):
            start = time.process_time()
            machine.kernel.advance(batch, pump)
            middle = time.process_time()
            for _ in pump:
                np.dot(matrix, batch.x, out=out)
            times.append((middle - start, time.process_time() - middle))
        step, product = np.array(times[1:]).T * 1e3 / len(pump)
        table.add_row(
            str(width),
            f"{np.median(step):.2f}",
            f"{np.median(product):.2f}",
            spread(step / product),
        )
        raw[str(width)] = {"step_ms": step.tolist(), "sgemm_ms": product.tolist()}
    lab.console.print(table)
    return raw
