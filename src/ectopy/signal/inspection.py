"""What there is to know of a recording before any beat of it is judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.recording import Recording
from ectopy.reprs import short_repr
from ectopy.signal.filters import Filtered, FilterSettings, filter_twice
from ectopy.signal.heartbeats import find_heartbeats
from ectopy.signal.quality import WORDS, Quality, Stretch, assess

_WINDOW_S = 10.0
_LEAST_S = 5.0


@dataclass(frozen=True, slots=True)
class Inspection:
    """A recording, how far it can be read, and its heart rate.

    Attributes
    ----------
    recording : Recording
    quality : Quality
    heartbeats_s : ndarray of float64, shape (n,)
        Seconds from the first sample, where at least one lead is readable.
    rate_bpm : ndarray of float64, shape (windows of 10 s,)
        Mean heart rate in beats per minute; NaN where a part of the window is readable in no lead, or less than 5 s lie
        between the first and the last beat of the recording.
    """

    __repr__ = short_repr

    recording: Recording
    quality: Quality
    heartbeats_s: NDArray[np.float64]
    rate_bpm: NDArray[np.float64]

    @property
    def unreadable(self) -> list[Stretch]:
        """The stretches that are not good, by lead and time."""
        return [stretch for stretch in self.quality.stretches() if stretch.word != WORDS[0]]

    def shares(self) -> list[dict[str, float]]:
        """Of each lead, the share of its windows that has each word."""
        return [{word: float(np.mean(words == word)) for word in WORDS} for words in self.quality.word]

    def summary(self) -> dict[str, Any]:
        """Every figure, for JSON."""
        recording = self.recording
        known = self.rate_bpm[np.isfinite(self.rate_bpm)]
        return {
            "source": recording.source,
            "start": recording.start.isoformat() if recording.start else None,
            "duration_s": recording.duration_s,
            "sampling_rate_hz": recording.sampling_rate_hz,
            "leads": [
                {"name": name, "mean_index": float(index.mean()), "quality": shares}
                for name, index, shares in zip(recording.leads, self.quality.index, self.shares(), strict=True)
            ],
            "unreadable": [{**asdict(stretch), "lead": recording.leads[stretch.lead]} for stretch in self.unreadable],
            "beats": len(self.heartbeats_s),
            "heart_rate_bpm": {
                name: float(figure(known)) if len(known) else None
                for name, figure in (("median", np.median), ("min", np.min), ("max", np.max))
            },
        }


def inspect(recording: Recording, settings: FilterSettings | None = None) -> Inspection:
    """Filter a recording, judge its leads, and find its heartbeats where a lead can be read.

    Parameters
    ----------
    recording : Recording
    settings : FilterSettings, optional

    Raises
    ------
    SettingError
        If its sampling rate lies outside 100 to 1000 Hz.
    """
    early, filtered = filter_twice(recording.signal, recording.sampling_rate_hz, settings)
    quality = assess(recording.signal, recording.sampling_rate_hz, filtered)
    window = (np.arange(filtered.signal.shape[1]) / (quality.window_s * filtered.rate_hz)).astype(np.int64)
    unreadable = ~quality.readable[:, np.minimum(window, quality.readable.shape[1] - 1)]
    heartbeats_s = find_heartbeats(Filtered(early.signal, early.missing | unreadable, filtered.rate_hz))
    return Inspection(recording, quality, heartbeats_s, _rate(heartbeats_s, quality))


def _rate(heartbeats_s: NDArray[np.float64], quality: Quality) -> NDArray[np.float64]:
    """Heart rate in windows of 10 s: cycles from beat to beat, and shares of those that cross an edge, per minute."""
    readable: NDArray[np.bool_] = np.any(quality.readable, axis=0, keepdims=True)[0]
    per_window = round(_WINDOW_S / quality.window_s)
    padded = np.pad(readable, (0, -len(readable) % per_window), constant_values=True)
    whole = np.all(padded.reshape(-1, per_window), axis=1, keepdims=True)[:, 0]
    if len(heartbeats_s) < 2:
        return np.full(len(whole), np.nan)
    starts = np.arange(len(whole)) * _WINDOW_S
    first, last = np.clip([starts, starts + _WINDOW_S], heartbeats_s[0], heartbeats_s[-1])
    cycles = np.diff(np.interp([first, last], heartbeats_s, np.arange(len(heartbeats_s))), axis=0)[0]
    seconds = last - first
    known = whole & (seconds >= _LEAST_S)
    return np.asarray(np.divide(60 * cycles, seconds, out=np.full(len(whole), np.nan), where=known))
