"""Thresholds learned on normal beats only, and p-values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import check_fields
from ectopy.errors import NotEnoughNormalsError, SettingError
from ectopy.presentation import short_repr


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """Rule by which the threshold is taken from the scores of held-out normals.

    Attributes
    ----------
    name : str
        ``conformal``: the score of rank ``(n + 1) (1 - target_fpr)`` among n normals. At a whole rank, and whatever
        the scores' distribution, the expected share of new normals above it is at most `target_fpr`, as long as their
        scores are exchangeable with these (Vovk, Gammerman & Shafer 2005, doi:10.1007/b106715). Between whole ranks it
        is interpolated, which moves that share by less than ``1 / (n + 1)``; so a flagged beat's p-value can exceed
        `target_fpr` by as much.
        ``quantile``: the plain ``1 - target_fpr`` quantile, interpolated.
        ``mean+kstd``: mean plus `k_std` standard deviations, the TensorFlow tutorial's rule for ``k_std=1``.
        ``max``: the largest score of a normal.
    target_fpr : float
        Share of normal beats that may be flagged, between 0 and 1; used by ``conformal`` and ``quantile``.
    k_std : float
        Used by ``mean+kstd``.

    Raises
    ------
    SettingError
        If the name is unknown or the rate is not between 0 and 1.
    """

    name: str = "conformal"
    target_fpr: float = 0.01
    k_std: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.name not in THRESHOLDS:
            raise SettingError(f"unknown threshold '{self.name}'; use one of {', '.join(THRESHOLDS)}.")
        if not 0.0 < self.target_fpr < 1.0:
            raise SettingError(f"target_fpr must lie between 0 and 1, not {self.target_fpr:g}.")
        if not math.isfinite(self.k_std):
            raise SettingError(f"k_std must be a finite number, not {self.k_std}.")

    def threshold(self, normal_scores: NDArray[np.float64]) -> float:
        """Threshold for the scores of held-out normals, shape (n,); a beat is abnormal above it.

        Raises
        ------
        NotEnoughNormalsError
            If `normal_scores` are too few for the asked rate.
        """
        return THRESHOLDS[self.name](normal_scores, self)


def normals_needed(target_fpr: float) -> int:
    """Smallest number of held-out normals that can support a false-positive rate: ``1 / (n + 1) <= target_fpr``."""
    return math.ceil(1.0 / target_fpr - 1.0 - 1e-9)


def lowest_rate(normals: int) -> float:
    """Lowest false-positive rate that so many held-out normals support, rounded up to four decimals."""
    return math.ceil(1e4 / (normals + 1)) / 1e4


def _conformal(scores: NDArray[np.float64], rule: ThresholdRule) -> float:
    n = len(scores)
    needed = normals_needed(rule.target_fpr)
    if n < needed:
        raise NotEnoughNormalsError(
            f"a false-positive rate of {rule.target_fpr:g} needs at least {needed} normal beats to calibrate with, "
            f"and there are {n}; give more normals, or ask for a rate of {lowest_rate(n):.4f} or more."
        )
    # NumPy's "weibull" is this rank: (n + 1) q, interpolated.
    return float(np.quantile(scores, 1.0 - rule.target_fpr, method="weibull"))


def _quantile(scores: NDArray[np.float64], rule: ThresholdRule) -> float:
    return float(np.quantile(scores, 1.0 - rule.target_fpr))


def _mean_kstd(scores: NDArray[np.float64], rule: ThresholdRule) -> float:
    return float(scores.mean() + rule.k_std * scores.std())


def _max(scores: NDArray[np.float64], rule: ThresholdRule) -> float:
    return float(scores.max())


THRESHOLDS: dict[str, Callable[[NDArray[np.float64], ThresholdRule], float]] = {
    "conformal": _conformal,
    "mean+kstd": _mean_kstd,
    "quantile": _quantile,
    "max": _max,
}


def p_values(scores: NDArray[np.float64], normal_scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Conformal p-values: how unusual each score is among held-out normals.

    ``p = (1 + #{normals scoring at least as high}) / (n + 1)``: if a beat is normal and exchangeable with the
    calibration normals, p is at most a with probability at most a.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        NaN gives NaN.
    normal_scores : ndarray, shape (m,)

    Returns
    -------
    ndarray, shape (n,)
        In (0, 1]; small = abnormal.
    """
    return p_values_among(scores, np.sort(normal_scores))


def p_values_among(scores: NDArray[np.float64], ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same among the scores of normals in ascending order."""
    at_least = len(ordered) - np.searchsorted(ordered, scores, side="left")
    p: NDArray[np.float64] = np.where(np.isnan(scores), np.nan, (1.0 + at_least) / (len(ordered) + 1.0))
    return p


@dataclass(frozen=True, slots=True)
class RecordingCalibration:
    """What a detector for recordings needs beside the autoencoder, learned from normal beats of many patients.

    Attributes
    ----------
    with_baseline : ndarray of float64, shape (m,)
        Scores of beats with each patient's own template.
    without_baseline : ndarray of float64, shape (k,)
        Scores of beats without it, from autoencoders that never saw the patient.
    shape_quantiles, error_quantiles, p_wave_quantiles, population_quantiles : ndarray of float64, shape (1000,)
        Distributions of the difference from the own template, of the error of reconstruction, and of the differences
        from the template's P wave and from other people's beats.
    interval_weights, reconstruction_weights : tuple of ndarray of float32
        Of the networks that predict RR intervals and reconstruct beats.
    """

    __repr__ = short_repr

    with_baseline: NDArray[np.float64]
    without_baseline: NDArray[np.float64]
    shape_quantiles: NDArray[np.float64]
    error_quantiles: NDArray[np.float64]
    p_wave_quantiles: NDArray[np.float64]
    population_quantiles: NDArray[np.float64]
    interval_weights: tuple[NDArray[np.float32], ...]
    reconstruction_weights: tuple[NDArray[np.float32], ...]
