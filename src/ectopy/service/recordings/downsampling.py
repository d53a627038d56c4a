"""A long signal on a screen: its samples if there is room for them, else the minimum and maximum of each column.

The minimum and maximum of blocks of 64 samples, of eight such blocks, and so on, are computed once (a *pyramid*), so
that a day is drawn as fast as a second. Pure functions.
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
    """A part of a signal, reduced to the columns of a screen.

    Attributes
    ----------
    start_s : float
        Start of the first column, seconds from the start of the recording.
    step_s : float
        Width of a column.
    low, high : ndarray of float32, shape (columns, leads)
        Millivolt; NaN in gaps. The same array if each column is one sample.
    """

    start_s: float
    step_s: float
    low: _Samples
    high: _Samples

    @property
    def has_all_samples(self) -> bool:
        """True if each column is one sample."""
        return self.low is self.high


def pyramid(signal: _Samples) -> list[_Samples]:
    """Return the minimum and maximum of blocks of 64, 512, 4096 and 32768 samples.

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
    """Reduce the part of a signal that lies within the recording to at most `columns`, at least 1.

    `signal` has the shape (samples, leads); `levels` is its `pyramid`.
    """
    first, stop = (int(np.clip(second * rate_hz, 0, len(signal))) for second in (start_s, stop_s))
    stop = min(max(stop, first) + 1, len(signal))
    if stop - first <= _SAMPLES_PER_PIXEL * columns:
        samples = np.asarray(signal[first:stop])
        return DisplayColumns(first / rate_hz, 1 / rate_hz, samples, samples)
    # The coarsest level with blocks that are not longer than a column.
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
