"""Compare beats of recordings with those of other people, by the autoencoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.beats import BEAT_SAMPLES, BeatLayout, Beats
from ectopy.detector.detector import Detector
from ectopy.signal.beat_segments import BEFORE, MARGIN, BeatSegments, centred, finite_median
from ectopy.signal.filters import ANALYSIS_RATE_HZ

AMBULATORY_LAYOUT = BeatLayout("ambulatory", BEAT_SAMPLES, float(ANALYSIS_RATE_HZ), "share of the usual height")

_LEAST_HEIGHT_MV = 0.1
_COMPLEX = slice(BEFORE - 30, BEFORE + 40)
_SLOPE_TAILS = 0.05, 0.95
_LEAST_SLOPE = 1e-6
_BY_WIDTH, _BY_SPEED, _EVEN = 1.9, 4.7, 0.57


def usual_height_mv(beats: BeatSegments) -> NDArray[np.float64]:
    """Return the median height of the beats from peak to peak for each lead, the unit of population beats."""
    return median_height_mv(heights_mv(beats))


def heights_mv(beats: BeatSegments) -> NDArray[np.float32]:
    """Return the height of each beat from peak to peak, shape (n, leads); NaN where a lead is not readable."""
    return np.where(beats.readable, np.ptp(beats.samples[:, :, MARGIN:-MARGIN], axis=2), np.float32(np.nan))


def median_height_mv(heights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the median of the finite heights of each lead, at least 0.1; from shape (n, leads) to (leads,)."""
    if not len(heights):
        return np.full(heights.shape[1], _LEAST_HEIGHT_MV)
    height: NDArray[np.float64] = np.fmax(finite_median(heights, axis=0).astype(np.float64), _LEAST_HEIGHT_MV)
    return height


def population_beats(beats: BeatSegments, height_mv: NDArray[np.float64]) -> Beats:
    """Return all leads of all beats, one row for each, in the layout of the population model.

    Parameters
    ----------
    beats : BeatSegments
    height_mv : ndarray of float64, shape (leads,)
        Usual height of the patient's beats, from `usual_height_mv`.
    """
    samples = centred(beats.samples[:, :, MARGIN:-MARGIN] / height_mv[:, None])
    samples = np.where(beats.readable[:, :, None], samples, np.nan)
    return Beats(samples.reshape(-1, BEAT_SAMPLES).astype(np.float32), AMBULATORY_LAYOUT)


def population_difference(
    detector: Detector, beats: BeatSegments, height_mv: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Measure the difference of each beat from other people's normal beats, mean over the readable leads.

    Parameters
    ----------
    detector : Detector
    beats : BeatSegments
    height_mv : ndarray of float64, shape (leads,)
        Usual height of the patient's beats.

    Returns
    -------
    ndarray of float64, shape (n,)
        Standard deviations; larger = more abnormal; NaN = not readable.
    """
    scores = detector.score(population_beats(beats, height_mv)).reshape(beats.readable.shape)
    is_readable = np.isfinite(scores)
    count = is_readable.sum(axis=1)
    mean: NDArray[np.float64] = np.divide(
        np.where(is_readable, scores, 0.0).sum(axis=1), count, out=np.full(len(scores), np.nan), where=count > 0
    )
    return mean


def ventricular_shape(samples: NDArray[np.floating], readable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the log odds that the shape of each beat is ventricular, from width and slope.

    A beat that spreads through the muscle of the ventricles, past their conduction system, is wide and slow. Its width
    is the shortest time that holds the middle 90 % of the energy of the slope; its speed the root of the energy of the
    slope over that of the signal, a mean frequency, which is 10 Hz in a usual beat and 4 Hz in ventricular tachycardia.
    Both are means over the readable leads, weighted by height. The weights are of a logistic regression on the beats of
    three databases, each person and class with the same weight; on a database left out of the fit, the area under the
    curve is 0.90 (MIT-BIH Arrhythmia Database, DS1), 0.98 (QT Database) and 0.92 (Malignant Ventricular Arrhythmia
    Database).

    Parameters
    ----------
    samples : ndarray of float, shape (n, leads, 140)
        Millivolt at 180 Hz, the fiducial point at sample 52.
    readable : ndarray of bool, shape (n, leads)

    Returns
    -------
    ndarray of float64, shape (n,)
        Positive = more like ventricular beats; NaN = not readable.
    """
    level = centred(samples.astype(np.float64))
    # Smooth over three samples, so that noise adds little to the slope.
    smooth = (level[..., 2:] + level[..., 1:-1] + level[..., :-2]) / 3
    slope = (smooth[..., 2:] - smooth[..., :-2]) * (ANALYSIS_RATE_HZ / 2)
    energy = np.square(slope[..., _COMPLEX.start - 2 : _COMPLEX.stop - 2])
    # Width: from where 5 % of the energy of the slope lie before to where 5 % lie after.
    share = np.cumsum(energy, axis=-1)
    total = share[..., -1:] + _LEAST_SLOPE
    first, last = ((share < tail * total).sum(axis=-1) for tail in _SLOPE_TAILS)
    width_ms = np.maximum(last - first, 1) * (1000 / ANALYSIS_RATE_HZ)
    # Speed: mean frequency of the complex.
    within = level[..., _COMPLEX]
    hz = np.sqrt(total[..., 0] / (np.square(within).sum(axis=-1) + _LEAST_SLOPE)) / (2 * np.pi)
    weights = np.where(readable, np.ptp(within, axis=-1), 0.0)
    sums = weights.sum(axis=1)
    odds = (weights * (_BY_WIDTH * np.log(width_ms) - _BY_SPEED * np.log(hz))).sum(axis=1)
    shape: NDArray[np.float64] = odds / np.where(sums > 0, sums, np.nan) + _EVEN
    return shape


def unlikeness(detector: Detector, normal: PatientTemplate) -> float:
    """Score a template's difference from other people's normal beats: standard deviations, mean over the leads."""
    heights = np.maximum(np.ptp(normal.template, axis=1, keepdims=True), _LEAST_HEIGHT_MV)
    rows = (normal.template / heights)[normal.clearness > 0]
    return float(detector.score(Beats(rows.astype(np.float32), AMBULATORY_LAYOUT)).mean())
