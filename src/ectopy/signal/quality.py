"""Assess whether a person can read each second of each lead, and if not, why.

Every second of a lead, counted from the start of the recording, is assessed by the two seconds that end with it, so
that a stream gives exactly the result of the whole recording. Each reason not to trust a second has an index from 0 to
1, which is one half at the limit stated here; the index of the second is the lowest of them, and its word is the first
reason in this order with an index below one half, or ``good``:

``missing``
    Less than half of the samples of the second itself are valid. Index: share of them that are valid.
``saturated``
    The amplifier or converter is at its end: more than 5 % of the samples equal the largest or smallest value of the
    lead so far, which lies at least 0.5 mV from its middle in the last minute.
``lead off``
    The recorded signal spans more than 8 mV, without the spikes of a pacemaker, which last less than 10 ms; or its mean
    has moved that far since the two seconds before, as with an electrode that comes off or is touched. Or it hardly
    moves at all: the filtered signal spans less than 4 uV, which is less than the noise of electrodes on skin.
``flat``
    The signal, as recorded or filtered, spans less than 50 uV. A loose electrode may look so, and so does a heart that
    stands still: the two cannot be told apart here.
``noisy``
    Between the beats the signal has more than 4 % of the height of the QRS complexes, RMS, between 20 and 40 Hz.
    *Between the beats* is the median of pieces of 0.1 s; the height is the span of the filtered signal, but at least
    its median over the last minute and at most twice that, so that a pause does not count as noise nor noise as QRS
    complexes. Gaussian noise alone has 10 %. Slower frequencies do not count: by them ventricular tachycardia and
    flutter, which are steep all the time, would be noisy. A fast rhythm leaves less than 0.1 s between its beats:
    where its amplitude between 20 and 40 Hz repeats itself after 0.18 to 0.62 s with a correlation of at least 0.8, as
    noise never does, the quietest fifth of the time counts instead, as the level of the Gaussian noise that would have
    it. The amplitude repeats itself even where the rate varies, or the waves change. Or the signal steps: in 22 ms it
    moves by more than 2 mV, and more than the median height, between two levels that each last for a quarter of a
    second.

The limits do not rest on labels; they were set by looking at the records DS1 of the MIT-BIH Arrhythmia Database, in the
manner of the indices in Clifford, Behar, Li, Rezek (2012), doi:10.1088/0967-3334/33/9/1419. Slow movement that spans
less than 8 mV is not detected.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from ectopy import large_arrays
from ectopy.errors import DataError
from ectopy.presentation import short_repr
from ectopy.signal.filters import ANALYSIS_RATE_HZ, Filtered
from ectopy.signal.fir import Fir, FirState, design_bandpass, fir_end, fir_step
from ectopy.signal.lower_median import lower_median
from ectopy.signal.state_replace import replace

QUALITY_WINDOW_S = 1.0
QUALITY_WORDS = ("good", "missing", "saturated", "lead off", "flat", "noisy")
READABLE = 0.5

_MOST_SATURATED = 0.05
_LEAST_RAIL_MV = 0.5
LEAST_MOVEMENT_MV = 0.004
_LEAST_SPAN_MV = 0.05
_MOST_SPAN_MV = 8.0
_SPIKE_S = 0.01
_LEAST_STEP_MV = 2.0
_STEP_INDEX = 0.25
_MOST_FAST = 0.04
_LEAST_REPEATED = 0.8
_QUIET_PERCENTILE, _QUIET_SHARE = 20, 0.57
_LIMITS = np.array([_MOST_SATURATED, LEAST_MOVEMENT_MV, _LEAST_SPAN_MV])[:, None, None]

_PERIODS = range(round(0.18 * ANALYSIS_RATE_HZ), round(0.62 * ANALYSIS_RATE_HZ))
_SHORT = Fir(np.full(5, 0.2))
_SAMPLES = round(QUALITY_WINDOW_S * ANALYSIS_RATE_HZ)
_PIECES = 10  # of a second
MEASURES = 9 + 2 + _PIECES
"""Measurements of a second in front of its samples."""

_RISE, _LEVEL = round(0.022 * ANALYSIS_RATE_HZ), round(0.25 * ANALYSIS_RATE_HZ)
_REMEMBERED = 60  # seconds
_BLOCK_S = 120


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


@dataclass(frozen=True, slots=True)
class QualityHistory:
    """Memory of the assessed seconds.

    Attributes
    ----------
    second : ndarray of float64, shape (MEASURES + 180, leads, 1)
        Measurements of the last one: see `_measure_recorded` and `_measure_filtered`.
    step : ndarray of float64, shape (leads, 1)
        The highest step in it, or so early in the next second that it could not be detected before.
    means, spans : ndarray of float64, shape (leads, 60)
        Of the last minute; NaN where unknown, and the span where it was not usable.
    ends : ndarray of float64, shape (2, leads, 1)
        Highest of the samples so far, and of the inverted samples.
    """

    second: NDArray[np.float64]
    step: NDArray[np.float64]
    means: NDArray[np.float64]
    spans: NDArray[np.float64]
    ends: NDArray[np.float64]

    @classmethod
    def fresh(cls, leads: int) -> QualityHistory:
        """Return the memory before the first second."""
        second = np.array([0.0, 0.0, 0.0] + [-np.inf] * 4 + [0.0, 0.0] + [np.nan] * (2 + _PIECES + _SAMPLES))
        unknown = np.full((leads, _REMEMBERED), np.nan)
        return cls(
            np.tile(second[:, None, None], (1, leads, 1)),
            np.zeros((leads, 1)),
            unknown,
            unknown,
            np.full((2, leads, 1), -np.inf),
        )


@dataclass(frozen=True, slots=True)
class QualityState:
    """State of the assessment; arrays have one row per lead.

    Attributes
    ----------
    samples : ndarray of float64, shape (leads, k)
        As recorded, of seconds that are not assessed yet.
    cleaned, missing : ndarray, shape (leads, k)
        Filtered signal of these.
    power : ndarray of float64, shape (leads, at most k)
        Its power between 20 and 40 Hz.
    fast : FirState
        Of the filter for this band.
    earlier : QualityHistory
    second : int
        Number of the next second; always 0 at rates at which every second begins on a sample.
    """

    samples: NDArray[np.float64]
    cleaned: NDArray[np.float64]
    missing: NDArray[np.bool_]
    power: NDArray[np.float64]
    fast: FirState
    earlier: QualityHistory
    second: int = 0

    @classmethod
    def fresh(cls, leads: int) -> QualityState:
        """Return the state before the first sample."""
        no_samples = np.empty((leads, 0))
        return cls(
            no_samples,
            no_samples,
            no_samples.astype(np.bool_),
            no_samples,
            FirState.fresh(leads),
            QualityHistory.fresh(leads),
        )


IndexAndWord = tuple[NDArray[np.float64], NDArray[np.str_]]


def quality_step(
    state: QualityState, sampling_rate_hz: float, chunk: NDArray[np.floating], filtered: Filtered
) -> tuple[QualityState, IndexAndWord]:
    """Assess the next seconds; the result does not depend on how the signal is divided into chunks.

    Parameters
    ----------
    state : QualityState
    sampling_rate_hz : float
    chunk : ndarray, shape (leads, k)
        Millivolt as recorded; NaN = no valid sample.
    filtered : Filtered
        Result of the filters for this chunk.

    Returns
    -------
    state : QualityState
    assessed : tuple of (ndarray of float64, ndarray of str), each of shape (leads, seconds)
        Index and word of each second, about 1.3 s after its end.
    """
    state = replace(
        state,
        samples=np.concatenate([state.samples, np.ascontiguousarray(chunk)], axis=1),
        cleaned=np.concatenate([state.cleaned, filtered.signal], axis=1),
        missing=np.concatenate([state.missing, filtered.missing], axis=1),
    )
    count = _complete(state, sampling_rate_hz, filtered.rate_hz)
    if count:
        fast, quick = _new_fast(state)
        state = replace(state, fast=fast, power=np.concatenate([state.power, quick * quick], axis=1))
    return _assess_seconds(state, sampling_rate_hz, filtered.rate_hz, count)


def quality_end(state: QualityState, sampling_rate_hz: float, filtered: Filtered) -> IndexAndWord:
    """Assess the remaining seconds when the signal ends; `filtered` is the last result of the filters."""
    leads = len(state.samples)
    total = _start(state.second, sampling_rate_hz) + state.samples.shape[1]
    count = 0
    while _start(state.second + count, sampling_rate_hz) < total:
        count += 1
    state = replace(state, cleaned=np.concatenate([state.cleaned, filtered.signal], axis=1))
    fast, quick = _new_fast(state)
    edge = fast.recent[:, -1:] if fast.recent.shape[1] else np.zeros((leads, 1))
    rest = fir_end(_fast(), fast, edge)
    # The last second is filled up with missing samples.
    filling = np.zeros((leads, 2 * _SAMPLES))
    state = replace(
        state,
        cleaned=np.concatenate([state.cleaned, filling], axis=1),
        missing=np.concatenate([state.missing, filtered.missing, filling == 0], axis=1),
        power=np.concatenate([state.power, quick * quick, rest * rest, filling], axis=1),
    )
    _, assessed = _assess_seconds(state, sampling_rate_hz, filtered.rate_hz, count)
    return assessed


def assess(signal: NDArray[np.floating], sampling_rate_hz: float, filtered: Filtered) -> Quality:
    """Assess every second of every lead; the last one may be shorter.

    Parameters
    ----------
    signal : ndarray, shape (samples, leads)
        Millivolt as recorded; NaN = no valid sample.
    sampling_rate_hz : float
    filtered : Filtered
        From `filter_signal`, with the noise up to 40 Hz: a lower `high_hz` hides some of it.

    Returns
    -------
    Quality
        As many seconds as begin before the last sample.

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
    block = round(_BLOCK_S * filtered.rate_hz)
    blocks = large_arrays.blocks(length, block, signal, filtered.signal, filtered.missing)
    parts = list(assess_by_part(signal, sampling_rate_hz, filtered, (rows.stop for rows in blocks)))
    return Quality(*join_parts(parts), duration_s)


def assess_by_part(
    signal: NDArray[np.floating], sampling_rate_hz: float, filtered: Filtered, ends: Iterable[int]
) -> Iterator[IndexAndWord]:
    """Yield index and word of the seconds that are known after each part, then of the rest, as in `Quality`.

    Parameters
    ----------
    signal, sampling_rate_hz
        As for `assess`.
    filtered : Filtered
        As for `assess`; its samples need not be there yet, and it may be too long.
    ends : iterable of int
        Ends of the parts of `filtered`, each as soon as the samples before it are there; the last one is its length.
    """
    state, begin, filtered_begin = QualityState.fresh(len(filtered.signal)), 0, 0
    for end in ends:
        to = min(int(end * sampling_rate_hz / filtered.rate_hz), len(signal))
        state, assessed = quality_step(state, sampling_rate_hz, signal[begin:to].T, filtered[filtered_begin:end])
        begin, filtered_begin = to, end
        yield assessed
    rest = filtered[filtered_begin:filtered_begin]
    state, assessed = quality_step(state, sampling_rate_hz, signal[begin:].T, rest)
    yield join_parts([assessed, quality_end(state, sampling_rate_hz, rest)])


def join_parts(parts: Sequence[IndexAndWord]) -> IndexAndWord:
    """Join index and word of one or more parts in their order."""
    index, word = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return index, word


def _start(second: int, rate_hz: float) -> int:
    """Return the first sample of a second."""
    return math.ceil(second * rate_hz)


def _complete(state: QualityState, sampling_rate_hz: float, filtered_rate_hz: float) -> int:
    """Count the seconds that are complete, both as recorded and filtered."""
    recorded_to = _start(state.second, sampling_rate_hz) + state.samples.shape[1]
    filtered_to = _start(state.second, filtered_rate_hz) + state.cleaned.shape[1] - _fast().reach
    # A second that ends on a sample is complete with it, so the last one may be found by division, but for rounding.
    second = max(state.second, int(min(recorded_to / sampling_rate_hz, filtered_to / filtered_rate_hz)) - 2)
    while (
        _start(second + 1, sampling_rate_hz) <= recorded_to
        and _start(second + 1, filtered_rate_hz) <= filtered_to
        and _start(second, filtered_rate_hz) + _SAMPLES <= filtered_to
    ):
        second += 1
    return second - state.second


def _new_fast(state: QualityState) -> tuple[FirState, NDArray[np.float64]]:
    """Filter the new part of the signal between 20 and 40 Hz."""
    first = state.power.shape[1] + state.fast.recent.shape[1] - state.fast.done
    return fir_step(_fast(), state.fast, state.cleaned[:, first:])


def _assess_seconds(
    state: QualityState, sampling_rate_hz: float, filtered_rate_hz: float, count: int
) -> tuple[QualityState, IndexAndWord]:
    """Assess the next `count` seconds."""
    if count == 0:
        return state, (np.empty((len(state.samples), 0)), np.empty((len(state.samples), 0), _WORDS.dtype))
    seconds = np.arange(state.second, state.second + count + 1)
    edges, starts = (np.ceil(seconds * rate).astype(np.int64) for rate in (sampling_rate_hz, filtered_rate_hz))
    edges, starts = edges - edges[0], starts - starts[0]
    measured = np.concatenate(
        [_measure_recorded(state, edges, sampling_rate_hz), _measure_filtered(state, starts[:-1])]
    )
    earlier, assessed = _score_seconds(state.earlier, measured)
    state = QualityState(
        state.samples[:, edges[-1] :],
        state.cleaned[:, starts[-1] :],
        state.missing[:, starts[-1] :],
        state.power[:, starts[-1] :],
        state.fast,
        earlier,
        0 if sampling_rate_hz % 1 == filtered_rate_hz % 1 == 0 else state.second + count,
    )
    return state, assessed


def _measure_recorded(state: QualityState, edges: NDArray[np.int64], sampling_rate_hz: float) -> NDArray[np.float64]:
    """Measure each second as recorded; the last one may be incomplete.

    Returns
    -------
    ndarray of float64, shape (9, leads, seconds)
        Number of samples, of valid ones, their sum, the highest sample and the highest inverted one, the same without
        spikes, and how many samples equal the highest and the lowest.
    """
    samples = state.samples[:, : edges[-1]]
    starts = edges[:-1]
    sizes = np.append(edges[1:-1], samples.shape[1]) - starts
    valid = np.isfinite(samples)
    measured = np.empty((9, len(samples), len(starts)))
    measured[0] = sizes
    if valid.all():
        measured[1], finite, both = sizes, samples, (samples, -samples)
    else:
        measured[1] = np.add.reduceat(valid, starts, axis=1, dtype=np.float64)
        finite = np.where(valid, samples, 0.0)
        both = np.where(valid, samples, -np.inf), np.where(valid, -samples, -np.inf)
    measured[2] = np.add.reduceat(finite, starts, axis=1)
    for inverted, signal in enumerate(both):
        highest = np.maximum.reduceat(signal, starts, axis=1)
        measured[3 + inverted] = highest
        measured[5 + inverted] = _without_spikes(signal, starts, sizes, sampling_rate_hz)
        measured[7 + inverted] = np.add.reduceat(
            signal == highest.repeat(sizes, axis=1), starts, axis=1, dtype=np.float64
        )
    return measured


def _without_spikes(
    signal: NDArray[np.float64], starts: NDArray[np.int64], sizes: NDArray[np.int64], sampling_rate_hz: float
) -> NDArray[np.float64]:
    """Return the highest level that a signal stays above for 10 ms in each second."""
    # The lowest of each sample and those that follow it within 10 ms, by doubling: of 1, 2, 4 ... samples ...
    width, length = int(_SPIKE_S * sampling_rate_hz) + 1, 1
    lowest = signal.copy()
    while length < width:
        further = min(length, width - length)
        lowest[:, :-further] = np.minimum(lowest[:, :-further], lowest[:, further:])
        length += further
    # ... where these are of the same second; a second shorter than that keeps its first sample.
    ends = starts + np.maximum(sizes - width + 1, 1)
    bounds = np.column_stack([starts, ends]).ravel()
    bounds = bounds[: 2 * len(starts) - (ends[-1] == signal.shape[1])]
    return np.asarray(np.maximum.reduceat(lowest, bounds, axis=1)[:, ::2])


def _measure_filtered(state: QualityState, starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Measure each filtered second.

    Returns
    -------
    ndarray of float64, shape (2 + 10 + 180, leads, seconds)
        The highest sample, the highest inverted one, the power between 20 and 40 Hz in each piece of 0.1 s, and the
        samples; NaN where missing.
    """
    places = starts[:, None] + np.arange(_SAMPLES)
    # The memory layout decides how sums are rounded; that of `take` is the same for any number of leads.
    missing = state.missing.take(places, axis=1)
    cleaned = np.where(missing, np.nan, state.cleaned.take(places, axis=1))
    power = np.where(missing, np.nan, state.power.take(places, axis=1)).reshape(len(missing), len(starts), _PIECES, -1)
    pieces = power.sum(axis=3).transpose(2, 0, 1) / (_SAMPLES // _PIECES)
    ends = [np.fmax.reduce(cleaned, axis=2), -np.fmin.reduce(cleaned, axis=2)]
    return np.concatenate([ends, pieces, cleaned.transpose(2, 0, 1)])


def _steps(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the highest step in each second after the first, shifted by the samples needed after it.

    It is 0 without a step, and where no step is high enough to count.

    Parameters
    ----------
    seconds : ndarray of float64, shape (180, leads, seconds)

    Returns
    -------
    ndarray of float64, shape (leads, seconds - 1)
    """
    pairs = np.concatenate([seconds[:, :, :-1], seconds[:, :, 1:]])[-(_SAMPLES + 2 * _LEVEL + _RISE) :]
    start, end = pairs[_LEVEL : _LEVEL + _SAMPLES], pairs[_LEVEL + _RISE : _LEVEL + _RISE + _SAMPLES]
    highest_steps = np.zeros(pairs.shape[1:])
    # Hardly any second has so steep a rise or fall.
    steep = (np.abs(end - start) > _LEAST_STEP_MV).any(axis=0)
    if not steep.any():
        return highest_steps
    pairs, start, end = pairs[:, steep], start[:, steep], end[:, steep]
    lowest = highest = pairs
    # The lowest and highest of a quarter of a second, by doubling: of 1, 2, 4, ... and finally 46 samples.
    length = 1
    while length < _LEVEL + 1:
        further = min(length, _LEVEL + 1 - length)
        lowest = np.minimum(lowest[:-further], lowest[further:])
        highest = np.maximum(highest[:-further], highest[further:])
        length += further
    # Before a rise the signal stays below its middle for that long, and after it above; in a fall the reverse.
    middle, count = (start + end) / 2, len(lowest) - _LEVEL - _RISE
    before_low, before_high = lowest[:count], highest[:count]
    after_low, after_high = lowest[-count:], highest[-count:]
    rises = (before_high <= middle) & (after_low >= middle)
    falls = (before_low >= middle) & (after_high <= middle)
    highest_steps[steep] = np.where(rises | falls, np.abs(end - start), 0.0).max(axis=0)
    return highest_steps


def _score_seconds(earlier: QualityHistory, now: NDArray[np.float64]) -> tuple[QualityHistory, IndexAndWord]:
    """Score seconds, each together with the one before it."""
    # Mean and span of both seconds, and the median power between 20 and 40 Hz of their pieces.
    before = np.concatenate([earlier.second, now], axis=2)[:, :, :-1]
    size, valid, total = now[:3] + before[:3]
    mean = total / np.where(valid > 0, valid, np.nan)
    span = np.fmax(now[9:11], before[9:11]).sum(axis=0)
    pieces = slice(11, 11 + _PIECES)
    fast = np.sqrt(lower_median(np.concatenate([before[pieces], now[pieces]]).transpose(1, 2, 0)))
    steps = np.concatenate([earlier.step, _steps(np.concatenate([earlier.second, now], axis=2)[pieces.stop :])], axis=1)

    # Saturated: the share of samples that equal the highest or lowest sample so far, if that lies far from the middle.
    means = np.concatenate([earlier.means, mean], axis=1)
    middle = _of_minute(means)
    top, top_before = now[3:5], before[3:5]
    tops = np.maximum(top, top_before)
    ends = np.maximum(earlier.ends, np.maximum.accumulate(tops, axis=2))
    at_top = np.where(top == tops, now[7:9], 0.0) + np.where(top_before == tops, before[7:9], 0.0)
    at_end = (tops == ends) & (ends - np.array([middle, -middle]) >= _LEAST_RAIL_MV)
    saturated = np.where(at_end, at_top, 0.0).sum(axis=0) / size
    # Lead off: the span without spikes, or the movement of the mean. Still and flat: the smaller of the spans.
    recorded_span = np.maximum(tops.sum(axis=0), 0.0)
    swing = np.fmax(np.maximum(now[5:7], before[5:7]).sum(axis=0), np.abs(mean - means[:, _REMEMBERED - 2 : -2]))
    saturated, still, flat = _index(np.array([saturated, span, np.fmin(span, recorded_span)]), _LIMITS)
    # Reasons in the order of `QUALITY_WORDS`, after "good".
    reasons = [now[1] / now[0], saturated, np.minimum(_index(swing, _MOST_SPAN_MV, 4), 1.0 - still), 1.0 - flat]
    # Noisy: the power between the beats, relative to the span within limits from the median of the last minute.
    usable = np.minimum.reduce(reasons) >= READABLE
    spans = np.concatenate([earlier.spans, np.where(usable, span, np.nan)], axis=1)
    height = _of_minute(spans)
    scale = np.minimum(np.maximum(span, height), 2.0 * height)
    noisy = _index(fast / scale, _MOST_FAST)
    # A fast rhythm leaves no quiet pieces: where a second would be noisy for them alone, look for finer ones.
    loud = (noisy < READABLE) & usable
    if loud.any():
        lead, second = np.nonzero(loud)
        both = np.concatenate([before[pieces.stop :, lead, second], now[pieces.stop :, lead, second]])
        quiet = _quiet(np.ascontiguousarray(both.T), _MOST_FAST * scale[lead, second])
        noisy[lead, second] = np.fmax(noisy[lead, second], _index(quiet / scale[lead, second], _MOST_FAST))
    # A step makes a second noisy too. The lowest index decides, and the first low one in order names the reason.
    stepped = np.maximum(steps[:, 1:], steps[:, :-1]) > np.fmax(height, _LEAST_STEP_MV)
    noisy = np.where(stepped, np.minimum(noisy, _STEP_INDEX), noisy)
    indices = np.array([*reasons, noisy])
    low = indices < READABLE
    word = _WORDS[np.where(low.any(axis=0), low.argmax(axis=0) + 1, 0)]
    earlier = QualityHistory(
        now[:, :, -1:], steps[:, -1:], means[:, -_REMEMBERED:], spans[:, -_REMEMBERED:], ends[:, :, -1:]
    )
    return earlier, (indices.min(axis=0), word)


def _quiet(windows: NDArray[np.float64], most: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure the noise between the beats of a fast rhythm; infinite without such a rhythm, or above `most`.

    Parameters
    ----------
    windows : ndarray of float64, shape (n, 360)
        Filtered signal of two seconds.
    most : ndarray of float64, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
        RMS between 20 and 40 Hz of the Gaussian noise that is as quiet in the quietest fifth of the time.
    """
    quiet = np.full(len(windows), np.inf)
    rows = np.flatnonzero(np.isfinite(windows).all(axis=1))
    # The power between 20 and 40 Hz in each 28 ms, without the ends, where the filter lacks samples.
    quick = correlate1d(windows[rows], _fast().taps, axis=1)
    power = correlate1d(quick * quick, _SHORT.taps, axis=1)[:, _fast().reach : -_fast().reach]
    place = power.shape[1] * _QUIET_PERCENTILE // 100
    level = np.sqrt(np.partition(power, place, axis=1)[:, place]) / _QUIET_SHARE
    few = level < most[rows]
    rows, level, amplitude = rows[few], level[few], np.sqrt(power[few])
    quiet[rows] = np.where(_repetition(amplitude) >= _LEAST_REPEATED, level, np.inf)
    return quiet


def _repetition(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the highest correlation of each window with itself a period of a fast rhythm later, shape (n,)."""
    count, length = windows.shape
    centred = windows - windows.mean(axis=1, keepdims=True)
    power = np.zeros((count, length + 1))
    np.cumsum(centred * centred, axis=1, out=power[:, 1:])
    best = np.zeros(count)
    for lag in _PERIODS:
        product = (centred[:, : length - lag] * centred[:, lag:]).sum(axis=1)
        scale = np.sqrt(power[:, length - lag] * (power[:, -1] - power[:, lag]))
        best = np.maximum(best, np.divide(product, scale, out=np.zeros(count), where=scale > 0))
    return best


_WORDS = np.array(QUALITY_WORDS)


def _of_minute(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of the minute that ends with each second after the first sixty; NaN where all are unknown."""
    windows = np.arange(values.shape[1] - _REMEMBERED)[:, None] + np.arange(_REMEMBERED + 1)
    return lower_median(values[:, windows])


def _index(value: NDArray[np.float64], limit: float | NDArray[np.float64], power: int = 2) -> NDArray[np.float64]:
    """Map 0 to 1, the limit to one half, and larger values towards 0; NaN gives 1."""
    return np.asarray(1.0 / (1.0 + np.minimum(np.fmax(value / limit, 0.0), 1e6) ** power))


def _fast() -> Fir:
    return design_bandpass(31, 20.0, 40.0, ANALYSIS_RATE_HZ)
