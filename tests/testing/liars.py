"""Oracles that break a promise, each with the check that must catch it."""

import time

import numpy as np

import qhal
from qhal.oracle import ExactAnswer
from qhal.reference import Exhaustive, Random
from qhal.samples import Status
from qhal.testing import checks

LIARS = {}
"""Name of each liar: its `OracleInfo`, and the check that must fail."""


def caught_by(check, **claims):
    """Register a class as a liar that makes the `claims` and is caught by `check`."""

    def register(liar):
        info = qhal.OracleInfo(
            name=liar.__name__,
            summary=liar.__doc__,
            factory=f"{__name__}:{liar.__name__}",
            **claims,
        )
        LIARS[liar.__name__] = (info, check)
        return liar

    return register


def best(qubo, num_reads=1):
    """The lowest states of small problems, random ones of large."""
    if qubo.num_variables > 17:
        return np.random.default_rng(0).integers(0, 2, (num_reads, qubo.num_variables))
    return Exhaustive().sample(qubo, num_reads=num_reads).states


# --- wrong answers --------------------------------------------------------------------------------


@caught_by("beats-chance")
class AllZeros(qhal.Oracle):
    """Answers nothing but zeros."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return np.zeros((num_reads, qubo.num_variables))


@caught_by("beats-chance")
class AllOnes(qhal.Oracle):
    """Answers nothing but ones."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return np.ones((num_reads, qubo.num_variables))


@caught_by("beats-chance")
class WrongSign(qhal.Oracle):
    """Maximises."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return best(qhal.Qubo(-qubo.matrix), num_reads)


@caught_by("beats-chance")
class OtherSpins(qhal.Oracle):
    """Reads spins with the other sign: every bit is flipped."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return 1 - best(qubo)


@caught_by("beats-chance")
class Backwards(qhal.Oracle):
    """Returns the variables in reverse order."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return best(qubo)[:, ::-1]


@caught_by("beats-chance")
class Uncoupled(qhal.Oracle):
    """Forgets the couplings."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return [qubo.linear < 0]


# --- answers that are none ------------------------------------------------------------------------


@caught_by("shape")
class Transposed(qhal.Oracle):
    """One row for each variable."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return np.zeros((qubo.num_variables, num_reads))


@caught_by("shape")
class OneState(qhal.Oracle):
    """One state, not a table of states."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return best(qubo)[0]


@caught_by("shape")
class NoStates(qhal.Oracle):
    """An empty table."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return np.zeros((0, qubo.num_variables))


@caught_by("values")
class Spins(qhal.Oracle):
    """-1 and +1 where 0 and 1 are due."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return 2 * best(qubo) - 1


@caught_by("values")
class Amplitudes(qhal.Oracle):
    """Numbers between 0 and 1."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return best(qubo) * 0.9


@caught_by("info")
class StrangeInfo(qhal.Oracle):
    """Reports what JSON cannot hold."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return best(qubo), {"chip": object()}


@caught_by("corners")
class Divides(qhal.Oracle):
    """Divides by the largest coefficient, even if that is 0."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return best(qubo, 1 // int(np.ceil(abs(qubo.matrix).max())) or num_reads)


# --- broken promises ------------------------------------------------------------------------------


@caught_by("seed-repeats", seeded=True)
class IgnoresSeed(qhal.Oracle):
    """Takes fresh entropy for every call."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return np.random.default_rng().integers(0, 2, (num_reads, qubo.num_variables))


@caught_by("seed-repeats", seeded=True)
class SeedsOnce(qhal.Oracle):
    """Keeps one generator for all calls."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return self.rng.integers(0, 2, (num_reads, qubo.num_variables))


@caught_by("seed-matters", seeded=True)
class OneSeedForAll(qhal.Oracle):
    """Random, but always the same."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return np.random.default_rng(0).integers(0, 2, (num_reads, qubo.num_variables))


@caught_by("time-limit", honours_time_limit=True)
class Overruns(Random):
    """Takes its time."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        time.sleep(0 if time_limit is None else time_limit + checks.GRACE_S + 0.1)
        return super()._sample(
            qubo, num_reads=num_reads, seed=seed, time_limit=None, initial_states=None
        )


@caught_by("input-unchanged")
class ScalesTheProblem(qhal.Oracle):
    """Scales the coefficients in place."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        data = qubo.matrix.data if qubo.is_sparse else qubo.matrix
        data.flags.writeable = True
        data *= 2.0
        return best(qubo)


@caught_by("initial-states", accepts_initial_states=True)
class OneStartForEachRead(Random):
    """Needs as many initial states as reads."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        if initial_states is not None and len(initial_states) != num_reads:
            raise ValueError("wrong number of initial states")
        return super()._sample(
            qubo, num_reads=num_reads, seed=seed, time_limit=None, initial_states=None
        )


@caught_by("options")
class TakesAnything(Random):
    """Swallows typos."""

    def __init__(self, **options):
        self.taken = options


@caught_by("exact-minimum", exact=True)
class ClaimsExactness(Random):
    """Chance that calls itself exact."""


@caught_by("exact-bound", exact=True)
class BoundTooHigh(qhal.Oracle):
    """The minimum, with a bound above it."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        found = Exhaustive().sample(qubo)
        return found.states, {"lower_bound": found.energies[0] + 0.1}


@caught_by("exact-bound", exact=True)
class BoundTooLow(qhal.Oracle):
    """The minimum, "proved" by a bound far below it."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        found = Exhaustive().sample(qubo)
        return found.states, {"lower_bound": found.energies[0] - 1.0}


@caught_by("exact-bound", exact=True, honours_time_limit=True)
class HastyProof(qhal.Oracle):
    """Calls a descent's energy a bound when time is short."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        if time_limit is None:
            return best(qubo)
        found = qubo.energies(np.eye(qubo.num_variables))
        state = np.eye(qubo.num_variables)[[found.argmin()]]
        return state, {"proved": False, "lower_bound": found.min()}


@caught_by("exact-constrained", exact=True, max_variables=24)
class CallsAllInfeasible(Exhaustive):
    """Proves that there is no solution where there is one."""

    def solve_exactly(self, problem, *, time_limit=None, seed=0):
        return ExactAnswer(status=Status.INFEASIBLE)


@caught_by("exact-constrained", exact=True, max_variables=24)
class IgnoresConstraints(Exhaustive):
    """The optimum of another problem."""

    def solve_exactly(self, problem, *, time_limit=None, seed=0):
        free = qhal.Qcbo.from_arrays(problem.quadratic, lower=problem.lower, upper=problem.upper)
        return super().solve_exactly(free)
