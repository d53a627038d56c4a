"""Cuts beats around their fiducial points, and measures the time between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.beats import BEAT_SAMPLES
from ectopy.signal.filters import Filtered
from ectopy.signal.heartbeats import lower_median

BEFORE = 52
AFTER = BEAT_SAMPLES - BEFORE
MARGIN = 4
_USUAL_OF = 50


@dataclass(frozen=True, slots=True)
class CutBeats:
    """The beats of one recording; arrays with one entry or row per beat.

    Attributes
    ----------
    times_s : ndarray of float64, shape (n,)
        Fiducial points from the start of the recording.
    samples : ndarray of float32, shape (n, leads, 148)
        Millivolt at 180 Hz: 140 samples, of which 52 lie before the fiducial point, and a margin of 4 to each side, in
        which a beat may be shifted for comparison.
    readable : ndarray of bool, shape (n, leads)
        Whether a lead has all samples of a beat and is not flat there.
    prematurity : ndarray of float64, shape (n,)
        Log of the median of the fifty RR intervals before, over the beat's own; positive = early; 0 where unknown.
    delay : ndarray of float64, shape (n,)
        Log of the RR interval after the beat, over the same median; positive = a pause follows; 0 where unknown.
    rr_s : ndarray of float64, shape (n,)
        RR interval before the beat; NaN for the first one and across gaps.
    """

    times_s: NDArray[np.float64]
    samples: NDArray[np.float32]
    readable: NDArray[np.bool_]
    prematurity: NDArray[np.float64]
    delay: NDArray[np.float64]
    rr_s: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.times_s)


def cut_beats(filtered: Filtered, times_s: NDArray[np.float64]) -> CutBeats:
    """Cut the beats of a filtered signal.

    Parameters
    ----------
    filtered : Filtered
    times_s : ndarray of float64, shape (n,)
        From `find_heartbeats`.
    """
    length = filtered.signal.shape[1]
    offsets = np.arange(-BEFORE - MARGIN, AFTER + MARGIN)
    samples = np.empty((len(times_s), len(filtered.signal), len(offsets)), np.float32)
    readable = np.empty((len(times_s), len(filtered.signal)), np.bool_)
    for start in range(0, len(times_s), 4096):
        rows = slice(start, start + 4096)
        exact = times_s[rows, None] * filtered.rate_hz + offsets
        left = np.clip(np.floor(exact).astype(int), 0, max(length - 2, 0))
        share = np.clip(exact - left, 0.0, 1.0)
        inside = (exact[:, 0] >= -MARGIN) & (exact[:, -1] < length + MARGIN)
        for lead, (signal, missing) in enumerate(zip(filtered.signal, filtered.missing, strict=True)):
            row = signal[left] * (1 - share) + signal[left + 1] * share
            samples[rows, lead] = row
            readable[rows, lead] = inside & ~missing[left].any(axis=1) & (np.ptp(row, axis=1) > 0)
    rr_s, prematurity, delay = _timing(filtered, times_s)
    return CutBeats(times_s, samples, readable, prematurity, delay, rr_s)


def _timing(
    filtered: Filtered, times_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    rr_s = np.diff(times_s, prepend=np.nan)
    # Between two beats with a gap in all leads there may have been others.
    gone = np.flatnonzero(filtered.missing.all(axis=0))
    places = np.round(times_s * filtered.rate_hz).astype(int)
    rr_s[1:][np.diff(np.searchsorted(gone, places)) > 0] = np.nan
    before = np.concatenate([np.full(_USUAL_OF, np.nan), rr_s])[:-1]
    windows = np.lib.stride_tricks.sliding_window_view(before, _USUAL_OF) if len(rr_s) else np.empty((0, _USUAL_OF))
    usual = lower_median(windows)
    after = np.append(rr_s[1:], np.nan)
    return rr_s, np.nan_to_num(np.log(usual / rr_s)), np.nan_to_num(np.log(after / usual))
