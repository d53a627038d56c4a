"""Can a person read this second of this lead? And if not, why not.

Every second of a lead, counted from the start of the recording, is judged by the two seconds that end with it, so that
a stream is judged as it comes and exactly as the whole recording. Each reason not to trust it has an index from 0 to 1,
which is one half at the limit given here; the index of the second is the lowest of them, and its word is the first
reason in this order with an index below one half, or ``good``:

``missing``
    Less than half of the samples of the second itself are valid. Index: share of them that are valid.
``saturated``
    The amplifier or converter is at its end: more than 5 % of the samples equal the largest or smallest value of the
    lead so far, which lies at least 0.5 mV from its middle in the last minute.
``lead off``
    The recorded signal spans more than 8 mV, or its mean has moved that far since the two seconds before: no ECG does
    that, an electrode that comes off or is touched does. Or it hardly moves at all: the filtered signal spans less than
    10 uV, which is less than the noise of electrodes on skin.
``flat``
    The signal, as recorded or filtered, spans less than 50 uV. A loose electrode may look so, and so does a heart that
    stands still: the two cannot be told apart here.
``noisy``
    Between the beats, where little should happen, the signal has more than 4 % of the height of the QRS complexes, RMS,
    between 20 and 40 Hz. *Between the beats* is the median of pieces of 0.1 s; the height is the span of the filtered
    signal, but not less than the median of it over the last minute, nor more than twice that, so that a pause is not
    taken for noise nor noise for QRS complexes. Gaussian noise alone has 10 %. Slower frequencies do not count: they
    would call ventricular tachycardia and flutter noisy, which are steep all the time.

Nothing is learned from labels; the limits were set by looking at the records DS1 of the MIT-BIH Arrhythmia Database,
in the manner of the indices in Clifford, Behar, Li, Rezek (2012), doi:10.1088/0967-3334/33/9/1419. Slow movement that
spans less than 8 mV is not seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin

from ectopy.errors import DataError
from ectopy.signal.filters import ANALYSIS_RATE_HZ, Filtered
from ectopy.signal.fir import Fir, FirState, fir_end, fir_step
from ectopy.signal.heartbeats import lower_median

WINDOW_S = 1.0
WORDS = ("good", "missing", "saturated", "lead off", "flat", "noisy")
READABLE = 0.5

_MOST_SATURATED = 0.05
_LEAST_RAIL_MV = 0.5
_LEAST_MOVEMENT_MV = 0.01
_LEAST_SPAN_MV = 0.05
_MOST_SPAN_MV = 8.0
_MOST_FAST = 0.04

_FAST = Fir(firwin(31, [20.0, 40.0], fs=ANALYSIS_RATE_HZ, pass_zero=False))
_SAMPLES = round(WINDOW_S * ANALYSIS_RATE_HZ)
_PIECES = 10  # of a second
_REMEMBERED = 60  # seconds
_BLOCK_S = 600


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
        Window k begins ``k * window_s`` seconds after the first sample; it is judged with the one before it.
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


@dataclass(frozen=True, slots=True)
class QualityState:
    """What the judgement of quality remembers; arrays have one row per lead, and seconds on the last axis.

    Attributes
    ----------
    samples : ndarray of float64, shape (leads, k)
        As recorded, of seconds that are not judged.
    cleaned, missing : ndarray, shape (leads, k)
        Filtered signal of these.
    power : ndarray of float64, shape (leads, at most k)
        Of what is fast in it, as far as it is known.
    fast : FirState
        Of the filter for what is fast.
    before : ndarray of float64, shape (7 + 2 + 10, leads, 1)
        What was found in the last judged second.
    means, spans : ndarray of float64, shape (leads, at most 60)
        Of the last seconds; the span NaN where it was not usable.
    highest, lowest : ndarray of float64, shape (leads, 1)
        So far.
    seconds : int
        Judged.
    """

    samples: NDArray[np.float64]
    cleaned: NDArray[np.float64]
    missing: NDArray[np.bool_]
    power: NDArray[np.float64]
    fast: FirState
    before: NDArray[np.float64]
    means: NDArray[np.float64]
    spans: NDArray[np.float64]
    highest: NDArray[np.float64]
    lowest: NDArray[np.float64]
    seconds: int = 0

    @classmethod
    def fresh(cls, leads: int) -> QualityState:
        """Before the first sample of so many leads."""
        none = np.empty((leads, 0))
        nothing = np.concatenate([_NO_RECORDED, np.full(2 + _PIECES, np.nan)])
        return cls(
            samples=none,
            cleaned=none,
            missing=none.astype(bool),
            power=none,
            fast=FirState.fresh(leads),
            before=np.tile(nothing[:, None, None], (1, leads, 1)),
            means=none,
            spans=none,
            highest=np.full((leads, 1), -np.inf),
            lowest=np.full((leads, 1), np.inf),
        )


# Samples, valid ones, highest, lowest, sum, and how many are at the highest and at the lowest.
_NO_RECORDED = np.array([0.0, 0.0, -np.inf, np.inf, 0.0, 0.0, 0.0])

Judged = tuple[NDArray[np.float64], NDArray[np.str_]]


def quality_step(
    state: QualityState, sampling_rate_hz: float, chunk: NDArray[np.floating], filtered: Filtered
) -> tuple[QualityState, Judged]:
    """Judge the next seconds; the same for any cutting into chunks.

    Parameters
    ----------
    state : QualityState
    sampling_rate_hz : float
    chunk : ndarray, shape (leads, k)
        Millivolt as recorded; NaN = no valid sample.
    filtered : Filtered
        What the filters have given for it.

    Returns
    -------
    state : QualityState
    judged : tuple of (ndarray of float64, ndarray of str), each of shape (leads, seconds)
        Index and word of each second for which all is known: about 1.3 s after its end.
    """
    state = replace(
        state,
        samples=np.concatenate([state.samples, chunk], axis=1),
        cleaned=np.concatenate([state.cleaned, filtered.signal], axis=1),
        missing=np.concatenate([state.missing, filtered.missing], axis=1),
    )
    count = _complete(state, sampling_rate_hz, filtered.rate_hz)
    if count:
        fast, quick = _fast(state, filtered.rate_hz)
        state = replace(state, fast=fast, power=np.concatenate([state.power, quick * quick], axis=1))
    return _judge(state, sampling_rate_hz, filtered.rate_hz, count)


def quality_end(state: QualityState, sampling_rate_hz: float, filtered: Filtered) -> Judged:
    """Judge the seconds that are left when the signal ends; `filtered` is what the filters gave at its end."""
    leads = len(state.samples)
    taken = _start(state.seconds, sampling_rate_hz) + state.samples.shape[1]
    count = 0
    while _start(state.seconds + count, sampling_rate_hz) < taken:
        count += 1
    state = replace(state, cleaned=np.concatenate([state.cleaned, filtered.signal], axis=1))
    fast, quick = _fast(state, filtered.rate_hz)
    length = fast.start + fast.recent.shape[1]
    _, rest = fir_end(_FAST, fast, length, fast.recent[:, -1:] if length else np.zeros((leads, 1)))
    # The last second is filled up with nothing.
    nothing = np.zeros((leads, 2 * _SAMPLES))
    state = replace(
        state,
        cleaned=np.concatenate([state.cleaned, nothing], axis=1),
        missing=np.concatenate([state.missing, filtered.missing, nothing == 0], axis=1),
        power=np.concatenate([state.power, quick * quick, rest * rest, nothing], axis=1),
    )
    _, judged = _judge(state, sampling_rate_hz, filtered.rate_hz, count)
    return judged


def assess(signal: NDArray[np.floating], sampling_rate_hz: float, filtered: Filtered) -> Quality:
    """Judge every second of every lead; the last one may be shorter.

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
    state, parts = QualityState.fresh(leads), []
    block, filtered_block = round(_BLOCK_S * sampling_rate_hz), round(_BLOCK_S * filtered.rate_hz)
    blocks = -(-len(signal) // block)
    for k in range(blocks):
        recorded = signal[k * block : (k + 1) * block].T
        cleaned = filtered[k * filtered_block : (k + 1) * filtered_block]
        state, judged = quality_step(state, sampling_rate_hz, recorded, cleaned)
        parts.append(judged)
    parts.append(quality_end(state, sampling_rate_hz, filtered[blocks * filtered_block :]))
    index, word = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return Quality(index, word, duration_s)


def _start(second: int, rate_hz: float) -> int:
    """The first sample of a second."""
    return math.ceil(second * rate_hz)


def _complete(state: QualityState, sampling_rate_hz: float, filtered_rate_hz: float) -> int:
    """How many more seconds are complete, as recorded and filtered."""
    recorded_to = _start(state.seconds, sampling_rate_hz) + state.samples.shape[1]
    known_to = _start(state.seconds, filtered_rate_hz) + state.cleaned.shape[1] - _FAST.reach
    second = state.seconds
    while (
        _start(second + 1, sampling_rate_hz) <= recorded_to
        and _start(second + 1, filtered_rate_hz) <= known_to
        and _start(second, filtered_rate_hz) + _SAMPLES <= known_to
    ):
        second += 1
    return second - state.seconds


def _fast(state: QualityState, rate_hz: float) -> tuple[FirState, NDArray[np.float64]]:
    """What is fast in the filtered signal that has come since the last time."""
    taken = state.fast.start + state.fast.recent.shape[1]
    return fir_step(_FAST, state.fast, state.cleaned[:, taken - _start(state.seconds, rate_hz) :])


def _judge(
    state: QualityState, sampling_rate_hz: float, filtered_rate_hz: float, count: int
) -> tuple[QualityState, Judged]:
    """Judge the next seconds, so many of them."""
    if count == 0:
        return state, (np.empty((len(state.samples), 0)), np.empty((len(state.samples), 0), _WORDS.dtype))
    seconds = np.arange(state.seconds, state.seconds + count + 1)
    edges, starts = (np.ceil(seconds * rate).astype(np.int64) for rate in (sampling_rate_hz, filtered_rate_hz))
    edges, starts = edges - edges[0], starts - starts[0]
    state, judged = _weigh(state, np.concatenate([_recorded(state, edges), _cleaned(state, starts[:-1])]))
    state = replace(
        state,
        samples=state.samples[:, edges[-1] :],
        cleaned=state.cleaned[:, starts[-1] :],
        missing=state.missing[:, starts[-1] :],
        power=state.power[:, starts[-1] :],
        seconds=state.seconds + count,
    )
    return state, judged


def _recorded(state: QualityState, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each second as recorded, the last one as far as it is known: see `_NO_RECORDED`; shape (7, leads, seconds)."""
    samples = state.samples[:, : edges[-1]]
    valid = np.isfinite(samples)
    starts = edges[:-1]
    sizes = np.append(edges[1:-1], samples.shape[1]) - starts

    def count(where: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.asarray(np.add.reduceat(where, starts, axis=1, dtype=np.float64))

    top = np.maximum.reduceat(np.where(valid, samples, -np.inf), starts, axis=1)
    bottom = np.minimum.reduceat(np.where(valid, samples, np.inf), starts, axis=1)
    total = np.add.reduceat(np.where(valid, samples, 0.0), starts, axis=1)
    at_top, at_bottom = (count(samples == np.repeat(extreme, sizes, axis=1)) for extreme in (top, bottom))
    return np.stack([np.broadcast_to(sizes, top.shape), count(valid), top, bottom, total, at_top, at_bottom])


def _cleaned(state: QualityState, starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each filtered second: highest, lowest, and how much of it is fast.

    Shape (2 + 10, leads, seconds), the power of what is fast in its pieces last; NaN where nothing is known.
    """
    places = starts[:, None] + np.arange(_SAMPLES)
    missing = state.missing[:, places]
    cleaned = np.where(missing, np.nan, state.cleaned[:, places])
    power = np.where(missing, np.nan, state.power[:, places]).reshape(len(missing), len(starts), _PIECES, -1)
    pieces = power.sum(axis=3).transpose(2, 0, 1) / (_SAMPLES // _PIECES)
    return np.concatenate([[np.fmax.reduce(cleaned, axis=2), np.fmin.reduce(cleaned, axis=2)], pieces])


def _weigh(state: QualityState, seconds: NDArray[np.float64]) -> tuple[QualityState, Judged]:
    """Judge seconds, each together with the one before it."""
    now, before = seconds, np.concatenate([state.before, seconds], axis=2)[:, :, :-1]
    size, valid, total = now[0] + before[0], now[1] + before[1], now[4] + before[4]
    top, bottom = np.maximum(now[2], before[2]), np.minimum(now[3], before[3])
    at_top = np.where(now[2] == top, now[5], 0.0) + np.where(before[2] == top, before[5], 0.0)
    at_bottom = np.where(now[3] == bottom, now[6], 0.0) + np.where(before[3] == bottom, before[6], 0.0)
    mean = np.divide(total, valid, out=np.full_like(total, np.nan), where=valid > 0)
    span = np.fmax(now[7], before[7]) - np.fmin(now[8], before[8])
    fast = np.sqrt(lower_median(np.concatenate([before[9:], now[9:]]).transpose(1, 2, 0)))

    means = np.concatenate([state.means, mean], axis=1)
    highest = np.maximum(state.highest, np.maximum.accumulate(top, axis=1))
    lowest = np.minimum(state.lowest, np.minimum.accumulate(bottom, axis=1))
    middle = _recent(means, mean.shape[1])
    above = (top == highest) & (highest - middle >= _LEAST_RAIL_MV)
    below = (bottom == lowest) & (middle - lowest >= _LEAST_RAIL_MV)
    saturated = (np.where(above, at_top, 0.0) + np.where(below, at_bottom, 0.0)) / size
    earlier = np.concatenate([np.full((len(mean), 2), np.nan), means], axis=1)[:, -mean.shape[1] - 2 : -2]
    recorded_span = np.where(top >= bottom, top - bottom, 0.0)
    swing = np.fmax(recorded_span, np.abs(mean - earlier))
    reasons = {
        "missing": now[1] / now[0],
        "saturated": _index(saturated, _MOST_SATURATED),
        "lead off": np.minimum(_index(swing, _MOST_SPAN_MV, 4), 1.0 - _index(span, _LEAST_MOVEMENT_MV)),
        "flat": 1.0 - _index(np.fmin(span, recorded_span), _LEAST_SPAN_MV),
    }
    usable = np.min(list(reasons.values()), axis=0) >= READABLE
    spans = np.concatenate([state.spans, np.where(usable, span, np.nan)], axis=1)
    height = _recent(spans, span.shape[1])
    reasons["noisy"] = _index(fast / np.minimum(np.maximum(span, height), 2.0 * height), _MOST_FAST)
    indices = np.stack([reasons[word] for word in WORDS[1:]])
    low = indices < READABLE
    word = _WORDS[np.where(low.any(axis=0), low.argmax(axis=0) + 1, 0)]
    state = replace(
        state,
        before=now[:, :, -1:],
        means=means[:, -_REMEMBERED:],
        spans=spans[:, -_REMEMBERED:],
        highest=highest[:, -1:],
        lowest=lowest[:, -1:],
    )
    return state, (indices.min(axis=0), word)


_WORDS = np.array(WORDS)


def _recent(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """For each of the last `count` seconds the median of the minute that ends with it; NaN where nothing is known."""
    before = np.full((len(values), _REMEMBERED), np.nan)
    windows = values.shape[1] - count + np.arange(count)[:, None] + np.arange(_REMEMBERED + 1)
    return lower_median(np.concatenate([before, values], axis=1)[:, windows])


def _index(value: NDArray[np.float64], limit: float, power: int = 2) -> NDArray[np.float64]:
    """From 1 at 0 over one half at the limit towards 0; 1 where nothing is known."""
    return np.asarray(1.0 / (1.0 + np.minimum(np.fmax(value / limit, 0.0), 1e6) ** power))
