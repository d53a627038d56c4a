from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.datasets.simulated_pulse import PulseArtefact, simulate_pulse
from ectopy.errors import SettingError
from support.examples import examples

NAMES = ("PLETH", "ABP", "ART")
SILENT = ["asystole", "ventricular_flutter", "coarse_fibrillation", "fine_fibrillation", "ventricular_standstill"]


def between(pulse, start_s, end_s):
    return pulse.samples[round(start_s * pulse.sampling_rate_hz) : round(end_s * pulse.sampling_rate_hz)]


def steepest_s(pulse, after_s):
    """Where the pulse rises most steeply in the half second after a time."""
    return after_s + np.diff(between(pulse, after_s, after_s + 0.5)).argmax() / pulse.sampling_rate_hz


@given(
    name=st.sampled_from(NAMES),
    rate_hz=st.sampled_from([62.5, 125.0, 250.0]),
    rate_bpm=st.floats(50, 110),
    seed=st.integers(0, 1000),
)
@settings(max_examples=examples(12))
def test_every_beat_has_a_pulse_a_little_later(name, rate_hz, rate_bpm, seed):
    recording = simulate_recording(30, rate_bpm=rate_bpm, random_state=seed)
    pulse = simulate_pulse(recording, name, sampling_rate_hz=rate_hz, random_state=seed)
    assert pulse.samples.dtype == np.float32
    assert len(pulse.samples) == round(30 * rate_hz)
    beats_s = recording.annotations.positions / recording.sampling_rate_hz
    beats_s = beats_s[(beats_s > 1) & (beats_s < 28)]
    delay_s = np.array([steepest_s(pulse, at_s) - at_s for at_s in beats_s])
    assert np.all((delay_s > 0.15) & (delay_s < 0.45))
    assert delay_s.std() < 0.03


def test_same_random_state_same_pulse():
    recording = simulate_recording(20, noise_mv=0)
    first, repeated, other = (simulate_pulse(recording, random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.samples, repeated.samples)
    assert not np.array_equal(first.samples, other.samples)


def test_pressure_is_in_mmhg_and_a_plethysmogram_without_unit():
    recording = simulate_recording(60)
    pressure, plethysmogram = (simulate_pulse(recording, name) for name in ("ABP", "PLETH"))
    assert (pressure.unit, plethysmogram.unit) == ("mmHg", "NU")
    assert 105 < np.percentile(pressure.samples, 99) < 140
    assert 60 < np.percentile(pressure.samples, 1) < 90
    assert 0 <= np.median(plethysmogram.samples) <= 1
    assert replace(recording, pulses=(pressure, plethysmogram)).pulses[0] is pressure


@pytest.mark.parametrize("kind", SILENT)
@pytest.mark.parametrize("name", ["ABP", "PLETH"])
def test_a_heart_that_ejects_nothing_has_no_pulse_and_the_pressure_falls(kind, name):
    recording = simulate_recording(60, episodes=[Episode(kind, 20, 20)], random_state=4)
    pulse = simulate_pulse(recording, name)
    before, during, after = (between(pulse, *span) for span in ((10, 20), (25, 40), (45, 55)))
    assert np.all(np.diff(during.reshape(-1, 125).mean(axis=1)) < 0.05 * np.ptp(before))
    assert np.ptp(during[-5 * 125 :]) < 0.25 * np.ptp(before)
    assert during[-125:].mean() < before.min()
    assert np.ptp(after) > 0.5 * np.ptp(before)


@pytest.mark.parametrize("kind", ["ventricular_tachycardia", "supraventricular_tachycardia"])
def test_a_fast_rhythm_has_a_weak_pulse_at_its_own_rate(kind):
    recording = simulate_recording(60, episodes=[Episode(kind, 20, 20, 180)], random_state=4)
    pulse = simulate_pulse(recording, "PLETH")
    sinus, fast = between(pulse, 10, 20), between(pulse, 25, 38)
    assert np.ptp(fast) < 0.6 * np.ptp(sinus)
    power = np.abs(np.fft.rfft(fast - fast.mean())) ** 2
    frequency_hz = np.fft.rfftfreq(len(fast), 1 / 125)
    assert frequency_hz[1 + power[1:].argmax()] == pytest.approx(3, abs=0.1)


def test_an_early_beat_has_a_smaller_pulse_than_one_with_time_to_fill():
    recording = simulate_recording(300, ectopic={"V": 0.05}, hrv_sd_ms=5, random_state=1)
    pulse, marks = simulate_pulse(recording, "ABP"), recording.annotations
    beats_s = marks.positions / 250
    rise = np.array([between(pulse, at_s + 0.3, at_s + 0.5).max() - between(pulse, at_s, at_s + 0.2).min()
                     for at_s in beats_s[:-2]])  # fmt: skip
    early = marks.symbols[:-2] == "V"
    after = np.append(False, early[:-1]) & ~early
    assert np.median(rise[early]) < 0.7 * np.median(rise[~early & ~after]) < 0.7 * np.median(rise[after])


def test_the_pulse_goes_on_where_an_electrode_is_off():
    plain = simulate_recording(40, noise_mv=0)
    loose = simulate_recording(40, noise_mv=0, episodes=[Episode("lead_off", 10, 20)])
    np.testing.assert_array_equal(simulate_pulse(plain).samples, simulate_pulse(loose).samples)


@pytest.mark.parametrize("kind", ["damped", "flushed", "clipped", "detached"])
@pytest.mark.parametrize("name", ["ABP", "PLETH"])
def test_an_artefact_changes_only_its_own_seconds(kind, name):
    recording = simulate_recording(60)
    plain = simulate_pulse(recording, name)
    disturbed = simulate_pulse(recording, name, artefacts=[PulseArtefact(kind, 20, 15)])
    inside = slice(20 * 125, 35 * 125)
    assert not np.array_equal(plain.samples[inside], disturbed.samples[inside])
    np.testing.assert_array_equal(np.delete(plain.samples, inside), np.delete(disturbed.samples, inside))
    usual, now = np.ptp(plain.samples[inside]), disturbed.samples[inside]
    assert np.ptp(now) < {"damped": 0.5, "flushed": 0.1, "clipped": 0.7, "detached": 0.1}[kind] * usual
    if name == "ABP":
        level = {"damped": (80, 110), "flushed": (295, 305), "clipped": (70, 105), "detached": (-1, 1)}[kind]
        assert level[0] < now.mean() < level[1]


def test_impossible_settings_are_refused_in_one_sentence():
    recording = simulate_recording(10)
    with pytest.raises(SettingError, match="no annotations"):
        simulate_pulse(replace(recording, annotations=None))
    with pytest.raises(SettingError, match="above 0"):
        simulate_pulse(recording, delay_s=0.0)
    with pytest.raises(SettingError, match=r"one of PLETH, ABP, ART, not 'CVP'\."):
        simulate_pulse(recording, "CVP")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="one of damped, flushed, clipped, detached"):
        PulseArtefact("torn", 1, 2)
    with pytest.raises(SettingError, match="above 0"):
        PulseArtefact("damped", 1, 0)
    no_beat = simulate_recording(10, episodes=[Episode("asystole", 0, 10)])
    assert np.ptp(simulate_pulse(no_beat).samples) < 0.1
