"""Quality of each lead over time: how far a person can read each second, and if not, why.

`ectopy.signal.quality_index` states what the words mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.presentation import short_repr

QUALITY_WINDOW_S = 1.0
QUALITY_WORDS = ("good", "missing", "saturated", "lead off", "flat", "noisy")
READABLE = 0.5

IndexAndWord = tuple[NDArray[np.float64], NDArray[np.str_]]
"""Of each lead and second."""


@dataclass(frozen=True, slots=True)
class QualityInterval:
    """Neighbouring windows of one lead with the same word.

    Attributes
    ----------
    lead : int
    start_s, end_s : float
        Seconds from the start of the recording.
    word : str
        One of `QUALITY_WORDS`.
    index : float
        Mean over the windows.
    """

    lead: int
    start_s: float
    end_s: float
    word: str
    index: float


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of each lead over time.

    Attributes
    ----------
    index : ndarray of float64, shape (leads, windows)
        0 = useless, 1 = perfect; see the module. Window k begins ``k * QUALITY_WINDOW_S`` seconds after the first
        sample; it is assessed with the one before it.
    word : ndarray of str, shape (leads, windows)
        One of `QUALITY_WORDS`.
    duration_s : float
        Where the last window ends.
    """

    __repr__ = short_repr

    index: NDArray[np.float64]
    word: NDArray[np.str_]
    duration_s: float

    @property
    def readable(self) -> NDArray[np.bool_]:
        """Return where the index is at least one half, shape (leads, windows)."""
        return np.asarray(self.index >= READABLE)

    def readable_at(self, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return whether each lead is readable at these times, shape (n, leads)."""
        return readable_at(self.index, times_s)

    def uninformative_before(self, times_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Count the uninformative windows up to each of these times, shape (n,)."""
        if self.index.shape[1] == 0:
            return np.zeros(len(times_s), np.int64)
        windows = _windows_at(self.index, times_s)
        counts: NDArray[np.int64] = np.cumsum(uninformative(self.word), dtype=np.int64)[windows]
        return counts

    def intervals(self) -> list[QualityInterval]:
        """Join neighbouring windows with the same word, lead by lead and in order of time."""
        intervals = []
        for lead, (lead_words, indices) in enumerate(zip(self.word, self.index, strict=True)):
            starts = np.flatnonzero(np.append(True, lead_words[1:] != lead_words[:-1])[: len(lead_words)])
            ends = np.append(starts[1:], len(lead_words))
            if len(starts):
                means = np.add.reduceat(indices, starts) / (ends - starts)
                times = np.stack([starts * QUALITY_WINDOW_S, np.append(starts[1:] * QUALITY_WINDOW_S, self.duration_s)])
                intervals += [
                    QualityInterval(lead, start_s, end_s, str(word), mean)
                    for start_s, end_s, word, mean in zip(
                        *times.tolist(), lead_words[starts], means.tolist(), strict=True
                    )
                ]
        return intervals


def readable_at(index: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether each lead is readable at these times, shape (n, leads), by the index of `Quality`."""
    if index.shape[1] == 0:
        return np.zeros((len(times_s), len(index)), np.bool_)
    return np.asarray(index[:, _windows_at(index, times_s)] >= READABLE).T


def _windows_at(index: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.intp]:
    windows: NDArray[np.intp] = np.clip((times_s / QUALITY_WINDOW_S).astype(int), 0, index.shape[1] - 1)
    return windows


def uninformative(word: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return which windows say nothing about the heart: no lead is good, and none is flat, as in an asystole.

    Parameters
    ----------
    word : ndarray of str, shape (leads, windows)
    """
    return np.asarray(~((word == "good") | (word == "flat")).any(axis=0))
