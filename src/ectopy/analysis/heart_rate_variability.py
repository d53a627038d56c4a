"""Heart rate variability of normal beats: in time, in frequency, and of the Poincaré plot.

Task Force of the European Society of Cardiology and the North American Society of Pacing and Electrophysiology.
Heart rate variability. Circulation 93(5):1043-1065 (1996), doi:10.1161/01.CIR.93.5.1043. SD1 and SD2: Brennan et al.
2001, doi:10.1109/10.959330.

Only intervals between two successive normal beats count (NN), outside of atrial fibrillation, and differences only of
two such intervals that follow each other. The share of the intervals that count belongs to every figure.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import periodogram

from ectopy.analysis import Analysis
from ectopy.analysis.rhythm_events import fibrillation_episodes
from ectopy.detector import Verdict
from ectopy.presentation import finite_or_none

SEGMENT_S = 300.0
"""Length of the segments of SDANN, LF and HF."""

LF_HZ, HF_HZ = (0.04, 0.15), (0.15, 0.4)
"""Bands, up to below the upper limit."""

NIGHT_HOURS = (23, 7)
"""The night begins at the first and ends at the second, by the clock."""

LEAST_INTERVALS = 20
"""With fewer NN intervals nothing is measured."""

_BIN_S = 1.0 / 128.0
_LONG_DIFFERENCE_S = 0.05
_RESAMPLED_HZ = 4.0
_LEAST_COVERED = 0.8
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
        Standard deviation of the means of segments of five minutes.
    rmssd_ms : float
        Root mean square of the differences of successive NN intervals.
    pnn50_percent : float
        Share of those differences that are above 50 ms.
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

    def summary(self) -> dict[str, Any]:
        """For JSON; None = not known."""
        return {name: finite_or_none(float(value), 6) for name, value in asdict(self).items()} | {
            "intervals": self.intervals
        }


def normal_intervals(analysis: Analysis) -> NDArray[np.float64]:
    """Return the NN interval before each beat, s, shape (n,); NaN where there is none."""
    normal = np.equal(analysis.verdict, Verdict.NORMAL)
    for first, last in fibrillation_episodes(analysis):
        normal[first : last + 1] = False
    both = normal & np.append(False, normal)[: len(normal)]
    return np.asarray(np.where(both, analysis.intervals_s, np.nan))


def measure_variability(times_s: NDArray[np.float64], nn_s: NDArray[np.float64]) -> HeartRateVariability:
    """Measure the heart rate variability of beats in a row.

    Parameters
    ----------
    times_s : ndarray of float64, shape (n,)
        Of the beats.
    nn_s : ndarray of float64, shape (n,)
        NN interval before each, from `normal_intervals`.
    """
    is_known = np.isfinite(nn_s)
    known_s = nn_s[is_known]
    share = float(is_known.mean()) if len(nn_s) else nan
    if len(known_s) < LEAST_INTERVALS:
        return HeartRateVariability(len(known_s), share)
    before_s, after_s = nn_s[:-1], nn_s[1:]
    pairs = np.isfinite(before_s + after_s)
    differences_s, sums_s = after_s[pairs] - before_s[pairs], after_s[pairs] + before_s[pairs]
    bins = np.bincount(np.floor(known_s / _BIN_S).astype(np.int64))
    lf, hf = _band_powers(times_s, nn_s)
    return HeartRateVariability(
        intervals=len(known_s),
        share_used=share,
        mean_nn_ms=1000.0 * float(known_s.mean()),
        sdnn_ms=1000.0 * float(known_s.std(ddof=1)),
        sdann_ms=1000.0 * _spread(_segment_means(times_s, nn_s)),
        rmssd_ms=1000.0 * float(np.sqrt(np.square(differences_s).mean())) if len(differences_s) else nan,
        pnn50_percent=100.0 * float((np.abs(differences_s) > _LONG_DIFFERENCE_S).mean()) if len(differences_s) else nan,
        triangular_index=len(known_s) / float(bins.max()),
        lf_ms2=lf,
        hf_ms2=hf,
        lf_hf=lf / hf if hf > 0 else nan,
        sd1_ms=1000.0 * _spread(differences_s) / np.sqrt(2.0),
        sd2_ms=1000.0 * _spread(sums_s) / np.sqrt(2.0),
    )


def variability_figures(analysis: Analysis, start: datetime | None = None) -> dict[str, Any]:
    """Measure an analysed recording as a whole, by the hour, by day and by night.

    Parameters
    ----------
    analysis : Analysis
    start : datetime, optional
        Of the recording; without one there is no day and no night.

    Returns
    -------
    dict
        ``whole``; ``hours``, each with ``start_s`` from the start of the recording; ``day`` and ``night``, None without
        a start.
    """
    times_s, nn_s = analysis.beats.times_s, normal_intervals(analysis)
    hour = (times_s // _HOUR_S).astype(np.int64)
    hours = [
        {"start_s": number * _HOUR_S, **measure_variability(times_s[hour == number], nn_s[hour == number]).summary()}
        for number in np.unique(hour).tolist()
    ]
    figures: dict[str, Any] = {
        "whole": measure_variability(times_s, nn_s).summary(),
        "hours": hours,
        "day": None,
        "night": None,
    }
    if start is not None:
        night = _is_night(times_s, start)
        # Beats of the other part stay as gaps, so that no two intervals seem to follow each other.
        for name, part in (("day", ~night), ("night", night)):
            measured = measure_variability(times_s, np.where(part, nn_s, np.nan))
            share = float(np.isfinite(nn_s[part]).mean()) if part.any() else nan
            figures[name] = measured.summary() | {"share_used": finite_or_none(share, 6)}
    return figures


def _is_night(times_s: NDArray[np.float64], start: datetime) -> NDArray[np.bool_]:
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    clock_s = ((start - midnight) / timedelta(seconds=1) + times_s) % (24 * _HOUR_S)
    begins, ends = NIGHT_HOURS
    return np.asarray((clock_s >= begins * _HOUR_S) | (clock_s < ends * _HOUR_S))


def _segment_means(times_s: NDArray[np.float64], nn_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean NN interval of each segment that has one."""
    is_known = np.isfinite(nn_s)
    _, segment = np.unique((times_s[is_known] - times_s[0]) // SEGMENT_S, return_inverse=True)
    means: NDArray[np.float64] = np.bincount(segment, nn_s[is_known]) / np.bincount(segment)
    return means


def _band_powers(times_s: NDArray[np.float64], nn_s: NDArray[np.float64]) -> tuple[float, float]:
    """LF and HF in ms², mean of the segments."""
    is_known = np.isfinite(nn_s)
    at_s, known_s = times_s[is_known] - times_s[0], nn_s[is_known]
    powers = []
    edges = np.searchsorted(at_s, np.arange(0.0, at_s[-1] - SEGMENT_S + 1.0, SEGMENT_S))
    stops = np.searchsorted(at_s, np.arange(SEGMENT_S, at_s[-1] + 1.0, SEGMENT_S))
    for number, (first, stop) in enumerate(zip(edges.tolist(), stops.tolist(), strict=False)):
        if known_s[first:stop].sum() < _LEAST_COVERED * SEGMENT_S:
            continue
        # The tachogram at 4 Hz, without its linear trend; its spectrum by a Hann window.
        grid_s = number * SEGMENT_S + np.arange(round(SEGMENT_S * _RESAMPLED_HZ)) / _RESAMPLED_HZ
        grid_s = grid_s[(grid_s >= at_s[first]) & (grid_s <= at_s[stop - 1])]
        tachogram_ms = 1000.0 * CubicSpline(at_s[first:stop], known_s[first:stop])(grid_s)
        frequency, density = periodogram(tachogram_ms, _RESAMPLED_HZ, window="hann", detrend="linear")
        bands = [(frequency >= low) & (frequency < high) for low, high in (LF_HZ, HF_HZ)]
        powers.append([float(density[band].sum() * frequency[1]) for band in bands])
    if not powers:
        return nan, nan
    lf, hf = np.mean(powers, axis=0).tolist()
    return lf, hf


def _spread(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else nan
