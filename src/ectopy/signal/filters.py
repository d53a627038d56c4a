"""Filter samples as recorded to the signal of all other steps: 180 Hz, 0.5 to 40 Hz, zero phase, no pacing spikes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ectopy import large_arrays
from ectopy.arguments import check_fields
from ectopy.errors import SettingError
from ectopy.presentation import short_repr
from ectopy.signal.fir import Fir, FirState, design_taps, fir_end, fir_step, missing_step
from ectopy.signal.pacing_spikes import SpikeState, spikes_end, spikes_step

LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 100.0, 1000.0
ANALYSIS_RATE_HZ = 180
STRENGTH_RATE_HZ = ANALYSIS_RATE_HZ // 2
"""Of the strength of QRS complexes, and of the search for beats."""

_THIN = 9  # the baseline is slow: it is computed at 20 Hz
_TRANSITION_HZ = 20.0
_NOTCH_HZ = 4.0  # width
_BLOCK_S = 120
_LARGEST_DENOMINATOR = 400


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """Frequencies that the filters pass.

    Attributes
    ----------
    low_hz : float
        Lower frequencies count as the wandering of the baseline; at this one half of the amplitude remains.
    high_hz : float
        Higher frequencies count as noise.
    notch_hz : float or None
        Frequency to remove, from 10 to 60, such as that of the mains where `high_hz` is not enough.
    """

    low_hz: float = 0.5
    high_hz: float = 40.0
    notch_hz: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0.1 <= self.low_hz <= 5:
            raise SettingError(f"low_hz must lie between 0.1 and 5 Hz, not {self.low_hz}.")
        if not 15 <= self.high_hz <= 60:
            raise SettingError(f"high_hz must lie between 15 and 60 Hz, not {self.high_hz}.")
        if self.notch_hz is not None and not 10 <= self.notch_hz <= 60:
            raise SettingError(f"notch_hz must lie between 10 and 60 Hz, not {self.notch_hz}.")


@dataclass(frozen=True, slots=True)
class Filtered:
    """Filtered samples.

    Attributes
    ----------
    signal : ndarray of float64, shape (leads, n)
        Millivolt at `rate_hz`; the last value where there is no valid sample.
    missing : ndarray of bool, shape (leads, n)
        Where there is no valid sample.
    rate_hz : float
        `ANALYSIS_RATE_HZ`, or within 0.13 % of it where its ratio to the rate of the recording is not a small fraction;
        exact for 100, 125, 128, 200, 250, 256, 257, 300, 360, 500, 512 and 1000 Hz. Times are computed from it.
    """

    __repr__ = short_repr

    signal: NDArray[np.float64]
    missing: NDArray[np.bool_]
    rate_hz: float = float(ANALYSIS_RATE_HZ)

    def __getitem__(self, stretch: slice) -> Filtered:
        return Filtered(self.signal[:, stretch], self.missing[:, stretch], self.rate_hz)

    def with_gaps(self) -> NDArray[np.float64]:
        """Return the signal with NaN where it is missing."""
        return np.where(self.missing, np.nan, self.signal)


@dataclass(frozen=True, slots=True)
class Filter:
    """The filters for one sampling rate.

    `lowpass` brings the signal to the analysis rate; `thin`, `smooth` and `widen` compute its baseline; `spread` marks
    the output that rests on missing samples.
    """

    rate_hz: float
    lowpass: Fir
    spread: Fir
    thin: Fir
    smooth: Fir
    widen: Fir

    @classmethod
    def of(cls, rate_hz: float, settings: FilterSettings | None = None) -> Filter:
        """Design the filters.

        Raises
        ------
        SettingError
            If the rate lies outside 100 to 1000 Hz.
        """
        settings = settings or FilterSettings()
        up, down = _ratio(rate_hz)
        triangle = np.bartlett(2 * _THIN + 1)[1:-1]
        hann = np.hanning(_odd(ANALYSIS_RATE_HZ / _THIN / settings.low_hz) + 2)[1:-1]
        return cls(
            rate_hz=rate_hz,
            lowpass=Fir(_lowpass(rate_hz * up, settings) * up, up, down),
            spread=Fir(np.bartlett(2 * max(up, down) + 1)[1:-1], up, down),
            thin=Fir(triangle / triangle.sum(), 1, _THIN),
            smooth=Fir(hann / hann.sum()),
            widen=Fir(triangle, _THIN, 1),
        )

    @property
    def analysis_rate_hz(self) -> float:
        """Return the rate of the result, as in `Filtered`."""
        return self.rate_hz * self.lowpass.up / self.lowpass.down

    def fresh(self, leads: int) -> FilterState:
        """Return the state before the first sample."""
        fresh = FirState.fresh(leads)
        return FilterState(
            last=np.zeros((leads, 1)),
            offset=np.zeros((leads, 1)),
            gap=np.ones((leads, 1), np.bool_),
            spikes=SpikeState.fresh(leads),
            lowpass=fresh,
            spread=FirState.fresh_missing(leads),
            thin=fresh,
            smooth=fresh,
            widen=fresh,
            waiting=np.empty((leads, 0)),
            baseline=np.empty((leads, 0)),
            missing=np.empty((leads, 0), np.bool_),
        )


def _ratio(rate_hz: float) -> tuple[int, int]:
    """Return by what a rate is multiplied and divided to be the analysis rate; a `SettingError` if out of range."""
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise SettingError(
            f"the sampling rate must lie between {LOWEST_RATE_HZ:g} and {HIGHEST_RATE_HZ:g} Hz, not "
            f"{rate_hz:g} Hz; resample the recording."
        )
    ratio = Fraction(ANALYSIS_RATE_HZ / rate_hz).limit_denominator(_LARGEST_DENOMINATOR)
    return ratio.numerator, ratio.denominator


def _odd(length: float) -> int:
    return 2 * round(length / 2) + 1


def _lowpass(rate_hz: float, settings: FilterSettings) -> NDArray[np.float64]:
    # The window method gives half of the amplitude at its cutoff; 3 dB are lost a little below.
    length = _odd(3.3 * rate_hz / _TRANSITION_HZ)
    taps = design_taps(length, settings.high_hz + 2.0, rate_hz, "lowpass")
    if settings.notch_hz is None:
        return taps
    edges = [settings.notch_hz - _NOTCH_HZ / 2, settings.notch_hz + _NOTCH_HZ / 2]
    notch = design_taps(_odd(3.3 * rate_hz / _NOTCH_HZ), edges, rate_hz, "bandstop")
    combined: NDArray[np.float64] = np.convolve(taps, notch)
    return combined


@dataclass(frozen=True, slots=True)
class FilterState:
    """State of the filters between chunks; every array has one row per lead.

    `last` is the last valid sample, and `offset` is subtracted from each sample so that the signal continues after a
    gap at the level before it; `gap` is true within a gap, and before the start. `waiting`, `baseline` and `missing`
    are results that are not emitted yet; the first `given` of them have been emitted as early ones.
    """

    last: NDArray[np.float64]
    offset: NDArray[np.float64]
    gap: NDArray[np.bool_]
    spikes: SpikeState
    lowpass: FirState
    spread: FirState
    thin: FirState
    smooth: FirState
    widen: FirState
    waiting: NDArray[np.float64]
    baseline: NDArray[np.float64]
    missing: NDArray[np.bool_]
    given: int = 0


def filter_step(
    filters: Filter, state: FilterState, chunk: NDArray[np.floating]
) -> tuple[FilterState, Filtered, Filtered]:
    """Filter the next samples; the result does not depend on the division into chunks, to the last bit.

    Parameters
    ----------
    filters : Filter
    state : FilterState
    chunk : ndarray, shape (leads, k)
        Millivolt at the rate of the filters; NaN = no valid sample.

    Returns
    -------
    state : FilterState
    early : Filtered
        New samples with the wandering of the baseline: about a tenth of a second late.
    filtered : Filtered
        New samples without: about a second late, half the length of the baseline's window.
    """
    samples = np.ascontiguousarray(chunk, np.float64)
    valid = np.isfinite(samples)
    bridged, last, offset, gap = _bridge_gaps(samples, valid, state)
    # Without pacing spikes, below 42 Hz, at 180 Hz.
    spikes, bridged = spikes_step(filters.rate_hz, state.spikes, bridged)
    lowpass, low = fir_step(filters.lowpass, state.lowpass, bridged)
    spread, absent = missing_step(filters.spread, state.spread, ~valid)
    # The baseline: thinned to 20 Hz, smoothed with a window of two seconds, and interpolated back to 180 Hz.
    thin, slow = fir_step(filters.thin, state.thin, low)
    smooth, slow = fir_step(filters.smooth, state.smooth, slow)
    widen, baseline = fir_step(filters.widen, state.widen, slow)
    rest, early, filtered = _emit(filters, state, low, baseline, absent)
    state = FilterState(last, offset, gap, spikes, lowpass, spread, thin, smooth, widen, *rest)
    return state, early, filtered


def filter_end(filters: Filter, state: FilterState) -> tuple[Filtered, Filtered]:
    """Return the remaining results of `filter_step` when the signal ends; its last value is repeated."""
    leads = len(state.last)
    low = _ended(filters.lowpass, state.lowpass, spikes_end(filters.rate_hz, state.spikes), state.last - state.offset)
    absent = fir_end(filters.spread, state.spread, np.zeros((leads, 1)))
    slow = _ended(filters.thin, state.thin, low)
    slow = _ended(filters.smooth, state.smooth, slow)
    baseline = _ended(filters.widen, state.widen, slow)
    _, early, filtered = _emit(filters, state, low, baseline, absent > 0)
    return early, filtered


def _ended(
    fir: Fir, state: FirState, chunk: NDArray[np.float64], last: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Filter the last samples, and repeat the last one, or `last`."""
    state, first_part = fir_step(fir, state, chunk)
    edge = last if last is not None else chunk[:, -1:] if chunk.shape[1] else np.zeros((len(chunk), 1))
    return np.concatenate([first_part, fir_end(fir, state, edge)], axis=1)


def filter_signal(signal: NDArray[np.floating], rate_hz: float, settings: FilterSettings | None = None) -> Filtered:
    """Filter a whole signal, without the wandering of its baseline; see `filter_twice`."""
    return filter_twice(signal, rate_hz, settings)[1]


def filter_twice(
    signal: NDArray[np.floating], rate_hz: float, settings: FilterSettings | None = None
) -> tuple[Filtered, Filtered]:
    """Filter a whole signal, two minutes at a time.

    Parameters
    ----------
    signal : ndarray, shape (samples, leads)
        Millivolt; NaN = no valid sample.
    rate_hz : float
        100 to 1000 Hz.

    Returns
    -------
    early : Filtered
        With the wandering of the baseline, available earlier in a stream; heartbeats are detected in it.
    filtered : Filtered
        Without. Sample m of each lead lies ``m / filtered.rate_hz`` s after the first sample; the last one before the
        end.

    Raises
    ------
    SettingError
        If the rate lies outside 100 to 1000 Hz.
    """
    early, filtered = (unfilled(signal.shape, rate_hz, large_arrays.empty) for _ in range(2))
    *_, (early_end, filtered_end) = filter_into(early, filtered, signal, rate_hz, settings)
    return early[:early_end], filtered[:filtered_end]


def filter_into(
    early: Filtered,
    filtered: Filtered,
    signal: NDArray[np.floating],
    rate_hz: float,
    settings: FilterSettings | None = None,
) -> Iterator[tuple[int, int]]:
    """Filter a whole signal as `filter_twice` does, into arrays of `unfilled`; yield where each ends as it grows."""
    filters = Filter.of(rate_hz, settings)
    samples, leads = signal.shape
    state = filters.fresh(leads)
    early_end = filtered_end = 0
    arrays = (signal, early.signal, early.missing, filtered.signal, filtered.missing)
    for rows in large_arrays.blocks(samples, math.ceil(_BLOCK_S * rate_hz), *arrays):
        state, early_part, part = filter_step(filters, state, signal[rows].T)
        early_end, filtered_end = _put(early, early_end, early_part), _put(filtered, filtered_end, part)
        yield early_end, filtered_end
    early_part, part = filter_end(filters, state)
    yield _put(early, early_end, early_part), _put(filtered, filtered_end, part)


def unfilled(
    shape: tuple[int, ...],
    rate_hz: float,
    empty: Callable[[tuple[int, int], DTypeLike], NDArray[Any]],
) -> Filtered:
    """Return arrays for a filtered signal of this shape, (samples, leads), whose values are to be set."""
    up, down = _ratio(rate_hz)
    samples, leads = shape
    size = leads, -(-samples * up // down)
    return Filtered(empty(size, np.float64), empty(size, np.bool_), rate_hz * up / down)


def _put(whole: Filtered, begin: int, part: Filtered) -> int:
    """Put the next samples into their place; return where they end."""
    end: int = begin + part.signal.shape[1]
    whole.signal[:, begin:end], whole.missing[:, begin:end] = part.signal, part.missing
    return end


def _bridge_gaps(
    samples: NDArray[np.float64], valid: NDArray[np.bool_], state: FilterState
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Bridge gaps: repeat the value before a gap within it, and shift the signal after it to that level."""
    if samples.shape[1] and valid.all() and not state.gap.any():
        return samples - state.offset, samples[:, -1:], state.offset, state.gap
    gap = np.concatenate([state.gap, ~valid], axis=1)
    whole = np.concatenate([state.last, samples], axis=1)
    place = np.where(gap, 0, np.arange(whole.shape[1]))
    place[:, 0] = 0
    filled = np.take_along_axis(whole, np.maximum.accumulate(place, axis=1), axis=1)
    steps = np.where(gap[:, :-1] & ~gap[:, 1:], np.diff(filled, axis=1), 0.0)
    offsets = np.cumsum(np.concatenate([state.offset, steps], axis=1), axis=1)
    return filled[:, 1:] - offsets[:, 1:], filled[:, -1:], offsets[:, -1:], gap[:, -1:]


def _emit(
    filters: Filter,
    state: FilterState,
    low: NDArray[np.float64],
    baseline: NDArray[np.float64],
    missing: NDArray[np.bool_],
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], int], Filtered, Filtered]:
    """Return `waiting`, `baseline`, `missing` and `given` of the next state, and what can be emitted."""
    low = np.concatenate([state.waiting, low], axis=1)
    baseline = np.concatenate([state.baseline, baseline], axis=1)
    missing = np.concatenate([state.missing, missing], axis=1)
    soon = min(low.shape[1], missing.shape[1])
    ready = min(soon, baseline.shape[1])
    early = Filtered(low[:, state.given : soon], missing[:, state.given : soon], filters.analysis_rate_hz)
    filtered = Filtered(low[:, :ready] - baseline[:, :ready], missing[:, :ready], filters.analysis_rate_hz)
    return (low[:, ready:], baseline[:, ready:], missing[:, ready:], soon - ready), early, filtered
