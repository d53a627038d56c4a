"""Each word of the quality is said of what it means, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import ectopy
from ectopy.analysis.inspection import inspect
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.recording import Recording
from support.data_sets import folder_of
from support.examples import examples
from support.signal_quality import ecg, judged

CLEAN, NOISY = ("101", "106", "116", "119", "208", "220"), "203"
TACHYCARDIA, FLUTTER = "205", "207"


@pytest.mark.parametrize("rate_hz", [100.0, 128.0, 250.0, 257.3, 901.14, 1000.0])
def test_a_good_signal_is_good_at_any_rate(rate_hz: float):
    quality = judged(ecg(61, rate_hz, ectopic={"V": 0.1}), rate_hz)
    assert quality.index.shape == quality.word.shape == quality.readable.shape == (2, 61)
    assert np.all(quality.word == "good")
    assert np.all(quality.index > 0.7)
    assert [(s.lead, s.start_s, s.end_s, s.word) for s in quality.intervals()] == [
        (lead, 0.0, pytest.approx(61, abs=0.01), "good") for lead in (0, 1)
    ]


@pytest.mark.parametrize("rate_hz", [100.0, 250.0, 1000.0])
def test_episodes_are_called_what_they_are(rate_hz: float):
    episodes = [Episode("noise", 40, 20), Episode("lead_off", 100, 20)]
    signal = ecg(180, rate_hz, episodes=episodes)
    signal[: round(10 * rate_hz), 1] = np.nan
    first, second = judged(signal, rate_hz).word
    words = np.full(180, "good", first.dtype)
    words[40:60], words[100:120] = "noisy", "lead off"
    edges = np.isin(np.arange(180), [40, 60, 100, 101, 102, 118, 119, 120])
    np.testing.assert_array_equal(first[~edges], words[~edges])
    words[:10] = "missing"
    np.testing.assert_array_equal(second[~edges], words[~edges])


@pytest.mark.parametrize("sigma_mv", [0.02, 0.1, 0.25])
@pytest.mark.parametrize("rate_hz", [100.0, 250.0, 1000.0])
def test_gaussian_noise_is_noisy(sigma_mv: float, rate_hz: float):
    noise = sigma_mv * np.random.default_rng(0).standard_normal((round(200 * rate_hz), 2))
    quality = judged(noise * np.sqrt(rate_hz / 100), rate_hz)
    assert np.mean(quality.word == "noisy") > 0.98
    assert quality.index.mean() < 0.3


def test_a_clipped_signal_is_saturated_but_one_peak_is_not():
    signal = ecg(60)
    signal[5000:6500] += 20 * np.sin(np.arange(1500) / 100)[:, None]
    clipped = np.clip(signal, -2.0, 2.0)
    words = judged(clipped).word
    assert np.mean(words[:, 21:26] == "saturated") > 0.5
    assert np.all(np.delete(words, range(19, 28), axis=1) == "good")
    assert "saturated" not in judged(ecg(60)).word


def test_a_signal_at_the_end_of_its_range_is_saturated_and_one_that_does_not_move_is_off():
    signal = ecg(60)
    signal[5000:6500, 0] = 5.0
    signal[5000:6500, 1] = 0.0
    words = judged(signal).word
    assert np.all(words[0, 21:26] == "saturated")
    assert np.all(words[1, 22:25] == "lead off")


@pytest.mark.parametrize(("span_mv", "word"), [(0.003, "lead off"), (0.03, "flat"), (0.12, "good")])
def test_a_line_that_moves_a_little_is_flat_and_one_that_does_not_is_off(span_mv: float, word: str):
    signal = ecg(60)
    signal[5000:10_000] = span_mv / 2 * np.sin(np.arange(5000) / 15)[:, None]
    assert np.all(judged(signal).word[:, 24:38] == word)


def test_amplitudes_that_no_ecg_has_and_jumps_are_an_electrode():
    signal = ecg(60)
    signal[5000:5250] += 12 * np.exp(-0.5 * ((np.arange(250) - 125) / 30) ** 2)[:, None]
    signal[10_000:] += 30
    words = judged(signal).word
    assert np.all(words[:, [20, 40]] == "lead off")
    assert np.mean(words == "good") > 0.9


def test_an_offset_changes_nothing():
    signal = ecg(40)
    np.testing.assert_allclose(judged(signal + 300).index, judged(signal).index, atol=1e-6)


@given(st.floats(0.5, 1e2), st.booleans())
@settings(max_examples=examples(10))
def test_noise_is_measured_by_the_lead_itself(factor: float, inverted: bool):
    noise = np.random.default_rng(1).standard_normal((10_000, 2))
    signal = ecg(40) + np.where(np.arange(10_000) > 5000, 0.3, 0.0)[:, None] * noise
    scaled = judged(signal * (-factor if inverted else factor))
    if factor < 2:
        np.testing.assert_array_equal(scaled.word, judged(signal).word)
    assert np.all(np.isin(scaled.word[:, 22:], ("noisy", "lead off")))


@pytest.fixture(scope="module")
def mitdb() -> Path:
    return folder_of("mitdb", (*CLEAN, NOISY, TACHYCARDIA, FLUTTER))


@pytest.mark.parametrize("name", CLEAN)
def test_clean_leads_of_mitdb_stay_readable(mitdb: Path, name: str):
    recording = ectopy.read(mitdb / name)
    assert judged(recording.signal[:, :1], recording.sampling_rate_hz).readable.mean() > 0.95


def test_what_is_noisy_in_mitdb_is_called_so(mitdb: Path):
    recording = ectopy.read(mitdb / NOISY)
    quality = judged(recording.signal, 360.0)
    marks = recording.annotations
    clear = marks.symbols == "~"
    seconds, leads = marks.positions[clear] / 360, marks.subtypes[clear]
    inside = np.searchsorted(seconds, np.arange(quality.word.shape[1]) + 0.5) - 1
    noisy = (leads[inside] & 2) > 0
    assert np.mean(quality.word[1, noisy] == "noisy") > 0.5
    assert np.mean(quality.word[1, ~noisy] == "noisy") < 0.05


def test_ventricular_tachycardia_and_flutter_are_not_called_noisy(mitdb: Path):
    for name, symbol, share in ((TACHYCARDIA, "V", 1.0), (FLUTTER, "!", 0.95)):
        recording = ectopy.read(mitdb / name)
        marks = recording.annotations
        quality = judged(recording.signal, 360.0)
        counts = np.bincount(marks.positions[marks.symbols == symbol] // 360, minlength=quality.word.shape[1])
        fast = counts >= 3
        assert fast.any()
        assert quality.readable[:, fast].mean() >= share
    simulated = ecg(60, episodes=[Episode("ventricular_tachycardia", 20, 20, rate_bpm=220)])
    assert np.all(judged(simulated).word == "good")


# Pacing spikes


def paced(rate_hz: float, spike_mv: float, width_s: float = 0.001) -> NDArray[np.float64]:
    """Beats each of which follows a spike of a pacemaker by 40 ms."""
    recording = simulate_recording(60, sampling_rate_hz=rate_hz, rate_bpm=72, leads=1, random_state=3)
    signal = recording.signal.astype(np.float64)
    for position in recording.annotations.positions.tolist():
        first = position - round(0.04 * rate_hz)
        signal[max(first, 0) : max(first, 0) + max(round(width_s * rate_hz), 1)] += spike_mv
    return signal


@pytest.mark.parametrize("rate_hz", [250.0, 360.0, 1000.0])
@pytest.mark.parametrize("spike_mv", [8.0, 15.0, -12.0])
@pytest.mark.parametrize("width_s", [0.001, 0.005])
def test_pacing_spikes_are_not_a_loose_electrode(rate_hz: float, spike_mv: float, width_s: float):
    quality = judged(paced(rate_hz, spike_mv, width_s), rate_hz)
    assert "lead off" not in quality.word


@pytest.mark.parametrize("rate_hz", [500.0, 1000.0])
def test_paced_beats_are_read(rate_hz: float):
    recording = Recording(paced(rate_hz, 8.0).astype(np.float32), rate_hz, ("II",))
    inspection = inspect(recording)
    assert len(inspection.heartbeats_s) == pytest.approx(72, abs=2)
    assert inspection.readable.mean() > 0.95


@pytest.mark.parametrize("rate_hz", [100.0, 250.0, 1000.0])
@pytest.mark.parametrize("width_s", [0.03, 0.2])
def test_a_swing_that_lasts_longer_than_a_spike_is_a_loose_electrode(rate_hz: float, width_s: float):
    signal = ecg(60, rate_hz)
    signal[round(30.4 * rate_hz) : round((30.4 + width_s) * rate_hz)] += 12
    assert np.all(judged(signal, rate_hz).word[:, 30:32] == "lead off")


# Steps


def touched(swing_mv: float, at_s: float) -> NDArray[np.float64]:
    """A lead that jumps to another level, and drifts back from there within a few seconds."""
    signal = ecg(60, random_state=4)[:, :1]
    first = round(at_s * 250)
    signal[first : first + 1000] *= 0.1
    signal[first:, 0] += swing_mv * np.exp(-np.arange(len(signal) - first) / 500)
    return signal


@pytest.mark.parametrize("at_s", [30.02, 30.3, 30.5, 30.77, 30.98])
@pytest.mark.parametrize("swing_mv", [3.5, -4.0, 6.0])
def test_a_step_is_noisy_wherever_it_lies_in_a_second(at_s: float, swing_mv: float):
    words = judged(touched(swing_mv, at_s)).word[0]
    assert "noisy" in words[29:33]
    assert np.all(np.delete(words, range(28, 40)) == "good")


@pytest.mark.parametrize("factor", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("rate_bpm", [60.0, 140.0, 200.0])
def test_tall_and_wide_complexes_are_not_steps(factor: float, rate_bpm: float):
    runs = [Episode("ventricular_tachycardia", 70, 30, rate_bpm)]
    signal = factor * ecg(120, ectopic={"V": 0.2}, episodes=runs, noise_mv=0.01)
    assert "noisy" not in judged(signal).word
