"""Spikes of a pacemaker are found before the beats that follow them."""

from __future__ import annotations

import numpy as np
import pytest

from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.signal.pacing_spikes import spikes_before
from support.drawn_beats import draw_beats, wide

RATE_BPM = 75.0


def paced(rate_hz: float, spike_mv: float, delay_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Wide beats after spikes of one or two samples, and the times of the beats."""
    times_s = 1.0 + 0.8 * np.arange(30)
    drawn = draw_beats(times_s, wide(0.8), 26.0)
    grid_s = np.arange(0.0, 26.0, 1.0 / rate_hz)
    signal = np.interp(grid_s, np.arange(len(drawn)) / 250.0, drawn)
    signal += 0.02 * np.random.default_rng(0).standard_normal(len(signal))
    for place in np.rint((times_s - delay_s) * rate_hz).astype(int):
        signal[place : place + max(round(0.002 * rate_hz), 1)] += spike_mv
    return signal[:, None].astype(np.float32), times_s


@pytest.mark.parametrize("rate_hz", [250.0, 360.0, 500.0])
@pytest.mark.parametrize(("spike_mv", "delay_s"), [(2.0, 0.15), (-1.5, 0.2), (1.0, 0.28)])
def test_a_spike_before_each_beat_is_found_within_fifteen_milliseconds(rate_hz: float, spike_mv: float, delay_s: float):
    signal, times_s = paced(rate_hz, spike_mv, delay_s)
    assert times_s - spikes_before(signal, rate_hz, times_s) == pytest.approx(delay_s, abs=0.015)


@pytest.mark.parametrize(("spike_mv", "delay_s"), [(0.0, 0.15), (0.3, 0.15), (2.0, 0.35)])
def test_no_spike_a_small_one_and_an_early_one_are_none(spike_mv: float, delay_s: float):
    signal, times_s = paced(360.0, spike_mv, delay_s)
    assert np.isnan(spikes_before(signal, 360.0, times_s)).all()


def test_narrow_complexes_and_noise_hold_no_spikes():
    recording = simulate_recording(30, patient="infant", noise_mv=0.05, episodes=[Episode("mains_hum", 10, 10)])
    assert recording.annotations is not None
    rate_hz = recording.sampling_rate_hz
    times_s = recording.annotations.positions / rate_hz
    assert np.isnan(spikes_before(recording.signal, rate_hz, times_s)).all()
    assert len(spikes_before(recording.signal[:0], rate_hz, np.empty(0))) == 0
