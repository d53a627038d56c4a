"""Detect ventricular fibrillation, flutter, and tachycardia too wide for QRS complexes to stand out, lead by lead.

Every second of a lead is assessed by the four seconds that end with it, in the signal between 1 and 25 Hz at 90 Hz. The
measures do not depend on amplitude or polarity:

*Evenness of the slope*
    Mean over maximum of the slope in each second. QRS complexes are far steeper than what lies between them;
    fibrillation, flutter and wide tachycardia are about equally steep all the time.
*Time away from the middle*
    Share of samples above a fifth of the highest of their second, after the threshold crossing sample count of
    Arafat, Chowdhury, Hasan (2011), doi:10.1007/s11760-009-0145-4.
*Complexity*
    How much faster the slope changes than the signal, after Hjorth (1970), doi:10.1016/0013-4694(70)90143-4.
*Slow waves*
    Share of the power below 2.1 Hz: movement, and rhythms below 126 per minute.

Their weights are those of a logistic regression between four-second windows inside annotated ventricular fibrillation,
flutter and tachycardia and all others of several public databases; `ectopy benchmark fibrillation` repeats the fit
with records and whole databases left out. Labelled rhythms are used for this rule only: no autoencoder is trained on
them.

A lead has no score where the signal or its slope changes as fast as noise does, or nearly all of it is slow. A lead
*speaks against* fibrillation where single complexes are much steeper than the rest, or where the signal repeats itself
closely (Boersma 1993) after more than 0.46 s: a wide QRS complex or a high T wave of a rhythm below 130 per minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.signal.filters import ANALYSIS_RATE_HZ, Filtered
from ectopy.signal.fir import HALVING, Fir, FirState, design_bandpass, fir_end, fir_step, missing_step
from ectopy.signal.state_replace import replace

WINDOW_S = 4
RATE_HZ = ANALYSIS_RATE_HZ // 2
MEASURES = (
    "evenness of the slope",
    "time away from the middle",
    "complexity",
    "slow waves",
)
"""In the order of the weights."""

_WINDOW = WINDOW_S * RATE_HZ
_MOST_MISSING = 0.1
_LEAST_RMS_MV, _MOST_RMS_MV = 0.012, 4.0
_THRESHOLD_SHARE = 0.2
_TINY = 1e-12

_HALF_HZ = RATE_HZ // 2  # cycles are measured at half the rate
_SHORTEST, _LONGEST = 7, 50  # samples at that rate: 390 to 54 cycles per minute
_PADDED = 240
_TAPER = np.hanning(_WINDOW // 2 + 2)[1:-1]
_OF_TAPER = np.correlate(_TAPER, _TAPER, "full")[_WINDOW // 2 - 1 :]
_TAPERED = _OF_TAPER[_SHORTEST - 1 : _LONGEST + 2] / _OF_TAPER[0]
_SLOW_HZ = 2.1
_SLOW_BINS = int(_SLOW_HZ * _PADDED / _HALF_HZ) + 1
_FIRST_SHARE, _FIRST_BELOW = 0.8, 0.15

WEIGHTS = (-10.499, 29.422, 5.309, 2.208, -6.735)
"""The offset, then one for each measure."""
THRESHOLD = 0.0
"""Log-odds above which a lead shows fibrillation."""
_MOST_SPEED, _MOST_BEND, _MOST_SLOW = -0.6, -0.15, 0.7
_UNEVEN = 0.19
_REPEATS = 0.85
_SLOW_CYCLE_S = 0.46


@dataclass(frozen=True, slots=True)
class FibrillationState:
    """State of the detection; every array has one row per lead.

    Attributes
    ----------
    band, missing : FirState
        Of the filters.
    wave : ndarray of float64, shape (leads, k)
        The signal between 1 and 25 Hz of up to three seconds before the incomplete one, and of that one.
    absent : ndarray of bool, shape (leads, k)
        Where it is missing.
    """

    band: FirState
    missing: FirState
    wave: NDArray[np.float64]
    absent: NDArray[np.bool_]

    @classmethod
    def fresh(cls, leads: int) -> FibrillationState:
        """Return the state before the first sample; the three seconds before it are missing."""
        before = (leads, _WINDOW - RATE_HZ)
        return cls(FirState.fresh(leads), FirState.fresh_missing(leads), np.zeros(before), np.ones(before, np.bool_))


@dataclass(frozen=True, slots=True)
class Waveform:
    """Assessment of each second of each lead; arrays have the shape (leads, seconds).

    Attributes
    ----------
    score : ndarray of float64
        Log-odds of fibrillation, flutter or wide tachycardia in the four seconds that end with it; NaN where a tenth of
        the samples is missing, or the lead hardly moves, moves more than an ECG does, or is noise.
    organised : ndarray of bool
        Where the lead speaks against it.
    """

    score: NDArray[np.float64]
    organised: NDArray[np.bool_]

    @property
    def fibrillating(self) -> NDArray[np.bool_]:
        """Return where the score is above the limit."""
        return np.asarray(self.score > THRESHOLD)


def fibrillation_step(state: FibrillationState, filtered: Filtered) -> tuple[FibrillationState, Waveform]:
    """Assess the seconds that are complete; the result does not depend on the division into chunks.

    Parameters
    ----------
    state : FibrillationState
    filtered : Filtered
        The next samples from `filter_step`.

    Returns
    -------
    state : FibrillationState
    waveform : Waveform
        Of seconds of 90 samples, counted from the start of the signal.
    """
    band, wave = fir_step(_band(), state.band, filtered.signal)
    missing, absent = missing_step(HALVING, state.missing, filtered.missing)
    state = FibrillationState(
        band, missing, np.concatenate([state.wave, wave], axis=1), np.concatenate([state.absent, absent], axis=1)
    )
    return _assess_complete(state)


def fibrillation_end(state: FibrillationState, filtered: Filtered) -> Waveform:
    """Assess the remaining complete seconds when the signal ends with these samples."""
    band, wave = fir_step(_band(), state.band, filtered.signal)
    missing, absent = missing_step(HALVING, state.missing, filtered.missing)
    edge = np.zeros((len(state.wave), 1))
    wave = np.concatenate([state.wave, wave, fir_end(_band(), band, edge)], axis=1)
    absent = np.concatenate([state.absent, absent, fir_end(HALVING, missing, edge) > 0], axis=1)
    return _assess_complete(FibrillationState(band, missing, wave, absent))[1]


def _assess_complete(state: FibrillationState) -> tuple[FibrillationState, Waveform]:
    leads = len(state.wave)
    length = min(state.wave.shape[1], state.absent.shape[1])
    seconds = max((length - _WINDOW) // RATE_HZ + 1, 0)
    if not seconds:
        no_seconds = np.empty((leads, 0))
        return state, Waveform(no_seconds, no_seconds > 0)
    positions = np.arange(seconds)[:, None] * RATE_HZ + np.arange(_WINDOW)
    measured, usable, noise = _measure_windows(state.wave, state.absent, positions)
    # Added one after the other: how a matrix product is rounded depends on the number of leads.
    score = np.full(len(measured.power), WEIGHTS[0])
    for weight, values in zip(WEIGHTS[1:], measured.measures, strict=True):
        score += weight * values
    organised = (measured.measures[0] < _UNEVEN) | ((measured.cycle_s > _SLOW_CYCLE_S) & (measured.repeats > _REPEATS))
    consumed = seconds * RATE_HZ
    state = replace(state, wave=state.wave[:, consumed:], absent=state.absent[:, consumed:])
    shape = (leads, seconds)
    return state, Waveform(
        np.where(usable & ~noise, score, np.nan).reshape(shape),
        (usable & organised).reshape(shape),
    )


def measure_signal(filtered: Filtered) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Measure the windows of a whole signal, which end with its fourth second and each later one.

    Returns
    -------
    measures : ndarray of float64, shape (4, leads, windows)
        In the order of `MEASURES`.
    usable : ndarray of bool, shape (leads, windows)
        Where the signal is present, and neither too small nor too large.
    noise : ndarray of bool, shape (leads, windows)
        Where the lead is noise.
    """
    leads = len(filtered.signal)
    band, wave = fir_step(_band(), FirState.fresh(leads), filtered.signal)
    wave = np.concatenate([wave, fir_end(_band(), band, np.zeros((leads, 1)))], axis=1)
    absent = filtered.missing[:, ::2]
    windows = max((wave.shape[1] - _WINDOW) // RATE_HZ + 1, 0)
    positions = np.arange(windows)[:, None] * RATE_HZ + np.arange(_WINDOW)
    measured, usable, noise = _measure_windows(wave, absent, positions)
    return measured.measures.reshape(-1, leads, windows), usable.reshape(leads, windows), noise.reshape(leads, windows)


def _measure_windows(
    wave: NDArray[np.float64], absent: NDArray[np.bool_], positions: NDArray[np.int64]
) -> tuple[WindowMeasures, NDArray[np.bool_], NDArray[np.bool_]]:
    """Measure the windows at these positions of each lead, and return where they are usable, and where noise."""
    # The memory layout decides how sums are rounded; that of `take` is the same for any number of leads.
    measured = measure(wave.take(positions, axis=1).reshape(-1, _WINDOW))
    too_few = absent.take(positions, axis=1).reshape(-1, _WINDOW).sum(axis=1) > _MOST_MISSING * _WINDOW
    usable = ~too_few & (measured.power >= _LEAST_RMS_MV**2) & (measured.power <= _MOST_RMS_MV**2)
    noise = (measured.speed > _MOST_SPEED) | (measured.bend > _MOST_BEND) | (measured.measures[-1] > _MOST_SLOW)
    return measured, usable, noise


class WindowMeasures(NamedTuple):
    """Measures of windows of four seconds; arrays have the shape (windows,).

    Attributes
    ----------
    measures : ndarray of float64, shape (4, windows)
        In the order of `MEASURES`.
    power : ndarray of float64
        Mean square, in square millivolt.
    speed, bend : ndarray of float64
        Logarithm of the slope over the signal, and of the change of the slope over the slope, RMS.
    repeats, cycle_s : ndarray of float64
        Correlation of the signal with itself one cycle later, and the length of the cycle; NaN where there is none.
    """

    measures: NDArray[np.float64]
    power: NDArray[np.float64]
    speed: NDArray[np.float64]
    bend: NDArray[np.float64]
    repeats: NDArray[np.float64]
    cycle_s: NDArray[np.float64]


def measure(windows: NDArray[np.float64]) -> WindowMeasures:
    """Measure windows between 1 and 25 Hz, shape (windows, 360), in millivolt at 90 Hz."""
    # The signal, its slope and the change of the slope; their mean squares give speed and bend after Hjorth.
    count = len(windows)
    size = np.abs(windows)
    step = np.diff(windows, axis=1, append=windows[:, -1:])
    slope = np.abs(step)
    bend = np.diff(step, axis=1)
    power, speed, bent = ((values * values).mean(axis=1) for values in (windows, step, bend))

    # Evenness of the slope, and time away from the middle, in each second.
    slopes, sizes = slope.reshape(count, WINDOW_S, -1), size.reshape(count, WINDOW_S, -1)
    even = (slopes.mean(axis=2) / (slopes.max(axis=2) + _TINY)).mean(axis=1)
    away = (sizes > _THRESHOLD_SHARE * sizes.max(axis=2, keepdims=True)).reshape(count, -1).mean(axis=1)

    # Power below 2.1 Hz, and autocorrelation as the inverse transform of the power spectrum, both at 45 Hz.
    halved = (windows[:, 0::2] + windows[:, 1::2]) / 2
    halved = (halved - halved.mean(axis=1, keepdims=True)) * _TAPER
    spectrum = np.abs(np.fft.rfft(halved, _PADDED, axis=1)) ** 2
    slow = spectrum[:, :_SLOW_BINS].sum(axis=1) / (spectrum.sum(axis=1) + _TINY)
    repeats, cycle = _cycle(np.fft.irfft(spectrum, _PADDED, axis=1))
    mobility, complexity = (
        0.5 * np.log((faster + _TINY) / (slower + _TINY)) for faster, slower in ((speed, power), (bent, speed))
    )
    measures = np.array([even, away, complexity - mobility, slow])
    return WindowMeasures(
        measures, power, mobility, complexity, repeats, np.where(repeats > 0, cycle / _HALF_HZ, np.nan)
    )


def _cycle(products: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return height and lag of the first peak of the autocorrelation that is nearly as high as the highest."""
    # The taper lowers the correlation at longer lags, which its own autocorrelation undoes.
    values = products[:, _SHORTEST - 1 : _LONGEST + 2] / _TAPERED / (products[:, :1] + _TINY)
    inner = values[:, 1:-1]
    peaks = np.where((inner >= values[:, :-2]) & (inner >= values[:, 2:]), inner, 0.0)
    highest = peaks.max(axis=1)
    enough = np.maximum(_FIRST_SHARE * highest, highest - _FIRST_BELOW)
    first = (peaks >= enough[:, None]).argmax(axis=1)
    return peaks[np.arange(len(peaks)), first], (first + _SHORTEST).astype(np.float64)


def _band() -> Fir:
    return design_bandpass(91, 1.0, 25.0, ANALYSIS_RATE_HZ, 2)
