"""The scikit-learn face of the detector."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ectopy.beats import BeatLayout, Beats
from ectopy.detector import Detector, ThresholdRule
from ectopy.errors import DataError, MissingExtraError, SettingError
from ectopy.training import TrainingSettings
from ectopy.training.training import train

try:
    from sklearn.base import BaseEstimator, OutlierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ModuleNotFoundError as error:
    raise MissingExtraError.of("train", "AutoencoderDetector") from error


class _KindError(DataError, TypeError):
    """A `DataError` where scikit-learn's conventions ask for a TypeError."""


class AutoencoderDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Learns normal heartbeats and finds the others, with scikit-learn's conventions for outlier detectors.

    Parameters
    ----------
    architecture : str, default="default"
        A name in `ectopy.training.ARCHITECTURES`, or ``"default"``.
    target_fpr : float, default=0.01
        Share of normal beats that may be flagged; for the thresholds ``conformal`` and ``quantile``.
    threshold : {"conformal", "mean+kstd", "quantile", "max"}, default="conformal"
        How the threshold is taken from the normals; see `ectopy.ThresholdRule`.
    k_std : float, default=1.0
        For the threshold ``mean+kstd``.
    members : int, default=4
        Autoencoders trained together, each without one part of the normals.
    max_steps : int, default=1500
        Optimiser steps at most.
    batch_size : int, default=32
        Beats a step.
    learning_rate : float, default=2e-3
        At the start.
    layout : BeatLayout or None, default=None
        What a row of `X` means, kept in the bundle so that it refuses other beats; None = not stated.
    random_state : int, RandomState instance or None, default=None
        Seed. The same seed on the same machine gives the same scores.

    Attributes
    ----------
    detector_ : Detector
        The trained detector, which needs neither scikit-learn nor TensorFlow.
    offset_ : float
        ``decision_function`` is ``score_samples`` minus this.
    n_features_in_ : int
        Samples per beat.

    Examples
    --------
    >>> from ectopy import AutoencoderDetector
    >>> from ectopy.datasets import simulate_beats
    >>> normal = simulate_beats(120, (0, 0, 0, 0)).samples
    >>> detector = AutoencoderDetector("dense", members=2, max_steps=10, random_state=0)
    >>> detector.fit(normal).predict(-normal[:2])
    array([-1, -1])
    """

    def __init__(
        self,
        architecture: str = "default",
        target_fpr: float = 0.01,
        threshold: str = "conformal",
        *,
        k_std: float = 1.0,
        members: int = 4,
        max_steps: int = 1500,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        layout: BeatLayout | None = None,
        random_state: Any = None,
    ) -> None:
        self.architecture = architecture
        self.target_fpr = target_fpr
        self.threshold = threshold
        self.k_std = k_std
        self.members = members
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.layout = layout
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> AutoencoderDetector:
        """Learn from normal beats.

        Parameters
        ----------
        X : array_like of float, shape (n, samples)
            Normal beats only.
        y : ignored

        Raises
        ------
        NotEnoughNormalsError
            If there are too few beats to calibrate at `target_fpr`.
        DataError
            If `X` is not a two-dimensional array of numbers, holds NaN or infinite values, or a beat is constant.
        SettingError
            If a parameter is outside what it may be.
        """
        samples = self._samples(X, ensure_min_samples=2, ensure_min_features=2)
        settings = TrainingSettings(
            architecture=self.architecture,
            members=self.members,
            max_steps=self.max_steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
        )
        self.detector_: Detector = train(
            Beats(samples, BeatLayout.undeclared(samples.shape[1]) if self.layout is None else self.layout),
            settings,
            ThresholdRule(self.threshold, self.target_fpr, self.k_std),
            random_state=self._seed(),
        )
        self.offset_ = -self.detector_.threshold
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Score beats of shape (n, samples); larger = more normal (the opposite of `Detector.score`)."""
        check_is_fitted(self)
        return -self.detector_.score(self._samples(X, reset=False))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Score beats of shape (n, samples) against the threshold; negative = abnormal."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int_]:
        """Judge beats of shape (n, samples): +1 = normal, -1 = abnormal."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _samples(self, X: ArrayLike, **requirements: Any) -> NDArray[np.float32]:
        if isinstance(X, np.ma.MaskedArray):
            # scikit-learn would take what lies under the mask for values.
            X = np.ma.filled(X.astype(np.float64), np.nan)
        try:
            samples: NDArray[np.float32] = validate_data(self, X, dtype=np.float32, **requirements)
        except Exception as error:  # whatever an object does that says it is like an array
            # scikit-learn goes on with advice on other lines, or with the array.
            first = (str(error).splitlines() or [type(error).__name__])[0]
            text = first if first.endswith(".") else " ".join(str(error).split()).partition(" [[")[0]
            message = f"{text.rstrip('.')}."
            raise _KindError(message) if isinstance(error, TypeError) else DataError(message) from error
        return samples

    def _seed(self) -> int | None:
        if self.random_state is None or isinstance(self.random_state, int):
            return self.random_state
        try:
            return int(check_random_state(self.random_state).randint(2**31))
        except ValueError as error:
            raise SettingError("random_state must be None, a whole number from 0, or a RandomState.") from error
