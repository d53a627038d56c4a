"""An asystole behind artefacts of the ECG, and nothing that is mistaken for one."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.analysis.verdicts import Hint
from ectopy.datasets.simulated_pulse import simulate_pulse
from ectopy.monitor.pulse_asystole import with_asystole
from ectopy.monitor.pulse_memory import PulseMemory, remember
from ectopy.monitor.rhythm_input import ConditionReading, JudgedBeats
from support.examples import examples
from support.simulated_pulses import SPOILED, clean_wave, heart_stops_pumping, patient, remembered, spoiled


@cache
def pressure_falls() -> PulseMemory:
    """From 62 s on the arterial pressure falls without a pulse, and nobody can tell what the beats are."""
    falling = heart_stops_pumping(clean_wave("ABP"), 62.0, 20.0)
    return remembered(patient(), falling, uncertain_from_s=62.0)


def asystole_of(memory: PulseMemory) -> ConditionReading:
    """What is said at the end of 70 s in which beats were heard to the end."""
    (reading,) = with_asystole(memory, (ConditionReading("asystole", False),), (68.0, 68.8), 69.0, 4.0)
    return reading


@pytest.mark.parametrize(("name", "expected"), [("ABP", True), ("PLETH", False)])
def test_an_asystole_behind_artefacts_is_told_by_a_pressure_that_falls(name: str, expected: bool):
    recording = patient()
    wave = heart_stops_pumping(simulate_pulse(recording, name), 62.0, 20.0 if name == "ABP" else 0.0)
    told = asystole_of(remembered(recording, wave, uncertain_from_s=62.0))
    assert told.present is expected
    if expected:
        assert told.value == pytest.approx(6.5, abs=1.0)
        assert "ABP falls without a pulse" in told.text
        assert told.beats_s[-1] < 62.0
    assert asystole_of(remembered(recording, wave)).present is False  # the heart beats, but moves no blood
    assert asystole_of(remembered(recording, wave, uncertain_from_s=66.0)).present is False


def test_a_pressure_that_another_wave_contradicts_makes_no_asystole():
    recording = patient()
    clamped = heart_stops_pumping(simulate_pulse(recording, "ABP"), 62.0, 20.0)
    memory = remembered(recording, clamped, clean_wave("PLETH"), uncertain_from_s=62.0)
    assert asystole_of(memory).present is False


@pytest.mark.parametrize(
    "readings",
    [
        pytest.param(
            (ConditionReading("asystole", False), ConditionReading("ventricular run", True)),
            id="a run without a pulse is a run",
        ),
        pytest.param(
            (ConditionReading("asystole", None), ConditionReading("pause", False)),
            id="what cannot be told stays open",
        ),
    ],
)
def test_no_asystole_is_made_of_other_readings(readings: tuple[ConditionReading, ...]):
    assert with_asystole(pressure_falls(), readings, (), 69.0, 4.0) == readings


@pytest.mark.parametrize(("from_s", "expected"), [(0.0, False), (62.0, True)])
def test_ventricular_beats_are_certain_in_somebody_who_has_no_others(from_s: float, expected: bool):
    assert asystole_of(pressure_falls()).present is True
    taught = replace(pressure_falls(), certain_s=(), beats_s=np.array([from_s]))
    kinds = np.array([Hint.VENTRICULAR.value])
    for at_s in np.arange(62.5, 68.8, 0.8):
        one = np.array([at_s])
        beats = JudgedBeats(one, one, np.array(["ABNORMAL"]), kinds, np.ones(1, bool))
        taught = remember(replace(taught, beats_s=np.array([from_s])), [], beats)
    assert (len(taught.certain_s) == 0) is expected


@given(
    kind=st.sampled_from([*SPOILED, "air"]),
    name=st.sampled_from(["PLETH", "ABP"]),
    from_s=st.floats(40.0, 66.0),
    seed=st.integers(0, 1000),
)
@settings(max_examples=examples(25))
def test_an_unreadable_or_absent_pulse_never_makes_an_asystole(kind: str, name: str, from_s: float, seed: int):
    recording = patient()
    wave = clean_wave(name)
    samples = wave.samples.copy()
    first = round(from_s * wave.sampling_rate_hz)
    rng = np.random.default_rng(seed)
    replaced = rng.normal(0, 1, len(samples)) if kind == "air" else spoiled(kind, wave, recording, seed)
    samples[first:] = replaced[first:]
    memory = remembered(recording, replace(wave, samples=samples), uncertain_from_s=from_s)
    assert asystole_of(memory).present is False


def test_without_a_pulse_wave_no_asystole_is_found():
    assert asystole_of(remembered(patient(), uncertain_from_s=60.0)).present is False
