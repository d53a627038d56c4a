"""The trend of a recording: heart rate, and the times of events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.rhythm_events import EVENT_TITLES, Event, by_severity
from ectopy.analysis.verdicts import Hint
from ectopy.report.plots import Spans, Trend
from ectopy.signal import heart_rate as rate
from ectopy.signal.heart_rate import WINDOW_S, HeartRate
from ectopy.signal.quality import QUALITY_WINDOW_S

MOST_ROWS = 6

_MOST_POINTS = 1000


def heart_rate(analysis: Analysis, duration_s: float) -> HeartRate:
    """Measure the heart rate of a recording from the intervals between readable beats."""
    return rate.heart_rate(analysis.beats.times_s, analysis.intervals_s, duration_s)


def trend(
    analysis: Analysis, measured: HeartRate, events: Sequence[Event], duration_s: float, start: datetime | None = None
) -> Trend:
    """Bring heart rate, abnormal beats, events and unreadable stretches to at most a thousand points each."""
    step = max(int(np.ceil(len(measured.bpm) / _MOST_POINTS)), 1)
    starts = np.arange(0, len(measured.bpm), step)
    finite = np.where(np.isfinite(measured.bpm), 1, 0)
    bpm = rate.rates_bpm(
        np.add.reduceat(finite * measured.intervals, starts), np.add.reduceat(finite * measured.total_s, starts)
    )
    beats = [
        _joined(hint.value, "abnormal", times_s, times_s, duration_s)
        for hint in (Hint.VENTRICULAR, Hint.SUPRAVENTRICULAR, Hint.OTHER)
        for times_s in [analysis.beats.times_s[np.equal(analysis.hint, hint)]]
    ]
    happened = []
    for kind in list(dict.fromkeys(event.kind for event in by_severity(events)))[: MOST_ROWS - len(beats)]:
        edges = np.array([(event.start_s, event.end_s) for event in events if event.kind == kind], np.float64).T
        happened.append(_joined(EVENT_TITLES[kind], "ink", edges[0], edges[1], duration_s))
    return Trend(
        times_s=np.minimum(WINDOW_S * (starts + step / 2), duration_s),
        bpm=bpm,
        lowest=np.fmin.reduceat(measured.bpm, starts),
        highest=np.fmax.reduceat(measured.bpm, starts),
        duration_s=duration_s,
        unreadable=_unreadable(analysis, duration_s),
        rows=(*beats, *happened),
        start=start,
    )


def _unreadable(analysis: Analysis, duration_s: float) -> Spans:
    """Stretches without a readable lead."""
    quality = analysis.quality
    windows = np.flatnonzero(~quality.readable.any(axis=0))
    edges = np.minimum(np.stack([windows, windows + 1]) * QUALITY_WINDOW_S, quality.duration_s).astype(np.float64)
    return _joined("unreadable", "unreadable", edges[0], edges[1], duration_s)


def _joined(
    name: str, colour: str, start_s: NDArray[np.float64], end_s: NDArray[np.float64], duration_s: float
) -> Spans:
    """Join spans that lie too close together to be drawn apart."""
    if len(start_s) == 0:
        return Spans(name, colour, start_s, end_s)
    end_s = np.maximum.accumulate(end_s)
    apart = np.append(True, start_s[1:] - end_s[:-1] > duration_s / _MOST_POINTS)
    return Spans(name, colour, start_s[apart], end_s[np.append(apart[1:], True)])
