"""Measure a detector on labelled beats."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ectopy.arguments import StepProgress, checked
from ectopy.beats import NORMAL_LABEL, UNSPECIFIED_ABNORMAL_LABEL, Beats
from ectopy.detector import Detection, Detector
from ectopy.errors import DataError
from ectopy.evaluation.metrics import Confusion, RankingCurves, ranking_curves
from ectopy.presentation import short_repr


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A detector's verdicts on labelled beats, and their quality.

    Attributes
    ----------
    beats : Beats
        All the beats, labelled.
    detection : Detection
    curves : RankingCurves
        Of the readable beats.
    confusion : Confusion
        Of the readable beats.
    recall_by_class : dict of int to (flagged, beats)
        Per abnormal class; class 0 is abnormal of unknown class.
    unreadable : int
        Beats that were not judged, and count in no other figure.
    """

    __repr__ = short_repr

    beats: Beats
    detection: Detection
    curves: RankingCurves
    confusion: Confusion
    recall_by_class: dict[int, tuple[int, int]]
    unreadable: int

    def summary(self) -> dict[str, Any]:
        """The figures by name, for a table or JSON."""
        confusion = self.confusion
        return {
            "beats": len(self.beats),
            "unreadable": self.unreadable,
            "auc": self.curves.auc,
            "average_precision": self.curves.average_precision,
            "accuracy": confusion.accuracy,
            "f1": confusion.f1,
            "precision": confusion.precision,
            "recall": confusion.recall,
            "fpr": confusion.fpr,
            "tpr_at_fpr_0.01": self.curves.tpr_at(0.01),
            "threshold": self.detection.threshold,
            "confusion": asdict(confusion),
            "recall_by_class": {
                class_name(number): {"flagged": flagged, "beats": beats}
                for number, (flagged, beats) in self.recall_by_class.items()
            },
        }


@checked
def class_name(number: int) -> str:
    """Return what a class number is called in results: the number, for the names are not in the official files."""
    return "abnormal, class unknown" if number == UNSPECIFIED_ABNORMAL_LABEL else f"class {number}"


@checked
def evaluate(detector: Detector, beats: Beats, progress: StepProgress | None = None) -> Evaluation:
    """Judge labelled beats and compare with the labels; tell progress as `Detector.detect` does.

    Raises
    ------
    DataError
        If the beats are unlabelled, or there are no readable normal or abnormal ones.
    LayoutError
        If the beats are not laid out as the detector's.
    """
    if beats.labels is None:
        raise DataError(
            f"{beats.source or 'the data'} holds no labels, and an evaluation needs them: 1 = normal, any other class "
            "= abnormal."
        )
    detection = detector.detect(beats, progress)
    judged = ~detection.unreadable
    abnormal, flagged = beats.abnormal[judged], detection.abnormal[judged]
    labels = beats.labels[judged]
    classes = [int(number) for number in np.unique(labels) if number != NORMAL_LABEL]
    return Evaluation(
        beats=beats,
        detection=detection,
        curves=ranking_curves(abnormal, detection.score[judged]),
        confusion=Confusion.of(abnormal, flagged),
        recall_by_class={
            number: (int(flagged[labels == number].sum()), int((labels == number).sum())) for number in classes
        },
        unreadable=int((~judged).sum()),
    )
