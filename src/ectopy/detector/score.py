"""From a reconstruction to one number per beat.

A beat is compared with what the autoencoder makes of it (reconstruction error) and with the normal beats it has seen
(distance in the latent space). Both are put on one scale, standard deviations above the mean log of held-out normals,
and combined by a soft minimum. Every function is pure; larger means more abnormal throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TINY = 1e-12
_SMOOTHING = 5
_SHARPNESS = 2.0


@dataclass(frozen=True, slots=True)
class LogScale:
    """Log-standardisation learned on held-out normals.

    Attributes
    ----------
    floor : float
        Added before the logarithm, a hundredth of the normals' median, so that a perfect fit is not infinitely good.
    mean, std : float
        Mean and standard deviation of the normals' logarithms.
    """

    floor: float
    mean: float
    std: float

    @classmethod
    def of(cls, normals: NDArray[np.floating]) -> LogScale:
        """Learn the scale from the values of held-out normals, shape (n,), none negative."""
        values = np.asarray(normals, np.float64)
        floor = max(0.01 * float(np.median(values)), _TINY)
        logs = np.log(values + floor)
        return cls(floor, float(logs.mean()), max(float(logs.std()), _TINY))

    def standardise(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Standard deviations above the normals' mean logarithm; any shape."""
        standardised: NDArray[np.float64] = (np.log(np.asarray(values, np.float64) + self.floor) - self.mean) / self.std
        return standardised


def tolerant_error(samples: NDArray[np.float32], reconstruction: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far each sample lies outside what the reconstruction allows within a small timing error.

    A QRS complex that comes one sample late is no anomaly, yet it makes the largest plain difference of all. So a
    sample is compared with the range of the reconstruction over its neighbours, one to each side (the envelope of
    LB_Keogh, doi:10.1007/s10115-004-0154-9), and what is left is averaged, with its sign, over five samples, in which
    noise cancels and a misshapen wave does not.

    Parameters
    ----------
    samples : ndarray of float32, shape (n, samples)
    reconstruction : ndarray of float32, shape (n, members, samples)

    Returns
    -------
    ndarray of float32, shape (n, members, samples)
        In the beats' unit; positive = above the reconstruction, 0 = within it.
    """
    upper, lower = reconstruction.copy(), reconstruction.copy()
    for extreme, envelope in ((np.maximum, upper), (np.minimum, lower)):
        extreme(envelope[..., 1:], reconstruction[..., :-1], out=envelope[..., 1:])
        extreme(envelope[..., :-1], reconstruction[..., 1:], out=envelope[..., :-1])
    beats = samples[:, None, :]
    outside = np.maximum(beats - upper, 0) + np.minimum(beats - lower, 0)
    return _moving_mean(outside, _SMOOTHING)


def _moving_mean(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Mean over a centred window along the last axis; beyond the ends there are zeros."""
    total = values.copy()
    for shift in range(1, width // 2 + 1):
        total[..., shift:] += values[..., :-shift]
        total[..., :-shift] += values[..., shift:]
    total /= width
    return total


def mean_square(error: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of the squares along the last axis."""
    mean: NDArray[np.float32] = np.square(error).mean(axis=-1)
    return mean


def latent_distance(latent: NDArray[np.float32], references: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean distance to the nearest known normal in each member's latent space.

    Parameters
    ----------
    latent : ndarray, shape (n, members, size)
    references : ndarray, shape (members, m, size)
        Latent codes of normals that the member was trained on.

    Returns
    -------
    ndarray, shape (n, members)
    """
    codes = np.swapaxes(latent, 0, 1).astype(np.float64)
    squared = (
        np.square(codes).sum(axis=2)[:, :, None]
        + np.square(references).sum(axis=2)[:, None, :]
        - 2.0 * codes @ np.swapaxes(references, 1, 2)
    )
    distance: NDArray[np.float64] = np.sqrt(np.maximum(squared.min(axis=2), 0.0))
    return distance.T


def combine(error: NDArray[np.float64], distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Soft minimum of the two standardised parts, each of shape (n,).

    A beat is abnormal when it is neither rebuilt well nor close to a known normal: an odd but normal beat often fails
    one of the two, an abnormal one fails both. Where the parts agree, the score is what they say.
    """
    soft = np.logaddexp(-_SHARPNESS * error, -_SHARPNESS * distance) - np.log(2.0)
    score: NDArray[np.float64] = -soft / _SHARPNESS
    return score


@dataclass(frozen=True, slots=True)
class Scoring:
    """Everything a score needs beside the graph's output.

    Attributes
    ----------
    references : ndarray of float64, shape (members, m, latent size)
        Latent codes of known normals.
    error_scale, distance_scale : LogScale
    """

    references: NDArray[np.float64]
    error_scale: LogScale
    distance_scale: LogScale

    def parts(
        self, error: NDArray[np.float32], latent: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Standardised reconstruction error and latent distance, mean over the members.

        Parameters
        ----------
        error : ndarray, shape (n, members, samples)
            From `tolerant_error`.
        latent : ndarray, shape (n, members, size)

        Returns
        -------
        tuple of two ndarray, each of shape (n,)
        """
        distance = latent_distance(latent, self.references)
        return (
            self.error_scale.standardise(mean_square(error)).mean(axis=1),
            self.distance_scale.standardise(distance).mean(axis=1),
        )
