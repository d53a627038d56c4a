"""Read the signal of a recording: its beats, and where it can be read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.recording import Recording
from ectopy.signal.amplitude import require_plausible_amplitude
from ectopy.signal.beat_segments import BeatSegments, cut_beats
from ectopy.signal.filter_process import OnBeats, read_in_two_processes
from ectopy.signal.filters import Filtered, FilterSettings, filter_twice
from ectopy.signal.heartbeats import find_heartbeats
from ectopy.signal.missed_beats import beats_missed
from ectopy.signal.quality import Quality
from ectopy.signal.quality_assessment import assess


@dataclass(frozen=True, slots=True)
class ReadRecording:
    """The beats of a recording, and where it can be read.

    Attributes
    ----------
    beats : BeatSegments
        All heartbeats, readable only where the leads are.
    quality : Quality
    missed : ndarray of bool, shape (n,)
        Whether a readable lead shows other heartbeats before each beat; from `beats_missed`.
    """

    beats: BeatSegments
    quality: Quality
    missed: NDArray[np.bool_]


def read_recording(
    recording: Recording, filters: FilterSettings | None = None, on_beats: OnBeats = lambda beats: None
) -> ReadRecording:
    """Filter a recording, assess its leads and detect its heartbeats.

    Parameters
    ----------
    recording : Recording
        100 to 1000 Hz.
    filters : FilterSettings, optional
    on_beats : callable, optional
        Called with the first beats, and later ones after them, while the rest of a long recording is being filtered.

    Raises
    ------
    SettingError
        If the sampling rate is out of range.
    DataError
        If the signal is an ECG whose unit is not the one stated.
    """
    signal, rate_hz = recording.signal, recording.sampling_rate_hz
    read = read_in_two_processes(signal, rate_hz, filters, on_beats)
    early, filtered, quality, beats = read or _read(signal, rate_hz, filters)
    require_plausible_amplitude(recording, filtered, quality)
    missed = beats_missed(early, quality, beats.times_s)
    return ReadRecording(beats.masked(quality.readable_at(beats.times_s)), quality, missed)


def _read(
    signal: NDArray[np.floating], rate_hz: float, filters: FilterSettings | None
) -> tuple[Filtered, Filtered, Quality, BeatSegments]:
    early, filtered = filter_twice(signal, rate_hz, filters)
    quality = assess(signal, rate_hz, filtered)
    return early, filtered, quality, cut_beats(filtered, find_heartbeats(early))
