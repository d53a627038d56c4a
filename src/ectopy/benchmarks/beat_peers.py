"""Ectopy and alternatives to it, behind one function each: normals and a seed in, scores and a threshold out.

Every method sees the same normals, none sees a label, and each takes its threshold from normals by its own rule. The
peers without a rule of their own are calibrated like ours: conformal, on normals held out by five-fold cross-fitting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.beats import Beats
from ectopy.detector import ThresholdRule
from ectopy.errors import MissingExtraError
from ectopy.training import TrainingSettings, train_tutorial
from ectopy.training.training import train

try:
    from sklearn.decomposition import PCA
    from sklearn.ensemble import IsolationForest
    from sklearn.model_selection import KFold
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import OneClassSVM
except ModuleNotFoundError as missing:
    raise MissingExtraError.of("train", "a benchmark") from missing

Samples = NDArray[np.float32]
Scores = NDArray[np.float64]


class Fitted(NamedTuple):
    """A method after training.

    Attributes
    ----------
    score : callable
        Beats of shape (n, samples) to scores of shape (n,), larger = more abnormal.
    threshold : float
        A beat is abnormal above it.
    thresholds : dict of float to float
        The threshold for other false-positive rates, where the method states one.
    """

    score: Callable[[Samples], Scores]
    threshold: float
    thresholds: dict[float, float]


Method = Callable[[Beats, int], Fitted]

OTHER_RATES = (0.05,)


def ectopy(normals: Beats, seed: int) -> Fitted:
    """Ectopy with its defaults."""
    detector = train(normals, TrainingSettings(), ThresholdRule(), random_state=seed)
    return Fitted(
        detector.score,
        detector.threshold,
        {rate: detector.with_rule(ThresholdRule(target_fpr=rate)).threshold for rate in OTHER_RATES},
    )


def tutorial(normals: Beats, seed: int) -> Fitted:
    """TensorFlow's "Intro to Autoencoders": its network, 20 epochs, and mean + 1 std of the training error."""
    score = train_tutorial(normals.samples, seed)
    return Fitted(score, ThresholdRule("mean+kstd", k_std=1.0).threshold(score(normals.samples)), {})


def pca(normals: Beats, seed: int) -> Fitted:
    """Squared reconstruction error of the first eight principal components."""

    def fit(samples: Samples) -> Callable[[Samples], Scores]:
        components = PCA(8, random_state=seed).fit(samples)

        def score(beats: Samples) -> Scores:
            back = components.inverse_transform(components.transform(beats))
            errors: Scores = np.square(beats - back).mean(axis=1, dtype=np.float64)
            return errors

        return score

    return _calibrated(fit, normals.samples, seed)


def knn(normals: Beats, seed: int) -> Fitted:
    """Mean Euclidean distance of the raw beat to its five nearest normals."""

    def fit(samples: Samples) -> Callable[[Samples], Scores]:
        neighbours = NearestNeighbors(n_neighbors=5).fit(samples)
        return lambda beats: neighbours.kneighbors(beats)[0].mean(axis=1)

    return _calibrated(fit, normals.samples, seed)


def ocsvm(normals: Beats, seed: int) -> Fitted:
    """One-class support vector machine, radial kernel of scale width, nu = 0.01, on standardised samples."""

    def fit(samples: Samples) -> Callable[[Samples], Scores]:
        scaler = StandardScaler().fit(samples)
        machine = OneClassSVM(nu=0.01, gamma="scale").fit(scaler.transform(samples))
        return lambda beats: -machine.decision_function(scaler.transform(beats))

    return _calibrated(fit, normals.samples, seed)


def iforest(normals: Beats, seed: int) -> Fitted:
    """Isolation forest of 300 trees."""

    def fit(samples: Samples) -> Callable[[Samples], Scores]:
        forest = IsolationForest(n_estimators=300, random_state=seed).fit(samples)
        return lambda beats: -forest.score_samples(beats)

    return _calibrated(fit, normals.samples, seed)


METHODS: dict[str, Method] = {
    "ectopy": ectopy,
    "tutorial": tutorial,
    "pca": pca,
    "knn": knn,
    "ocsvm": ocsvm,
    "iforest": iforest,
}


def _calibrated(fit: Callable[[Samples], Callable[[Samples], Scores]], normals: Samples, seed: int) -> Fitted:
    held_out = np.empty(len(normals))
    folds: Any = KFold(5, shuffle=True, random_state=seed)
    for training, rest in folds.split(normals):
        held_out[rest] = fit(normals[training])(normals[rest])
    return Fitted(
        fit(normals),
        ThresholdRule().threshold(held_out),
        {rate: ThresholdRule(target_fpr=rate).threshold(held_out) for rate in OTHER_RATES},
    )
