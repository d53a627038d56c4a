"""Estimate the noise of each beat and lead from the beat's own samples, between its waves, and what it explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SMOOTH = 9  # samples
_PIECE = 10  # samples
_ALL_FREQUENCIES = 6.0  # power of all noise over that above 10 Hz


def beat_noise(samples: NDArray[np.floating]) -> NDArray[np.float64]:
    """Estimate the noise of beats above 10 Hz.

    A beat's samples differ from their running mean of 0.05 s by noise and, where the QRS complex is, by its steep
    slopes. The median over pieces of 0.06 s does not see the QRS complex, which fills less than half of them.

    Parameters
    ----------
    samples : ndarray of float, shape (..., k)
        Millivolt at 180 Hz, as `BeatSegments.samples` or aligned; k at least 18.

    Returns
    -------
    ndarray of float64, shape (...)
        Millivolt RMS.
    """
    # The running mean by differences of the running sum; its ends are left out.
    samples = samples.astype(np.float64)
    total = np.cumsum(samples, axis=-1)
    smooth = total[..., _SMOOTH - 1 :].copy()
    smooth[..., 1:] -= total[..., :-_SMOOTH]
    smooth /= _SMOOTH
    smooth -= samples[..., _SMOOTH // 2 : -(_SMOOTH // 2)]
    squares = np.square(smooth, out=smooth)
    # The median RMS of pieces of equal length; samples that do not fill a piece are left out.
    pieces = squares.shape[-1] // _PIECE
    power = squares[..., : pieces * _PIECE].reshape(*squares.shape[:-1], pieces, _PIECE).sum(axis=-1) / _PIECE
    power.partition(pieces // 2, axis=-1)
    noise: NDArray[np.float64] = np.sqrt(power[..., pieces // 2])
    return noise


def noise_energy(noise_mv: NDArray[np.float64], count: int | NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the energy that noise adds to so many samples of a beat, slow noise included.

    Added to the energy of a template, it makes the difference of a beat relative to both: a noisy beat has to differ
    more. The factor 6 was chosen on QTDB and the records DS1 of the MIT-BIH Arrhythmia Database; 3 to 20 give nearly
    the same.

    Parameters
    ----------
    noise_mv : ndarray of float64, shape (...)
        From `beat_noise`.
    count : int or ndarray of int, shape (...)
        Number of samples.

    Returns
    -------
    ndarray of float64, shape (...)
        Square millivolt times samples.
    """
    return np.asarray(_ALL_FREQUENCIES * count * np.square(noise_mv), np.float64)
