"""What the pulse says of a rhythm: a steady one contradicts an alarm, one that cannot be read changes nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.datasets.simulated_pulse import simulate_pulse
from ectopy.monitor import Monitor, replay
from ectopy.monitor.events import AlarmChanged
from ectopy.monitor.pulse_confirmation import Verdict, apply_pulse, confirmation
from ectopy.monitor.pulse_memory import PulseMemory
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.recording import PulseWave, Recording
from support.examples import examples
from support.simulated_pulses import LIMITS, SPOILED, beats_s, claim, clean_wave, patient, remembered, spoiled

HIGH = tuple(LIMITS)


@pytest.mark.parametrize("condition", HIGH)
@pytest.mark.parametrize("name", ["PLETH", "ABP"])
def test_a_steady_pulse_contradicts_a_rhythm_of_another_rate(condition, name):
    recording = patient()
    memory = remembered(recording, simulate_pulse(recording, name))
    said = confirmation(memory, claim(condition, 61.0, 67.5), 67.5)
    assert said.verdict is Verdict.CONTRADICTED
    assert said.rate_bpm == pytest.approx(75, abs=4)
    assert name in said.text


def test_a_pulse_of_the_same_rate_confirms_a_tachycardia():
    recording = patient(150.0)
    memory = remembered(recording, simulate_pulse(recording, "ABP"))
    said = confirmation(memory, claim("ventricular tachycardia", 62.0, 67.0), 67.5)
    assert said.verdict is Verdict.CONFIRMED


@pytest.mark.parametrize("kind", ["asystole", "coarse_fibrillation"])
def test_a_pulse_that_stops_confirms_that_the_heart_does(kind):
    recording = simulate_recording(70, rate_bpm=75, random_state=3, episodes=[Episode(kind, 60, 10)])
    memory = remembered(recording, simulate_pulse(recording, "ABP"))
    condition = "asystole" if kind == "asystole" else "ventricular fibrillation"
    assert confirmation(memory, claim(condition, 61.0, 67.5), 67.5).verdict is Verdict.CONFIRMED


@given(
    rate_bpm=st.floats(105, 220),
    duration_s=st.floats(3.0, 8.0),
    name=st.sampled_from(["PLETH", "ABP"]),
    seed=st.integers(0, 50),
)
@settings(max_examples=examples(15))
def test_no_ventricular_tachycardia_is_contradicted(rate_bpm, duration_s, name, seed):
    episode = Episode("ventricular_tachycardia", 60, duration_s, rate_bpm)
    recording = simulate_recording(70, rate_bpm=75, random_state=seed, episodes=[episode])
    times_s = beats_s(recording)
    run_s = times_s[(times_s >= 60) & (times_s <= 60 + duration_s) & (recording.annotations.symbols == "V")]
    memory = remembered(recording, simulate_pulse(recording, name, random_state=seed))
    reading = ConditionReading("ventricular tachycardia", True, "text.", rate_bpm, 100.0, tuple(run_s[:20].tolist()))
    assert confirmation(memory, reading, 68.0).verdict is not Verdict.CONTRADICTED


# An unreadable pulse changes nothing


@given(
    condition=st.sampled_from(HIGH),
    kind=st.sampled_from(SPOILED),
    name=st.sampled_from(["PLETH", "ABP"]),
    from_s=st.floats(0.0, 64.0),
    length_s=st.floats(2.5, 6.5),
    seed=st.integers(0, 1000),
)
@example(condition="asystole", kind="flat", name="PLETH", from_s=0.0, length_s=6.5, seed=0)
@settings(max_examples=examples(25))
def test_an_unreadable_or_absent_pulse_never_suppresses_an_alarm(condition, kind, name, from_s, length_s, seed):
    recording = patient()
    wave = clean_wave(name)
    samples = wave.samples.copy()
    first = round(from_s * wave.sampling_rate_hz)
    samples[first:] = spoiled(kind, wave, recording, seed)[first:]
    memory = remembered(recording, replace(wave, samples=samples))
    begin_s = max(68.0 - length_s, from_s - 0.5)
    reading = claim(condition, begin_s, 68.0)
    others = (
        ConditionReading("pause", True),
        ConditionReading("ventricular run", True),
        ConditionReading("high rate", None),
    )
    after = apply_pulse(memory, (reading, *others), 68.0, ())
    assert [each.present for each in after] == [True, True, True, None, False]
    assert after[0].text.startswith(reading.text)


@given(present=st.lists(st.sampled_from([True, False, None]), min_size=5, max_size=5))
def test_without_a_pulse_wave_nothing_changes(present):
    readings = tuple(ConditionReading(code, there) for code, there in zip(HIGH, present, strict=True))
    assert apply_pulse(PulseMemory(), readings, 100.0, ()) == (
        *readings,
        ConditionReading("not confirmed by pulse", False),
    )


def test_what_has_been_raised_is_not_withdrawn():
    recording = patient()
    memory = remembered(recording, simulate_pulse(recording, "ABP"))
    readings = (claim("ventricular tachycardia", 63.0, 67.0), ConditionReading("ventricular run", True))
    new, raised = (apply_pulse(memory, readings, 67.5, said) for said in ((), {"ventricular tachycardia"}))
    assert [each.present for each in new] == [False, False, True]
    assert raised[0] == readings[0]
    assert raised[2].present is False
    assert "Ventricular tachycardia: text. But ABP shows a regular pulse" in new[2].text


# The monitor


@cache
def monitor() -> Monitor:
    return Monitor.of(load_ambulatory())


def raised(recording: Recording) -> dict[str, float]:
    """When each alarm was raised first."""
    times_s: dict[str, float] = {}
    for event in replay(monitor(), recording):
        if isinstance(event, AlarmChanged) and event.transition.change == "raised":
            times_s.setdefault(event.transition.alarm.condition, event.at_s)
    return times_s


def with_loose_electrodes(recording: Recording, from_s: float) -> Recording:
    signal = recording.signal.copy()
    signal[round(from_s * recording.sampling_rate_hz) :] *= 0.02
    return replace(recording, signal=signal)


def test_an_asystole_of_the_ecg_alone_is_recorded_and_not_raised_while_the_pulse_goes_on():
    whole = patient(duration_s=80.0)
    wave = simulate_pulse(whole, "PLETH")
    silent = with_loose_electrodes(whole, 50.0)
    alone, both = raised(silent), raised(replace(silent, pulses=(wave,)))
    assert "asystole" in alone
    assert "asystole" not in both
    assert both["not confirmed by pulse"] == alone["asystole"]
    # When the pulse can no longer be read, the alarm is raised at once.
    spoiled_wave = replace(wave, samples=np.where(np.arange(len(wave.samples)) < 65 * 125, wave.samples, np.nan))
    later = raised(replace(silent, pulses=(spoiled_wave,)))
    assert 65 < later["asystole"] < 69


def test_an_alarm_states_that_the_pulse_confirms_it():
    recording = simulate_recording(75, rate_bpm=75, random_state=3, episodes=[Episode("asystole", 60, 12)])
    events = replay(monitor(), replace(recording, pulses=(simulate_pulse(recording, "ABP"),)))
    texts = [event.transition.alarm.reading.text for event in events if isinstance(event, AlarmChanged)]
    assert any("Confirmed by the pulse: ABP has shown no pulse for" in text for text in texts)


def test_a_pulse_that_is_really_an_ecg_changes_nothing():
    whole = patient(duration_s=80.0)
    silent = with_loose_electrodes(whole, 50.0)
    ecg = PulseWave("PLETH", "NU", whole.sampling_rate_hz, whole.signal[:, 0])
    assert raised(replace(silent, pulses=(ecg,)))["asystole"] == raised(silent)["asystole"]
