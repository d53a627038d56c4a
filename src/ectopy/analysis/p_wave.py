"""Compare the P wave of beats with that of a patient's template: usual, absent or inverted.

A supraventricular ectopic beat has a P wave of another form, or none that can be told from the T wave before it; a
junctional beat has none, or an inverted one; a ventricular beat has none. All are measured by one number, the share of
the usual P wave that a beat has. It is not affected by a linear trend, such as a slow movement of the baseline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.presentation import short_repr
from ectopy.signal.beat_segments import BEFORE

_LENGTH = 25  # samples: 0.14 s
_END = BEFORE - 11  # at the latest, 0.06 s before the fiducial point
_STARTS, _LEAST_START = _END - _LENGTH + 1, 3
_UPSTROKE = slice(BEFORE - 12, BEFORE + 1)
_LEAST_SLOPE, _BEFORE_ONSET = 0.01, 2
_LEAST_AMPLITUDE_MV = 0.1
_NOISE_MV, _LEAST_SNR = 0.03, 2.5
_USUAL_CHANGE = 0.2
_HALF = 0.5

_QUARTER = _LENGTH // 4
_TIMES = np.linspace(-1.0, 1.0, _LENGTH)


@dataclass(frozen=True, slots=True)
class PWaveDifference:
    """P waves of beats against that of a patient's template; every array has shape (n,), NaN = not known.

    Attributes
    ----------
    share : ndarray of float64
        1 = the usual P wave, 0 = none, negative = inverted.
    score : ndarray of float64
        The share that is missing, over what noise and usual changes explain: 0 = usual, larger = more abnormal.
    """

    __repr__ = short_repr

    share: NDArray[np.float64]
    score: NDArray[np.float64]

    @property
    def form(self) -> NDArray[np.str_]:
        """Name each P wave: ``usual``, ``absent``, ``inverted`` or ``unknown``."""
        named = [np.isnan(self.share), self.share > _HALF, self.share >= -_HALF]
        return np.select(named, ["unknown", "usual", "absent"], "inverted")


def compare_p_waves(
    aligned: NDArray[np.float64],
    readable: NDArray[np.bool_],
    template: NDArray[np.float64],
    clearness: NDArray[np.float64],
    noise_mv: NDArray[np.float64],
) -> PWaveDifference:
    """Compare the P waves of beats with that of a template.

    The P wave is not known where the template has none, as in atrial fibrillation, or where the beat is too noisy.

    Parameters
    ----------
    aligned : ndarray of float64, shape (n, leads, 140)
        Beats from `align`, millivolt at 180 Hz.
    readable : ndarray of bool, shape (n, leads)
    template : ndarray of float64, shape (leads, 140) or (n, leads, 140)
    clearness : ndarray of float64, shape (leads,) or (n, leads)
        As in `PatientTemplate`: the same for all beats, or one for each.
    noise_mv : ndarray of float64, shape (n, leads)
        From `beat_noise` of these beats.
    """
    leads, length = aligned.shape[1:]
    template = template.reshape(-1, leads, length)
    clear = clearness.reshape(-1, leads) > 0
    start = find_p_wave(template, clear)
    # The usual P wave is the template in the window without its linear trend.
    window = np.maximum(start, 0)[:, None] + np.arange(_LENGTH)
    usual = _pieces(template, window)
    usual = usual - usual.mean(axis=2, keepdims=True)
    usual -= (usual * _TIMES).sum(axis=2, keepdims=True) / np.square(_TIMES).sum() * _TIMES
    energy = np.square(usual).sum(axis=2)
    # The share of it that each lead has, weighted by its signal-to-noise ratio.
    beat = _pieces(aligned, window)
    noise = np.square(_NOISE_MV) + np.square(noise_mv)
    weights = np.where(readable & clear & (start >= 0)[:, None], energy / noise, 0.0)
    snr = np.sqrt(weights.sum(axis=1))
    snr[snr < _LEAST_SNR] = np.nan
    shares = (beat * usual).sum(axis=2) / np.maximum(energy, 1e-12)
    share = (shares * weights).sum(axis=1) / np.square(snr)
    return PWaveDifference(share, (1.0 - share) / np.hypot(1.0 / snr, _USUAL_CHANGE))


def _pieces(samples: NDArray[np.float64], places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Take the samples at the same places of all leads: places of each beat, or of all, shape (n or 1, k)."""
    starts = np.arange(0, samples.size, samples.shape[2]).reshape(samples.shape[:2])
    return samples.take(starts[..., None] + places[:, None])


def find_p_wave(template: NDArray[np.float64], clear: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Find where the P wave of templates is largest before the QRS complex.

    Parameters
    ----------
    template : ndarray of float64, shape (m, leads, 140)
    clear : ndarray of bool, shape (m, leads)
        The leads to use.

    Returns
    -------
    ndarray of int, shape (m,)
        First sample of a window of 0.14 s; -1 where it is not known: the QRS complex begins too early for one, or the P
        wave before the segment does, where the PR interval is long.
    """
    # The QRS complex begins after the last sample before its steepest one that is not steep: 1 % of its energy.
    relative = template / np.maximum(np.ptp(template, axis=2, keepdims=True), _LEAST_AMPLITUDE_MV)
    steepness = np.zeros((len(template), template.shape[2]))
    slope = relative[..., 4:] - relative[..., :-4]
    steepness[:, 2:-2] = (np.square(slope, out=slope) * clear[..., None]).sum(axis=1)
    upstroke = steepness[:, _UPSTROKE]
    level = steepness <= _LEAST_SLOPE * upstroke.max(axis=1, keepdims=True)
    before_top = level & (np.arange(level.shape[1]) <= upstroke.argmax(axis=1)[:, None] + _UPSTROKE.start)
    onset = level.shape[1] - 1 - before_top[:, ::-1].argmax(axis=1)
    end = np.where(before_top.any(axis=1), np.minimum(onset - _BEFORE_ONSET, _END), 0)
    # The window whose middle half stands out most from its outer quarters, upwards or downwards, by running sums.
    total = np.zeros((*clear.shape, _END + 1))
    np.cumsum(template[..., :_END], axis=2, out=total[..., 1:])
    whole = total[..., _LENGTH:] - total[..., :-_LENGTH]
    middle = total[..., _LENGTH - _QUARTER : -_QUARTER] - total[..., _QUARTER : _QUARTER - _LENGTH]
    height = middle / (_LENGTH - 2 * _QUARTER) - (whole - middle) / (2 * _QUARTER)
    size = (np.square(height) * clear[..., None]).sum(axis=1)
    size[np.arange(_STARTS) + _LENGTH > end[:, None]] = -1.0
    start = size.argmax(axis=1)
    return np.where((size.max(axis=1) < 0) | (start < _LEAST_START), -1, start)
