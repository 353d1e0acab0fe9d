"""What a replica does over time: its dynamics, its constants and the ramp of its pump.

Constants were tuned on random and structured problems with updates row by row; see
`qhal_cim.kernels` for the equations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qhal_cim.forms import QuadraticForm

# Neighbours per spin up to which a graph counts as one of low degree.
_FEW_NEIGHBOURS = 8

# Variables from which on replicas are selected; and how far, relatively, copies are displaced.
_MANY_VARIABLES, SPREAD = 1000, 0.1

# Of `Cycles`: the first ramp's share of a run, the fewest steps of a return, the most returns, the
# share of the ramp at which one begins and the size of the positions it begins with.
FIRST, RETURN_STEPS, MOST_RETURNS, TURN, RETURN_SIZE = 0.4, 100, 4, 0.1, 0.1


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One kind of replica. Everything is dimensionless: forces have rows of unit norm.

    Parameters
    ----------
    dynamics : ``"cac"`` or ``"bsb"``
    pump : pump parameter p at the beginning and at the end of the run
    exponent : p = pump[0] + (pump[1] - pump[0]) u^exponent, u in [0, 1] the share of the run done
    dt : time step
    gain : strength ξ of the coupling
    start : initial positions are uniform in [-start, start]
    target : squared amplitude a that the error variables of ``"cac"`` aim at (1 for ``"bsb"``)
    beta : rate β of the error variables (``"cac"`` only)
    selections : shares of the run at which the worse half of the replicas go on as copies of the
        better half; a run that has any has one schedule
    """

    dynamics: str
    pump: tuple[float, float]
    exponent: float
    dt: float
    gain: float
    start: float
    target: float = 1.0
    beta: float = 0.0
    selections: tuple[float, ...] = ()

    def pump_at(self, progress: np.ndarray) -> np.ndarray:
        """The pump parameter at `progress` in [0, 1], same shape."""
        low, high = self.pump
        return low + (high - low) * progress**self.exponent


# Chaotic amplitude control: good where few rows hold large coefficients (budgets, knapsacks), and
# on low-degree graphs.
CAC = Schedule(
    dynamics="cac", pump=(-2.13, 1.375), exponent=1.88, dt=0.214, gain=0.555, start=0.06,
    target=1.25, beta=1.6,
)  # fmt: skip

# Chaotic amplitude control that never settles: square lattices of couplings of one size, where
# flips that cost nothing abound. Elsewhere it finds nothing.
CAC_RESTLESS = Schedule(
    dynamics="cac", pump=(-2.2, -0.6), exponent=0.14, dt=0.45, gain=0.55, start=0.06, target=0.28,
    beta=1.85,
)  # fmt: skip

# Ballistic bifurcation, ramped from far below threshold: spin glasses and random graphs.
BSB = Schedule(dynamics="bsb", pump=(-0.764, 1.063), exponent=1.63, dt=1.153, gain=1.733, start=0.6)

# Ballistic bifurcation that starts at threshold: independent sets, assignments, one-hot penalties.
BSB_EAGER = Schedule(
    dynamics="bsb", pump=(0.155, 0.896), exponent=0.727, dt=1.319, gain=1.148, start=0.5
)

# By selection: large problems, where a single read hardly ever finds the best. The chaotic ramp
# ends where nothing moves any more.
CAC_SELECTED = replace(
    CAC, pump=(-2.13, 0.626), selections=(0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
)
BSB_SELECTED = replace(BSB, selections=(0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8))


@dataclass(frozen=True)
class Cycles:
    """How replicas of ``"bsb"`` spend a run: a ramp, then returns to their best state.

    A bifurcation that has settled does not move again, however long the run. So it is taken back,
    from the best signs so far, to a pump at which it can still rearrange what is loosely held, and
    ramped again, as in reverse annealing.

    Parameters
    ----------
    first : share of the run that the first ramp takes
    count : how many returns follow
    """

    first: float
    count: int

    @classmethod
    def of(cls, num_steps: int) -> Cycles:
        """Those of a run of so many steps."""
        count = min(int((1 - FIRST) * num_steps / RETURN_STEPS), MOST_RETURNS)
        return cls(FIRST if count else 1.0, count)

    def at(self, progress: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The number of the ramp, 0 being the first, and the share of the ramp done."""
        each = (1 - self.first) / max(self.count, 1)
        number = np.floor((progress - self.first) / (each or 1.0) + 1e-9).astype(int) + 1
        number = np.clip(number, 0, self.count)
        since = progress - np.where(number > 0, self.first + (number - 1) * each, 0.0)
        share = since / np.where(number > 0, each or 1.0, self.first)
        return number, np.where(number > 0, TURN + (1 - TURN) * share, share)


def chosen(dynamics: str, form: QuadraticForm) -> tuple[Schedule, ...]:
    """The schedules that the replicas of a run share out among themselves, evenly.

    Without fields the problem is a pure spin glass or Max-Cut, where `BSB_EAGER` only loses. `CAC`
    is best where spins have few neighbours, and elsewhere finds what the others miss. Large
    problems without fields have one schedule, by selection.
    """
    if dynamics != "bsb" and _is_square_lattice(form):
        return (CAC_RESTLESS,)
    if not form.has_linear and form.num_variables >= _MANY_VARIABLES:
        chaotic = dynamics == "cac" or (dynamics == "portfolio" and not form.is_dense)
        return (CAC_SELECTED,) if chaotic else (BSB_SELECTED,)
    if dynamics == "cac":
        return (CAC,)
    ballistic = (BSB, BSB_EAGER) if form.has_linear else (BSB,)
    if dynamics == "bsb":
        return ballistic
    if _is_low_degree(form):
        return (CAC, *ballistic) if form.has_linear else (CAC, CAC, CAC, BSB)
    return (CAC, *ballistic, *ballistic) if form.has_linear else (CAC, BSB, BSB, BSB)


def _is_low_degree(form: QuadraticForm) -> bool:
    return form.num_entries <= _FEW_NEIGHBOURS * form.num_variables


def _is_square_lattice(form: QuadraticForm) -> bool:
    """Whether spins have at most 4 couplings, of one size, and their graph is made of squares.

    On a square lattice every other second neighbour is reached on two ways, on random graphs of
    the same degrees hardly any; and there are no triangles.
    """
    if form.is_dense or form.has_linear or not form.num_entries:
        return False
    sizes = np.abs(form.matrix.data)
    if np.diff(form.matrix.indptr).max() > 4 or sizes.min() < (1 - 1e-9) * sizes.max():
        return False
    graph = abs(form.matrix) / sizes[0]
    ways = graph @ graph
    if ways.multiply(graph).count_nonzero():
        return False
    ways = ways.tocoo()
    apart = ways.data[ways.row != ways.col]
    return bool((apart > 1.5).sum() > apart.size / 3)


def default_steps(form: QuadraticForm) -> int:
    """How many steps a run of ``"cac"`` and ``"bsb"`` has if nothing is said.

    Small problems need few. Large spin glasses pay longer runs back; under fields and on graphs of
    low degree, more reads are better than more steps.
    """
    n = form.num_variables
    usual = min(max(n * n // 8, 100), 500)
    if form.has_linear or _is_low_degree(form):
        return usual
    return min(max(n // 2 if form.is_dense else n, usual), 2000)


@dataclass(frozen=True)
class Replicas:
    """The schedules of R replicas, those of ``"cac"`` first.

    Parameters
    ----------
    kinds : (R,) index into `schedules`
    seeded : (R,) whether the replica starts from a given state: with its pump half-way up, which
        keeps it near (reverse annealing)
    num_cac : how many follow ``"cac"``
    constants : (5, R) float32, rows gain, dt, target, beta, largest amplitude
    """

    schedules: tuple[Schedule, ...]
    kinds: np.ndarray
    seeded: np.ndarray
    num_cac: int
    constants: np.ndarray

    @classmethod
    def share(
        cls, schedules: tuple[Schedule, ...], num_replicas: int, num_seeded: int = 0
    ) -> Replicas:
        """Share `num_replicas` out evenly; `num_seeded` of them, spread out, are seeded."""
        places = np.arange(num_replicas) * len(schedules) + len(schedules) // 2
        kinds = places // num_replicas
        seeded = np.zeros(num_replicas, dtype=bool)
        seeded[np.arange(num_seeded) * num_replicas // max(num_seeded, 1)] = True
        table = [
            (s.gain, s.dt, s.target, s.beta, 1.5 * s.target**0.5 if s.dynamics == "cac" else 1.0)
            for s in schedules
        ]
        is_cac = np.array([s.dynamics == "cac" for s in schedules])
        constants = np.array(table, dtype=np.float32)[kinds].T
        return cls(schedules, kinds, seeded, int(is_cac[kinds].sum()), constants.copy(order="C"))

    def pump_at(self, progress: np.ndarray, returning: np.ndarray) -> np.ndarray:
        """The pump parameters, (steps, R) float32.

        `progress` (steps,) is the share of the run done, `returning` that of the ramp under way.
        """
        own = [progress if s.dynamics == "cac" else returning for s in self.schedules]
        ramps = [s.pump_at(u) for s, u in zip(self.schedules, own, strict=True)]
        ramps += [s.pump_at(0.5 + 0.5 * u) for s, u in zip(self.schedules, own, strict=True)]
        table = np.array(ramps, dtype=np.float32)
        columns = self.kinds + len(self.schedules) * self.seeded
        return np.ascontiguousarray(table[columns].T)

    def start(self, num_variables: int, rng: np.random.Generator) -> np.ndarray:
        """Random initial positions, (num_variables, R) float32."""
        widths = np.array([s.start for s in self.schedules], dtype=np.float32)[self.kinds]
        uniform = rng.random((num_variables, widths.size), dtype=np.float32)
        return (2 * uniform - 1) * widths
