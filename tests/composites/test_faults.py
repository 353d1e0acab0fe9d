"""Bad machines, sudden death, full disks and crowds: nothing is lost, nothing is wrong."""

import json
import multiprocessing
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import qhal
from qhal.composites import Budget, Noisy, Retry
from qhal.composites.recording import Replay, recorded_answers
from qhal.errors import OracleError
from qhal.files import write_problem

CALLS = 12


def problem(seed):
    rng = np.random.default_rng(seed)
    return qhal.Qcbo.from_arrays(
        np.triu(rng.integers(-5, 6, (8, 8))),
        A_eq=[np.ones(8)],
        b_eq=[4],
        A_le=[rng.integers(1, 6, 8)],
        b_le=[14],
    )


class Counted(qhal.Oracle):
    """Random states, and how often they were asked for."""

    info = qhal.OracleInfo(name="counted", summary="", factory="", seeded=True)

    def __init__(self):
        self.calls, self.reads = 0, 0

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        self.calls, self.reads = self.calls + 1, self.reads + num_reads
        rng = np.random.default_rng(seed)
        return rng.integers(0, 2, (num_reads, qubo.num_variables))


def solve_under_faults(seed):
    """One solve; what is asserted of it. Returns whether it ended with a result."""
    machine = Counted()
    faults = Noisy(
        machine, errors=0.2, hangs=0.2, garbage=0.2, wrong=0.1, bit_errors=0.01, seed=seed
    )
    budget = Budget(faults, calls=CALLS, reads=20 * CALLS)
    oracle = Retry(budget, attempts=4, timeout_s=0.05, wait_s=0)
    asked, best = problem(seed), []
    try:
        solution = qhal.solve(
            asked, oracle=oracle, seed=seed, num_reads=20, iterations=8, polish=False,
            callback=lambda state: best.append(state.incumbent),
        )  # fmt: skip
    except OracleError:
        assert not best  # only a run that had nothing yet may end without a result
        solution = None
    spent = budget.spent()
    assert machine.calls <= spent["calls"] <= CALLS
    assert machine.reads <= spent["reads"] <= 20 * CALLS
    if solution is None:
        return False
    incumbents = [value for value in best if value is not None]
    if incumbents:
        assert solution.objective == min(incumbents) == incumbents[-1]
        values = solution.values()
        assert asked.feasible(values)[0]
        assert solution.objective == asked.objectives(values)[0]
    assert not solution.certified
    return True


def test_solves_survive_a_bad_machine():
    results = [solve_under_faults(seed) for seed in range(20)]
    assert sum(results) >= 15


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_solves_survive_a_bad_machine():
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(solve_under_faults, range(1000)))
    assert len(results) == 1000
    assert sum(results) >= 800


# --- sudden death ---------------------------------------------------------------------------------

RUN = """
import sys
from tests.composites.test_faults import problem
import qhal
chain, checkpoint = sys.argv[1:]
print("ready", flush=True)
solution = qhal.solve(problem(1), oracle=chain, seed=5, num_reads=20, iterations=40,
                      checkpoint=checkpoint, method="frank-wolfe")
print("objective", solution.objective, len(solution.history))
"""


def killed_after(seconds, command):
    """Start `command` and kill it so many seconds after it says that it is ready."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=_root()
    )
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def _root():
    return Path(__file__).parents[2]


def _resumed(folder):
    """The end of the run, and how many answers its recording has."""
    return subprocess.run(_command(folder), capture_output=True, text=True, cwd=_root(), check=True)


def _command(folder):
    chain = f"cim(num_steps=100)|record({folder / 'run.jsonl'})"
    return [sys.executable, "-c", RUN, chain, str(folder / "run.ckpt")]


def survive_kills(folder, count, each):
    """Kill runs `count` times at random moments, `each` of them so often, and go on each time;
    they end as if they had never been."""
    whole = folder / "whole"
    whole.mkdir()
    expected = _resumed(whole).stdout
    chance = random.Random(3)
    kills = 0
    while kills < count:
        part = folder / f"part{kills}"
        part.mkdir()
        for _ in range(each):
            killed_after(chance.uniform(0.0, 0.4), _command(part))
            kills += 1
            if (part / "run.jsonl").exists() and (part / "run.jsonl").stat().st_size:
                try:
                    answers = recorded_answers(part / "run.jsonl")
                except qhal.InputError:
                    # Killed within its very first line: the next run starts it afresh.
                    assert b"\n" not in (part / "run.jsonl").read_bytes()
                    answers = 0
                assert answers <= 45
        assert _resumed(part).stdout == expected
        replay = Replay(part / "run.jsonl")
        assert replay.info.name == "cim"
        assert recorded_answers(part / "run.jsonl") >= 40


def test_a_run_survives_being_killed(tmp_path):
    survive_kills(tmp_path, 2, each=2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_survives_being_killed_a_hundred_times(tmp_path):
    survive_kills(tmp_path, 100, each=5)


# --- nowhere to write -----------------------------------------------------------------------------


def test_a_full_disk_costs_no_result(tmp_path):
    file, checkpoint = tmp_path / "run.jsonl", tmp_path / "run.ckpt"
    arguments = {"seed": 5, "num_reads": 20, "iterations": 6}
    expected = qhal.solve(problem(1), oracle="sa", **arguments)
    chain = f"sa|record({file})|cache({tmp_path / 'c.db'})"
    oracle = qhal.get_oracle(chain)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        solution = qhal.solve(problem(1), oracle=oracle, checkpoint=checkpoint, **arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert solution.assignment == expected.assignment
    assert "not written" in solution.info["checkpoint"]
    assert not checkpoint.exists() or checkpoint.stat().st_size > 0
    assert recorded_answers(file) >= 0
    again = qhal.solve(problem(1), oracle=chain, checkpoint=checkpoint, **arguments)
    assert again.assignment == expected.assignment
    assert "checkpoint" not in again.info
    assert qhal.solve(problem(1), oracle=f"replay({file})", **arguments).assignment == (
        expected.assignment
    )


@pytest.fixture
def disk(tmp_path):
    """A disk of 16 kB; `mount` changes how it is mounted. Only root can have one."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options):
        command = ["mount", "-t", "tmpfs", "-o", ",".join(["size=16k", *options]), "tmpfs", folder]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if not mount():
        pytest.skip("only root can mount a small disk")
    yield folder, mount
    subprocess.run(["umount", folder], check=True)


def qhal_solve(problem, *options):
    """`qhal solve` on this problem; its exit code, document and what it says on stderr."""
    command = [sys.executable, "-m", "qhal", "solve", problem, "--json", "--iterations", "30"]
    done = subprocess.run(
        [*command, "--set", "num_reads=50", "--seed", "5", *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def test_a_disk_that_is_really_full_costs_no_result(disk, tmp_path):
    full, _ = disk
    (full / "filler").write_bytes(bytes(12_000))
    file = tmp_path / "problem.npz"
    write_problem(problem(1), file)
    _, expected, _ = qhal_solve(file, "--oracle", "sa")
    for options, code, said in (
        (("--oracle", f"sa|record({full / 'run.jsonl'})"), 0, "not recorded to"),
        (("--oracle", "sa", "--checkpoint", full / "run.ckpt"), 0, "the checkpoint was not writ"),
        (("--oracle", "sa", "--out", full / "out.json", "--plot", full / "p.png"), 1, "No space"),
        (("--oracle", "sa", "--trace", full / "trace.json"), 1, "No space"),
    ):
        found, document, stderr = qhal_solve(file, *options)
        assert (found, document["assignment"]) == (code, expected["assignment"])
        assert said in stderr
    assert {path.name for path in full.iterdir()} <= {"filler", "run.jsonl"}
    assert recorded_answers(full / "run.jsonl") >= 0


def test_a_disk_that_may_not_be_written(disk, tmp_path):
    folder, mount = disk
    file = tmp_path / "problem.npz"
    write_problem(problem(1), file)
    chain = f"sa|record({folder / 'run.jsonl'})"
    _, expected, _ = qhal_solve(file, "--oracle", chain)
    assert mount("remount", "ro")
    for options in (
        ("--oracle", chain),
        ("--oracle", f"sa|record({folder / 'other.jsonl'})"),
        ("--oracle", f"sa|cache({folder / 'answers.db'})"),
        ("--oracle", "sa", "--checkpoint", folder / "run.ckpt"),
        ("--oracle", "sa", "--out", folder / "out.json"),
        ("--oracle", "sa", "--log-file", folder / "log.jsonl"),
    ):
        code, document, _ = qhal_solve(file, *options)
        assert code == 2
        assert str(folder) in document["error"]
    code, again, _ = qhal_solve(file, "--oracle", f"replay({folder / 'run.jsonl'})")
    assert (code, again["assignment"]) == (0, expected["assignment"])


# --- crowds ---------------------------------------------------------------------------------------

CHAINS = (
    "sa",
    "cim",
    "sa|precision(bits=6, rounding=stochastic)",
    "sa|noisy(bit_errors=0.05)|presolve",
    "portfolio(sa, tabu)",
    "sa|decompose(size=5)|retry",
)


def one_of_many(job):
    """The part of a result that a seed decides."""
    index, folder = job
    chain = CHAINS[index % len(CHAINS)]
    if index % 3 == 0:
        chain += f"|cache({folder}/shared.db)"
    solution = qhal.solve(problem(index % 7), oracle=chain, seed=index, num_reads=10, iterations=4)
    record = solution.to_json()
    keys = "objective raw_objective lower_bound assignment iterations oracle seed".split()
    history = [(row["lowest_energy"], row["max_residual"]) for row in solution.history]
    return json.dumps([{key: record[key] for key in keys}, history])


def serve(count, folder):
    """`count` solves at once, half in threads and half in processes, against one by one."""
    serial = [one_of_many((index, folder / "serial")) for index in range(count)]
    jobs = [(index, folder / "crowd") for index in range(count)]
    context = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(16) as threads, ProcessPoolExecutor(2, mp_context=context) as workers:
        first = list(threads.map(one_of_many, jobs[::2]))
        second = list(workers.map(one_of_many, jobs[1::2]))
    assert first == serial[::2]
    assert second == serial[1::2]


def test_a_crowd_gets_what_each_alone_would(tmp_path):
    (tmp_path / "serial").mkdir()
    (tmp_path / "crowd").mkdir()
    serve(12, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hundred_at_once(tmp_path):
    (tmp_path / "serial").mkdir()
    (tmp_path / "crowd").mkdir()
    serve(200, tmp_path)


@pytest.mark.parametrize(
    "chain", ["sa|precision(bits=6)", "sa|noisy(bit_errors=0.1)", "portfolio(sa, tabu)"]
)
def test_one_oracle_object_serves_many_threads(chain):
    oracle = qhal.get_oracle(chain)
    qubo = qhal.Qubo(np.triu(np.random.default_rng(0).normal(size=(12, 12))))
    serial = [oracle.sample(qubo, num_reads=5, seed=seed).states for seed in range(30)]
    found = {}
    threads = [
        threading.Thread(
            target=lambda s=seed: found.update({s: oracle.sample(qubo, num_reads=5, seed=s).states})
        )
        for seed in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((found[seed] == serial[seed]).all() for seed in range(30))
