"""Detect long RR intervals that one lead contradicts: a pause must be silent in every readable lead.

Heartbeats are detected in all leads together, each weighted by how far its QRS complexes stood out recently. An
electrode that is touched swings far higher than they do, and hides the beats of a clean lead for a few seconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ectopy.signal.filters import Filtered
from ectopy.signal.heartbeats import find_heartbeats
from ectopy.signal.quality import QUALITY_WINDOW_S, Quality

LONG_S = 2.0
"""RR intervals of this length, or longer, are compared with what each lead shows; no pause is shorter in a report."""

_AROUND_S = 10.0  # in which the beats of a lead are compared with those of all leads
_EDGE_S = 0.3
_SAME_S = 0.15
_LEAST_SHARED, _MOST_OTHERS = 0.7, 0.3
_LEAST_HEIGHT = 0.5
_QRS_S = 0.08


def beats_missed(early: Filtered, quality: Quality, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return in which long RR intervals a readable lead shows heartbeats that were not detected.

    Parameters
    ----------
    early : Filtered
        The signal in which the heartbeats were detected.
    quality : Quality
    times_s : ndarray of float64, shape (n,)
        From `find_heartbeats`.

    Returns
    -------
    ndarray of bool, shape (n,)
        Of the interval before each beat. A lead counts where it is readable throughout, and its other beats within ten
        seconds are those of all leads: one that also shows noise or T waves does not count. Its beats in the interval
        must be at least half as high as its QRS complexes.
    """
    missed = np.zeros(len(times_s), np.bool_)
    if len(early.signal) > 1:
        for beat in np.flatnonzero(np.diff(times_s, prepend=times_s[:1]) >= LONG_S).tolist():
            missed[beat] = _is_contradicted(early, quality, times_s, beat)
    return missed


def _is_contradicted(early: Filtered, quality: Quality, times_s: NDArray[np.float64], beat: int) -> bool:
    """Return whether any lead shows a heartbeat between a beat and the one before it."""
    start_s, end_s = float(times_s[beat - 1]), float(times_s[beat])
    first = max(int((start_s - _AROUND_S) * early.rate_hz), 0)
    stop = int((end_s + _AROUND_S) * early.rate_hz)
    around = early[first:stop]
    offset_s = first / early.rate_hz
    seconds = slice(int(start_s / QUALITY_WINDOW_S), int(end_s / QUALITY_WINDOW_S) + 1)
    all_times_s = times_s[(times_s >= offset_s) & (times_s <= end_s + _AROUND_S)]
    for lead in np.flatnonzero(quality.readable[:, seconds].all(axis=1)).tolist():
        alone = Filtered(around.signal[lead : lead + 1], around.missing[lead : lead + 1], around.rate_hz)
        lead_times_s = find_heartbeats(alone) + offset_s
        between = (lead_times_s > start_s + _EDGE_S) & (lead_times_s < end_s - _EDGE_S)
        if not between.any() or not _agrees(lead_times_s[~between], all_times_s):
            continue
        heights = _heights(alone, lead_times_s - offset_s)
        if heights[between].max() >= _LEAST_HEIGHT * np.median(heights[~between]):
            return True
    return False


def _agrees(lead_times_s: NDArray[np.float64], all_times_s: NDArray[np.float64]) -> bool:
    """Return whether most beats of a lead are those of all leads, and the reverse."""
    if len(lead_times_s) == 0 or len(all_times_s) < 3:
        return False
    same = np.abs(lead_times_s[:, None] - all_times_s) <= _SAME_S
    return bool(same.any(axis=0).mean() >= _LEAST_SHARED and (~same.any(axis=1)).mean() <= _MOST_OTHERS)


def _heights(lead: Filtered, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the span of the signal around these times, shape (n,)."""
    half = round(_QRS_S * lead.rate_hz)
    positions = np.round(times_s * lead.rate_hz).astype(int)[:, None] + np.arange(-half, half + 1)
    around = lead.signal[0, np.clip(positions, 0, lead.signal.shape[1] - 1)]
    return np.asarray(np.ptp(around, axis=1))
