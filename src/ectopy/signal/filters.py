"""From samples as recorded to the signal that everything else looks at: 180 Hz, 0.5 to 40 Hz, zero phase, no spikes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin

from ectopy.arguments import check_fields
from ectopy.errors import SettingError
from ectopy.reprs import short_repr
from ectopy.signal.fir import Fir, FirState, fir_end, fir_step, missing_step
from ectopy.signal.pacing_spikes import SpikeState, spikes_end, spikes_step

ANALYSIS_RATE_HZ = 180
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 100.0, 1000.0

_THIN = 9  # the baseline is slow: it is found at 20 Hz
_TRANSITION_HZ = 20.0
_NOTCH_HZ = 4.0  # width
_LARGEST_DENOMINATOR = 400


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """What is kept of the signal.

    Attributes
    ----------
    low_hz : float
        Slower than this is taken for the wandering of the baseline; half of the amplitude is left at this frequency.
    high_hz : float
        Faster than this is taken for noise.
    notch_hz : float or None
        Mains frequency to remove, 50 or 60, where 40 Hz above are not enough.
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
    """A stretch of filtered signal.

    Attributes
    ----------
    signal : ndarray of float64, shape (leads, n)
        Millivolt at `rate_hz`; held where there was no valid sample.
    missing : ndarray of bool, shape (leads, n)
        Where there was none.
    rate_hz : float
        `ANALYSIS_RATE_HZ`, or within 0.13 % of it where no small fraction leads there from the rate of the recording;
        exact for 100, 125, 128, 200, 250, 256, 257, 300, 360, 500, 512 and 1000 Hz. Times are counted with this.
    """

    __repr__ = short_repr

    signal: NDArray[np.float64]
    missing: NDArray[np.bool_]
    rate_hz: float = float(ANALYSIS_RATE_HZ)

    def __getitem__(self, stretch: slice) -> Filtered:
        """Some of the samples."""
        return Filtered(self.signal[:, stretch], self.missing[:, stretch], self.rate_hz)

    def with_gaps(self) -> NDArray[np.float64]:
        """The signal with NaN where it is missing."""
        return np.where(self.missing, np.nan, self.signal)


@dataclass(frozen=True, slots=True)
class Filter:
    """The filters for one sampling rate.

    `lowpass` brings the signal to the analysis rate; `thin`, `smooth` and `widen` find its baseline; `spread` carries
    the missing samples along.
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
        if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
            raise SettingError(
                f"the sampling rate must lie between {LOWEST_RATE_HZ:g} and {HIGHEST_RATE_HZ:g} Hz, not "
                f"{rate_hz:g} Hz; resample the recording."
            )
        ratio = Fraction(ANALYSIS_RATE_HZ / rate_hz).limit_denominator(_LARGEST_DENOMINATOR)
        up, down = ratio.numerator, ratio.denominator
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
        """The rate of the result, as in `Filtered`."""
        return self.rate_hz * self.lowpass.up / self.lowpass.down

    def fresh(self, leads: int) -> FilterState:
        """Before the first sample of so many leads."""
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


def _odd(length: float) -> int:
    return 2 * round(length / 2) + 1


def _lowpass(rate_hz: float, settings: FilterSettings) -> NDArray[np.float64]:
    # The window method gives half of the amplitude at its cutoff; 3 dB are lost a little below.
    length = _odd(3.3 * rate_hz / _TRANSITION_HZ)
    taps: NDArray[np.float64] = firwin(length, settings.high_hz + 2.0, fs=rate_hz)
    if settings.notch_hz is None:
        return taps
    edges = [settings.notch_hz - _NOTCH_HZ / 2, settings.notch_hz + _NOTCH_HZ / 2]
    notch = firwin(_odd(3.3 * rate_hz / _NOTCH_HZ), edges, fs=rate_hz, pass_zero="bandstop")
    combined: NDArray[np.float64] = np.convolve(taps, notch)
    return combined


@dataclass(frozen=True, slots=True)
class FilterState:
    """What the filters remember between chunks; every array has one row per lead.

    `last` and `offset` are the last valid sample and what is taken from each sample so that the signal goes on after a
    gap where it stopped before; `gap` says whether the signal is in one, as it is before its start. `waiting`,
    `baseline` and `missing` are results not yet given; of the first of them, `given` have been given early.
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
    plan: Filter, state: FilterState, chunk: NDArray[np.floating]
) -> tuple[FilterState, Filtered, Filtered]:
    """Filter the next samples; the same for any cutting into chunks, to the last bit.

    Parameters
    ----------
    plan : Filter
    state : FilterState
    chunk : ndarray, shape (leads, k)
        Millivolt at the plan's rate; NaN = no valid sample.

    Returns
    -------
    state : FilterState
    early : Filtered
        What is now certain before the wandering of the baseline is taken away: about a tenth of a second behind.
    filtered : Filtered
        What is now certain: about a second behind, half the length of the baseline's window.
    """
    samples = np.ascontiguousarray(chunk, np.float64)
    valid = np.isfinite(samples)
    held, last, offset, gap = _hold(samples, valid, state)
    spikes, held = spikes_step(plan.rate_hz, state.spikes, held)
    lowpass, low = fir_step(plan.lowpass, state.lowpass, held)
    spread, gone = missing_step(plan.spread, state.spread, ~valid)
    thin, slow = fir_step(plan.thin, state.thin, low)
    smooth, slow = fir_step(plan.smooth, state.smooth, slow)
    widen, baseline = fir_step(plan.widen, state.widen, slow)
    kept, early, filtered = _give(plan, state, low, baseline, gone)
    state = FilterState(last, offset, gap, spikes, lowpass, spread, thin, smooth, widen, *kept)
    return state, early, filtered


def filter_end(plan: Filter, state: FilterState) -> tuple[Filtered, Filtered]:
    """What is left when the signal ends, as of `filter_step`; its last value is held for the filters."""
    leads = len(state.last)
    low = _ended(plan.lowpass, state.lowpass, spikes_end(plan.rate_hz, state.spikes), state.last - state.offset)
    gone = fir_end(plan.spread, state.spread, np.zeros((leads, 1)))
    slow = _ended(plan.thin, state.thin, low)
    slow = _ended(plan.smooth, state.smooth, slow)
    baseline = _ended(plan.widen, state.widen, slow)
    _, early, filtered = _give(plan, state, low, baseline, gone > 0)
    return early, filtered


def _ended(
    fir: Fir, state: FirState, chunk: NDArray[np.float64], last: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Filter the last samples, and hold the last one, or the given one."""
    state, begun = fir_step(fir, state, chunk)
    edge = last if last is not None else chunk[:, -1:] if chunk.shape[1] else np.zeros((len(chunk), 1))
    return np.concatenate([begun, fir_end(fir, state, edge)], axis=1)


def filter_signal(signal: NDArray[np.floating], rate_hz: float, settings: FilterSettings | None = None) -> Filtered:
    """Filter a whole signal: what is left of it without the wandering of its baseline; see `filter_twice`."""
    return filter_twice(signal, rate_hz, settings)[1]


def filter_twice(
    signal: NDArray[np.floating], rate_hz: float, settings: FilterSettings | None = None
) -> tuple[Filtered, Filtered]:
    """Filter a whole signal, ten minutes at a time.

    Parameters
    ----------
    signal : ndarray, shape (samples, leads)
        Millivolt; NaN = no valid sample.
    rate_hz : float
        100 to 1000 Hz.

    Returns
    -------
    early : Filtered
        With the wandering of the baseline, as a stream has it earlier; heartbeats are found in it.
    filtered : Filtered
        Without. Sample m of each lead lies ``m / filtered.rate_hz`` s after the first sample; as many as lie before the
        end.

    Raises
    ------
    SettingError
        If the rate lies outside 100 to 1000 Hz.
    """
    plan = Filter.of(rate_hz, settings)
    state, parts = plan.fresh(signal.shape[1]), []
    block = math.ceil(600 * rate_hz)
    for start in range(0, len(signal), block):
        state, *part = filter_step(plan, state, signal[start : start + block].T)
        parts.append(part)
    parts.append([*filter_end(plan, state)])
    early, filtered = zip(*parts, strict=True)
    return _joined(early), _joined(filtered)


def _joined(parts: Sequence[Filtered]) -> Filtered:
    signal = np.concatenate([part.signal for part in parts], axis=1)
    missing = np.concatenate([part.missing for part in parts], axis=1)
    return Filtered(signal, missing, parts[0].rate_hz)


def _hold(
    samples: NDArray[np.float64], valid: NDArray[np.bool_], state: FilterState
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Bridge the gaps: within one the value before it, and after it the signal moved to go on from there."""
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


def _give(
    plan: Filter,
    state: FilterState,
    low: NDArray[np.float64],
    baseline: NDArray[np.float64],
    missing: NDArray[np.bool_],
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], int], Filtered, Filtered]:
    """What can be given, after what cannot: `waiting`, `baseline`, `missing` and `given` of the state."""
    low = np.concatenate([state.waiting, low], axis=1)
    baseline = np.concatenate([state.baseline, baseline], axis=1)
    missing = np.concatenate([state.missing, missing], axis=1)
    soon = min(low.shape[1], missing.shape[1])
    ready = min(soon, baseline.shape[1])
    early = Filtered(low[:, state.given : soon], missing[:, state.given : soon], plan.analysis_rate_hz)
    filtered = Filtered(low[:, :ready] - baseline[:, :ready], missing[:, :ready], plan.analysis_rate_hz)
    return (low[:, ready:], baseline[:, ready:], missing[:, ready:], soon - ready), early, filtered
