"""Fibrillation and flutter are told from the waveform, and nothing else is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import firwin

from ectopy.datasets import simulate_recording
from ectopy.monitor.conditions import CONDITIONS, Priority
from ectopy.monitor.fibrillation_rule import WaveformState, waveform_step, without_silence
from ectopy.monitor.rhythm_input import ConditionReading, DetectorOutput, JudgedBeats
from ectopy.signal.fibrillation_waveform import FibrillationState, Waveform, fibrillation_end, fibrillation_step
from ectopy.signal.filters import Filter, Filtered, filter_signal
from ectopy.signal.front_end import FrontEndState, SignalBlock, run_front_ends
from support.examples import examples

RATE_HZ = 250
SECONDS = 20
TIMES_S = np.arange(RATE_HZ * SECONDS) / RATE_HZ


def noise(seed, low_hz, high_hz, rms_mv):
    """Gaussian noise of a band."""
    raw = np.random.default_rng(seed).standard_normal(len(TIMES_S) + 1000)
    taps = firwin(501, [low_hz, high_hz], fs=RATE_HZ, pass_zero=False)
    band = np.convolve(raw, taps, "same")[500:-500]
    return rms_mv * band / band.std()


def coarse(seed):
    return noise(seed, 3.0, 6.0, 0.3)


def flutter(seed):
    bpm = np.random.default_rng(seed).uniform(170.0, 330.0)
    return (0.8 + 0.1 * np.sin(TIMES_S)) * np.sin(2 * np.pi * bpm / 60 * TIMES_S)


def torsades(seed):
    """Its height grows and falls, and its frequency wanders."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * np.cumsum(3.8 + 0.4 * np.sin(2 * np.pi * 0.3 * TIMES_S + rng.uniform(0, 6))) / RATE_HZ
    return (0.7 + 0.4 * np.sin(2 * np.pi * 0.2 * TIMES_S + rng.uniform(0, 6))) * np.sin(phase)


def beats(seed):
    recording = simulate_recording(SECONDS, sampling_rate_hz=RATE_HZ, leads=1, random_state=seed)
    return recording.signal[: len(TIMES_S), 0].astype(float)


def white(seed):
    return np.random.default_rng(seed).normal(0.0, 0.3, len(TIMES_S))


def still(seed):
    return np.random.default_rng(seed).normal(0.0, 0.008, len(TIMES_S))


def judged(*leads):
    filtered = filter_signal(np.stack(leads, axis=1), RATE_HZ)
    return fibrillation_step(FibrillationState.fresh(len(leads)), filtered)[1]


def readings(waveform, leads):
    """The reading after each second."""
    state, found = WaveformState(), []
    nothing = np.empty(0)
    none = JudgedBeats(nothing, nothing, nothing.astype(str), nothing.astype(str), nothing.astype(bool))
    for second in range(waveform.score.shape[1]):
        one = Waveform(waveform.score[:, second : second + 1], waveform.organised[:, second : second + 1])
        words = ("good",) * len(leads)
        state, reading = waveform_step(
            state, DetectorOutput(float(second), float(second), nothing, none, words, leads=leads, waveform=one)
        )
        found.append(reading)
    return found


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(coarse, id="coarse fibrillation"),
        pytest.param(lambda seed: noise(seed, 4.0, 7.0, 0.05), id="fine fibrillation"),
        pytest.param(flutter, id="flutter"),
        pytest.param(torsades, id="torsades"),
    ],
)
@pytest.mark.parametrize("seed", range(10))
def test_fibrillation_flutter_and_wide_tachycardia_are_present_after_eight_seconds(kind, seed):
    told = readings(judged(kind(seed)), ("II",))
    present = [second for second, reading in enumerate(told) if reading.present]
    assert min(present, default=SECONDS) <= 8
    assert CONDITIONS[told[present[0]].condition].priority is Priority.HIGH
    assert "lead II for" in told[present[0]].text


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(beats, id="beats"),
        pytest.param(lambda seed: beats(seed) + 0.15 * np.sin(2 * np.pi * 5.0 * TIMES_S), id="atrial flutter"),
        pytest.param(white, id="white noise"),
        pytest.param(lambda seed: noise(seed, 20.0, 100.0, 0.2), id="muscle"),
        pytest.param(lambda seed: (0.1 + 0.1 * seed) * np.sin(2 * np.pi * 50.0 * TIMES_S), id="mains"),
        pytest.param(lambda seed: noise(seed, 0.2, 1.5, 1.0), id="movement"),
        pytest.param(still, id="silence"),
    ],
)
@pytest.mark.parametrize("seed", range(10))
def test_beats_noise_hum_movement_and_silence_are_not_fibrillation(kind, seed):
    assert not any(reading.present for reading in readings(judged(kind(seed)), ("II",)))


@settings(max_examples=examples(20), deadline=None)
@given(st.integers(0, 1000), st.floats(0.15, 8.0), st.booleans())
def test_amplitude_and_polarity_do_not_matter(seed, gain, upside_down):
    signal = coarse(seed)
    one, other = judged(signal), judged(signal * (-gain if upside_down else gain))
    np.testing.assert_allclose(one.score, other.score, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(one.organised, other.organised)


@settings(max_examples=examples(20), deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(1, 700), min_size=1, max_size=12))
def test_any_cut_of_the_samples_gives_the_same_seconds(seed, cuts):
    filtered = filter_signal(np.stack([coarse(seed), beats(seed % 7)], axis=1), RATE_HZ)
    length = filtered.signal.shape[1]
    places = [0, *np.minimum(np.cumsum(cuts), length), length]
    state, parts = FibrillationState.fresh(2), []
    for start, end in pairwise(places):
        state, part = fibrillation_step(state, filtered[start:end])
        parts.append(part)
    nothing = Filtered(np.empty((2, 0)), np.empty((2, 0), np.bool_))
    parts.append(fibrillation_end(state, nothing))
    whole = fibrillation_end(FibrillationState.fresh(2), filtered)
    for name in ("score", "organised"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(part, name) for part in parts], axis=1), getattr(whole, name)
        )


def test_leads_of_many_patients_together_are_judged_as_alone():
    signals = [np.stack([coarse(seed), beats(seed), white(seed)]) for seed in range(5)]
    plan = Filter.of(RATE_HZ)
    states = [FrontEndState.fresh(plan, 3) for _ in signals]
    alone = list(states)
    for second in range(SECONDS):
        now = slice(second * RATE_HZ, (second + 1) * RATE_HZ)
        pieces = [SignalBlock(plan, state, signal[:, now]) for state, signal in zip(states, signals, strict=True)]
        together = run_front_ends(pieces)
        single = [run_front_ends([SignalBlock(plan, s, x[:, now])])[0] for s, x in zip(alone, signals, strict=True)]
        states, alone = [state for state, _ in together], [state for state, _ in single]
        for (_, one), (_, other) in zip(together, single, strict=True):
            np.testing.assert_array_equal(one.waveform.score, other.waveform.score)
            np.testing.assert_array_equal(one.waveform.organised, other.waveform.organised)


def test_a_lead_with_distinct_complexes_contradicts_and_one_with_noise_does_not():
    leads = ("II", "V")
    assert not any(reading.present for reading in readings(judged(coarse(1), beats(1)), leads))
    noisy = readings(judged(coarse(1), white(1)), leads)
    assert any(reading.present for reading in noisy)
    assert all("lead II for" in reading.text for reading in noisy if reading.present)
    assert any(reading.present for reading in readings(judged(coarse(1), np.zeros(len(TIMES_S))), leads))


def test_missing_samples_and_a_flat_line_tell_nothing():
    missing = np.full(len(TIMES_S), np.nan)
    assert all(reading.present is None for reading in readings(judged(missing, still(1)), ("II", "V")))


def test_it_ends_when_beats_are_back_and_not_while_nothing_can_be_told():
    half = len(TIMES_S) // 2
    back = np.concatenate([coarse(1)[:half], beats(1)[:half]])
    told = readings(judged(back), ("II",))
    assert (told[9].present, told[-1].present) == (True, False)
    off = np.concatenate([coarse(1)[:half], np.zeros(half)])
    told = readings(judged(off), ("II",))
    assert (told[9].present, told[-1].present) == (True, None)


@pytest.mark.parametrize(
    ("state", "decided"),
    [
        (WaveformState(present=True, shown_s=6, readable=True), False),
        (WaveformState(shown_s=1, readable=True), False),
        (WaveformState(present=True, shown_s=6, readable=False), True),
        (WaveformState(present=True, shown_s=6, readable=True, away_s=1), True),
        (WaveformState(readable=True), True),
    ],
)
def test_only_a_second_that_shows_fibrillation_leaves_an_asystole_open(state: WaveformState, decided: bool):
    readings = (ConditionReading("asystole", True, "No beat."), ConditionReading("high rate", True, "Fast."))
    asystole, high = without_silence(state, readings)
    assert asystole.present is (True if decided else None)
    assert high.present is True
