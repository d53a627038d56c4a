"""Fast rhythms, which leave no background between their beats, recognised because the signal repeats itself.

If the last three seconds of a lead correlate with themselves 0.17 to 0.6 s later by at least 0.6, they are not noise
(at most 0.45 in 16,000 s of white noise). A period counts only if no longer one fits better by a tenth, and if every
interval of that length has a peak half as high as the highest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from ectopy.signal.autocorrelation import autocorrelation
from ectopy.signal.filters import STRENGTH_RATE_HZ

RHYTHM_BLOCKS = 3
"""Seconds in which a rhythm has to repeat itself."""

# Periods and RR intervals in samples at 90 Hz: 0.17 to 0.6 s, and 1.2 s.
_LONGEST_PERIOD = 54
_SHORTEST_PERIOD = 15
_LONGEST_RR = 108
_BEAT_SPREAD = 4
_BEAT_SHARE = 0.5
_LEAST_REPEATED = 0.6
_NEARLY_AS_WELL = 0.9
_STEADY_SHARE = 0.2
_AT_ONCE = 4096


def find_periods(waves: NDArray[np.float64], possible: NDArray[np.bool_], first: int) -> NDArray[np.float64]:
    """Measure the period of each block together with the two before it.

    Parameters
    ----------
    waves : ndarray of float64, shape (leads, 90 * (blocks + 2))
    possible : ndarray of bool, shape (leads, blocks)
        Blocks to examine.
    first : int
        Number of blocks at the start of a signal that share the period of the last of them.

    Returns
    -------
    ndarray of float64, shape (2, leads, blocks)
        The period in samples, and the correlation of the signal with itself one period later; 0 where it is below 0.6.
    """
    leads, blocks = possible.shape
    result = np.zeros((2, leads, blocks))
    possible = possible.copy()
    possible[:, : max(first - 1, 0)] = False
    lead, block = np.nonzero(possible)
    length = RHYTHM_BLOCKS * STRENGTH_RATE_HZ
    for start in range(0, len(lead), _AT_ONCE):
        batch = slice(start, start + _AT_ONCE)
        positions = block[batch, None] * STRENGTH_RATE_HZ + np.arange(length)
        result[:, lead[batch], block[batch]] = _periods(waves[lead[batch, None], positions])
    if first > 1 and blocks:
        result[..., : first - 1] = result[..., min(first, blocks) - 1, None]
    return result


def _periods(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return period and correlation of each window of three seconds, shape (2, windows); see `find_periods`."""
    result = np.zeros((2, len(windows)))
    # All three seconds must contribute to the power: one artefact is not a rhythm.
    power = np.square(windows).reshape(len(windows), RHYTHM_BLOCKS, STRENGTH_RATE_HZ).sum(axis=2)
    rows = np.flatnonzero(power.min(axis=1) > _STEADY_SHARE * power.max(axis=1))

    # Peaks of the autocorrelation, interpolated by a parabola. The period is the shortest lag whose peak is nearly as
    # high as the highest.
    correlation = autocorrelation(windows[rows], _SHORTEST_PERIOD - 1, _LONGEST_PERIOD + 1)
    left, top, right = correlation[:, :-2], correlation[:, 1:-1], correlation[:, 2:]
    high = (top >= left) & (top > right)
    between = np.divide(np.square(right - left), 8 * (2 * top - left - right), out=np.zeros_like(top), where=high)
    peaks = np.where(high, np.minimum(top + between, 1.0), 0.0)
    place = (peaks >= _NEARLY_AS_WELL * peaks.max(axis=1, keepdims=True)).argmax(axis=1)
    similar = peaks[np.arange(len(rows)), place]
    passed = similar >= _LEAST_REPEATED
    rows, period, similar = rows[passed], place[passed] + _SHORTEST_PERIOD, similar[passed]

    # Reject windows that correlate better by a tenth after a longer period: a slow rhythm whose waves look alike.
    longer = autocorrelation(windows[rows], _LONGEST_PERIOD + 1, _LONGEST_RR).max(axis=1)
    passed = similar >= _NEARLY_AS_WELL * longer
    rows, period, similar = rows[passed], period[passed], similar[passed]

    # Reject windows in which an interval of one period has no peak half as high as the highest. The windows of one
    # period are filtered together.
    height = np.abs(windows[rows])
    for length in np.unique(period).tolist():
        same = period == length
        within = maximum_filter1d(height[same], length + _BEAT_SPREAD, axis=1)
        edge = (length + _BEAT_SPREAD) // 2
        lowest = within[:, edge:-edge].min(axis=1)
        alike = lowest >= _BEAT_SHARE * within.max(axis=1)
        result[:, rows[same]] = np.where(alike, [np.full(len(alike), float(length)), similar[same]], 0.0)
    return result
