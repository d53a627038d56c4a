"""Measures of how scores and verdicts separate abnormal beats from normal ones; abnormal is the positive class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.presentation import short_repr


def ratio(part: float, whole: float) -> float:
    """Divide; NaN where the whole is 0."""
    return part / whole if whole else float("nan")


def percentile(values: Sequence[float], percent: float) -> float:
    """Interpolate a percentile; NaN without values."""
    return float(np.percentile(values, percent)) if len(values) else float("nan")


@dataclass(frozen=True, slots=True)
class RankingCurves:
    """Operating points for every threshold, from the strictest to the loosest.

    Attributes
    ----------
    fpr, tpr : ndarray, shape (k,)
        False- and true-positive rate (receiver operating characteristic), from (0, 0) to (1, 1).
    precision, recall : ndarray, shape (k,)
        The first point is (1, 0).
    """

    __repr__ = short_repr

    fpr: NDArray[np.float64]
    tpr: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @property
    def auc(self) -> float:
        """Area under the receiver operating characteristic."""
        return float(np.trapezoid(self.tpr, self.fpr))

    @property
    def average_precision(self) -> float:
        """Precision averaged over the steps of recall, without interpolation."""
        return float(np.sum(np.diff(self.recall) * self.precision[1:]))

    def tpr_at(self, fpr: float) -> float:
        """Largest true-positive rate whose false-positive rate is at most `fpr`."""
        return float(self.tpr[self.fpr <= fpr].max())


def ranking_curves(abnormal: NDArray[np.bool_], score: NDArray[np.floating]) -> RankingCurves:
    """Curves of a score, larger = more abnormal.

    Parameters
    ----------
    abnormal : ndarray of bool, shape (n,)
    score : ndarray, shape (n,)
        No NaN.

    Raises
    ------
    DataError
        Unless there are both normal and abnormal beats.
    """
    positives, negatives = int(abnormal.sum()), int((~abnormal).sum())
    if positives == 0 or negatives == 0:
        raise DataError(f"an evaluation needs normal and abnormal beats, and there are {negatives} and {positives}.")
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    true = np.cumsum(abnormal[order])[last_of_tie]
    flagged = (np.arange(len(score)) + 1)[last_of_tie]
    return RankingCurves(
        fpr=np.concatenate([[0.0], (flagged - true) / negatives]),
        tpr=np.concatenate([[0.0], true / positives]),
        precision=np.concatenate([[1.0], true / flagged]),
        recall=np.concatenate([[0.0], true / positives]),
    )


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of verdicts; a rate of nothing is NaN."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    @classmethod
    def of(cls, abnormal: NDArray[np.bool_], flagged: NDArray[np.bool_]) -> Confusion:
        """Count; both arrays of shape (n,)."""
        return cls(
            int(np.sum(abnormal & flagged)),
            int(np.sum(~abnormal & flagged)),
            int(np.sum(~abnormal & ~flagged)),
            int(np.sum(abnormal & ~flagged)),
        )

    @property
    def accuracy(self) -> float:
        """Share of right verdicts."""
        right = self.true_positive + self.true_negative
        return ratio(right, right + self.false_positive + self.false_negative)

    @property
    def precision(self) -> float:
        """Share of flagged beats that are abnormal."""
        return ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Share of abnormal beats that are flagged (sensitivity)."""
        return ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def fpr(self) -> float:
        """Share of normal beats that are flagged."""
        return ratio(self.false_positive, self.false_positive + self.true_negative)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        twice = 2 * self.true_positive
        return ratio(twice, twice + self.false_positive + self.false_negative)
