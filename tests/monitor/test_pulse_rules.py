"""The pulse beside the ECG: onsets and quality of each pulse, and what it says of a rhythm."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.analysis.verdicts import Hint
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.datasets.simulated_pulse import PulseArtefact, simulate_pulse
from ectopy.monitor import Monitor, MonitorState, replay
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.events import AlarmChanged
from ectopy.monitor.pulse_rules import (
    PulseMemory,
    Verdict,
    apply_pulse,
    confirmation,
    pulse_readings,
    remember,
    with_asystole,
)
from ectopy.monitor.pulse_stream import PulsePiece
from ectopy.monitor.rhythm_input import ConditionReading, JudgedBeats
from ectopy.recording import PulseWave, Recording
from ectopy.signal.array_columns import join
from ectopy.signal.pulse_detection import Pulses, PulseState, pulse_end, pulse_step
from support.examples import examples

HIGH = ("asystole", "extreme bradycardia", "extreme tachycardia", "ventricular tachycardia", "ventricular fibrillation")
LIMITS = {
    "asystole": (6.0, 4.0),
    "extreme bradycardia": (30.0, 40.0),
    "extreme tachycardia": (190.0, 140.0),
    "ventricular tachycardia": (150.0, 100.0),
    "ventricular fibrillation": (None, None),
}


@cache
def clean_wave(name: str) -> PulseWave:
    return simulate_pulse(patient(), name)


@cache
def patient(rate_bpm: float = 75.0, duration_s: float = 70.0, seed: int = 3) -> Recording:
    return simulate_recording(duration_s, rate_bpm=rate_bpm, random_state=seed, noise_mv=0.01)


def beats_s(recording: Recording) -> np.ndarray:
    return recording.annotations.positions / recording.sampling_rate_hz


def detected(wave: PulseWave, cuts: list[int] | None = None) -> Pulses:
    """All pulses of a wave that comes in seconds, or in pieces of other lengths."""
    rate_hz, samples = wave.sampling_rate_hz, wave.samples
    state = PulseState.fresh(pressure=wave.name != "PLETH", rate_hz=rate_hz, start_s=0.0)
    pulses, at = Pulses.empty(), 0
    for length in cuts or [round(rate_hz)] * (len(samples) // round(rate_hz) + 1):
        piece = samples[at : at + length]
        state, findings = pulse_step(state, piece, rate_hz, at / rate_hz)
        pulses, at = join([pulses, findings.pulses]), at + len(piece)
    return join([pulses, pulse_end(state)[1].pulses])


def remembered(
    recording: Recording, *waves: PulseWave, late_s: float = 0.0, uncertain_from_s: float = np.inf
) -> PulseMemory:
    """What is known at the end of a recording, of which beats are known a second before it ends.

    From some second on nobody can tell what the beats are.
    """
    memory = PulseMemory()
    times_s = beats_s(recording)
    for second in range(int(recording.duration_s)):
        new_s = times_s[(times_s > second - 1) & (times_s <= second)]
        texts = np.array(["NORMAL"] * len(new_s), dtype="U10")
        hints = np.where(new_s < uncertain_from_s, Hint.EMPTY.value, Hint.OTHER.value)
        beats = JudgedBeats(new_s, new_s, texts, hints, np.ones(len(new_s), bool))
        pieces = []
        for wave in waves:
            first, last = (round(at_s * wave.sampling_rate_hz) for at_s in (second, second + 1))
            pieces.append(
                PulsePiece(wave.name, wave.unit, wave.sampling_rate_hz, second + late_s, wave.samples[first:last])
            )
        memory = remember(memory, pieces, beats)
    return memory


def claim(condition: str, begin_s: float, end_s: float) -> ConditionReading:
    """An alarm that rests on a stretch of signal."""
    value, limit = LIMITS[condition]
    at_s = (begin_s,) if condition == "asystole" else tuple(np.linspace(begin_s, end_s, 5).tolist())
    return ConditionReading(condition, True, "text.", value, limit, at_s)


# Onsets


@pytest.mark.parametrize("name", ["PLETH", "ABP"])
@pytest.mark.parametrize("rate_hz", [60.0, 125.0, 500.0])
@pytest.mark.parametrize("rate_bpm", [35.0, 75.0, 150.0])
def test_each_beat_has_one_pulse_at_a_steady_delay(name, rate_hz, rate_bpm):
    recording = patient(rate_bpm)
    pulses = detected(simulate_pulse(recording, name, sampling_rate_hz=rate_hz))
    times_s = beats_s(recording)
    times_s = times_s[(times_s > 5) & (times_s < 68)]
    found = pulses[(pulses.onset_s > 5.1) & (pulses.onset_s < times_s[-1] + 0.45)]
    assert len(found) == len(times_s)
    delay_s = found.onset_s - times_s
    assert delay_s.std() < 0.03
    assert 0.1 < np.median(delay_s) < 0.35
    assert found.readable.mean() > 0.8


@given(seed=st.integers(0, 1000), rate_hz=st.sampled_from([62.5, 125.0, 250.0]))
@settings(max_examples=examples(10))
def test_the_same_pulses_are_found_however_the_wave_is_cut(seed, rate_hz):
    wave = simulate_pulse(patient(), "ABP", sampling_rate_hz=rate_hz)
    damaged = wave.samples.copy()
    rng = np.random.default_rng(seed)
    damaged[rng.integers(len(damaged), size=5)] = np.nan
    wave = replace(wave, samples=damaged)
    cuts = rng.integers(0, 400, size=2 * len(damaged) // 200 + 60).tolist()
    whole, cut = detected(wave, [len(damaged)]), detected(wave, cuts)
    for name in ("onset_s", "amplitude", "readable"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(cut, name))


def spoiled(kind: str, wave: PulseWave, recording: Recording, seed: int = 0) -> np.ndarray:
    """A wave without a pulse that could be read."""
    rng, size = np.random.default_rng(seed), len(wave.samples)
    rate_hz = wave.sampling_rate_hz
    if kind == "flat":
        return np.full(size, wave.samples[0], np.float32)
    if kind == "missing":
        return np.full(size, np.nan, np.float32)
    if kind == "noise":
        return rng.normal(0, 1, size).astype(np.float32)
    if kind == "wander":
        return np.cumsum(rng.normal(0, 1, size)).astype(np.float32)
    if kind == "flushed":
        return np.full(size, 300.0, np.float32) + rng.normal(0, 0.1, size).astype(np.float32)
    if kind == "clipped":
        return np.minimum(wave.samples, np.float32(np.quantile(wave.samples, 0.5)))
    if kind == "crosstalk":
        seconds = np.arange(size) / rate_hz
        apart_s = seconds[:, None] - beats_s(recording)[None, :]
        return (30.0 * np.exp(-0.5 * (apart_s / 0.012) ** 2).sum(axis=1)).astype(np.float32)
    raise ValueError(kind)


SPOILED = ("flat", "missing", "noise", "wander", "flushed", "clipped", "crosstalk")


@pytest.mark.parametrize("kind", SPOILED)
@pytest.mark.parametrize("name", ["PLETH", "ABP"])
def test_a_wave_without_a_clear_pulse_is_not_readable(kind, name):
    recording = patient()
    wave = simulate_pulse(recording, name)
    pulses = detected(replace(wave, samples=spoiled(kind, wave, recording)))
    assert pulses.readable.sum() <= 0.2 * len(beats_s(recording))


# The delay


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


# What the pulse says


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


# Loss of pulse, and a probe that is off


def heart_stops_pumping(wave: PulseWave, at_s: float, level: float) -> PulseWave:
    samples = wave.samples.copy()
    first = round(at_s * wave.sampling_rate_hz)
    seconds = np.arange(len(samples) - first) / wave.sampling_rate_hz
    samples[first:] = level + (samples[first] - level) * np.exp(-seconds / 3.0)
    return replace(wave, samples=samples)


@cache
def pressure_falls() -> PulseMemory:
    """From 62 s on the arterial pressure falls without a pulse, and nobody can tell what the beats are."""
    falling = heart_stops_pumping(clean_wave("ABP"), 62.0, 20.0)
    return remembered(patient(), falling, uncertain_from_s=62.0)


def conditions(memory: PulseMemory, at_s: float) -> set[str]:
    return {reading.condition for reading in pulse_readings(memory, at_s, beats=10)[1] if reading.present}


def test_a_lost_arterial_pulse_is_told():
    recording = patient()
    wave = simulate_pulse(recording, "ABP")
    assert conditions(remembered(recording, wave), 70.0) == set()
    assert conditions(remembered(recording, heart_stops_pumping(wave, 56.0, 20.0)), 70.0) == {"loss of pulse"}
    assert conditions(remembered(recording, heart_stops_pumping(wave, 65.0, 20.0)), 70.0) == set()


@pytest.mark.parametrize("kind", ["flushed", "damped", "clipped", "detached"])
@pytest.mark.parametrize("name", ["PLETH", "ABP"])
def test_an_artefact_is_not_a_lost_pulse(kind, name):
    recording = patient()
    wave = simulate_pulse(recording, name, artefacts=[PulseArtefact(kind, 54, 16)])
    told = conditions(remembered(recording, wave), 70.0)
    assert "loss of pulse" not in told
    if kind == "detached":
        assert told == {"probe off"}


# An asystole that the ECG leaves uncertain


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


def test_what_is_known_of_the_pulse_can_be_stored():
    recording = patient()
    memory = remembered(recording, simulate_pulse(recording, "ABP"), simulate_pulse(recording, "PLETH"))
    state = replace(MonitorState(), pulse=memory)
    stored = decode(MonitorState, encode(state))
    assert encode(stored) == encode(state)
    assert len(encode(stored)) < 40_000
    reading = claim("asystole", 63.0, 67.5)
    assert confirmation(stored.pulse, reading, 67.5) == confirmation(memory, reading, 67.5)
