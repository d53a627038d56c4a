"""Finds silences of the heart that another lead contradicts: a pause is one only if every readable lead is silent.

Heartbeats are found from all leads together, each weighed by how far its QRS complexes have stood out lately. An
electrode that is touched swings far higher than they do, and hides the beats of a clean lead for a few seconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ectopy.signal.filters import Filtered
from ectopy.signal.heartbeats import find_heartbeats
from ectopy.signal.quality import Quality

LONG_S = 2.0
"""RR intervals of this length, or longer, are compared with what each lead shows; no pause is shorter in a report."""

_AROUND_S = 10.0  # in which a lead shows how it sees beats
_EDGE_S = 0.3
_SAME_S = 0.15
_LEAST_HEARD, _MOST_OTHERS = 0.7, 0.3
_LEAST_HEIGHT = 0.5
_QRS_S = 0.08


def beats_missed(early: Filtered, quality: Quality, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell in which long RR intervals a readable lead shows heartbeats that were not found.

    Parameters
    ----------
    early : Filtered
        The signal in which the heartbeats were found.
    quality : Quality
    times_s : ndarray of float64, shape (n,)
        From `find_heartbeats`.

    Returns
    -------
    ndarray of bool, shape (n,)
        Of the interval before each beat. A lead counts where it is readable throughout, and its beats elsewhere within
        ten seconds are those found in all leads: one that shows noise or T waves as well says nothing. What it shows in
        the interval must be at least half as high as its QRS complexes.
    """
    missed = np.zeros(len(times_s), np.bool_)
    if len(early.signal) > 1:
        for beat in np.flatnonzero(np.diff(times_s, prepend=times_s[:1]) >= LONG_S).tolist():
            missed[beat] = _contradicted(early, quality, times_s, beat)
    return missed


def _contradicted(early: Filtered, quality: Quality, times_s: NDArray[np.float64], beat: int) -> bool:
    """Whether any lead shows a heartbeat between a beat and the one before it."""
    start_s, end_s = float(times_s[beat - 1]), float(times_s[beat])
    first = max(int((start_s - _AROUND_S) * early.rate_hz), 0)
    stop = int((end_s + _AROUND_S) * early.rate_hz)
    around = early[first:stop]
    offset_s = first / early.rate_hz
    seconds = slice(int(start_s / quality.window_s), int(end_s / quality.window_s) + 1)
    known_s = times_s[(times_s >= offset_s) & (times_s <= end_s + _AROUND_S)]
    for lead in np.flatnonzero(quality.readable[:, seconds].all(axis=1)).tolist():
        alone = Filtered(around.signal[lead : lead + 1], around.missing[lead : lead + 1], around.rate_hz)
        seen_s = find_heartbeats(alone) + offset_s
        between = (seen_s > start_s + _EDGE_S) & (seen_s < end_s - _EDGE_S)
        if not between.any() or not _sees_beats(seen_s[~between], known_s):
            continue
        heights = _heights(alone, seen_s - offset_s)
        if heights[between].max() >= _LEAST_HEIGHT * np.median(heights[~between]):
            return True
    return False


def _sees_beats(seen_s: NDArray[np.float64], known_s: NDArray[np.float64]) -> bool:
    """Whether the beats of a lead are those of all leads, but for a few."""
    if len(seen_s) == 0 or len(known_s) < 3:
        return False
    same = np.abs(seen_s[:, None] - known_s) <= _SAME_S
    return bool(same.any(axis=0).mean() >= _LEAST_HEARD and (~same.any(axis=1)).mean() <= _MOST_OTHERS)


def _heights(lead: Filtered, seen_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Span of the signal around moments, shape (n,)."""
    half = round(_QRS_S * lead.rate_hz)
    places = np.round(seen_s * lead.rate_hz).astype(int)[:, None] + np.arange(-half, half + 1)
    around = lead.signal[0, np.clip(places, 0, lead.signal.shape[1] - 1)]
    return np.asarray(np.ptp(around, axis=1))
