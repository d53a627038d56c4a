"""A long signal on a screen: samples where there is room for them, else the lowest and highest of each stretch.

The lowest and highest of blocks of 64 samples, and of eight such blocks and so on, are made once (a *pyramid*), so
that a day is shown as fast as a second. Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK = 64
_STEP = 8
_LEVELS = 4
_SAMPLES_PER_PIXEL = 2

_Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DisplayColumns:
    """What is drawn of a stretch of signal.

    Attributes
    ----------
    start_s : float
        Where the first column begins, seconds from the start of the recording.
    step_s : float
        From one column to the next.
    low, high : ndarray of float32, shape (columns, leads)
        Millivolt; NaN where there is nothing. The same where each column is one sample.
    """

    start_s: float
    step_s: float
    low: _Samples
    high: _Samples

    @property
    def single(self) -> bool:
        """Whether each column is one sample."""
        return self.low is self.high


def pyramid(signal: _Samples) -> list[_Samples]:
    """Lowest and highest of blocks of 64, 512, 4096 and 32768 samples.

    Parameters
    ----------
    signal : ndarray of float32, shape (samples, leads)

    Returns
    -------
    list of ndarray of float32, shape (blocks, 2, leads)
    """
    low = high = signal
    levels = []
    for level in range(_LEVELS):
        starts = np.arange(0, len(low), _STEP if level else BLOCK)
        low, high = np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts)
        levels.append(np.stack([low, high], axis=1))
    return levels


def display_columns(
    signal: _Samples, levels: Sequence[_Samples], rate_hz: float, start_s: float, stop_s: float, columns: int
) -> DisplayColumns:
    """What fits into so many columns.

    Parameters
    ----------
    signal : ndarray of float32, shape (samples, leads)
    levels : sequence of ndarray
        Its `pyramid`.
    rate_hz : float
    start_s, stop_s : float
        What lies outside of the recording is left out.
    columns : int
        At least 1.
    """
    first, stop = (int(np.clip(second * rate_hz, 0, len(signal))) for second in (start_s, stop_s))
    stop = min(max(stop, first) + 1, len(signal))
    if stop - first <= _SAMPLES_PER_PIXEL * columns:
        samples = np.asarray(signal[first:stop])
        return DisplayColumns(first / rate_hz, 1 / rate_hz, samples, samples)
    per_column = (stop - first) / columns
    coarse = [level for level in range(len(levels)) if BLOCK * _STEP**level <= per_column]
    if not coarse:
        low = high = np.asarray(signal[first:stop])
        length = 1
    else:
        length = BLOCK * _STEP ** coarse[-1]
        blocks = np.asarray(levels[coarse[-1]][first // length : -(-stop // length)])
        low, high = blocks[:, 0], blocks[:, 1]
        first = first // length * length
    count = min(columns, len(low))
    starts = np.arange(count) * len(low) // count
    step_s = len(low) * length / count / rate_hz
    return DisplayColumns(first / rate_hz, step_s, np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts))
