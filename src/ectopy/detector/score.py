"""From a reconstruction to one number per beat.

A beat is compared with what the autoencoder makes of it (reconstruction error) and with the normal beats it has seen
(distance in the latent space). Both are put on one scale, standard deviations above the mean log of held-out normals,
and averaged. Every function is pure; larger means more abnormal throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.detector.runtime import Output

_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class LogScale:
    """Log-standardisation learned on held-out normals.

    Attributes
    ----------
    mean, std : float
        Mean and standard deviation of the natural logarithm of the normals' values.
    """

    mean: float
    std: float

    @classmethod
    def of(cls, normals: NDArray[np.floating]) -> LogScale:
        """Learn the scale from the values of held-out normals, shape (n,)."""
        logs = np.log(np.asarray(normals, np.float64) + _TINY)
        return cls(float(logs.mean()), max(float(logs.std()), _TINY))

    def standardise(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Standard deviations above the normals' mean log; any shape."""
        standardised: NDArray[np.float64] = (np.log(np.asarray(values, np.float64) + _TINY) - self.mean) / self.std
        return standardised


def reconstruction_error(
    samples: NDArray[np.float32], reconstruction: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Mean squared error of each member's reconstruction.

    Parameters
    ----------
    samples : ndarray, shape (n, samples)
    reconstruction : ndarray, shape (n, members, samples)

    Returns
    -------
    ndarray, shape (n, members)
        In the square of the beats' unit.
    """
    residual = reconstruction - samples[:, None, :]
    np.square(residual, out=residual)
    error: NDArray[np.float32] = residual.mean(axis=2)
    return error


def latent_distance(
    latent: NDArray[np.float32], references: NDArray[np.float64], neighbours: int
) -> NDArray[np.float64]:
    """Mean Euclidean distance to the nearest known normals in each member's latent space.

    Parameters
    ----------
    latent : ndarray, shape (n, members, size)
    references : ndarray, shape (members, m, size)
        Latent codes of normals that the member was trained on.
    neighbours : int
        How many of the nearest to average.

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
    k = min(neighbours, references.shape[1])
    if k == 1:
        nearest = squared.min(axis=2, keepdims=True)
    else:
        nearest = np.partition(squared, k - 1, axis=2)[:, :, :k]
    distance: NDArray[np.float64] = np.sqrt(np.maximum(nearest, 0.0)).mean(axis=2)
    return distance.T


@dataclass(frozen=True, slots=True)
class Scoring:
    """Everything a score needs beside the graph's output.

    Attributes
    ----------
    references : ndarray of float64, shape (members, m, latent size)
        Latent codes of known normals.
    neighbours : int
        How many of the nearest references the distance averages.
    error_scale, distance_scale : LogScale
    """

    references: NDArray[np.float64]
    neighbours: int
    error_scale: LogScale
    distance_scale: LogScale

    def parts(
        self, samples: NDArray[np.float32], output: Output
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Standardised reconstruction error and latent distance, mean over the members, each of shape (n,)."""
        error = reconstruction_error(samples, output.reconstruction)
        distance = latent_distance(output.latent, self.references, self.neighbours)
        return (
            self.error_scale.standardise(error).mean(axis=1),
            self.distance_scale.standardise(distance).mean(axis=1),
        )
