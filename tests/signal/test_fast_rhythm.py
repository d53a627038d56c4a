"""Heartbeats of 110 to 320 a minute are counted and readable, and T and P waves are not counted with them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.benchmarks.alarm_benchmark import alarm_episodes
from ectopy.monitor import Monitor, MonitorState, replay
from ectopy.monitor.limits import Limits
from ectopy.recording import Recording
from ectopy.signal import assess, filter_signal, filter_twice, find_heartbeats
from ectopy.signal.filters import Filtered
from ectopy.signal.recording_signal import read_recording
from support.drawn_beats import RATE_HZ, Signal, Wave, draw_beats, narrow, wide
from support.heartbeat_stream import HeartbeatStream

RATES_BPM = (110, 150, 180, 220, 260, 300, 320)


def infant(rr_s: float) -> list[Wave]:
    """A QRS complex of 50 ms, with P and T waves close to it."""
    rest = np.sqrt(rr_s)
    qrs = [(-0.014, 0.0045, -0.15), (0.0, 0.006, 1.0), (0.014, 0.005, -0.3)]
    return [(-min(0.10, 0.32 * rr_s), 0.014, 0.12), *qrs, (0.27 * rest, 0.055 * rest, 0.25)]


SHAPES = {"infant": infant, "narrow": narrow, "wide": wide}


def beats_at(bpm: float, seconds: float, seed: int, jitter: float = 0.01) -> NDArray[np.float64]:
    """Times of beats whose intervals vary by one percent."""
    rng = np.random.default_rng(seed)
    times_s = np.cumsum(60 / bpm * (1 + jitter * rng.standard_normal(round(seconds * bpm / 50))))
    return times_s[times_s < seconds]


def rhythm(kind: str, bpm: float, seconds: float = 30.0, seed: int = 1, noise_mv: float = 0.01) -> Signal:
    """One lead of a patient with so many beats a minute from the first sample, shape (samples, 1)."""
    lead = draw_beats(beats_at(bpm, seconds, seed), SHAPES[kind](60 / bpm), seconds)
    return (lead + noise_mv * np.random.default_rng(seed).standard_normal(len(lead)))[:, None]


@pytest.mark.parametrize("bpm", RATES_BPM)
@pytest.mark.parametrize("kind", SHAPES)
def test_beats_of_any_rate_are_counted_and_readable_from_the_first_second(kind: str, bpm: int):
    signal = rhythm(kind, bpm)
    early, filtered = filter_twice(signal, RATE_HZ)
    truth = beats_at(bpm, 30.0, 1)
    assert len(find_heartbeats(early)) == pytest.approx(len(truth), rel=0.02, abs=1.5)
    assert np.mean(assess(signal, RATE_HZ, filtered).word == "good") > 0.9


@pytest.mark.parametrize("bpm", [200, 260, 320])
@pytest.mark.parametrize("kind", SHAPES)
def test_a_fast_rhythm_is_announced_from_the_first_second_of_a_patient(kind: str, bpm: int):
    recording = Recording(rhythm(kind, bpm, 16.0, 5), RATE_HZ, ("II",))
    calls = alarm_episodes(replay(Monitor.of(load_ambulatory()), recording))
    defined_s = 17 * 60 / bpm
    # One of wide complexes is called ventricular, which covers the other.
    code = "ventricular tachycardia" if kind == "wide" else "extreme tachycardia"
    assert [call.start_s <= defined_s + 5.0 for call in calls if call.condition == code][:1] == [True]


@pytest.mark.parametrize("bpm", [220, 320])
def test_a_fast_rhythm_that_begins_later_is_counted_at_its_own_rate_after_three_seconds(bpm: int):
    signal = np.concatenate([rhythm("narrow", 75), rhythm("narrow", bpm)])
    result = find_heartbeats(filter_twice(signal, RATE_HZ)[0])
    assert np.count_nonzero((result >= 33.5) & (result < 58.5)) == pytest.approx(25 * bpm / 60, rel=0.02)


def twisting(bpm: float, seconds: float = 30.0, seed: int = 1) -> tuple[Signal, NDArray[np.float64]]:
    """Two leads of a polymorphic tachycardia, and its beats: they twist around the baseline at uneven intervals."""
    times_s = beats_at(bpm, seconds, seed, 0.05)
    turns = np.arange(len(times_s)) / 22
    waves = [(0.0, 0.018, 1.3), (0.04, 0.017, -0.4)]
    leads = [
        sum(height * draw_beats(times_s[[beat]], waves, seconds) for beat, height in enumerate(heights))
        for heights in (np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns))
    ]
    noise = 0.01 * np.random.default_rng(seed).standard_normal((round(seconds * RATE_HZ), 2))
    return np.stack(leads, axis=1) + noise, times_s


@pytest.mark.parametrize("bpm", [210, 240, 260])
def test_a_fast_rhythm_whose_shape_changes_from_beat_to_beat_is_counted_at_its_rate(bpm: int):
    lead, (twist, truth) = rhythm("infant", 120), twisting(bpm)
    signal = np.concatenate([np.hstack([lead, lead]), twist])
    detected = find_heartbeats(filter_twice(signal, RATE_HZ)[0]) - 30.0
    apart_s = np.abs(detected[:, None] - truth[(truth > 2.0) & (truth < 28.0)]).min(axis=0)
    assert np.mean(apart_s < 0.06) > 0.9


def test_a_fast_rhythm_whose_rate_varies_is_readable():
    turning = 0.1 * np.sin(0.5 * np.pi * np.arange(0.0, 30.0, 0.2))
    truth = np.cumsum(60 / 300 * (1 + turning))
    signal = draw_beats(truth, infant(0.2), 30.0)[:, None]
    signal += 0.01 * np.random.default_rng(1).standard_normal(signal.shape)
    assert np.mean(assess(signal, RATE_HZ, filter_signal(signal, RATE_HZ)).word == "good") > 0.9


def test_beats_closer_than_a_quarter_of_a_second_are_cut_and_judged():
    reading = read_recording(Recording(rhythm("infant", 320), RATE_HZ, ("II",)))
    assert len(reading.beats) > 150
    assert np.nanmin(reading.beats.rr_s) < 0.21
    assert reading.beats.readable[5:-5].all()


@pytest.mark.parametrize("cut", [37, 180, 1111])
def test_a_stream_finds_the_same_fast_beats(cut: int):
    lead = np.concatenate([rhythm("narrow", 75, 10.0), rhythm("infant", 310, 10.0), rhythm("wide", 230, 10.0)])
    signal = np.concatenate([np.hstack([lead, lead]), twisting(250, 10.0)[0]])
    early = filter_twice(signal, RATE_HZ)[0]
    stream = HeartbeatStream(2)
    parts = [
        stream.step(Filtered(early.signal[:, start : start + cut], early.missing[:, start : start + cut]))
        for start in range(0, early.signal.shape[1], cut)
    ]
    np.testing.assert_array_equal(np.concatenate([*parts, stream.end()]) / 90, find_heartbeats(early))


@pytest.mark.parametrize("noise_mv", [0.1, 0.3])
@pytest.mark.parametrize("rate_hz", [125.0, 250.0, 1000.0])
def test_noise_is_not_taken_for_a_fast_rhythm(noise_mv: float, rate_hz: float):
    noise = noise_mv * np.random.default_rng(3).standard_normal((round(300 * rate_hz), 1))
    early, filtered = filter_twice(noise, rate_hz)
    assert len(find_heartbeats(early)) == 0
    assert np.mean(assess(noise, rate_hz, filtered).word == "noisy") > 0.98


def test_a_fast_rhythm_in_noise_is_noisy():
    signal = rhythm("narrow", 260, noise_mv=0.5)
    words = assess(signal, RATE_HZ, filter_signal(signal, RATE_HZ)).word
    assert np.mean(words == "noisy") > 0.9


@pytest.mark.parametrize("bpm", [60, 72, 90])
def test_a_t_wave_higher_than_the_qrs_complex_is_not_a_beat(bpm: int):
    truth = beats_at(bpm, 60.0, 2)
    lead = draw_beats(truth, [(0.0, 0.011, 1.0), (0.028, 0.010, -0.25), (0.28, 0.027, 1.2)], 60.0)
    assert len(find_heartbeats(filter_twice(lead[:, None], RATE_HZ)[0])) == pytest.approx(len(truth), abs=1)


@pytest.mark.parametrize("p_mv", [0.1, 0.15])
@pytest.mark.parametrize(("width_s", "mv"), [(0.011, 1.0), (0.011, 1.5), (0.030, 1.0), (0.030, 1.5)])
def test_p_waves_of_a_complete_block_are_not_beats(p_mv: float, width_s: float, mv: float):
    escapes_s = beats_at(30, 90.0, 4)
    lead = draw_beats(beats_at(90, 90.0, 3, 0.02), [(0.0, 0.022, p_mv)], 90.0)
    lead += draw_beats(escapes_s, [(0.0, width_s, mv), (0.38, 0.07, 0.25 * mv)], 90.0)
    lead += 0.01 * np.random.default_rng(6).standard_normal(len(lead))
    detected = find_heartbeats(filter_twice(lead[:, None], RATE_HZ)[0])
    apart_s = np.abs(detected[:, None] - escapes_s).min(axis=1)
    # Until the first escape beat shows how high a QRS complex is, P waves are all that there is.
    assert np.count_nonzero(apart_s[detected > 10.0] > 0.1) == 0
    assert np.all(np.abs(detected[:, None] - escapes_s[1:-1]).min(axis=0) < 0.1)


@pytest.mark.parametrize("bpm", [280, 292])
def test_a_very_fast_rhythm_after_a_normal_one_is_not_called_a_pause(bpm: int):
    signal = np.concatenate([rhythm("infant", 130, 30.0), rhythm("infant", bpm, 20.0)])
    state = MonitorState(limits=Limits.of("infant"))
    calls = alarm_episodes(replay(Monitor.of(load_ambulatory()), Recording(signal, RATE_HZ, ("II",)), state))
    conditions = {call.condition for call in calls}
    assert "extreme tachycardia" in conditions
    assert conditions.isdisjoint(("pause", "asystole"))
