"""The usual delay of the pulse is learned, and believed only where it is the delay of this heart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ectopy.datasets.simulated import simulate_recording
from ectopy.datasets.simulated_pulse import simulate_pulse
from ectopy.monitor import MonitorState
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.pulse_confirmation import confirmation
from support.simulated_pulses import claim, patient, remembered


@pytest.mark.parametrize(("name", "delay_s"), [("ABP", 0.2), ("PLETH", 0.2), ("PLETH", 1.0)])
def test_the_delay_of_the_pulse_is_learned(name, delay_s):
    recording = simulate_recording(90, rate_bpm=80, random_state=5, ectopic={"V": 0.1})
    (wave,) = remembered(recording, simulate_pulse(recording, name, delay_s=delay_s)).waves
    least_s, most_s = wave.delays_s
    assert least_s - 0.1 < delay_s < most_s + 0.05
    assert most_s - least_s < 0.05  # early beats tell which pulse belongs to which beat


@pytest.mark.parametrize("late_s", [2.0, -2.0])
def test_the_delay_of_a_wave_that_comes_two_seconds_late_or_early_is_not_believed(late_s):
    recording = simulate_recording(90, rate_bpm=80, random_state=5, ectopic={"V": 0.1})
    (wave,) = remembered(recording, simulate_pulse(recording, "ABP"), late_s=late_s).waves
    assert np.isnan(wave.delays_s).all()


def test_the_delay_of_a_wave_on_another_clock_is_not_believed():
    recording = simulate_recording(120, rate_bpm=80, random_state=5, ectopic={"V": 0.1})
    wave = simulate_pulse(recording, "ABP", sampling_rate_hz=125.0)
    fast = replace(
        wave, samples=np.interp(np.arange(len(wave.samples)) * 1.03, np.arange(len(wave.samples)), wave.samples)
    )
    assert np.isnan(remembered(recording, fast).waves[0].delays_s).all()


def test_what_is_known_of_the_pulse_can_be_stored():
    recording = patient()
    memory = remembered(recording, simulate_pulse(recording, "ABP"), simulate_pulse(recording, "PLETH"))
    state = replace(MonitorState(), pulse=memory)
    stored = decode(MonitorState, encode(state))
    assert encode(stored) == encode(state)
    assert len(encode(stored)) < 40_000
    reading = claim("asystole", 63.0, 67.5)
    assert confirmation(stored.pulse, reading, 67.5) == confirmation(memory, reading, 67.5)
