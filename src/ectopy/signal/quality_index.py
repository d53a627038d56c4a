"""The index of each second of each lead: whether a person can read it, and if not, why.

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

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from ectopy.signal.autocorrelation import autocorrelation
from ectopy.signal.filters import ANALYSIS_RATE_HZ
from ectopy.signal.fir import Fir, design_bandpass
from ectopy.signal.lower_median import lower_median
from ectopy.signal.quality import QUALITY_WINDOW_S, QUALITY_WORDS, READABLE, IndexAndWord

SECOND_SAMPLES = round(QUALITY_WINDOW_S * ANALYSIS_RATE_HZ)
LEAST_MOVEMENT_MV = 0.004

_WORDS = np.array(QUALITY_WORDS)
_MOST_SATURATED = 0.05
_LEAST_RAIL_MV = 0.5
_LEAST_SPAN_MV = 0.05
_MOST_SPAN_MV = 8.0
_SPIKE_S = 0.01
_LEAST_STEP_MV = 2.0
_STEP_INDEX = 0.25
_MOST_FAST = 0.04
_LEAST_REPEATED = 0.8
_QUIET_PERCENTILE, _QUIET_SHARE = 20, 0.57
_LIMITS = np.array([_MOST_SATURATED, LEAST_MOVEMENT_MV, _LEAST_SPAN_MV])[:, None, None]

_PERIODS = round(0.18 * ANALYSIS_RATE_HZ), round(0.62 * ANALYSIS_RATE_HZ) - 1
_SHORT = Fir(np.full(5, 0.2))
_PIECES = 10  # of a second
_RISE, _LEVEL = round(0.022 * ANALYSIS_RATE_HZ), round(0.25 * ANALYSIS_RATE_HZ)
_REMEMBERED = 60  # seconds


@dataclass(frozen=True, slots=True)
class QualityHistory:
    """Memory of the assessed seconds.

    Attributes
    ----------
    second : ndarray of float64, shape (9 + 2 + 10 + 180, leads, 1)
        Measurements of the last one: see `measure_recorded` and `measure_filtered`.
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
        second = np.array([0.0, 0.0, 0.0] + [-np.inf] * 4 + [0.0, 0.0] + [np.nan] * (2 + _PIECES + SECOND_SAMPLES))
        unknown = np.full((leads, _REMEMBERED), np.nan)
        return cls(
            np.tile(second[:, None, None], (1, leads, 1)),
            np.zeros((leads, 1)),
            unknown,
            unknown,
            np.full((2, leads, 1), -np.inf),
        )


def measure_recorded(
    samples: NDArray[np.float64], edges: NDArray[np.int64], sampling_rate_hz: float
) -> NDArray[np.float64]:
    """Measure each second as recorded; the last one may be incomplete.

    Returns
    -------
    ndarray of float64, shape (9, leads, seconds)
        Number of samples, of valid ones, their sum, the highest sample and the highest inverted one, the same without
        spikes, and how many samples equal the highest and the lowest.
    """
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


def measure_filtered(
    cleaned: NDArray[np.float64], missing: NDArray[np.bool_], power: NDArray[np.float64], starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Measure each filtered second.

    Returns
    -------
    ndarray of float64, shape (2 + 10 + 180, leads, seconds)
        The highest sample, the highest inverted one, the power between 20 and 40 Hz in each piece of 0.1 s, and the
        samples; NaN where missing.
    """
    places = starts[:, None] + np.arange(SECOND_SAMPLES)
    # The memory layout decides how sums are rounded; that of `take` is the same for any number of leads.
    missing = missing.take(places, axis=1)
    cleaned = np.where(missing, np.nan, cleaned.take(places, axis=1))
    power = np.where(missing, np.nan, power.take(places, axis=1)).reshape(len(missing), len(starts), _PIECES, -1)
    pieces = power.sum(axis=3).transpose(2, 0, 1) / (SECOND_SAMPLES // _PIECES)
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
    pairs = np.concatenate([seconds[:, :, :-1], seconds[:, :, 1:]])[-(SECOND_SAMPLES + 2 * _LEVEL + _RISE) :]
    start, end = pairs[_LEVEL : _LEVEL + SECOND_SAMPLES], pairs[_LEVEL + _RISE : _LEVEL + _RISE + SECOND_SAMPLES]
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


def score_seconds(earlier: QualityHistory, now: NDArray[np.float64]) -> tuple[QualityHistory, IndexAndWord]:
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
    quick = correlate1d(windows[rows], fast_band().taps, axis=1)
    power = correlate1d(quick * quick, _SHORT.taps, axis=1)[:, fast_band().reach : -fast_band().reach]
    place = power.shape[1] * _QUIET_PERCENTILE // 100
    level = np.sqrt(np.partition(power, place, axis=1)[:, place]) / _QUIET_SHARE
    few = level < most[rows]
    rows, level, amplitude = rows[few], level[few], np.sqrt(power[few])
    # Only a rhythm repeats itself.
    varying = amplitude - amplitude.mean(axis=1, keepdims=True)
    repeated = autocorrelation(varying, *_PERIODS).max(axis=1)
    quiet[rows] = np.where(repeated >= _LEAST_REPEATED, level, np.inf)
    return quiet


def _of_minute(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of the minute that ends with each second after the first sixty; NaN where all are unknown."""
    windows = np.arange(values.shape[1] - _REMEMBERED)[:, None] + np.arange(_REMEMBERED + 1)
    return lower_median(values[:, windows])


def _index(value: NDArray[np.float64], limit: float | NDArray[np.float64], power: int = 2) -> NDArray[np.float64]:
    """Map 0 to 1, the limit to one half, and larger values towards 0; NaN gives 1."""
    return np.asarray(1.0 / (1.0 + np.minimum(np.fmax(value / limit, 0.0), 1e6) ** power))


def fast_band() -> Fir:
    """Return the filter between 20 and 40 Hz, in which noise differs from beats."""
    return design_bandpass(31, 20.0, 40.0, ANALYSIS_RATE_HZ)
