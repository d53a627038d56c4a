"""A patient's normal follows the electrodes, and never abnormal beats."""

from __future__ import annotations

from dataclasses import fields
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.adaptation import Adaptation, judge_adapting
from ectopy.analysis.baseline import find_baseline
from ectopy.analysis.interval_model import predicting
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.analysis.verdicts import Hint, Judgement, JudgingRules, PreviousBeat
from ectopy.datasets.simulated import simulate_recording
from ectopy.detector import Verdict
from ectopy.monitor import BeatJudged, Chunk, End, Monitor, MonitorState, Notice
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.replay import whole
from ectopy.recording import Recording
from ectopy.signal.beat_segments import BeatSegments
from ectopy.signal.recording_signal import read_recording
from support.drawn_beats import draw_beats, narrow, wide
from support.examples import examples

RATE_HZ = 250.0
LEARNING_S = 30.0
LEADS = ("I", "II")

Signal = NDArray[np.float64]


def analysed(signal: Signal) -> Analysis:
    return analyse(Recording(signal, RATE_HZ, LEADS), load_ambulatory(), learning_s=LEARNING_S)


def quiet(seconds: float) -> tuple[Signal, NDArray[np.float64]]:
    """Normal rhythm, and the second of each sample."""
    recording = simulate_recording(seconds, sampling_rate_hz=RATE_HZ, noise_mv=0.03, random_state=3)
    return recording.signal.astype(float), np.arange(len(recording.signal)) / RATE_HZ


def turned(signal: Signal, angle: NDArray[np.float64]) -> Signal:
    """Two leads that look at the heart from another side."""
    first, second = signal.T
    return np.stack(
        [first * np.cos(angle) + second * np.sin(angle), second * np.cos(angle) - first * np.sin(angle)], axis=1
    )


def flagged(analysis: Analysis, from_s: float, to_s: float) -> int:
    times_s = analysis.beats.times_s
    return int(np.count_nonzero(analysis.abnormal & (times_s >= from_s) & (times_s < to_s)))


def test_a_slow_change_of_axis_and_amplitude_stays_normal():
    signal, times_s = quiet(1800)
    share = np.clip((times_s - 60) / 1740, 0, 1)
    analysis = analysed(turned(signal, np.pi * share) * (1 - 0.5 * share)[:, None])
    assert analysis.normal is not None
    # One normal beat in a hundred may be flagged: four of five minutes.
    assert max(flagged(analysis, from_s, from_s + 300) for from_s in range(0, 1800, 300)) <= 4


@pytest.mark.parametrize("gain", [(-1.0, -1.0), (-1.0, 1.0), (0.42, 0.42)], ids=["flipped", "one flipped", "low"])
def test_a_change_of_electrodes_is_learned_and_the_former_normal_remembered(gain: tuple[float, float]):
    signal, times_s = quiet(360)
    analysis = analysed(np.where(((times_s >= 120) & (times_s < 240))[:, None], gain * signal, signal))
    assert flagged(analysis, 0, 119) <= 1
    assert flagged(analysis, 160, 239) <= 1
    assert flagged(analysis, 255, 360) <= 1
    assert "again as they were before" in analysis.baseline


def beats_of(ventricular: NDArray[np.bool_], rr_s: float, early_s: float = 0.0) -> tuple[Signal, NDArray[np.float64]]:
    """Narrow and wide beats, and when the wide ones come."""
    random = np.random.default_rng(5)
    times_s = 0.5 + np.cumsum(rr_s * (1 + 0.01 * random.standard_normal(len(ventricular))))
    length_s = float(times_s[-1])
    ectopic_s = times_s[ventricular] - early_s
    leads = [
        draw_beats(times_s[~ventricular], narrow(rr_s)[first:], length_s) * mv
        + draw_beats(ectopic_s, wide(rr_s)[first:], length_s) * other_mv
        for first, mv, other_mv in ((0, 1.0, 1.0), (1, -0.6, 0.8))
    ]
    return np.stack(leads, axis=1) + 0.01 * random.standard_normal((len(leads[0]), 2)), ectopic_s


@pytest.mark.parametrize(
    ("usual_rr_s", "rr_s", "early_s", "share"),
    [
        pytest.param(0.85, 0.85, 0.25, None, id="bigeminy"),
        pytest.param(0.85, 0.85, 0.25, 0.7, id="70 % early"),
        pytest.param(0.85, 0.85, 0.0, 0.7, id="70 % in time"),
        pytest.param(0.85, 60 / 130, 0.0, 1.0, id="tachycardia"),
        pytest.param(60 / 130, 60 / 130, 0.0, 1.0, id="tachycardia at the rate before"),
        pytest.param(0.85, 0.85, 0.0, 1.0, id="ventricular rhythm at the rate before"),
    ],
)
def test_abnormal_beats_never_become_normal(usual_rr_s: float, rr_s: float, early_s: float, share: float | None):
    count = round(600 / rr_s)
    ventricular = np.random.default_rng(1).random(count) < share if share else np.arange(count) % 2 == 1
    before, _ = beats_of(np.zeros(round(60 / usual_rr_s), bool), usual_rr_s)
    during, ectopic_s = beats_of(ventricular, rr_s, early_s)
    analysis = analysed(np.concatenate([before, during, before]))
    ectopic_s = ectopic_s + len(before) / RATE_HZ
    missed = np.abs(analysis.beats.times_s[:, None] - ectopic_s).min(axis=0) > 0.12
    nearest = np.abs(analysis.beats.times_s[:, None] - ectopic_s).argmin(axis=0)[~missed]
    assert np.mean(missed) < 0.02
    assert np.mean(np.equal(analysis.hint[nearest], Hint.VENTRICULAR)) > 0.98
    assert flagged(analysis, (len(before) + len(during)) / RATE_HZ + 5, np.inf) <= 2
    assert analysis.baseline.startswith("Learned from ")


def test_p_waves_at_the_rate_before_never_become_normal():
    signal, times_s = quiet(240)
    beats_s = read_recording(Recording(signal, RATE_HZ, LEADS)).beats.times_s
    wave = draw_beats(beats_s, [(0.0, 0.02, 0.15)], len(signal) / RATE_HZ)[:, None] * [1.0, 0.8]
    noise = 0.005 * np.random.default_rng(2).standard_normal(signal.shape)
    analysis = analysed(np.where((times_s < 120)[:, None], signal, wave + noise))
    assert analysis.baseline.startswith("Learned from ")


@cache
def changing() -> Signal:
    """Electrodes that are changed and change slowly, with ectopic beats."""
    recording = simulate_recording(
        420, sampling_rate_hz=RATE_HZ, noise_mv=0.03, ectopic={"V": 0.05, "A": 0.03}, random_state=8
    )
    signal, times_s = recording.signal.astype(float), np.arange(len(recording.signal)) / RATE_HZ
    signal = turned(signal, np.clip((times_s - 60) / 600, 0, 1))
    return np.where(((times_s >= 200) & (times_s < 300))[:, None], -signal, signal)


@pytest.fixture(scope="module")
def changing_beats() -> BeatSegments:
    return read_recording(Recording(changing(), RATE_HZ, LEADS)).beats


@given(st.lists(st.integers(0, 600), max_size=12))
@settings(max_examples=examples(20))
def test_beats_are_judged_and_adapted_to_the_same_in_any_stretches(changing_beats: BeatSegments, cuts: list[int]):
    rules, beats = JudgingRules.of(load_ambulatory()), changing_beats
    learned = find_baseline(beats, LEADS, rules.detector, LEARNING_S)
    whole = judge_adapting(beats, learned, Adaptation.fresh(2), rules, PreviousBeat())
    expected = predicting(rules.intervals, whole)
    before, baseline, adaptation, parts = PreviousBeat(), learned, Adaptation.fresh(2), []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(beats)], strict=True):
        part = beats[start:end]
        judging = judge_adapting(part, baseline, adaptation, rules, before)
        before, baseline, adaptation, judgement = predicting(rules.intervals, judging)
        adaptation = decode(Adaptation, encode(adaptation))
        parts.append(judgement)
    joined = Judgement.joined(parts)
    for field in fields(Judgement)[:6]:
        np.testing.assert_array_equal(getattr(joined, field.name), getattr(expected.judgement, field.name))
    np.testing.assert_array_equal(joined.timing.early, expected.judgement.timing.early)
    np.testing.assert_array_equal(joined.timing.pause, expected.judgement.timing.pause)
    assert encode(baseline) == encode(expected.baseline)
    assert len(adaptation.kept) <= 16
    assert len(adaptation.changed) < 30


def test_a_stream_adapts_as_the_whole_recording_does_and_goes_on_after_a_restart():
    recording = Recording(changing(), RATE_HZ, LEADS)
    analysis = analysed(recording.signal)
    monitor = Monitor.of(load_ambulatory(), learning_s=LEARNING_S)
    states, events = [MonitorState(), MonitorState()], [[], []]
    for given_input in whole(recording, 5.0):
        assert isinstance(given_input, Chunk | End)
        for place, state in enumerate(states):
            states[place], new = monitor.step(decode(MonitorState, encode(state)) if place else state, given_input)
            events[place] += new
    assert list(map(encode, events[0])) == list(map(encode, events[1]))
    beats = [event for event in events[0] if isinstance(event, BeatJudged)]
    later = [beat for beat in beats if beat.beat_s > LEARNING_S + 3]
    expected = {round(time_s * RATE_HZ): place for place, time_s in enumerate(analysis.beats.times_s)}
    assert len(beats) == len(analysis)
    for beat in later:
        place = expected[beat.position]
        assert (beat.verdict, beat.hint) == (analysis.verdict[place], analysis.hint[place])
        assert beat.verdict == Verdict.UNREADABLE or beat.score == analysis.score[place]
    np.testing.assert_array_equal(states[0].normal.template, analysis.normal.template)
    assert any(beat.confidence.startswith("learning, ") for beat in beats if 210 < beat.beat_s < 300)
    notices = [event.text for event in events[0] if isinstance(event, Notice) and event.subject == "baseline"]
    assert [text[:12] for text in notices] == ["Learned from", "Learned anew", "The patient'"]
