"""The checks, one function each: they return a sentence, or raise `CheckFailed`/`CheckSkipped`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from qhal.errors import InputError
from qhal.oracle import Oracle
from qhal.problems import Qcbo, Qubo
from qhal.problems.arrays import States
from qhal.reference import Exhaustive
from qhal.samples import Samples, Status
from qhal.testing.problems import all_states, corners, dense, rank, revealing, structured, tolerance
from qhal.testing.subject import CheckFailed, CheckSkipped, Subject, expect

Check = Callable[[Subject], str]
CHECKS: dict[str, Check] = {}
"""Every check by its name, in the order in which they run."""

TIME_LIMIT_S = 0.25
GRACE_S = 1.0
_READS = 64


def _check(name: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        CHECKS[name] = check
        return check

    return register


@_check("shape")
def states_are_a_table(subject: Subject) -> str:
    """`_sample` answers a two-dimensional array of one row or more, one column a variable."""
    for n in (subject.size(1), subject.size(7)):
        states, _ = _raw(subject.oracle, dense(n, seed=0))
        shape = np.shape(states)
        expect(
            len(shape) == 2 and shape[0] > 0 and shape[1] == n,
            f"_sample must return states of shape (num_reads, {n}), not {shape}.",
        )
    return "States have the shape (num_reads, n)."


@_check("values")
def states_are_bits(subject: Subject) -> str:
    """`_sample` answers nothing but 0 and 1."""
    for seed in range(4):
        states, _ = _raw(subject.oracle, dense(subject.size(9), seed))
        found = np.unique(np.asarray(states))
        expect(
            found.dtype.kind in "biuf" and bool(np.isin(found, (0, 1)).all()),
            f"_sample must return bits, 0 and 1, but returned {found[:5].tolist()}: "
            "convert spins s to (s + 1) / 2.",
        )
    return "States hold only 0 and 1."


@_check("info")
def info_is_json(subject: Subject) -> str:
    """What `_sample` reports beside the states can be written as JSON."""
    _, info = _raw(subject.oracle, dense(subject.size(6), seed=0))
    try:
        json.dumps(info, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckFailed(f"the info of _sample must be JSON-serialisable: {error}.") from error
    return "The info it reports is JSON."


@_check("corners")
def corners_are_answered(subject: Subject) -> str:
    """Degenerate and badly scaled problems are answered like any other."""
    tried = 0
    for name, qubo in corners():
        if qubo.num_variables > subject.size(4):
            continue
        tried += 1
        try:
            samples = _sample(subject.oracle, qubo)
        except Exception as error:
            raise CheckFailed(f"{name}: it raised {type(error).__name__}: {error}") from error
        energies = samples.energies
        expect(bool(np.isfinite(energies).all()), f"{name}: an energy is not finite.")
        if subject.info.exact:
            least = float(qubo.energies(all_states(qubo.num_variables)).min())
            expect(
                samples.first[1] <= least + tolerance(qubo),
                f"{name}: it claims exactness but found {samples.first[1]} where {least} is.",
            )
    return f"All {tried} degenerate and badly scaled problems are answered."


@_check("input-unchanged")
def input_is_left_alone(subject: Subject) -> str:
    """Neither the problem nor the initial states are written to."""
    n = subject.size(16)
    few = sp.csr_array(sp.triu(sp.random_array((n, n), density=0.1, rng=0)))
    for matrix in (dense(n, seed=1).matrix, few):
        qubo, twin = Qubo(matrix, 2.0), Qubo(matrix, 2.0)
        start = np.random.default_rng(2).integers(0, 2, (3, n), dtype=np.int8)
        before = start.copy()
        takes_start = subject.info.accepts_initial_states
        _sample(subject.oracle, qubo, initial_states=start if takes_start else None)
        expect(
            abs(qubo.matrix - twin.matrix).sum() == 0 and qubo.offset == twin.offset,
            "it changed the problem it was given: copy the matrix before working on it.",
        )
        expect(
            np.array_equal(start, before),
            "it changed the initial states it was given: copy them before working on them.",
        )
    return "Problem and initial states are left as they were."


@_check("beats-chance")
def no_worse_than_chance(subject: Subject) -> str:
    """The best of 64 reads is in the lowest quarter of all states.

    Fair coins miss that once in 10^8 problems; all zeros, all ones, the wrong sign, flipped,
    reversed or uncoupled answers are in the upper half by construction.
    """
    n = subject.size(10, least=5)
    for seed in range(6):
        qubo, energies = revealing(n, seed)
        reads, share = 0, 1.0
        while reads < _READS and share > 0.25:
            samples = _sample(subject.oracle, qubo, num_reads=_READS, seed=reads)
            reads += len(samples)
            share = min(share, rank(samples.first[1], energies))
        expect(
            share <= 0.25,
            f"{share:.0%} of all states are better than the best of {reads} reads, which fair "
            "coins would beat: check the sign, the spin convention and the order of variables.",
        )
    return f"The best of {_READS} reads is no worse than chance."


@_check("seed-repeats")
def same_seed_same_samples(subject: Subject) -> str:
    """The same seed gives the same states, whatever was asked in between."""
    subject.require(subject.info.seeded, "to be seeded")
    for qubo in _seed_problems(subject):
        first = _sample(subject.oracle, qubo, seed=11)
        _sample(subject.oracle, qubo, seed=12)
        for oracle in (subject.oracle, subject.fresh()):
            again = _sample(oracle, qubo, seed=11)
            expect(
                np.array_equal(first.states, again.states),
                "two calls with the same seed gave different samples: draw every random number "
                "from numpy.random.default_rng(seed), or do not declare it seeded.",
            )
    return "The same seed gives the same samples."


@_check("seed-matters")
def another_seed_other_samples(subject: Subject) -> str:
    """Reads that differ within one call differ between seeds too.

    Passed by oracles without randomness (all reads alike) and not asked of exact ones.
    """
    subject.require(subject.info.seeded, "to be seeded")
    subject.require(not subject.info.exact, "to be random: it is exact")
    flat = Qubo(np.zeros((subject.size(24, least=16),) * 2))
    one, *others = (_sample(subject.oracle, flat, seed=seed).states for seed in (1, 2, 3))
    if len(np.unique(one, axis=0)) == 1:
        return "All reads of a call are alike: there is nothing random that a seed could change."
    expect(
        any(not np.array_equal(np.sort(one, axis=0), np.sort(other, axis=0)) for other in others),
        "its reads look random, but are the same for every seed: use the seed that _sample gets.",
    )
    return "Another seed gives other samples."


@_check("time-limit")
def time_limit_is_kept(subject: Subject) -> str:
    """A call that would take long ends near its time limit, with an answer."""
    subject.require(subject.info.honours_time_limit, "to honour time_limit")
    qubo = dense(subject.size(100), seed=3)
    taken = []
    for _ in range(3):  # on a busy machine one late answer proves nothing
        samples = _sample(subject.oracle, qubo, num_reads=20_000, time_limit=TIME_LIMIT_S)
        taken.append(samples.time_s)
        if taken[-1] <= TIME_LIMIT_S + GRACE_S:
            return f"A limit of {TIME_LIMIT_S} s was kept: {taken[-1]:.2f} s."
    raise CheckFailed(
        f"a limit of {TIME_LIMIT_S} s was overrun each time: {min(taken):.2f} s at best."
    )


@_check("initial-states")
def initial_states_are_taken(subject: Subject) -> str:
    """One initial state, several, and more than reads are all accepted."""
    subject.require(subject.info.accepts_initial_states, "to accept initial_states")
    n = subject.size(8)
    rng = np.random.default_rng(4)
    for rows in (1, 3, 9):
        start = rng.integers(0, 2, (rows, n), dtype=np.int8)
        _sample(subject.oracle, dense(n, seed=5), num_reads=5, initial_states=start)
    return "Any number of initial states is taken."


@_check("options")
def unknown_options_are_errors(subject: Subject) -> str:
    """A mistyped option is an error, not silence."""
    if subject.entry is None:
        raise CheckSkipped("It was given as an object, so there are no options to mistype.")
    try:
        subject.entry.create({"no_such_option": 1})
    except InputError:
        return "An unknown option is refused."
    raise CheckFailed("an unknown option was swallowed: name the options, without **kwargs.")


@_check("exact-minimum")
def exact_means_minimal(subject: Subject) -> str:
    """An oracle that claims exactness finds the minimum, as brute force knows it."""
    subject.require(subject.info.exact, "to be exact")
    for name, qubo in structured(subject.size(10, least=3)):
        least = float(qubo.energies(all_states(qubo.num_variables)).min())
        samples = _sample(subject.oracle, qubo, num_reads=5)
        if samples.info.get("proved", True):
            expect(
                samples.first[1] <= least + tolerance(qubo),
                f"{name}: it claims the minimum {samples.first[1]}, but {least} is lower: "
                "do not declare it exact, or set info['proved'] = False when it stops early.",
            )
    return "Its minima are those of brute force."


@_check("exact-bound")
def bounds_are_bounds(subject: Subject) -> str:
    """Bounds are never above the minimum, also when time runs out, and meet it when proved."""
    subject.require(subject.info.exact, "to be exact")
    for name, qubo in structured(subject.size(10, least=3)):
        least = float(qubo.energies(all_states(qubo.num_variables)).min())
        samples = _sample(subject.oracle, qubo, num_reads=5)
        _expect_bound(samples, qubo, least, name)
    if not subject.info.honours_time_limit:
        return "Its bounds are valid."
    hard = dense(subject.size(17), seed=6)
    least = Exhaustive().sample(hard, num_reads=1).first[1]
    for limit in (1e-3, 0.02, 0.2):
        samples = _sample(subject.oracle, hard, num_reads=5, time_limit=limit)
        _expect_bound(samples, hard, least, f"under a time limit of {limit} s")
    return "Its bounds are valid, also when the time is too short."


@_check("exact-constrained")
def whole_problems_are_solved(subject: Subject) -> str:
    """`solve_exactly`, where there is one, agrees with brute force on constrained problems."""
    subject.require(subject.info.exact, "to be exact")
    rng = np.random.default_rng(7)
    for _ in range(12):
        row, target = rng.integers(-2, 4, 6), int(rng.integers(-3, 8))
        problem = Qcbo.from_arrays(
            np.triu(rng.integers(-4, 5, (6, 6))), A_eq=[row], b_eq=[target], upper=[1] * 5 + [3]
        )
        answer = subject.oracle.solve_exactly(problem, time_limit=20.0, seed=1)
        if answer is None:
            raise CheckSkipped("It takes only QUBOs.")
        truth = Exhaustive().solve_exactly(problem)
        assert truth is not None
        expect(
            answer.status is truth.status,
            f"it calls a problem {answer.status} that brute force finds {truth.status}.",
        )
        if truth.status is Status.OPTIMAL:
            assert truth.objective is not None
            expect(
                answer.values is not None and bool(problem.feasible(answer.values)[0]),
                "it calls a problem solved, but its assignment is not feasible.",
            )
            expect(
                answer.objective == truth.objective
                and answer.lower_bound is not None
                and abs(answer.lower_bound - truth.objective) < 1e-6,
                f"it claims the optimum {answer.objective} and the bound {answer.lower_bound}, "
                f"but the optimum is {truth.objective}.",
            )
    return "Whole constrained problems are solved as by brute force."


def _raw(oracle: Oracle, qubo: Qubo) -> tuple[Any, Any]:
    """What `_sample` itself answers, before core checks it."""
    answer = oracle._sample(qubo, num_reads=5, seed=1, time_limit=None, initial_states=None)
    return answer if isinstance(answer, tuple) else (answer, {})


def _sample(
    oracle: Oracle,
    qubo: Qubo,
    *,
    num_reads: int = 10,
    seed: int = 1,
    time_limit: float | None = None,
    initial_states: States | None = None,
) -> Samples:
    return oracle.sample(
        qubo, num_reads=num_reads, seed=seed, time_limit=time_limit, initial_states=initial_states
    )


def _seed_problems(subject: Subject) -> list[Qubo]:
    """Flat (noise shows at once), easy, and too large to be solved by luck."""
    n = subject.size(16 if subject.info.exact else 40)
    return [Qubo(np.zeros((min(n, 16),) * 2)), dense(min(n, 10), seed=8), dense(n, seed=9)]


def _expect_bound(samples: Samples, qubo: Qubo, least: float, name: str) -> None:
    bound, slack = samples.lower_bound, tolerance(qubo)
    if bound is not None:
        expect(
            bound <= least + slack,
            f"{name}: it claims the lower bound {bound}, but {least} is reached.",
        )
    if samples.info.get("proved", True):
        expect(
            bound is not None and bound >= least - slack,
            f"{name}: it claims a proof, but its bound {bound} is not the minimum {least}: "
            "set info['proved'] = False.",
        )
