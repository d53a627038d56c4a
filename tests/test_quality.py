from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import ectopy
from ectopy.datasets.mitdb import find_mitdb
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.errors import DataError
from ectopy.signal import Filtered, Quality, assess, filter_signal
from ectopy.signal.quality import WORDS

CLEAN, NOISY = ("101", "106", "116", "119", "208", "220"), "203"
TACHYCARDIA, FLUTTER = "205", "207"


def judged(signal: NDArray, rate_hz: float = 250.0) -> Quality:
    return assess(signal, rate_hz, filter_signal(signal, rate_hz))


def ecg(duration_s: float = 60.0, rate_hz: float = 250.0, **options) -> NDArray[np.float64]:
    return simulate_recording(duration_s, sampling_rate_hz=rate_hz, **options).signal.astype(np.float64)


@pytest.mark.parametrize("rate_hz", [100.0, 128.0, 250.0, 257.3, 901.14, 1000.0])
def test_a_good_signal_is_good_at_any_rate(rate_hz: float):
    quality = judged(ecg(61, rate_hz, ectopic={"V": 0.1}), rate_hz)
    assert quality.index.shape == quality.word.shape == quality.readable.shape == (2, 31)
    assert np.all(quality.word == "good")
    assert np.all(quality.index > 0.7)
    assert quality.window_s == 2.0
    assert [(s.lead, s.start_s, s.end_s, s.word) for s in quality.stretches()] == [
        (lead, 0.0, pytest.approx(61, abs=0.01), "good") for lead in (0, 1)
    ]


@pytest.mark.parametrize("rate_hz", [100.0, 250.0, 1000.0])
def test_episodes_are_called_what_they_are(rate_hz: float):
    episodes = [Episode("noise", 40, 20), Episode("lead_off", 100, 20)]
    signal = ecg(180, rate_hz, episodes=episodes)
    signal[: round(10 * rate_hz), 1] = np.nan
    first, second = judged(signal, rate_hz).word
    words = np.full(90, "good", first.dtype)
    words[20:30], words[50:60] = "noisy", "flat"
    np.testing.assert_array_equal(first[words != "good"], words[words != "good"])
    edges = np.isin(np.arange(90), [19, 30, 49, 60])
    np.testing.assert_array_equal(first[~edges], words[~edges])
    words[:5] = "missing"
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
    assert np.all(words[:, 10:13] == "saturated")
    assert np.all(np.delete(words, [9, 10, 11, 12, 13], axis=1) == "good")
    assert "saturated" not in judged(ecg(60)).word


def test_a_signal_at_the_end_of_its_range_is_saturated_and_elsewhere_flat():
    signal = ecg(60)
    signal[5000:6500, 0] = 5.0
    signal[5000:6500, 1] = 0.0
    words = judged(signal).word
    assert np.all(words[0, 10:13] == "saturated")
    assert np.all(words[1, 11:13] == "flat")


def test_amplitudes_that_no_ecg_has_and_jumps_are_an_electrode():
    signal = ecg(60)
    signal[5000:5250] += 12 * np.exp(-0.5 * ((np.arange(250) - 125) / 30) ** 2)[:, None]
    signal[10_000:] += 30
    words = judged(signal).word
    assert np.all(words[:, [10, 20]] == "lead off")
    assert np.mean(words == "good") > 0.9


def test_an_offset_changes_nothing():
    signal = ecg(40)
    np.testing.assert_allclose(judged(signal + 300).index, judged(signal).index, atol=1e-6)


@given(st.floats(0.5, 1e2), st.booleans())
@settings(max_examples=10, deadline=None)
def test_noise_is_measured_by_the_lead_itself(factor: float, inverted: bool):
    noise = np.random.default_rng(1).standard_normal((10_000, 2))
    signal = ecg(40) + np.where(np.arange(10_000) > 5000, 0.3, 0.0)[:, None] * noise
    scaled = judged(signal * (-factor if inverted else factor))
    if factor < 2:
        np.testing.assert_array_equal(scaled.word, judged(signal).word)
    assert np.all(np.isin(scaled.word[:, 11:], ("noisy", "lead off")))


@pytest.mark.parametrize("samples", [0, 1, 2, 300, 1001])
@pytest.mark.parametrize("rate_hz", [100.0, 257.3, 1000.0])
def test_short_flat_and_missing_signals_are_judged(samples: int, rate_hz: float):
    windows = int(np.ceil(samples / rate_hz / 2))
    for value, word in ((0.0, "flat"), (7.0, "flat"), (np.nan, "missing"), (np.inf, "missing")):
        quality = judged(np.full((samples, 2), value), rate_hz)
        assert quality.word.shape == (2, windows)
        assert np.all(quality.word == word)
        assert not quality.readable.any()
        assert len(quality.stretches()) == (2 if windows else 0)


@given(st.integers(0, 2**32 - 1), st.floats(100, 1000))
@settings(max_examples=25, deadline=None)
def test_index_word_and_stretches_agree_whatever_comes(seed: int, rate_hz: float):
    rng = np.random.default_rng(seed)
    signal = ecg(rng.uniform(0.1, 40), rate_hz) * rng.choice([1e-4, 0.1, 1.0, 1e4], 2)
    for _ in range(rng.integers(6)):
        start, lead = rng.integers(len(signal)), rng.integers(2)
        signal[start : start + rng.integers(1, 10 * rate_hz), lead] = rng.choice([np.nan, np.inf, 0.0, 5.0, -1e4])
    quality = judged(signal, rate_hz)
    assert np.all((quality.index >= 0) & (quality.index <= 1))
    assert np.all(np.isin(quality.word, WORDS))
    np.testing.assert_array_equal(quality.readable, quality.word == "good")
    for lead in (0, 1):
        stretches = [stretch for stretch in quality.stretches() if stretch.lead == lead]
        assert stretches[0].start_s == 0
        assert stretches[-1].end_s == pytest.approx(len(signal) / rate_hz)
        for one, other in pairwise(stretches):
            assert one.end_s == other.start_s
            assert one.word != other.word
        lengths = np.diff([*(stretch.start_s / 2 for stretch in stretches), quality.index.shape[1]])
        means = [stretch.index for stretch in stretches]
        assert np.average(means, weights=lengths) == pytest.approx(quality.index[lead].mean())


def test_blocks_leave_no_seam():
    signal = ecg(1300, 100.0, episodes=[Episode("noise", 590, 20)])
    whole = judged(signal, 100.0)
    apart = filter_signal(signal, 100.0)
    shift = 100  # windows: what lies at a seam in one lies within a block in the other
    later = assess(
        signal[shift * 200 :], 100.0, Filtered(apart.signal[:, shift * 360 :], apart.missing[:, shift * 360 :])
    )
    inner = slice(20, -1)
    np.testing.assert_allclose(later.index[:, inner], whole.index[:, shift:][:, inner], rtol=1e-9)


def test_a_filtered_signal_of_another_recording_is_refused():
    signal = ecg(20)
    filtered = filter_signal(signal, 250.0)
    for wrong, rate_hz in ((signal[:-500], 250.0), (signal[:, :1], 250.0), (signal, 500.0), (signal[:, 0], 250.0)):
        with pytest.raises(DataError, match="filter the signal"):
            assess(wrong, rate_hz, filtered)


@pytest.fixture(scope="module")
def mitdb() -> Path:
    folder = find_mitdb((*CLEAN, NOISY, TACHYCARDIA, FLUTTER))
    if folder is None:
        pytest.skip("the MIT-BIH Arrhythmia Database is in no folder of ECTOPY_DATA and not in the cache")
    return folder


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
    inside = np.searchsorted(seconds, 2 * np.arange(quality.word.shape[1]) + 1) - 1
    noisy = (leads[inside] & 2) > 0
    assert np.mean(quality.word[1, noisy] == "noisy") > 0.5
    assert np.mean(quality.word[1, ~noisy] == "noisy") < 0.05


def test_ventricular_tachycardia_and_flutter_are_not_called_noisy(mitdb: Path):
    for name, symbol, share in ((TACHYCARDIA, "V", 1.0), (FLUTTER, "!", 0.95)):
        recording = ectopy.read(mitdb / name)
        marks = recording.annotations
        quality = judged(recording.signal, 360.0)
        counts = np.bincount(marks.positions[marks.symbols == symbol] // 720, minlength=quality.word.shape[1])
        fast = counts >= 5
        assert fast.any()
        assert quality.readable[:, fast].mean() >= share
    simulated = ecg(60, episodes=[Episode("ventricular_tachycardia", 20, 20, rate_bpm=220)])
    assert np.all(judged(simulated).word == "good")
