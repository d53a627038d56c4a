"""Heart rate variability of normal beats: in time, in frequency, and of the Poincaré plot.

Task Force of the European Society of Cardiology and the North American Society of Pacing and Electrophysiology.
Heart rate variability. Circulation 93(5):1043-1065 (1996), doi:10.1161/01.CIR.93.5.1043. SD1 and SD2: Brennan et al.
2001, doi:10.1109/10.959330.

Only intervals between two successive normal beats count (NN), below two seconds and outside of atrial fibrillation and
paced rhythm, and differences only of two such intervals that follow each other. The share of the intervals that count
belongs to every figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.rhythm_episodes import Rhythm, RhythmEpisode
from ectopy.analysis.rhythm_rules import UNKNOWN_FROM_S
from ectopy.detector import Verdict
from ectopy.presentation import short_repr

SEGMENT_S = 300.0
"""Length of the segments of SDANN, LF and HF, counted from the start of the recording."""

LF_HZ, HF_HZ = (0.04, 0.15), (0.15, 0.4)
"""Bands, up to below the upper limit."""

NIGHT_HOURS = (23, 7)
"""The night begins at the first and ends at the second, by the clock."""

LEAST_INTERVALS = 20
"""With fewer NN intervals nothing is measured."""

CELL_MS = 20.0
"""Width of the cells of the Poincaré plot."""

_NOT_SINUS = Rhythm.FIBRILLATION, Rhythm.PACED
_BIN_S = 1.0 / 128.0
_LONG_DIFFERENCE_S = 0.05
_ROUNDING_S = 1e-6  # two times that differ by less are the same; recorders sample at whole fractions of 50 ms
_RESAMPLED_HZ = 4.0
_LEAST_COVERED, _LEAST_COVERED_POWER = 0.5, 0.8
_LONG_GAP_S = 4.0
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class HeartRateVariability:
    """Figures of some NN intervals; NaN where there are too few.

    Attributes
    ----------
    intervals : int
        NN intervals.
    share_used : float
        Their share of all intervals, 0 to 1.
    mean_nn_ms, sdnn_ms : float
        Mean and standard deviation.
    sdann_ms : float
        Standard deviation of the means of segments of five minutes of which NN intervals cover half.
    rmssd_ms : float
        Root mean square of the differences of successive NN intervals.
    pnn50_percent : float
        Number of those differences that are above 50 ms, over the number of NN intervals that have them: one more than
        there are differences.
    triangular_index : float
        Number of NN intervals over that in the fullest bin of 1/128 s.
    lf_ms2, hf_ms2, lf_hf : float
        Power at 0.04 to 0.15 and 0.15 to 0.4 Hz, mean of segments of five minutes of which NN intervals cover 80 %;
        and their ratio.
    sd1_ms, sd2_ms : float
        Spread of the Poincaré plot across and along the line of identity.
    """

    intervals: int
    share_used: float
    mean_nn_ms: float = nan
    sdnn_ms: float = nan
    sdann_ms: float = nan
    rmssd_ms: float = nan
    pnn50_percent: float = nan
    triangular_index: float = nan
    lf_ms2: float = nan
    hf_ms2: float = nan
    lf_hf: float = nan
    sd1_ms: float = nan
    sd2_ms: float = nan


@dataclass(frozen=True, slots=True)
class PoincarePlot:
    """Each NN interval against the one before it: the cells that have such pairs, and their number.

    Attributes
    ----------
    cell_ms : float
        Width and height of a cell.
    before_ms, after_ms : tuple of float
        Middle of each cell: of the first and of the second interval.
    pairs : tuple of int
    """

    __repr__ = short_repr

    cell_ms: float
    before_ms: tuple[float, ...]
    after_ms: tuple[float, ...]
    pairs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NormalIntervals:
    """NN intervals of a recording.

    Attributes
    ----------
    times_s : ndarray of float64, shape (n,)
        Of all beats, from the start of the recording.
    nn_s : ndarray of float64, shape (n,)
        NN interval before each beat; NaN where there is none.
    segment_means_s : ndarray of float64, shape (segments,)
        Mean NN interval of each segment of five minutes; NaN where NN intervals cover less than half of it.
    segment_powers_ms2 : ndarray of float64, shape (segments, 2)
        LF and HF of each; NaN where NN intervals cover less than 80 % of it.
    """

    __repr__ = short_repr

    times_s: NDArray[np.float64]
    nn_s: NDArray[np.float64]
    segment_means_s: NDArray[np.float64]
    segment_powers_ms2: NDArray[np.float64]

    @classmethod
    def of(cls, analysis: Analysis, rhythm_episodes: Sequence[RhythmEpisode]) -> NormalIntervals:
        """Return those of an analysed recording: below 2 s, between normal beats in a row, of the sinus node.

        Parameters
        ----------
        analysis : Analysis
        rhythm_episodes : sequence of RhythmEpisode
            From `ectopy.analysis.rhythm_episodes.find_rhythm_episodes`.
        """
        normal = np.equal(analysis.verdict, Verdict.NORMAL)
        for episode in rhythm_episodes:
            if episode.rhythm in _NOT_SINUS:
                first, last = np.searchsorted(analysis.beats.times_s, [episode.start_s, episode.end_s])
                normal[first : last + 1] = False
        both = normal & np.append(False, normal)[: len(normal)]
        intervals_s = analysis.intervals_s
        return cls.at(analysis.beats.times_s, np.where(both & (intervals_s < UNKNOWN_FROM_S), intervals_s, np.nan))

    @classmethod
    def at(cls, times_s: NDArray[np.float64], nn_s: NDArray[np.float64]) -> NormalIntervals:
        """Return those of beats at these times, with the NN interval before each; NaN where there is none."""
        return cls(times_s, nn_s, *_segments(times_s, nn_s))

    def variability(self, part: NDArray[np.bool_] | None = None) -> HeartRateVariability:
        """Measure the heart rate variability.

        Parameters
        ----------
        part : ndarray of bool, shape (n,), optional
            Beats that count, all by default. A segment counts where the first beat after its start does.
        """
        part = np.ones(len(self.nn_s), np.bool_) if part is None else part
        nn_s = np.where(part, self.nn_s, np.nan)
        known_s = nn_s[np.isfinite(nn_s)]
        share = len(known_s) / int(part.sum()) if part.any() else nan
        if len(known_s) < LEAST_INTERVALS:
            return HeartRateVariability(len(known_s), share)
        before_s, after_s = _pairs(nn_s)
        differences_s, sums_s = after_s - before_s, after_s + before_s
        is_long = np.abs(differences_s) > _LONG_DIFFERENCE_S + _ROUNDING_S
        bins = np.bincount(((known_s + _ROUNDING_S) // _BIN_S).astype(np.int64))
        starts_s = SEGMENT_S * np.arange(len(self.segment_means_s))
        inside = part[np.searchsorted(self.times_s, starts_s)]
        lf, hf = _mean_powers(self.segment_powers_ms2[inside])
        return HeartRateVariability(
            intervals=len(known_s),
            share_used=share,
            mean_nn_ms=1000.0 * float(known_s.mean()),
            sdnn_ms=1000.0 * _spread(known_s),
            sdann_ms=1000.0 * _spread(self.segment_means_s[inside]),
            rmssd_ms=1000.0 * sqrt(np.square(differences_s).mean()) if len(differences_s) else nan,
            pnn50_percent=100.0 * int(is_long.sum()) / (len(differences_s) + 1),
            triangular_index=len(known_s) / float(bins.max()),
            lf_ms2=lf,
            hf_ms2=hf,
            lf_hf=lf / hf if hf > 0 else nan,
            sd1_ms=1000.0 * _spread(differences_s) / sqrt(2.0),
            sd2_ms=1000.0 * _spread(sums_s) / sqrt(2.0),
        )

    def day_and_night(self, start: datetime) -> tuple[HeartRateVariability, HeartRateVariability]:
        """Measure the heart rate variability by day and by night; `start` is that of the recording."""
        night = _is_night(self.times_s, start)
        return self.variability(~night), self.variability(night)

    def poincare(self) -> PoincarePlot:
        """Count pairs of successive NN intervals in cells."""
        before, after = ((1000.0 * (nn_s + _ROUNDING_S) // CELL_MS).astype(np.int64) for nn_s in _pairs(self.nn_s))
        width = int(after.max(initial=0)) + 1
        pairs = np.bincount(before * width + after)
        cells = np.flatnonzero(pairs)
        before_ms, after_ms = ((CELL_MS * (cell + 0.5)).tolist() for cell in np.divmod(cells, width))
        return PoincarePlot(CELL_MS, tuple(before_ms), tuple(after_ms), tuple(pairs[cells].tolist()))


def _is_night(times_s: NDArray[np.float64], start: datetime) -> NDArray[np.bool_]:
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    clock_s = ((start - midnight) / timedelta(seconds=1) + times_s) % (24 * _HOUR_S)
    begins, ends = NIGHT_HOURS
    return np.asarray((clock_s >= begins * _HOUR_S) | (clock_s < ends * _HOUR_S))


def _pairs(nn_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the first and the second of each two NN intervals that follow each other."""
    before_s, after_s = nn_s[:-1], nn_s[1:]
    both = np.isfinite(before_s) & np.isfinite(after_s)
    return before_s[both], after_s[both]


def _segments(
    times_s: NDArray[np.float64], nn_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean NN interval, shape (segments,), and LF and HF in ms², shape (segments, 2), of segments from time 0 on."""
    number = int(times_s[-1] // SEGMENT_S) + 1 if len(times_s) else 0
    is_known = np.isfinite(nn_s)
    at_s, known_s = times_s[is_known], nn_s[is_known]
    segment = (at_s // SEGMENT_S).astype(np.int64)
    total_s = np.bincount(segment, known_s, minlength=number).astype(np.float64)
    with np.errstate(invalid="ignore"):
        means_s = total_s / np.bincount(segment, minlength=number)
    powers_ms2 = np.full((number, 2), nan)
    means_s[total_s < _LEAST_COVERED * SEGMENT_S] = nan
    covered = total_s >= _LEAST_COVERED_POWER * SEGMENT_S
    if covered.any():
        powers_ms2[covered] = _band_powers(_tachogram(at_s, known_s, number)[covered])
    return means_s, powers_ms2


def _tachogram(at_s: NDArray[np.float64], nn_s: NDArray[np.float64], segments: int) -> NDArray[np.float64]:
    """Interpolate NN intervals at 4 Hz, s, shape (segments, 1200)."""
    from scipy.interpolate import CubicSpline

    samples = round(SEGMENT_S * _RESAMPLED_HZ)
    grid_s = np.arange(segments * samples) / _RESAMPLED_HZ
    resampled_s = CubicSpline(at_s, nn_s)(grid_s)
    # A cubic curve swings far out in a long gap, and outside of the intervals.
    gap_s = np.diff(at_s, prepend=-np.inf, append=np.inf)[np.searchsorted(at_s, grid_s)]
    straight_s = np.interp(grid_s, at_s, nn_s)
    return np.where(gap_s > _LONG_GAP_S, straight_s, resampled_s).reshape(segments, samples)


def _band_powers(tachogram_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """LF and HF in ms², shape (segments, 2), of segments without their linear trend, by a Hann window.

    They are those of `scipy.signal.periodogram`, without its module, which takes most of a second to import.
    """
    samples = tachogram_s.shape[1]
    window = np.hanning(samples + 1)[:-1]
    # Without the straight line that fits best; its slope and the mean are independent where time is 0 in the middle.
    time = np.arange(samples) - (samples - 1) / 2
    intervals_ms = 1000.0 * tachogram_s
    line = intervals_ms.mean(axis=1, keepdims=True) + np.outer(intervals_ms @ time / (time @ time), time)
    amplitude = np.abs(np.fft.rfft((intervals_ms - line) * window, axis=1))
    # Power of both signs of a frequency, ms² per Hz.
    density = 2.0 * np.square(amplitude) / (_RESAMPLED_HZ * np.square(window).sum())
    frequency = np.fft.rfftfreq(samples, 1.0 / _RESAMPLED_HZ)
    bands = [(frequency >= low) & (frequency < high) for low, high in (LF_HZ, HF_HZ)]
    return np.stack([density[:, band].sum(axis=1) * frequency[1] for band in bands], axis=1)


def _mean_powers(powers_ms2: NDArray[np.float64]) -> tuple[float, float]:
    is_known = np.isfinite(powers_ms2).all(axis=1)
    if not is_known.any():
        return nan, nan
    lf, hf = powers_ms2[is_known].mean(axis=0).tolist()
    return lf, hf


def _spread(values: NDArray[np.float64]) -> float:
    """Standard deviation of the values that are not NaN."""
    values = values[np.isfinite(values)]
    return float(values.std(ddof=1)) if len(values) > 1 else nan
