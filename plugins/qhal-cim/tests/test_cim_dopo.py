"""The physical mode against known physics of parametric oscillators, and as an oracle."""

import dataclasses
import inspect

import numpy as np
import pytest
import scipy.sparse as sp
from qhal_cim import Cim
from qhal_cim.dopo import Dopo, trajectories

import qhal

LONE = qhal.Ising(np.zeros((1, 1)), np.zeros(1))
PHYSICS = [f.name for f in dataclasses.fields(Dopo) if f.name != "pump_start"]


def steady(pump, problem=LONE, num_round_trips=300, num_replicas=20_000, seed=1, **options):
    """In-phase and quadrature amplitudes, (R, n), after many round trips at a constant pump."""
    dopo = Dopo(pump_start=pump, pump_end=pump, **options)
    runs = trajectories(
        problem, dopo, num_round_trips=num_round_trips, num_replicas=num_replicas, seed=seed
    )
    return runs.in_phase[-1], runs.quadrature[-1]


def pair(coupling):
    return qhal.Ising(np.array([[0, coupling], [0, 0]]), np.zeros(2))


def chain(n, coupling=-1.0):
    return qhal.Ising(
        sp.csr_array(sp.diags_array(np.full(n - 1, coupling), offsets=1)), np.zeros(n)
    )


@pytest.mark.parametrize("loss", [0.1, 0.2])
@pytest.mark.parametrize("out_coupling", [0.01, 0.1])
@pytest.mark.parametrize("pump", [0.0, 0.5, 0.8])
def test_squeezing_below_threshold(pump, loss, out_coupling):
    options = {"loss": loss, "out_coupling": out_coupling, "saturation_photons": 1e6}
    c, s = steady(pump, num_round_trips=round(25 / loss), **options)
    # Standard error of a variance of 20,000: 1%; of the trapezoidal rule at loss 0.2: up to 1.3%.
    assert 4e6 * c.var() == pytest.approx(1 / (1 - pump), rel=0.05)
    assert 4e6 * s.var() == pytest.approx(1 / (1 + pump), rel=0.05)
    assert abs(c.mean()) < 5 * c.std() / np.sqrt(len(c))


@pytest.mark.parametrize("photons", [1e3, 1e5, 1e7])
def test_noise_goes_with_the_inverse_root_of_the_saturation_photons(photons):
    c, _ = steady(0.5, num_round_trips=100, saturation_photons=photons)
    assert np.abs(c).mean() == pytest.approx(np.sqrt(2 / np.pi * 2 / 4 / photons), rel=0.03)


def test_pitchfork_at_threshold():
    sizes = {}
    for pump in (0.5, 0.9, 1.1, 1.5, 2.0, 3.0):
        c, _ = steady(pump, num_replicas=400, num_round_trips=800)
        sizes[pump] = np.abs(c).mean()
        if pump > 1:
            assert sizes[pump] == pytest.approx(np.sqrt(pump - 1), rel=0.02)
            assert 0.35 < (c > 0).mean() < 0.65  # both branches alike
            assert np.abs(c).std() < 0.1 * sizes[pump]
        else:
            assert sizes[pump] < 0.02
    assert sizes[1.1] > 10 * sizes[0.9]


@pytest.mark.parametrize("pump", [1.5, 2.0])
def test_fluctuations_above_threshold(pump):
    c, s = steady(pump, loss=0.1, num_round_trips=700, num_replicas=10_000)
    assert 4e4 * np.abs(c).var() == pytest.approx((pump - 0.5) / (pump - 1), rel=0.05)
    assert 4e4 * s.var() == pytest.approx((pump - 0.5) / pump, rel=0.05)


@pytest.mark.parametrize("gain", [0.2, 0.5])
def test_feedback_moves_the_threshold_of_the_favoured_mode(gain):
    # J of a pair has eigenvalues ±1; about 1 - gain.
    dt = Dopo(loss=0.1).time_step
    threshold = 1 - np.log1p(dt * gain) / dt
    assert threshold == pytest.approx(1 - gain, abs=0.01)
    for offset in (-0.1, 0.1):
        c, _ = steady(threshold + offset, pair(1.0), 3000, 200, loss=0.1, feedback_gain=gain)
        amplitude = np.abs(c).mean()
        if offset < 0:
            assert amplitude < 0.05
        else:
            assert amplitude == pytest.approx(np.sqrt(offset), rel=0.1)
            assert (c[:, 0] * c[:, 1] < 0).all()


def test_measurement_noise_is_fed_back():
    # Two coupled vacua: what the detector adds spreads with the gain, the more the less is taken.
    spread = {}
    for taken in (0.01, 0.1):
        c, _ = steady(0.0, pair(1.0), 200, 5000, out_coupling=taken, feedback_gain=0.5)
        spread[taken] = 4e4 * c.var()
    bare = 4e4 * steady(0.0, pair(1.0), 200, 5000, feedback_gain=0.0)[0].var()
    assert bare == pytest.approx(1, rel=0.05)
    assert spread[0.01] > 1.5 * spread[0.1] > 1.5 * bare


def test_feedback_acts_one_round_trip_after_the_measurement():
    # Strong gain and nearly no noise. The start is vacuum and nothing has been measured: the first
    # trip must not depend on the coupling at all, the second must.
    runs = [
        trajectories(pair(c), Dopo(feedback_gain=5), num_round_trips=3, num_replicas=5).in_phase
        for c in (1.0, -1.0)
    ]
    assert (runs[0][:2] == runs[1][:2]).all()
    assert not (runs[0][2] == runs[1][2]).any()


@pytest.mark.parametrize("coupling", [1.0, -1.0])
def test_two_spins_find_their_ground_state_the_more_often_the_slower_the_pump(coupling):
    found = []
    for trips in (10, 50, 150, 500):
        c = trajectories(
            pair(coupling),
            Dopo(feedback_gain=0.2),
            num_round_trips=trips,
            num_replicas=2000,
            seed=3,
        ).in_phase[-1]
        found.append((c[:, 0] * c[:, 1] * coupling < 0).mean())
    assert found[0] < 0.6  # no time to choose
    assert (np.diff(found) > 0.05).all()
    assert found[-1] > 0.95


def test_a_ferromagnetic_chain_finds_its_ground_state():
    samples = Cim(dynamics="dopo", num_steps=2000, descent=False).sample(chain(16), seed=0)
    assert samples.first[1] == pytest.approx(-15)
    up = (samples.states == samples.states[:, :1]).all(axis=1)
    assert up.mean() > 0.3
    assert 0.2 < samples.states[up, 0].mean() < 0.8  # both ground states


def test_linear_pump_ramp_and_shapes():
    dopo = Dopo(pump_start=0.5, pump_end=1.5)
    runs = trajectories(chain(5), dopo, num_round_trips=100, num_replicas=7, seed=2)
    np.testing.assert_allclose(runs.pump, 0.5 + np.arange(100) / 100)
    assert runs.in_phase.shape == runs.quadrature.shape == (101, 7, 5)
    sizes = np.abs(runs.in_phase).mean(axis=(1, 2))
    assert sizes[-1] > 20 * sizes[:10].mean()
    again = trajectories(chain(5), dopo, num_round_trips=100, num_replicas=7, seed=2)
    other = trajectories(chain(5), dopo, num_round_trips=100, num_replicas=7, seed=3)
    assert (runs.in_phase == again.in_phase).all()
    assert not (runs.in_phase == other.in_phase).all()


@pytest.mark.parametrize("fields", ["target", "mean", "ancilla"])
def test_fields_decide_lone_spins(fields):
    problem = qhal.Ising(np.zeros((6, 6)), np.array([1, -1, 2, -2, 3, -3.0]))
    c = trajectories(problem, num_replicas=20, fields=fields).in_phase[-1]
    assert c.shape == (20, 6)
    assert (np.sign(c) == -np.sign(problem.h)).mean() > 0.95


def test_minima_of_small_problems():
    found = 0
    for seed in range(40):
        couplings = np.triu(np.random.default_rng(seed).normal(size=(8, 8)), 1)
        qubo = qhal.Qubo.from_ising(qhal.Ising(couplings, np.zeros(8)))
        best = Cim(dynamics="dopo", num_steps=150, descent=False).sample(qubo, seed=seed).first[1]
        found += best <= qhal.get_oracle("exhaustive").sample(qubo).first[1] + 1e-9
    assert found >= 38


def test_better_than_descent_alone():
    rng = np.random.default_rng(5)
    glass = qhal.Ising(np.triu(rng.choice([-1.0, 1.0], (80, 80)), 1), np.zeros(80))
    oscillators = Cim(dynamics="dopo").sample(glass, seed=1)
    control = Cim(dynamics="dopo", num_steps=1).sample(glass, seed=1)
    assert oscillators.energies.mean() < control.energies.mean() - 10
    assert oscillators.info["kernel"] == "numpy-dopo"
    assert oscillators.info["dopo"] == dataclasses.asdict(Dopo())


def test_amplitudes_stay_bounded_however_strong_the_feedback():
    everyone_repels = qhal.Ising(np.triu(np.ones((300, 300)), 1), np.zeros(300))
    for pump_end in (1.5, 10):
        dopo = Dopo(feedback_gain=100, pump_end=pump_end, loss=0.9, saturation_photons=1)
        runs = trajectories(everyone_repels, dopo, num_round_trips=100)
        assert np.isfinite(runs.in_phase).all()
        assert np.isfinite(runs.quadrature).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pump_end": 1.2}, "pump_end can only be set together with dynamics='dopo'"),
        ({"dynamics": "dopo", "pump_end": -1}, "pump_end must be a number from 0 to 10, not -1"),
        ({"dynamics": "dopo", "loss": 1.0}, "loss must be a number from"),
        ({"dynamics": "dopo", "out_coupling": 0.3}, r"out_coupling must be .* to loss \(0.2\)"),
        ({"dynamics": "dopo", "saturation_photons": 0}, "saturation_photons must be a number"),
        ({"dynamics": "dopo", "feedback_gain": "strong"}, "feedback_gain must be a number"),
        ({"dynamics": "dopo", "feedback_gain": float("nan")}, "feedback_gain must be a number"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(qhal.InputError, match=message):
        qhal.get_oracle("cim", **options)


def test_options_reach_the_machine():
    given_values = dict(zip(PHYSICS, (1.1, 0.3, 0.05, 500.0, 0.4), strict=True))
    assert set(PHYSICS) <= set(inspect.signature(Cim).parameters)
    assert Cim(dynamics="dopo", **given_values).dopo == Dopo(**given_values)
    assert Cim().dopo is None
    for name in PHYSICS:
        assert f"\n    {name} : " in Cim.__doc__
