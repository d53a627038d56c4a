"""Can a person read this stretch of this lead? And if not, why not.

Every lead is judged in windows of two seconds, counted from the start of the recording. Each reason not to trust a
window has an index from 0 to 1, which is one half at the limit given here; the index of the window is the lowest of
them, and its word is the first reason in this order with an index below one half, or ``good``:

``missing``
    Less than half of the samples are valid. Index: share of the samples that are valid.
``saturated``
    The amplifier or converter is at its end: more than 5 % of the samples equal the largest or smallest value of the
    whole lead, which lies at least 0.5 mV from its middle.
``flat``
    The signal, as recorded or filtered, spans less than 50 uV. A loose electrode may look so, and so does a heart that
    stands still: the two cannot be told apart here.
``lead off``
    The recorded signal spans more than 8 mV, or its mean has moved that far since the window before: no ECG does that,
    an electrode that comes off or is touched does.
``noisy``
    Between the beats, where little should happen, the signal has more than 4 % of the height of the QRS complexes, RMS,
    between 20 and 40 Hz. *Between the beats* is the median of pieces of 0.1 s; the height is the span of the filtered
    window, but not less than the median of the windows within 30 s to each side, nor more than twice that, so that a
    pause is not taken for noise nor noise for QRS complexes. Gaussian noise alone has 10 %. Slower frequencies do not
    count: they would call ventricular tachycardia and flutter noisy, which are steep all the time.

Nothing is learned from labels; the limits were set by looking at the records DS1 of the MIT-BIH Arrhythmia Database,
in the manner of the indices in Clifford, Behar, Li, Rezek (2012), doi:10.1088/0967-3334/33/9/1419. Slow movement that
spans less than 8 mV is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin

from ectopy.errors import DataError
from ectopy.signal.filters import ANALYSIS_RATE_HZ, Filtered
from ectopy.signal.fir import Fir, fir_apply
from ectopy.signal.heartbeats import lower_median

WINDOW_S = 2.0
WORDS = ("good", "missing", "saturated", "flat", "lead off", "noisy")
READABLE = 0.5

_MOST_SATURATED = 0.05
_LEAST_RAIL_MV = 0.5
_LEAST_SPAN_MV = 0.05
_MOST_SPAN_MV = 8.0
_MOST_FAST = 0.04

_FAST = Fir(firwin(31, [20.0, 40.0], fs=ANALYSIS_RATE_HZ, pass_zero=False))
_SAMPLES = round(WINDOW_S * ANALYSIS_RATE_HZ)
_PIECES = 20  # of a window
_NEIGHBOURS = 15  # windows to each side
_BLOCK = 300  # windows at a time


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring windows of one lead with the same word.

    Attributes
    ----------
    lead : int
    start_s, end_s : float
        Seconds from the start of the recording.
    word : str
        One of `WORDS`.
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
    """How far each lead can be trusted, and when.

    Attributes
    ----------
    index : ndarray of float64, shape (leads, windows)
        0 = useless, 1 = perfect; see the module.
    word : ndarray of str, shape (leads, windows)
        One of `WORDS`.
    duration_s : float
        Where the last window ends.
    window_s : float
        Window k begins ``k * window_s`` seconds after the first sample.
    """

    index: NDArray[np.float64]
    word: NDArray[np.str_]
    duration_s: float
    window_s: float = WINDOW_S

    @property
    def readable(self) -> NDArray[np.bool_]:
        """Where the index is at least one half, shape (leads, windows)."""
        return np.asarray(self.index >= READABLE)

    def readable_at(self, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each lead is readable in the windows of given moments, shape (n, leads)."""
        if self.index.shape[1] == 0:
            return np.zeros((len(times_s), len(self.index)), np.bool_)
        windows = np.clip((times_s / self.window_s).astype(int), 0, self.index.shape[1] - 1)
        return self.readable[:, windows].T

    def stretches(self) -> list[Stretch]:
        """Neighbouring windows with the same word put together, lead by lead and in order of time."""
        found = []
        for lead, (words, indices) in enumerate(zip(self.word, self.index, strict=True)):
            starts = np.flatnonzero(np.append(True, words[1:] != words[:-1])[: len(words)])
            ends = np.append(starts[1:], len(words))
            if len(starts):
                means = np.add.reduceat(indices, starts) / (ends - starts)
                times = np.stack([starts * self.window_s, np.append(starts[1:] * self.window_s, self.duration_s)])
                found += [
                    Stretch(lead, start_s, end_s, str(word), mean)
                    for start_s, end_s, word, mean in zip(*times.tolist(), words[starts], means.tolist(), strict=True)
                ]
        return found


def assess(signal: NDArray[np.floating], sampling_rate_hz: float, filtered: Filtered) -> Quality:
    """Judge every lead in windows of two seconds; the last window may be shorter.

    Parameters
    ----------
    signal : ndarray, shape (samples, leads)
        Millivolt as recorded; NaN = no valid sample.
    sampling_rate_hz : float
    filtered : Filtered
        What `filter_signal` made of it, with all that is noise up to 40 Hz: less is seen with a lower `high_hz`.

    Returns
    -------
    Quality
        As many windows as begin before the last sample.

    Raises
    ------
    DataError
        If `filtered` has other leads than the signal, or another length.
    """
    duration_s = len(signal) / sampling_rate_hz
    leads, length = filtered.signal.shape
    if signal.ndim != 2 or signal.shape[1] != leads or abs(length / filtered.rate_hz - duration_s) > 0.02:
        raise DataError(
            f"a filtered signal of shape {filtered.signal.shape} at {filtered.rate_hz:g} Hz does not belong to one of "
            f"shape {signal.shape} at {sampling_rate_hz:g} Hz; filter the signal that is to be assessed."
        )
    edges = _edges(len(signal), sampling_rate_hz)
    windows = len(edges) - 1
    if windows == 0:
        return Quality(np.empty((leads, 0)), np.empty((leads, 0), np.array(WORDS).dtype), duration_s)
    recorded, cleaned = np.empty((6, leads, windows)), np.empty((2, leads, windows))
    for start in range(0, windows, _BLOCK):
        block = slice(start, min(start + _BLOCK, windows))
        recorded[:, :, block] = _recorded(signal, edges[start : block.stop + 1])
        cleaned[:, :, block] = _cleaned(filtered, np.arange(block.start, block.stop))
    valid, top, bottom, mean, at_top, at_bottom = recorded
    span, fast = cleaned
    reasons = {
        "missing": valid,
        "saturated": _index(_saturated(top, bottom, mean, at_top, at_bottom), _MOST_SATURATED),
        "flat": 1.0 - _index(np.fmin(span, np.maximum(top - bottom, 0.0)), _LEAST_SPAN_MV),
        "lead off": _index(_swing(top, bottom, mean), _MOST_SPAN_MV, 4),
    }
    usable = np.min(list(reasons.values()), axis=0) >= READABLE
    height = _usual(np.where(usable, span, np.nan))
    reasons["noisy"] = _index(fast / np.clip(span, height, 2.0 * height), _MOST_FAST)
    indices = np.stack([reasons[word] for word in WORDS[1:]])
    low = indices < READABLE
    word = np.array(WORDS)[np.where(low.any(axis=0), low.argmax(axis=0) + 1, 0)]
    return Quality(indices.min(axis=0), word, duration_s)


def _edges(samples: int, sampling_rate_hz: float) -> NDArray[np.int64]:
    """The first sample of each window, and where the last one ends."""
    per_window = WINDOW_S * sampling_rate_hz
    starts = np.ceil(np.arange(np.ceil(samples / per_window)) * per_window).astype(np.int64)
    return np.append(starts[starts < samples], samples)


def _recorded(signal: NDArray[np.floating], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each window as recorded: share valid, highest, lowest and mean, share at the highest and at the lowest."""
    samples = signal[edges[0] : edges[-1]].T.astype(np.float64)
    valid = np.isfinite(samples)
    starts, sizes = edges[:-1] - edges[0], np.diff(edges)

    def share(where: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.asarray(np.add.reduceat(where, starts, axis=1, dtype=np.float64) / sizes)

    top = np.maximum.reduceat(np.where(valid, samples, -np.inf), starts, axis=1)
    bottom = np.minimum.reduceat(np.where(valid, samples, np.inf), starts, axis=1)
    total = np.add.reduceat(np.where(valid, samples, 0.0), starts, axis=1)
    known = share(valid)
    mean = np.divide(total, known * sizes, out=np.full_like(total, np.nan), where=known > 0)
    at_top, at_bottom = (share(samples == np.repeat(extreme, sizes, axis=1)) for extreme in (top, bottom))
    return np.stack([known, top, bottom, mean, at_top, at_bottom])


def _cleaned(filtered: Filtered, windows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each filtered window: its span, and the RMS of what is fast between the beats; NaN where nothing is known."""
    length = filtered.signal.shape[1]
    starts = np.ceil(windows * (WINDOW_S * filtered.rate_hz)).astype(np.int64)
    places = starts[:, None] + np.arange(_SAMPLES)
    first = max(int(starts[0]) - len(_FAST.taps), 0)
    signal = filtered.signal[:, first : int(places[-1, -1]) + len(_FAST.taps)]
    inside = np.minimum(places, length - 1)
    missing = filtered.missing[:, inside] | (places >= length)

    def windowed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(missing, np.nan, values[:, inside - first])

    known = windowed(signal)
    span = np.fmax.reduce(known, axis=2) - np.fmin.reduce(known, axis=2)
    power = windowed(fir_apply(_FAST, signal) ** 2)
    fast = np.sqrt(lower_median(power.reshape(*power.shape[:2], _PIECES, -1).mean(axis=3)))
    return np.stack([span, fast])


def _saturated(
    top: NDArray[np.float64],
    bottom: NDArray[np.float64],
    mean: NDArray[np.float64],
    at_top: NDArray[np.float64],
    at_bottom: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Share of each window at the ends of the range of its lead."""
    middle = lower_median(mean)[:, None]
    highest, lowest = (reach[:, None] for reach in (top.max(axis=1), bottom.min(axis=1)))
    above = (top == highest) & (highest - middle >= _LEAST_RAIL_MV)
    below = (bottom == lowest) & (middle - lowest >= _LEAST_RAIL_MV)
    return np.where(above, at_top, 0.0) + np.where(below, at_bottom, 0.0)


def _swing(top: NDArray[np.float64], bottom: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each window spans, or has moved from the one before where that is more; mV."""
    moved = np.abs(np.diff(mean, axis=1, prepend=mean[:, :1]))
    return np.asarray(np.fmax(np.where(top >= bottom, top - bottom, 0.0), moved))


def _usual(span: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median span of the windows around each window; NaN where no usable one is near."""
    padded = np.pad(span, ((0, 0), (_NEIGHBOURS, _NEIGHBOURS)), constant_values=np.nan)
    return lower_median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEIGHBOURS + 1, axis=1))


def _index(value: NDArray[np.float64], limit: float, power: int = 2) -> NDArray[np.float64]:
    """From 1 at 0 over one half at the limit towards 0."""
    return np.asarray(1.0 / (1.0 + np.minimum(np.nan_to_num(value / limit), 1e6) ** power))
