"""Tells ventricular fibrillation, flutter, and tachycardia so wide that no QRS complex stands out, lead by lead.

Every second of a lead is judged by the four seconds that end with it, in the signal between 1 and 25 Hz at 90 Hz. The
measures do not depend on amplitude or polarity:

*Evenness of the slope*
    Mean over maximum of the slope in each second. QRS complexes are far steeper than what lies between them;
    fibrillation, flutter and wide tachycardia are about equally steep all the time.
*Time away from the middle*
    Share of samples beyond a fifth of the highest of their second, after the threshold crossing sample count of
    Arafat, Chowdhury, Hasan (2011), doi:10.1007/s11760-009-0145-4.
*Complexity*
    How much faster the slope changes than the signal, after Hjorth (1970), doi:10.1016/0013-4694(70)90143-4.
*Slow waves*
    Share of the power below 2.1 Hz: movement, and rhythms below 126 per minute.

Their weights are those of a logistic regression between four-second windows inside annotated ventricular fibrillation,
flutter and tachycardia and all others of several public databases; `ectopy benchmark fibrillation` fits it anew with
records and whole databases left out. Labelled rhythms have chosen this rule and nothing else: no autoencoder is
trained on them.

A lead says nothing where the signal or its slope changes as fast as noise does, or nearly all of it is slow. A lead
*speaks against* fibrillation where single complexes are much steeper than the rest, or where the signal repeats itself
closely (Boersma 1993) after more than 0.46 s: a wide QRS complex or a high T wave of a rhythm below 130 per minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin

from ectopy.signal.filters import ANALYSIS_RATE_HZ, Filtered
from ectopy.signal.fir import Fir, FirState, fir_end, fir_step, missing_step
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

_BAND = Fir(firwin(91, [1.0, 25.0], fs=ANALYSIS_RATE_HZ, pass_zero=False), 1, 2)
_MISSING = Fir(np.ones(3), 1, 2)
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
    """What is remembered of each lead; every array has one row per lead.

    Attributes
    ----------
    band, missing : FirState
        Of the filters.
    wave : ndarray of float64, shape (leads, k)
        The signal between 1 and 25 Hz of up to three seconds before the one that is not complete, and of that one.
    absent : ndarray of bool, shape (leads, k)
        Where there is none.
    """

    band: FirState
    missing: FirState
    wave: NDArray[np.float64]
    absent: NDArray[np.bool_]

    @classmethod
    def fresh(cls, leads: int) -> FibrillationState:
        """Before the first sample; the three seconds before it are missing."""
        before = (leads, _WINDOW - RATE_HZ)
        return cls(FirState.fresh(leads), FirState.fresh_missing(leads), np.zeros(before), np.ones(before, np.bool_))


@dataclass(frozen=True, slots=True)
class Waveform:
    """What each second of each lead shows; arrays have the shape (leads, seconds).

    Attributes
    ----------
    score : ndarray of float64
        Log-odds of fibrillation, flutter or wide tachycardia in the four seconds that end with it; NaN where the lead
        says nothing: a tenth of its samples is missing, it hardly moves, or by more than an ECG does, or it is noise.
    organised : ndarray of bool
        Where the lead speaks against it.
    """

    score: NDArray[np.float64]
    organised: NDArray[np.bool_]

    @property
    def fibrillating(self) -> NDArray[np.bool_]:
        """Where the score is above the limit."""
        return np.asarray(self.score > THRESHOLD)


def fibrillation_step(state: FibrillationState, filtered: Filtered) -> tuple[FibrillationState, Waveform]:
    """Judge the seconds that are now complete; the same for any cutting into chunks.

    Parameters
    ----------
    state : FibrillationState
    filtered : Filtered
        The next stretch of what `filter_step` gives.

    Returns
    -------
    state : FibrillationState
    waveform : Waveform
        Of seconds of 90 samples, counted from the start of the signal.
    """
    band, wave = fir_step(_BAND, state.band, filtered.signal)
    missing, gone = missing_step(_MISSING, state.missing, filtered.missing)
    state = FibrillationState(
        band, missing, np.concatenate([state.wave, wave], axis=1), np.concatenate([state.absent, gone], axis=1)
    )
    return _judged(state)


def fibrillation_end(state: FibrillationState, filtered: Filtered) -> Waveform:
    """Judge the complete seconds that are left when the signal ends with its last stretch."""
    band, wave = fir_step(_BAND, state.band, filtered.signal)
    missing, gone = missing_step(_MISSING, state.missing, filtered.missing)
    edge = np.zeros((len(state.wave), 1))
    wave = np.concatenate([state.wave, wave, fir_end(_BAND, band, edge)], axis=1)
    absent = np.concatenate([state.absent, gone, fir_end(_MISSING, missing, edge) > 0], axis=1)
    return _judged(FibrillationState(band, missing, wave, absent))[1]


def _judged(state: FibrillationState) -> tuple[FibrillationState, Waveform]:
    leads = len(state.wave)
    known = min(state.wave.shape[1], state.absent.shape[1])
    seconds = max((known - _WINDOW) // RATE_HZ + 1, 0)
    if not seconds:
        nothing = np.empty((leads, 0))
        return state, Waveform(nothing, nothing > 0)
    places = np.arange(seconds)[:, None] * RATE_HZ + np.arange(_WINDOW)
    found, told, noise = _measure_places(state.wave, state.absent, places)
    # Added up one after the other: a product of matrices is rounded in another way for other numbers of leads.
    score = np.full(len(found.power), WEIGHTS[0])
    for weight, values in zip(WEIGHTS[1:], found.measures, strict=True):
        score += weight * values
    organised = (found.measures[0] < _UNEVEN) | ((found.cycle_s > _SLOW_CYCLE_S) & (found.repeats > _REPEATS))
    done = seconds * RATE_HZ
    state = replace(state, wave=state.wave[:, done:], absent=state.absent[:, done:])
    shape = (leads, seconds)
    return state, Waveform(
        np.where(told & ~noise, score, np.nan).reshape(shape),
        (told & organised).reshape(shape),
    )


def measure_signal(filtered: Filtered) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Measure the windows of a whole signal, which end with its fourth second and each later one.

    Returns
    -------
    measures : ndarray of float64, shape (4, leads, windows)
        In the order of `MEASURES`.
    told : ndarray of bool, shape (leads, windows)
        Where there is enough signal, and not too much.
    noise : ndarray of bool, shape (leads, windows)
        Where the lead says nothing, for noise.
    """
    leads = len(filtered.signal)
    band, wave = fir_step(_BAND, FirState.fresh(leads), filtered.signal)
    wave = np.concatenate([wave, fir_end(_BAND, band, np.zeros((leads, 1)))], axis=1)
    absent = filtered.missing[:, ::2]
    windows = max((wave.shape[1] - _WINDOW) // RATE_HZ + 1, 0)
    places = np.arange(windows)[:, None] * RATE_HZ + np.arange(_WINDOW)
    found, told, noise = _measure_places(wave, absent, places)
    return found.measures.reshape(-1, leads, windows), told.reshape(leads, windows), noise.reshape(leads, windows)


def _measure_places(
    wave: NDArray[np.float64], absent: NDArray[np.bool_], places: NDArray[np.int64]
) -> tuple[Measured, NDArray[np.bool_], NDArray[np.bool_]]:
    """Measure the windows at these places of each lead, and tell where there is enough signal, and where noise."""
    # `take` lays them out in the same way for any number of leads, which decides how sums are rounded.
    found = measure(wave.take(places, axis=1).reshape(-1, _WINDOW))
    gone = absent.take(places, axis=1).reshape(-1, _WINDOW).sum(axis=1) > _MOST_MISSING * _WINDOW
    told = ~gone & (found.power >= _LEAST_RMS_MV**2) & (found.power <= _MOST_RMS_MV**2)
    noise = (found.speed > _MOST_SPEED) | (found.bend > _MOST_BEND) | (found.measures[-1] > _MOST_SLOW)
    return found, told, noise


class Measured(NamedTuple):
    """What is measured in windows of four seconds; arrays have the shape (windows,).

    Attributes
    ----------
    measures : ndarray of float64, shape (4, windows)
        In the order of `MEASURES`.
    power : ndarray of float64
        Mean square, in square millivolt.
    speed, bend : ndarray of float64
        Logarithm of the slope over the signal, and of the change of the slope over the slope, RMS.
    repeats, cycle_s : ndarray of float64
        Correlation of the signal with itself a cycle later, and how long that is; NaN where there is no such cycle.
    """

    measures: NDArray[np.float64]
    power: NDArray[np.float64]
    speed: NDArray[np.float64]
    bend: NDArray[np.float64]
    repeats: NDArray[np.float64]
    cycle_s: NDArray[np.float64]


def measure(windows: NDArray[np.float64]) -> Measured:
    """Measure windows between 1 and 25 Hz, shape (windows, 360), in millivolt at 90 Hz."""
    count = len(windows)
    size = np.abs(windows)
    step = np.diff(windows, axis=1, append=windows[:, -1:])
    slope = np.abs(step)
    bend = np.diff(step, axis=1)
    power, speed, bent = ((values * values).mean(axis=1) for values in (windows, step, bend))

    # How even the slope is, and how long the signal is away from the middle, in each second.
    slopes, sizes = slope.reshape(count, WINDOW_S, -1), size.reshape(count, WINDOW_S, -1)
    even = (slopes.mean(axis=2) / (slopes.max(axis=2) + _TINY)).mean(axis=1)
    away = (sizes > _THRESHOLD_SHARE * sizes.max(axis=2, keepdims=True)).reshape(count, -1).mean(axis=1)

    # Power and autocorrelation at 45 Hz.
    halved = (windows[:, 0::2] + windows[:, 1::2]) / 2
    halved = (halved - halved.mean(axis=1, keepdims=True)) * _TAPER
    spectrum = np.abs(np.fft.rfft(halved, _PADDED, axis=1)) ** 2
    slow = spectrum[:, :_SLOW_BINS].sum(axis=1) / (spectrum.sum(axis=1) + _TINY)
    repeats, cycle = _cycle(np.fft.irfft(spectrum, _PADDED, axis=1))
    mobility, complexity = (
        0.5 * np.log((faster + _TINY) / (slower + _TINY)) for faster, slower in ((speed, power), (bent, speed))
    )
    measures = np.array([even, away, complexity - mobility, slow])
    return Measured(measures, power, mobility, complexity, repeats, np.where(repeats > 0, cycle / _HALF_HZ, np.nan))


def _cycle(products: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The first peak of the autocorrelation that is about as high as the highest: its height, and its place."""
    values = products[:, _SHORTEST - 1 : _LONGEST + 2] / _TAPERED / (products[:, :1] + _TINY)
    inner = values[:, 1:-1]
    peaks = np.where((inner >= values[:, :-2]) & (inner >= values[:, 2:]), inner, 0.0)
    highest = peaks.max(axis=1)
    enough = np.maximum(_FIRST_SHARE * highest, highest - _FIRST_BELOW)
    first = (peaks >= enough[:, None]).argmax(axis=1)
    return peaks[np.arange(len(peaks)), first], (first + _SHORTEST).astype(np.float64)
