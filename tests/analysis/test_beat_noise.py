"""The noise of a beat is measured between its waves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.analysis.beat_noise import beat_noise, noise_energy
from ectopy.beats import BEAT_SAMPLES
from ectopy.signal.beat_segments import BEFORE

TIMES_S = (np.arange(BEAT_SAMPLES) - BEFORE) / 180.0


def white(rms_mv: float, beats: int = 200) -> np.ndarray:
    return np.random.default_rng(5).normal(0, rms_mv, (beats, 1, BEAT_SAMPLES))


@given(rms_mv=st.floats(0.005, 0.2))
def test_white_noise_is_measured_by_its_rms(rms_mv: float) -> None:
    assert np.median(beat_noise(white(rms_mv))) == pytest.approx(rms_mv, rel=0.15)


@given(width_s=st.floats(0.01, 0.04), height_mv=st.floats(-3.0, 3.0))
def test_a_qrs_complex_is_not_noise(width_s: float, height_mv: float) -> None:
    noise = white(0.02)
    qrs = height_mv * np.exp(-0.5 * (TIMES_S / width_s) ** 2)
    assert np.median(beat_noise(noise + qrs)) < 1.3 * np.median(beat_noise(noise))


@given(gain=st.floats(0.1, 10.0), level=st.floats(-5.0, 5.0), slope=st.floats(-5.0, 5.0))
def test_noise_follows_the_gain_and_not_the_baseline(gain: float, level: float, slope: float) -> None:
    noise = white(0.02, 5)
    expected = gain * beat_noise(noise)
    assert beat_noise(gain * noise + level + slope * TIMES_S) == pytest.approx(expected, rel=1e-6)
    assert beat_noise(-gain * noise) == pytest.approx(expected)


def test_one_beat_at_a_time_gives_the_same_bits() -> None:
    noise = white(0.02, 10)
    assert beat_noise(noise).tolist() == [beat_noise(beat).tolist() for beat in noise]


def test_the_energy_of_noise_covers_its_slow_part() -> None:
    slow = np.cumsum(white(0.02), axis=2) * 0.1
    energy = np.square(white(0.02) + slow - slow.mean(axis=2, keepdims=True)).sum(axis=2)
    assert 1.0 < np.median(noise_energy(beat_noise(white(0.02) + slow), BEAT_SAMPLES) / energy) < 6.0
