"""The figures of a recording: heart rate, and what happened when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.events import Event
from ectopy.judgement import Hint
from ectopy.report.plots import Spans, Trend

WINDOW_S = 10.0
MOST_KINDS = 8

_MOST_POINTS = 1000
_LEAST_KNOWN = 0.5


@dataclass(frozen=True, slots=True)
class HeartRate:
    """Heart rate in windows of ten seconds, counted from the start.

    Only intervals between two readable beats count, each in the window in which it ends.

    Attributes
    ----------
    intervals : ndarray of int64, shape (windows,)
        How many intervals end in each window.
    total_s : ndarray of float64, shape (windows,)
        How long they are together.
    bpm : ndarray of float64, shape (windows,)
        Beats per minute; NaN where the intervals cover less than half of the window.
    """

    intervals: NDArray[np.int64]
    total_s: NDArray[np.float64]
    bpm: NDArray[np.float64]

    @property
    def mean_bpm(self) -> float:
        """Over all intervals; NaN where there are none."""
        return _rate(int(self.intervals.sum()), float(self.total_s.sum()))


def heart_rate(analysis: Analysis, duration_s: float) -> HeartRate:
    """Measure the heart rate of a recording."""
    counted = np.isfinite(analysis.intervals_s)
    windows = int(np.ceil(duration_s / WINDOW_S))
    window = np.clip(analysis.beats.times_s[counted] // WINDOW_S, 0, max(windows - 1, 0)).astype(np.int64)
    intervals = np.bincount(window, minlength=windows)
    total_s = np.bincount(window, analysis.beats.rr_s[counted], minlength=windows).astype(np.float64)
    length_s = np.minimum(duration_s - WINDOW_S * np.arange(windows), WINDOW_S)
    bpm = _rates(intervals, total_s)
    bpm[total_s < _LEAST_KNOWN * length_s] = np.nan
    return HeartRate(intervals, total_s, bpm)


def trend(analysis: Analysis, rate: HeartRate, events: Sequence[Event], duration_s: float) -> Trend:
    """Bring heart rate, abnormal beats, events and unreadable stretches to at most a thousand points each."""
    step = max(int(np.ceil(len(rate.bpm) / _MOST_POINTS)), 1)
    starts = np.arange(0, len(rate.bpm), step)
    known = np.where(np.isfinite(rate.bpm), 1, 0)
    bpm = _rates(np.add.reduceat(known * rate.intervals, starts), np.add.reduceat(known * rate.total_s, starts))
    beats = [
        _joined(hint.value, "abnormal", times_s, times_s, duration_s)
        for hint in (Hint.VENTRICULAR, Hint.SUPRAVENTRICULAR, Hint.OTHER)
        for times_s in [analysis.beats.times_s[np.equal(analysis.hint, hint)]]
    ]
    happened = []
    for kind in list(dict.fromkeys(event.kind for event in events))[:MOST_KINDS]:
        edges = np.array([(event.start_s, event.end_s) for event in events if event.kind == kind], np.float64).T
        happened.append(_joined(kind, "ink", edges[0], edges[1], duration_s))
    return Trend(
        times_s=np.minimum(WINDOW_S * (starts + step / 2), duration_s),
        bpm=bpm,
        lowest=np.fmin.reduceat(rate.bpm, starts),
        highest=np.fmax.reduceat(rate.bpm, starts),
        duration_s=duration_s,
        unreadable=_unreadable(analysis, duration_s),
        rows=(*beats, *happened),
    )


def _unreadable(analysis: Analysis, duration_s: float) -> Spans:
    """Where no lead is readable."""
    quality = analysis.quality
    gone = np.flatnonzero(~quality.readable.any(axis=0))
    edges = np.minimum(np.stack([gone, gone + 1]) * quality.window_s, quality.duration_s).astype(np.float64)
    return _joined("unreadable", "unreadable", edges[0], edges[1], duration_s)


def _joined(
    name: str, colour: str, start_s: NDArray[np.float64], end_s: NDArray[np.float64], duration_s: float
) -> Spans:
    """Put together what no figure could show apart."""
    if len(start_s) == 0:
        return Spans(name, colour, start_s, end_s)
    end_s = np.maximum.accumulate(end_s)
    apart = np.append(True, start_s[1:] - end_s[:-1] > duration_s / _MOST_POINTS)
    return Spans(name, colour, start_s[apart], end_s[np.append(apart[1:], True)])


def _rates(intervals: NDArray[np.int64], total_s: NDArray[np.float64]) -> NDArray[np.float64]:
    rates: NDArray[np.float64] = np.divide(
        60.0 * intervals, total_s, out=np.full(len(intervals), np.nan), where=total_s > 0
    )
    return rates


def _rate(intervals: int, total_s: float) -> float:
    return 60 * intervals / total_s if total_s > 0 else float("nan")
