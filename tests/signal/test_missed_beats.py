"""A pause is one only where every readable lead is silent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ectopy.analysis import analyse
from ectopy.analysis.rhythm_events import find_events
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.detector import Detector
from ectopy.formats import read
from ectopy.recording import Recording
from support.data_sets import folder_of

HZ = 250.0


def touched(recording: Recording, lead: int, start_s: float, duration_s: float, swing_mv: float) -> Recording:
    """A lead whose electrode is touched: it jumps, drifts back without QRS complexes, and jumps again."""
    signal = recording.signal.copy()
    first, stop = round(start_s * HZ), round((start_s + duration_s) * HZ)
    drift = swing_mv * np.exp(-np.arange(stop - first) / HZ)
    signal[first:stop, lead] = drift
    for k in range(4):
        signal[stop + round(0.3 * k * HZ) : stop + round((0.3 * k + 0.15) * HZ), lead] -= 1.5 * swing_mv
    return replace(recording, signal=signal)


def pauses(recording: Recording, detector: Detector) -> list[tuple[float, float]]:
    events = find_events(analyse(recording, detector, learning_s=30))
    return [(event.start_s, event.end_s) for event in events if event.kind == "pause"]


@pytest.mark.parametrize(("lead", "swing_mv", "seed"), [(0, 2.5, 0), (0, 3.5, 1), (1, 2.5, 2), (1, -3.0, 3)])
def test_a_silence_of_one_lead_is_not_a_pause_where_another_shows_beats(
    ambulatory: Detector, lead: int, swing_mv: float, seed: int
):
    recording = simulate_recording(90, random_state=seed)
    assert pauses(touched(recording, lead, 60.0, 3.0, swing_mv), ambulatory) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_silence_of_all_leads_is_a_pause(ambulatory: Detector, seed: int):
    recording = simulate_recording(90, episodes=[Episode("asystole", 60, 4)], random_state=seed)
    ((start_s, end_s),) = pauses(recording, ambulatory)
    assert 58 < start_s < 61
    assert end_s - start_s > 3.5


@pytest.mark.parametrize("noise_mv", [0.0, 0.05, 0.1])
def test_noise_and_p_waves_in_a_lead_do_not_hide_a_pause(ambulatory: Detector, noise_mv: float):
    recording = simulate_recording(90, episodes=[Episode("asystole", 60, 5)], random_state=5)
    signal = recording.signal.copy()
    rng = np.random.default_rng(0)
    signal[:, 1] += rng.normal(0, noise_mv, len(signal)).astype(np.float32)
    at = np.arange(len(signal)) / HZ
    for p_wave_s in np.arange(60.2, 64.8, 0.8):
        signal[:, 1] += 0.15 * np.exp(-0.5 * ((at - p_wave_s) / 0.024) ** 2)
    assert len(pauses(replace(recording, signal=signal), ambulatory)) == 1


def test_beats_in_a_clean_lead_contradict_a_pause_of_a_real_recording(ambulatory: Detector):
    record = read(folder_of("mitdb", ["203"]) / "203")
    part = replace(record, signal=record.signal[1380 * 360 : 1520 * 360], annotations=None)
    assert pauses(part, ambulatory) == []
