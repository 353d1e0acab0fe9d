"""The physical mode: a network of degenerate optical parametric oscillators with feedback.

Every spin is a signal pulse in a ring cavity, pumped by a phase-sensitive amplifier. With the
in-phase and quadrature amplitudes c and s in units of A_s, the amplitude of a lone oscillator at
twice its threshold pump, and time in units of two photon lifetimes, the truncated Wigner
(c-number Langevin) equations of a lone oscillator are

    dc = [(−1 + p − c² − s²) c + F] dt + √(c² + s² + ½) / A_s dW₁
    ds =  (−1 − p − c² − s²) s dt      + √(c² + s² + ½) / A_s dW₂

(Z. Wang, A. Marandi, K. Wen, R. L. Byer, Y. Yamamoto, Phys. Rev. A 88, 063853, 2013; D. Maruo,
S. Utsunomiya, Y. Yamamoto, Phys. Scr. 91, 083010, 2016), p the pump in units of a lone
oscillator's threshold, ½ the vacuum noise of the losses and c² + s² that of two-photon loss.

Coupling is by measurement and feedback (Y. Haribara, S. Utsunomiya, Y. Yamamoto, Entropy 18, 151,
2016; T. Inagaki et al., Science 354, 603, 2016; P. L. McMahon et al., Science 354, 614, 2016; a
review is Y. Yamamoto et al., npj Quantum Inf. 3, 49, 2017). On every round trip a coupler takes the
share T of each pulse's photons to a homodyne detector. It infers

    c̃ = c + √((1 − T) / T) f,    f normal, of variance 1 / (4 A_s²),

f the vacuum that enters there, which, as −√T f, also disturbs the pulse: that is how measurement
acts back. The force F = ξ Σ_j J_ij c̃_j, from what was measured one round trip before, is injected
with the next; pulses are measured behind the amplifier. J is −∂²E/∂s∂s' on one common scale for all
spins, rows of unit norm in the root mean square, so that a lone pair and a spin glass take much the
same gain ξ.

A round trip is one step of time dt = −½ ln(1 − loss). Pump, loss and saturation are integrated
over it exactly (the amplitude follows the Bernoulli equation dc/dt = (p − 1) c − c³), so that
amplitudes stay bounded however long the step is; noise is integrated by the trapezoidal rule, which
makes variances too large by (r dt)² / 3 where fluctuations decay at the rate r. What follows from
these equations, without feedback, and is tested:

- Below threshold, c and s are normal with variances 1 / (4 A_s² (1 ∓ p)), from
  d⟨c²⟩/dt = −2 (1 ∓ p) ⟨c²⟩ + ½ / A_s² = 0: vacuum at p = 0, and at threshold s is squeezed to half
  of it while c diverges.
- Above threshold there is a pitchfork: c = ±√(p − 1). Around it fluctuations decay at the rates
  2 (p − 1) and 2 p, driven by c² + ½ = p − ½: variances (p − ½) / (4 A_s² (p − 1)) of c and
  (p − ½) / (4 A_s² p) of s.
- With feedback a mode of J of eigenvalue λ has its threshold at p = 1 − ln(1 + dt ξ λ) / dt, which
  is about 1 − ξ λ: the mode of lowest energy oscillates first. A delayed feedback with dt ξ |λ| > 1
  flips signs from trip to trip instead, and solves nothing: n spins that all repel each other have
  λ = −√n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import qhal
from qhal.errors import InputError
from qhal_cim.forms import QuadraticForm, over_bits, over_spins, with_ancilla
from qhal_cim.ramp import Ramp


@dataclass(frozen=True, kw_only=True)
class Dopo:
    """Parameters of the network; see `qhal_cim.dopo` for the equations.

    Parameters
    ----------
    pump_start, pump_end : pump p at the beginning and at the end of its linear ramp, in units of
        the threshold of a lone oscillator, 0 to 10
    loss : share of its photons that a pulse loses per round trip, out-coupling included, up to 0.9
    out_coupling : share T of its photons that is taken out to be measured, up to `loss`. The more
        is taken, the less noise there is in what is fed back.
    saturation_photons : A_s², photons of a pulse at twice its threshold pump, at least 1. The
        vacuum noise has the size ½ / A_s. (1 / g² for those who write the saturation as g² c².)
    feedback_gain : ξ, strength of the feedback, 0 to 100
    """

    pump_start: float = 0.0
    pump_end: float = 1.5
    loss: float = 0.2
    out_coupling: float = 0.1
    saturation_photons: float = 1e4
    feedback_gain: float = 0.8

    def __post_init__(self) -> None:
        for name in ("pump_start", "pump_end"):
            _check(name, getattr(self, name), 0, 10)
        _check("feedback_gain", self.feedback_gain, 0, 100)
        _check("saturation_photons", self.saturation_photons, 1, 1e12)
        _check("loss", self.loss, 1e-6, 0.9)
        _check("out_coupling", self.out_coupling, 1e-9, self.loss, "loss")

    @property
    def time_step(self) -> float:
        """dt, the time of a round trip in units of two photon lifetimes."""
        return -0.5 * math.log1p(-self.loss)

    @property
    def measured_share(self) -> float:
        """The share of all losses that goes to the detector."""
        return math.log1p(-self.out_coupling) / math.log1p(-self.loss)

    def pump_at(self, progress: np.ndarray) -> np.ndarray:
        """The pump at `progress` in [0, 1], same shape."""
        return self.pump_start + (self.pump_end - self.pump_start) * progress


def _check(name: str, value: Any, low: float, high: float, high_name: str = "") -> None:
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        limit = f"{high_name} ({high:g})" if high_name else f"{high:g}"
        raise InputError(f"{name} must be a number from {low:g} to {limit}, not {value!r}.")


@dataclass
class Pulses:
    """State of R replicas: c, s and the last measured c̃, each (n, R) float32."""

    c: np.ndarray
    s: np.ndarray
    measured: np.ndarray


class Oscillators:
    """The `Machine` of ``"dopo"``: a network of oscillators.

    Parameters
    ----------
    form : over s in {-1, +1}^n
    fields : the amplitude with which fields are injected: ``"target"``, that of an oscillator fed
        by an average force, √(p − 1 + ξ), ``"mean"``, the mean |c̃| of the replica, or
        ``"ancilla"``, one more oscillator's
    """

    kernel_name = "numpy-dopo"

    def __init__(self, form: QuadraticForm, fields: str, dopo: Dopo) -> None:
        self._form = form
        self._dopo = dopo
        self._ancilla = fields == "ancilla" and form.has_linear
        self._mean = fields == "mean"
        self._coupling, self._field = _feedback(with_ancilla(form) if self._ancilla else form)
        self._ramp = Ramp()

    def run(
        self,
        num_replicas: int,
        rng: np.random.Generator,
        num_steps: int,
        end: float | None,
        given: np.ndarray,
    ) -> tuple[np.ndarray, int]:
        """Signs of c after the last round trip, (num_replicas, n) int8, and how many there were.

        For the parameters see `qhal_cim.machine.Machine.run`. The given states are the first
        replicas; one that has come to a higher energy is put back.
        """
        pulses = self.vacuum(num_replicas, rng)
        seeded = np.arange(num_replicas) < len(given)
        self._inject(pulses, given)
        done = 0
        for progress in self._ramp.chunks(num_steps, end):
            for share in progress:
                pump = self._dopo.pump_at(np.where(seeded, 0.5 + 0.5 * share, share))
                self.round_trip(pulses, pump, rng)
            done += progress.size
        spins = np.where(self.amplitudes(pulses) > 0, np.int8(1), np.int8(-1)).T
        spins = np.ascontiguousarray(spins)
        worse = np.flatnonzero(self._energies(spins[: len(given)]) > self._energies(given))
        spins[worse] = given[worse]
        return spins, done

    def vacuum(self, num_replicas: int, rng: np.random.Generator) -> Pulses:
        """Pulses before anything is pumped or measured: variance 1 / (4 A_s²) each way."""
        shape = (2, self._field.size, num_replicas)
        noise = rng.standard_normal(shape, dtype=np.float32) / np.float32(2 * self._unit)
        return Pulses(noise[0], noise[1], np.zeros_like(noise[0]))

    def round_trip(self, pulses: Pulses, pump: np.ndarray, rng: np.random.Generator) -> None:
        """Advance `pulses` in place by one round trip at `pump`, (R,)."""
        dopo, c, s = self._dopo, pulses.c, pulses.s
        dt, eta = dopo.time_step, dopo.measured_share
        from_detector, from_cavity, from_quadrature = rng.standard_normal(
            (3, *c.shape), dtype=np.float32
        )
        injected = np.float32(dt * dopo.feedback_gain) * self._force(pulses.measured, pump)
        growth, spread = _growth(pump - 1, dt)
        saturation = 1 / np.sqrt(1 + 2 * spread * (c * c + s * s))
        c_factor, s_factor = growth * saturation, _growth(-1 - pump, dt)[0] * saturation
        c *= c_factor
        s *= s_factor
        # The vacuum that the detector sees comes in by the coupler, with the opposite sign.
        taken = dopo.out_coupling
        homodyne_noise = np.float32(math.sqrt((1 - taken) / taken) / (2 * self._unit))
        pulses.measured = c - homodyne_noise * from_detector
        photons = c * c + s * s
        from_cavity *= np.sqrt(photons + np.float32((1 - eta) / 2))
        from_cavity += np.float32(math.sqrt(eta / 2)) * from_detector
        # A change of c is multiplied by the derivative of the map, c_factor saturation².
        c += from_cavity * self._noise(c_factor * saturation * saturation)
        s += from_quadrature * self._noise(s_factor) * np.sqrt(photons + np.float32(0.5))
        c += injected

    def _noise(self, factor: np.ndarray) -> np.ndarray:
        """Size of a round trip's unit noise, half of which (in variance) comes before the map."""
        half = np.float32(self._dopo.time_step / 2 / self._dopo.saturation_photons)
        return np.sqrt(half * (1 + factor * factor))

    def amplitudes(self, pulses: Pulses) -> np.ndarray:
        """c of the n spins, (n, R); relative to the ancilla's sign, if there is one."""
        if not self._ancilla:
            return pulses.c
        return pulses.c[:-1] * np.where(pulses.c[-1] > 0, np.float32(1), np.float32(-1))

    @property
    def _unit(self) -> float:
        return math.sqrt(self._dopo.saturation_photons)

    def _force(self, measured: np.ndarray, pump: np.ndarray) -> np.ndarray:
        if self._mean:
            amplitude = np.abs(measured).mean(axis=0)
        else:
            squared = np.maximum(pump - 1 + self._dopo.feedback_gain, 0)
            amplitude = np.sqrt(squared).astype(np.float32)
        return self._coupling @ measured + self._field[:, np.newaxis] * amplitude

    def _inject(self, pulses: Pulses, given: np.ndarray) -> None:
        amplitude = math.sqrt(max(float(self._dopo.pump_at(np.array(0.5))) - 1, 0.25))
        n, count = self._form.num_variables, len(given)
        pulses.c[:n, :count] = amplitude * given.T
        if self._ancilla:
            pulses.c[n, :count] = amplitude
        pulses.measured[:, :count] = pulses.c[:, :count]

    def _energies(self, spins: np.ndarray) -> np.ndarray:
        z = spins.astype(np.float64)
        products = z @ self._form.matrix if self._form.is_dense else (self._form.matrix @ z.T).T
        return np.einsum("ri,ri->r", z, 0.5 * products + self._form.linear)


class Trajectories(NamedTuple):
    """What `trajectories` returns; index 0 is before the first of T round trips.

    Attributes
    ----------
    pump : (T,) float64, the pump on each round trip
    in_phase : (T + 1, R, n) float32, the amplitudes c in units of A_s; their signs are the spins
    quadrature : (T + 1, R, n) float32, the amplitudes s
    """

    pump: np.ndarray
    in_phase: np.ndarray
    quadrature: np.ndarray


def trajectories(
    problem: qhal.Qubo | qhal.Ising,
    dopo: Dopo | None = None,
    *,
    num_round_trips: int = 500,
    num_replicas: int = 1,
    seed: int = 0,
    fields: str = "target",
) -> Trajectories:
    """Amplitudes over a whole run of R = `num_replicas`, to look at, to plot or to test.

    Takes 8 (num_round_trips + 1) R n bytes. An ancilla is not among the n amplitudes: in-phase
    ones are relative to its sign.
    """
    dopo = dopo or Dopo()
    qubo = qhal.Qubo.from_ising(problem) if isinstance(problem, qhal.Ising) else problem
    network = Oscillators(over_spins(over_bits(qubo)[0]), fields, dopo)
    rng = np.random.default_rng(seed)
    pulses = network.vacuum(num_replicas, rng)
    pump = dopo.pump_at(np.arange(num_round_trips) / num_round_trips)
    shape = (num_round_trips + 1, num_replicas, qubo.num_variables)
    in_phase, quadrature = np.empty(shape, np.float32), np.empty(shape, np.float32)
    in_phase[0], quadrature[0] = network.amplitudes(pulses).T, pulses.s[: shape[2]].T
    for t, p in enumerate(pump, start=1):
        network.round_trip(pulses, np.full(num_replicas, p), rng)
        in_phase[t], quadrature[t] = network.amplitudes(pulses).T, pulses.s[: shape[2]].T
    return Trajectories(pump, in_phase, quadrature)


def _growth(rate: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """exp(rate dt), and the integral of exp(2 rate t) from 0 to dt."""
    exponent = 2 * rate * dt
    safe = np.where(np.abs(exponent) < 1e-9, 1.0, exponent)
    spread = dt * np.where(np.abs(exponent) < 1e-9, 1.0, np.expm1(safe) / safe)
    return np.exp(rate * dt).astype(np.float32), spread.astype(np.float32)


def _feedback(form: QuadraticForm) -> tuple[Any, np.ndarray]:
    """J and h of the force, float32, on the scale on which rows of J have unit norm (rms)."""
    sizes = np.abs(form.pairs())
    largest = float(sizes.max(initial=0.0)) or float(np.abs(form.linear).max(initial=0.0)) or 1.0
    squares = float(np.square(sizes / largest).sum())
    scale = largest * (math.sqrt(squares / form.num_variables) if squares else 1.0)
    matrix = (form.matrix / -scale).astype(np.float32)
    # A field beyond the sum of its row's couplings decides the spin; twice that is plenty.
    limit = 2 * np.asarray(abs(matrix).sum(axis=1)) + 1
    with np.errstate(over="ignore"):
        field = np.clip(form.linear / -scale, -limit, limit)
    return matrix, field.astype(np.float32)
