"""Score a beat from the output of the autoencoder.

A beat is compared with its reconstruction (reconstruction error) and with normal beats of the training (distance in the
latent space). Both are put on one scale, standard deviations above the mean log of held-out normals,
and combined. Every function is pure; larger means more abnormal throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ectopy.detector.runtime import Output
from ectopy.presentation import short_repr

_TINY = float(np.finfo(np.float64).tiny)
_LEAST_STD = 1e-9
_COMMON_WEIGHT = 10.0
_ERROR_CAP = 3.5


@dataclass(frozen=True, slots=True, eq=False)
class LogScale:
    """Log-standardisation learned on held-out normals.

    Attributes
    ----------
    floor : float
        Added before the logarithm, a hundredth of the normals' median, so that a perfect fit is not infinitely good.
    mean, std : ndarray of float64, shape () or (members,)
        Mean and standard deviation of the normals' logarithms; one for all members, or one for each.
    """

    __repr__ = short_repr

    floor: float
    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def of(cls, normals: NDArray[np.floating]) -> LogScale:
        """Learn one scale for all members from the values of held-out normals, shape (n,), none negative."""
        floor, logs = _logs(normals)
        return cls(floor, np.asarray(logs.mean()), np.maximum(logs.std(), _LEAST_STD))

    @classmethod
    def of_each(cls, normals: NDArray[np.floating], held_out_by: NDArray[np.int_], members: int) -> LogScale:
        """Learn a scale for each member, so that one poorly trained member does not raise the threshold for all.

        The common scale counts as much as ten normals in each, as a member's own normals may be few. That number
        was chosen by cross-validation on the official 500 training beats of ECG5000.

        Parameters
        ----------
        normals : ndarray, shape (n,)
            Values of held-out normals, none negative.
        held_out_by : ndarray of int, shape (n,)
            The member that each is a value of.
        members : int
        """
        floor, logs = _logs(normals)
        weight = np.bincount(held_out_by, minlength=members) + _COMMON_WEIGHT
        mean = (np.bincount(held_out_by, logs, members) + _COMMON_WEIGHT * logs.mean()) / weight
        squares = np.bincount(held_out_by, np.square(logs - mean[held_out_by]), members)
        variance = (squares + _COMMON_WEIGHT * logs.var()) / weight
        return cls(floor, mean, np.maximum(np.sqrt(variance), _LEAST_STD))

    def standardise(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Standard deviations above the normals' mean logarithm; shape (..., members)."""
        standardised: NDArray[np.float64] = (np.log(np.asarray(values, np.float64) + self.floor) - self.mean) / self.std
        return standardised


def _logs(normals: NDArray[np.floating]) -> tuple[float, NDArray[np.float64]]:
    values = np.asarray(normals, np.float64)
    floor = max(0.01 * float(np.median(values)), _TINY)
    return floor, np.log(values + floor)


@dataclass(frozen=True, slots=True)
class KnownNormals:
    """Normal beats to compare with, as codes in the latent space of each member.

    Attributes
    ----------
    codes : ndarray of float32, shape (members, m, size)
        Codes of normals that the member was trained on.
    products : ndarray of float64, shape (members, size + 1, m)
        The codes as columns, and under them half of their squared length, negative; follows from `codes`.
    """

    __repr__ = short_repr

    codes: NDArray[np.float32]
    products: NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        codes = self.codes.astype(np.float64)
        half_squares = np.square(codes).sum(axis=2, keepdims=True) / 2
        products = np.swapaxes(np.concatenate([codes, -half_squares], axis=2), 1, 2)
        object.__setattr__(self, "products", np.ascontiguousarray(products))

    def distance(self, latent: NDArray[np.float32]) -> NDArray[np.float32]:
        """Euclidean distance to the nearest known normal, for each member.

        Parameters
        ----------
        latent : ndarray of float32, shape (n, members, size)

        Returns
        -------
        ndarray of float32, shape (n, members)
        """
        members = np.arange(len(self.codes))
        # Contiguous matrices on both sides: anything else keeps NumPy from using BLAS.
        latents = np.empty((len(members), len(latent), latent.shape[2] + 1))
        latents[..., :-1] = np.swapaxes(latent, 0, 1)
        latents[..., -1] = 1.0
        # The nearest one has the largest product less half of its square. Only then is the distance taken, from the
        # difference itself, which keeps it exact where it is small.
        nearest = (latents @ self.products).argmax(axis=2)
        away = latent - self.codes[members, nearest.T]
        distance: NDArray[np.float32] = np.sqrt(np.einsum("...s,...s->...", away, away))
        return distance


def combine(error: NDArray[np.float64], distance: NDArray[np.float64], distance_weight: float) -> NDArray[np.float64]:
    """Weighted mean of the two standardised parts, each of shape (n,).

    The error counts up to 3.5 standard deviations: noise on a normal beat can make it arbitrarily large, and from there
    on where the beat lies among the known normals has to tell an odd beat from an abnormal one. The limit was chosen by
    cross-validation on the official 500 training beats of ECG5000.
    """
    score: NDArray[np.float64] = (np.minimum(error, _ERROR_CAP) + distance_weight * distance) / (1 + distance_weight)
    return score


@dataclass(frozen=True, slots=True)
class Scoring:
    """Parameters of the score beside the graph's output.

    Attributes
    ----------
    normals : KnownNormals
    error_scale, distance_scale : LogScale
    distance_weight : float
        Weight of the distance; that of the error is 1.
    """

    __repr__ = short_repr

    normals: KnownNormals
    error_scale: LogScale
    distance_scale: LogScale
    distance_weight: float

    def parts(self, output: Output) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Standardised reconstruction error and latent distance of n beats, mean over the members.

        Returns
        -------
        tuple of two ndarray, each of shape (n,)
        """
        distance = self.normals.distance(output.latent)
        return (
            self.error_scale.standardise(output.mean_square_error).mean(axis=1),
            self.distance_scale.standardise(distance).mean(axis=1),
        )
