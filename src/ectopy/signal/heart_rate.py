"""Heart rate from the RR intervals that are known, in windows of ten seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.presentation import short_repr

WINDOW_S = 10.0

_LEAST_KNOWN = 0.5


@dataclass(frozen=True, slots=True)
class HeartRate:
    """Heart rate of a recording, and in windows of ten seconds counted from its start.

    Only known intervals count, each in the window in which it ends.

    Attributes
    ----------
    median_bpm : float
        Median of the rates from beat to beat, 60 s over each interval; NaN without intervals.
    mean_bpm : float
        Intervals of the windows that have a rate over their time, so that it lies between the extremes; of a recording
        that is shorter than a window, all intervals. NaN if there are none, or they cover less than half.
    intervals : ndarray of int64, shape (windows,)
        Number of intervals that end in each window.
    total_s : ndarray of float64, shape (windows,)
        Their total length.
    bpm : ndarray of float64, shape (windows,)
        Beats per minute; NaN where the intervals cover less than half of the window, and in a last one that is shorter.
    """

    __repr__ = short_repr

    median_bpm: float
    mean_bpm: float
    intervals: NDArray[np.int64]
    total_s: NDArray[np.float64]
    bpm: NDArray[np.float64]

    @property
    def extremes(self) -> tuple[int, int] | None:
        """Return the first windows with the lowest and the highest rate; None if no window has a rate."""
        if not np.isfinite(self.bpm).any():
            return None
        return int(np.nanargmin(self.bpm)), int(np.nanargmax(self.bpm))


def heart_rate(times_s: NDArray[np.float64], intervals_s: NDArray[np.float64], duration_s: float) -> HeartRate:
    """Measure the heart rate of a recording.

    Parameters
    ----------
    times_s : ndarray of float64, shape (n,)
        Of the beats, from the start of the recording.
    intervals_s : ndarray of float64, shape (n,)
        RR interval before each; NaN = unknown. See `known_intervals`.
    duration_s : float
    """
    is_known = np.isfinite(intervals_s)
    intervals_s = intervals_s[is_known]
    windows = int(np.ceil(duration_s / WINDOW_S))
    window = np.clip(times_s[is_known] // WINDOW_S, 0, max(windows - 1, 0)).astype(np.int64)
    intervals = np.bincount(window, minlength=windows)
    total_s = np.bincount(window, intervals_s, minlength=windows).astype(np.float64)
    length_s = np.minimum(duration_s - WINDOW_S * np.arange(windows), WINDOW_S)
    is_covered, is_whole = total_s >= _LEAST_KNOWN * length_s, length_s == WINDOW_S
    has_rate = is_covered & is_whole
    counts = has_rate if is_whole.any() else is_covered
    (mean_bpm,) = rates_bpm(intervals[counts].sum(keepdims=True), total_s[counts].sum(keepdims=True))
    median_bpm = float(np.median(60.0 / intervals_s)) if len(intervals_s) else float("nan")
    bpm = np.where(has_rate, rates_bpm(intervals, total_s), np.nan)
    return HeartRate(median_bpm, float(mean_bpm), intervals, total_s, bpm)


def known_intervals(
    rr_s: NDArray[np.float64],
    readable: NDArray[np.bool_],
    uninformative_before: NDArray[np.int64],
    missed: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the RR interval before each beat; NaN where it is not known.

    Noise and loose electrodes have no rate; a flat line counts as an interval, as it may be an asystole.

    Parameters
    ----------
    rr_s : ndarray of float64, shape (n,)
        Between neighbouring beats; NaN for the first one and across gaps.
    readable : ndarray of bool, shape (n,)
        An interval is known between two readable beats only.
    uninformative_before : ndarray of int64, shape (n,)
        From `Quality.uninformative_before`; an interval with a second in which no lead can be read is not known.
    missed : ndarray of bool, shape (n,)
        From `beats_missed`; an interval in which a lead shows other beats is not known.
    """
    both = readable & np.append(False, readable)[: len(readable)]
    both &= (np.diff(uninformative_before, prepend=0) == 0) & ~missed
    return np.asarray(np.where(both, rr_s, np.nan))


def rates_bpm(intervals: NDArray[np.int64], total_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return beats per minute from numbers of intervals and their total time; NaN where that is 0."""
    rates: NDArray[np.float64] = np.divide(
        60.0 * intervals, total_s, out=np.full(len(intervals), np.nan), where=total_s > 0
    )
    return rates
