"""Mean beats: the mean of similar beats, in which noise and a wandering baseline average out, as a signal of its own.

The samples are averaged as recorded, and the means are filtered: filters are linear, and a day has 1440 minutes but
100,000 beats. Nothing is taken from low frequencies, so that the level of the ST segment is that of the recording.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ectopy import large_arrays
from ectopy.signal.filters import ANALYSIS_RATE_HZ, Filter, Filtered, FilterSettings
from ectopy.signal.fir import FirState, fir_step
from ectopy.signal.wave_delineation import BEFORE
from ectopy.signal.wave_network import SAMPLES

_LEAST_MARGIN_S = 0.1


def mean_beats(
    signal: NDArray[np.float32],
    rate_hz: float,
    groups: Sequence[tuple[NDArray[np.int64], NDArray[np.bool_]]],
    filters: FilterSettings | None = None,
) -> tuple[Filtered, NDArray[np.intp]]:
    """Average groups of beats in each lead, and join the means to a signal, one behind the other.

    Parameters
    ----------
    signal : ndarray of float32, shape (samples, leads)
        Millivolt; NaN = no valid sample.
    rate_hz : float
        100 to 1000 Hz.
    groups : sequence of (ndarray of int64, ndarray of bool)
        Of each group the fiducial points of its k beats, in samples, and in which leads they count, shape (k, leads).
    filters : FilterSettings, optional
        Its `low_hz` is not used.

    Returns
    -------
    means : Filtered
        The mean of each group has 252 samples; its fiducial point is the one at `BEFORE`. Missing in a lead without a
        beat. The level, the median of each mean, is 0.
    counts : ndarray of int, shape (groups, leads)
        Beats averaged: those that count and have all samples of the window.
    """
    design = Filter.of(rate_hz, filters)
    up, down = design.lowpass.up, design.lowpass.down
    # The filter needs samples on both sides of a window, more where it removes mains hum.
    margin_s = max(_LEAST_MARGIN_S, design.lowpass.reach / rate_hz)
    # The fiducial point must be a sample before and after the change of the rate.
    blocks = math.ceil((BEFORE / ANALYSIS_RATE_HZ + margin_s) * rate_hz / down)
    before = blocks * down
    length = before + math.ceil(((SAMPLES - BEFORE) / ANALYSIS_RATE_HZ + 2 * margin_s) * rate_hz)
    leads = signal.shape[1]
    means = np.zeros((leads, len(groups), SAMPLES))
    counts = np.zeros((len(groups), leads), np.intp)
    fresh = FirState.fresh(leads)
    for group, (positions, use) in enumerate(groups):
        mean, counts[group] = _mean(signal, positions - before, use, length)
        _, low = fir_step(design.lowpass, fresh, mean)
        first = blocks * up - BEFORE
        means[:, group] = low[:, first : first + SAMPLES]
        large_arrays.release(signal)
    means -= np.median(means, axis=2, keepdims=True)
    missing = np.repeat(counts.T == 0, SAMPLES, axis=1)
    return Filtered(means.reshape(leads, -1), missing, design.analysis_rate_hz), counts


def _mean(
    signal: NDArray[np.float32], starts: NDArray[np.int64], use: NDArray[np.bool_], length: int
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the mean window of each lead, shape (leads, length), at a median of 0, and the number of beats in it."""
    leads = signal.shape[1]
    inside = (starts >= 0) & (starts + length <= len(signal)) & use.any(axis=1)
    use = use[inside]
    if not len(use):
        return np.zeros((leads, length)), np.zeros(leads, np.intp)
    windows = np.stack([signal[start : start + length] for start in starts[inside].tolist()])
    finite = np.isfinite(windows)
    if not finite.all():
        use = use & finite.all(axis=1)
        windows = np.where(finite, windows, np.float32(0.0))
    # One product of matrices sums the windows of all leads with the beats that count in each lead.
    sums = use.T.astype(np.float32) @ windows.reshape(len(windows), -1)
    counts = use.sum(axis=0)
    mean = np.einsum("lsl->ls", sums.reshape(leads, length, leads)) / np.maximum(counts, 1.0)[:, None]
    return mean - np.median(mean, axis=1, keepdims=True), counts
