"""Remove pacing spikes before the signal is filtered, so that a spike without capture is not detected as a heartbeat.

A stimulus of a pacemaker lasts 0.1 to 2 ms, a few samples at most as recorded; the QRS complexes of an infant are
about 20 ms wide at half of their height. Features of at most 10 ms that rise or fall by more than 0.5 mV, by six
times as much as any such feature 12 to 40 ms before them, and by half of what the signal spans since then, are
replaced by the level around them: the signal after a morphological opening (for rising ones) or closing (for falling
ones). The second condition preserves mains hum and muscle noise, whose waves are as narrow but follow each other; the
third preserves the tips of QRS complexes, at any gain. Below 200 Hz the width does not separate spikes from complexes,
and the signal stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d

_HALF_WIDTH_S = 0.005
_LEAST_SPIKE_MV = 0.5
_LEAST_TAIL_MV = 0.05
_TAIL_S = 0.012
_ALONE = 6.0
_SHARE_OF_SPAN = 0.5
_BEFORE_S = (0.012, 0.040)
_BEFORE_BEAT_S = (0.30, 0.03)
_BEATS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class SpikeState:
    """State of the removal between chunks.

    Attributes
    ----------
    recent : ndarray of float64, shape (leads, k)
        The last samples, of which the newest have not been returned.
    """

    recent: NDArray[np.float64]

    @classmethod
    def fresh(cls, leads: int) -> SpikeState:
        """Return the state before the first sample."""
        return cls(np.empty((leads, 0)))


def spikes_step(
    rate_hz: float, state: SpikeState, chunk: NDArray[np.float64]
) -> tuple[SpikeState, NDArray[np.float64]]:
    """Remove the spikes from the next samples; the result does not depend on the division into chunks, to the last bit.

    Parameters
    ----------
    rate_hz : float
        Rate of the samples as recorded.
    state : SpikeState
    chunk : ndarray of float64, shape (leads, k)
        Millivolt, finite values.

    Returns
    -------
    state : SpikeState
    signal : ndarray of float64, shape (leads, m)
        New samples, at most 10 ms late.
    """
    reach = _reach(rate_hz)
    if reach == 0 or chunk.shape[1] == 0:
        return state, chunk
    before = reach + _first_before(rate_hz) + _tail(rate_hz)
    recent = state.recent if state.recent.shape[1] else np.repeat(chunk[:, :1], before, axis=1)
    samples = np.concatenate([recent, chunk], axis=1)
    cleaned = _without_spikes(samples, rate_hz)[:, before : samples.shape[1] - reach]
    return SpikeState(samples[:, -before - reach :]), cleaned


def spikes_end(rate_hz: float, state: SpikeState) -> NDArray[np.float64]:
    """Return the remaining samples when the signal ends, shape (leads, m); the last one is repeated."""
    if state.recent.shape[1] == 0:
        return state.recent
    return spikes_step(rate_hz, state, np.repeat(state.recent[:, -1:], _reach(rate_hz), axis=1))[1]


def spikes_before(signal: NDArray[np.floating], rate_hz: float, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the last spike 0.3 to 0.03 s before each beat in any lead.

    Parameters
    ----------
    signal : ndarray, shape (samples, leads)
        Millivolt as recorded.
    rate_hz : float
    times_s : ndarray of float64, shape (n,)
        Fiducial points of the beats.

    Returns
    -------
    ndarray of float64, shape (n,)
        Seconds from the start of the recording; NaN = none.
    """
    spikes_s = np.full(len(times_s), np.nan)
    reach = _reach(rate_hz)
    if reach == 0 or len(signal) == 0:
        return spikes_s
    margin = reach + _first_before(rate_hz) + _tail(rate_hz)
    first, stop = (round(at_s * rate_hz) for at_s in _BEFORE_BEAT_S)
    offsets = np.arange(-first - margin, reach - stop)
    for start in range(0, len(times_s), _BEATS_AT_ONCE):
        places = np.rint(times_s[start : start + _BEATS_AT_ONCE] * rate_hz).astype(np.intp)[:, None] + offsets
        windows = signal[np.clip(places, 0, len(signal) - 1)]
        steep = (np.abs(np.diff(windows, axis=1)) > _LEAST_SPIKE_MV / reach).any(axis=(1, 2))
        for beat in np.flatnonzero(steep).tolist():
            window = np.nan_to_num(windows[beat].T.astype(np.float64))
            spikes = (_without_spikes(window, rate_hz) != window).any(axis=0)
            inside = np.flatnonzero(spikes[margin : len(offsets) - reach])
            if len(inside):
                spikes_s[start + beat] = places[beat, margin + inside[-1]] / rate_hz
    return spikes_s


def _reach(rate_hz: float) -> int:
    """Return the number of samples to each side that decide how far one stands out."""
    return 2 * int(_HALF_WIDTH_S * rate_hz)


def _first_before(rate_hz: float) -> int:
    return round(_BEFORE_S[1] * rate_hz)


def _tail(rate_hz: float) -> int:
    """Return the number of samples after a spike in which it swings back."""
    return round(_TAIL_S * rate_hz)


def _may_have_spikes(samples: NDArray[np.float64], reach: int) -> bool:
    """Return whether a steep rise and a steep fall follow each other so closely that a spike may lie between them."""
    steps = np.diff(samples, axis=1).ravel()
    places = np.flatnonzero(np.abs(steps) > _LEAST_SPIKE_MV / reach)
    rises = steps[places] > 0
    return bool(((np.diff(places) < 2 * reach) & (rises[1:] != rises[:-1])).any())


def _without_spikes(samples: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Replace spikes, except near the ends, where samples that decide are missing."""
    reach, first, last = _reach(rate_hz), _first_before(rate_hz), round(_BEFORE_S[0] * rate_hz)
    if not _may_have_spikes(samples, reach):
        return samples
    # Opening: the highest level that a window around a sample stays above; closing: the same of the inverted signal.
    size = reach + 1
    opened = maximum_filter1d(minimum_filter1d(samples, size, axis=1), size, axis=1)
    closed = minimum_filter1d(maximum_filter1d(samples, size, axis=1), size, axis=1)
    height = np.maximum(samples - opened, closed - samples)
    spikes = height > _LEAST_SPIKE_MV
    if not spikes.any():
        return samples
    # Keep those much higher than any feature 12 to 40 ms before them.
    width = first - last + 1
    before = np.zeros_like(height)
    before[:, first:] = maximum_filter1d(height, width, axis=1)[:, width // 2 : width // 2 + height.shape[1] - first]
    spikes &= height > _ALONE * before
    # Keep those higher than half of the span of the signal in the 40 ms before and in the spike itself.
    around = 2 * first + 1
    span = maximum_filter1d(samples, around, axis=1, origin=first) - minimum_filter1d(
        samples, around, axis=1, origin=first
    )
    spikes &= height > _SHARE_OF_SPAN * span
    # Add the samples in which the signal swings back after a spike.
    tail = _tail(rate_hz)
    after = maximum_filter1d(spikes.astype(np.uint8), tail + 1, axis=1, origin=tail // 2, mode="constant").astype(
        np.bool_
    )
    spikes |= after & (height > _LEAST_TAIL_MV)
    return np.where(spikes, np.where(samples - opened == height, opened, closed), samples)
