"""From a reconstruction to one number per beat.

A beat is compared with what the autoencoder makes of it (reconstruction error) and with the normal beats it has seen
(distance in the latent space). Both are put on one scale, standard deviations above the mean log of held-out normals,
and combined by a soft minimum. Every function is pure; larger means more abnormal throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_TINY = float(np.finfo(np.float64).tiny)
_LEAST_STD = 1e-9
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
        return cls(floor, float(logs.mean()), max(float(logs.std()), _LEAST_STD))

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
    lower, upper = _envelope(reconstruction, np.minimum), _envelope(reconstruction, np.maximum)
    beats = samples[:, None, :]
    outside = np.maximum(beats, lower)
    np.minimum(outside, upper, out=outside)
    np.subtract(beats, outside, out=outside)
    return _moving_mean(outside)


def _envelope(values: NDArray[np.float32], extreme: np.ufunc) -> NDArray[np.float32]:
    """Extreme of each value and its neighbours along the last axis."""
    # All rows as one: one long run is faster than many rows of 140.
    values = np.ascontiguousarray(values)
    flat = values.reshape(-1)
    pairs = extreme(flat[:-1], flat[1:])
    envelope = np.empty_like(values)
    extreme(pairs[:-1], pairs[1:], out=envelope.reshape(-1)[1:-1])
    for end, inner in ((0, 1), (-1, -2)):
        extreme(values[..., end], values[..., inner], out=envelope[..., end])
    return envelope


def _moving_mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over five values centred on each along the last axis; beyond the ends there are zeros."""
    padded = np.zeros((*values.shape[:-1], values.shape[-1] + 4), values.dtype)
    padded[..., 2:-2] = values
    flat = padded.reshape(-1)
    pairs = flat[:-1] + flat[1:]
    total = np.empty_like(padded)
    run = total.reshape(-1)[:-4]
    np.add(pairs[:-3], pairs[2:-1], out=run)
    run += flat[4:]
    run /= 5
    return total[..., :-4]


def mean_square(error: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of the squares along the last axis."""
    total: NDArray[np.float32] = np.einsum("...s,...s->...", error, error)
    return total / np.float32(error.shape[-1])


@dataclass(frozen=True, slots=True)
class KnownNormals:
    """Normal beats to compare with, as codes in the latent space of each member.

    Attributes
    ----------
    codes : ndarray of float64, shape (members, m, size)
        Codes of normals that the member was trained on.
    columns : ndarray of float64, shape (members, size, m)
        The codes as columns; follows from `codes`.
    half_squares : ndarray of float64, shape (members, 1, m)
        Half the squared length of each code; follows from `codes`.
    """

    codes: NDArray[np.float64]
    columns: NDArray[np.float64] = field(init=False, repr=False)
    half_squares: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", np.ascontiguousarray(np.swapaxes(self.codes, 1, 2)))
        object.__setattr__(self, "half_squares", np.square(self.codes).sum(axis=2)[:, None, :] / 2)

    def distance(self, latent: NDArray[np.float32]) -> NDArray[np.float64]:
        """Euclidean distance to the nearest known normal, for each member.

        Parameters
        ----------
        latent : ndarray, shape (n, members, size)

        Returns
        -------
        ndarray, shape (n, members)
        """
        # Contiguous matrices on both sides: anything else keeps NumPy from using BLAS.
        latents = np.ascontiguousarray(np.swapaxes(latent, 0, 1), dtype=np.float64)
        # Half of |latent - known|^2, less half of |latent|^2, which is the same for every known normal.
        relative = latents @ self.columns
        np.subtract(self.half_squares, relative, out=relative)
        squared = np.square(latents).sum(axis=2) + 2.0 * relative.min(axis=2)
        distance: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0.0))
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
    known : KnownNormals
    error_scale, distance_scale : LogScale
    """

    known: KnownNormals
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
        distance = self.known.distance(latent)
        return (
            self.error_scale.standardise(mean_square(error)).mean(axis=1),
            self.distance_scale.standardise(distance).mean(axis=1),
        )
