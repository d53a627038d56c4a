"""Chooses the few beats that are worth a look among many.

Rows are given in the order in which to show them; ties go to the earlier row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ectopy.detector import Detection, Verdict

Rows = NDArray[np.int_]


def clearest_abnormal(detection: Detection, most: int) -> Rows:
    """The highest scores among the beats judged abnormal, highest first."""
    return _highest(np.flatnonzero(detection.abnormal), detection.score, most)


def borderline(detection: Detection, most_each_side: int) -> Rows:
    """The scores nearest to the threshold on either side of it, highest first."""
    above = np.flatnonzero(detection.abnormal)
    below = np.flatnonzero(_judged_normal(detection))
    nearest = [_highest(above, -detection.score, most_each_side), _highest(below, detection.score, most_each_side)]
    return _highest(np.sort(np.concatenate(nearest)), detection.score, 2 * most_each_side)


def missed(detection: Detection, abnormal: NDArray[np.bool_], most: int) -> Rows:
    """The lowest scores among abnormal beats judged normal, lowest first."""
    rows = np.flatnonzero(_judged_normal(detection) & abnormal)
    return _highest(rows, -detection.score, most)


def false_alarms(detection: Detection, abnormal: NDArray[np.bool_], most: int) -> Rows:
    """The highest scores among normal beats judged abnormal, highest first."""
    return _highest(np.flatnonzero(detection.abnormal & ~abnormal), detection.score, most)


def typical_normal(detection: Detection, abnormal: NDArray[np.bool_] | None, most: int) -> Rows:
    """The scores nearest to the median among beats judged normal, and labelled so if labelled."""
    rows = np.flatnonzero(normal(detection, abnormal))
    if len(rows) == 0:
        return rows
    from_median = np.abs(detection.score - np.median(detection.score[rows]))
    return _highest(rows, -from_median, most)


def normal(detection: Detection, abnormal: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return which beats are judged normal, and labelled so if labelled."""
    judged = _judged_normal(detection)
    return judged if abnormal is None else judged & ~abnormal


def unreadable(detection: Detection, most: int) -> Rows:
    """The first beats that could not be judged."""
    return np.flatnonzero(detection.unreadable)[:most]


def _judged_normal(detection: Detection) -> NDArray[np.bool_]:
    return np.equal(detection.verdict, Verdict.NORMAL)


def _highest(rows: Rows, value: NDArray[np.float64], most: int) -> Rows:
    return rows[np.argsort(-value[rows], kind="stable")][:most]
