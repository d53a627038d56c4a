"""Pages about beats: the verdicts, their quality, and the beats that are worth a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import checked
from ectopy.beats import NORMAL_LABEL, Beats
from ectopy.detector import Detection, Detector, Verdict
from ectopy.disclaimers import DATA_STATEMENTS
from ectopy.errors import DataError
from ectopy.evaluation import Evaluation, class_name
from ectopy.report import plots, select_beats
from ectopy.report import text_format as fmt
from ectopy.report.page import Figure, Tile, check_page, write_page
from ectopy.report.select_beats import Rows

_GALLERY = 8
_SIDE = 4
_DIGEST_SHOWN = 16


@dataclass(frozen=True, slots=True)
class BeatCard:
    """One beat in a gallery."""

    row: int
    verdict: str
    label: str
    score: str
    p_value: str
    reason: str
    svg: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """Beats selected for one reason, which the intro states."""

    name: str
    title: str
    intro: str
    cards: tuple[BeatCard, ...]


@dataclass(frozen=True, slots=True)
class _Selection:
    """Rows for a gallery, before they are drawn; `text_if_empty` replaces the intro where there are none."""

    name: str
    title: str
    intro: str
    text_if_empty: str
    rows: Rows


@checked
def evaluation_report(path: str | Path, detector: Detector, evaluation: Evaluation) -> None:
    """Write a page on labelled beats: the verdicts, their agreement with the labels, and the wrong ones.

    Parameters
    ----------
    path : str or Path
        An HTML file, written as a whole or not at all, without references to other files.
    detector : Detector
        The one that was evaluated.
    evaluation : Evaluation

    Raises
    ------
    OutputError
        If the file cannot be written.
    MissingExtraError
        If the ``report`` extra is not installed.
    DataError
        If the verdicts are not this detector's.
    """
    _write(path, detector, evaluation.beats, evaluation.detection, evaluation)


@checked
def detection_report(path: str | Path, detector: Detector, beats: Beats, detection: Detection) -> None:
    """Write a page on beats without using labels: the verdicts and the beats to look at.

    Parameters
    ----------
    path : str or Path
        As for `evaluation_report`.
    detector : Detector
    beats : Beats
        Labels, if any, are shown beside the beats.
    detection : Detection
        The detector's verdicts on these beats.

    Raises
    ------
    OutputError, MissingExtraError, DataError
        As `evaluation_report`, and if the verdicts are not on these beats.
    """
    _write(path, detector, beats, detection, None)


def _write(
    path: str | Path, detector: Detector, beats: Beats, detection: Detection, evaluation: Evaluation | None
) -> None:
    path = check_page(path)
    _check(detector, beats, detection)
    write_page(
        path,
        "beats.html.jinja",
        subject=beats.source or "Heartbeats",
        detector=detector,
        beats=beats,
        threshold=fmt.threshold(detector.rule, len(detector.calibration)),
        smallest_p=fmt.p_value(1 / (len(detector.calibration) + 1)),
        tiles=_verdict_tiles(detection),
        merits=_merit_tiles(evaluation) if evaluation else (),
        scores=_scores(detector, detection, evaluation),
        curves=_curves(evaluation) if evaluation else (),
        confusion=_confusion_rows(evaluation) if evaluation else (),
        classes=_class_rows(evaluation) if evaluation else (),
        galleries=_galleries(detector, beats, detection, evaluation),
        facts=_facts(detector),
        learning=_learning(detector),
        limits=_limits(detector, beats),
    )


def _check(detector: Detector, beats: Beats, detection: Detection) -> None:
    if len(beats) != len(detection):
        raise DataError(f"a report on {fmt.beat_count(len(beats))} needs as many verdicts, not {len(detection)}.")
    if detection.threshold != detector.threshold:
        raise DataError(
            f"the verdicts were made with a threshold of {detection.threshold:g} and the "
            f"detector's is {detector.threshold:g}; give the detector that made them."
        )


# Numbers


def _counts(detection: Detection) -> dict[str, int]:
    return {verdict.value: int((detection.verdict == verdict.value).sum()) for verdict in Verdict}


def _verdict_tiles(detection: Detection) -> tuple[Tile, ...]:
    total = len(detection)
    judged = Tile("Beats", fmt.count(total), "given to the detector")
    counts = _counts(detection)
    order = (Verdict.ABNORMAL, Verdict.NORMAL, Verdict.UNREADABLE)
    return judged, *(
        Tile(
            verdict.value.capitalize(),
            fmt.count(counts[verdict]),
            f"{fmt.percent(counts[verdict], total)} of {fmt.count(total)}",
            verdict.value,
        )
        for verdict in order
    )


def _merit_tiles(evaluation: Evaluation) -> tuple[Tile, ...]:
    c = evaluation.confusion
    shares = (
        ("Recall", "abnormal beats flagged", c.true_positive, c.true_positive + c.false_negative),
        ("False alarms", "normal beats flagged", c.false_positive, c.false_positive + c.true_negative),
        ("Precision", "flagged beats abnormal", c.true_positive, c.true_positive + c.false_positive),
    )
    return (
        *(
            Tile(name, fmt.percent(part, whole), f"{fmt.count(part)} of {fmt.count(whole)} {noun}")
            for name, noun, part, whole in shares
        ),
        Tile("ROC area", fmt.area(evaluation.curves.auc), "1 separates perfectly, 0.5 is chance"),
    )


def _confusion_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    abnormal = evaluation.beats.abnormal
    verdict = evaluation.detection.verdict
    return [
        {
            "label": label,
            "cells": [
                {
                    "count": int((verdict[rows] == column.value).sum()),
                    "share": fmt.percent(int((verdict[rows] == column.value).sum()), int(rows.sum())),
                    "right": column == right,
                    "verdict": column.value,
                }
                for column in (Verdict.ABNORMAL, Verdict.NORMAL, Verdict.UNREADABLE)
            ],
            "total": int(rows.sum()),
        }
        for label, rows, right in (("abnormal", abnormal, Verdict.ABNORMAL), ("normal", ~abnormal, Verdict.NORMAL))
    ]


def _class_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    confusion = evaluation.confusion
    normals = (confusion.false_positive, confusion.false_positive + confusion.true_negative)
    return [
        *(_class_row(class_name(number), *counts) for number, counts in evaluation.recall_by_class.items()),
        _class_row(f"class {NORMAL_LABEL}, normal", *normals) | {"normal": True},
    ]


def _class_row(name: str, flagged: int, beats: int) -> dict[str, Any]:
    return {
        "name": name,
        "flagged": flagged,
        "beats": beats,
        "share": fmt.percent(flagged, beats),
        "width": f"{100 * flagged / beats:.1f}",
        "normal": False,
    }


def _facts(detector: Detector) -> list[tuple[str, str]]:
    card = detector.card
    return [
        ("Learned from", f"{fmt.beat_count(card.normals, 'normal')} of {card.source or 'unnamed data'}"),
        ("Beat layout", str(detector.layout)),
        ("Architecture", f"{card.architecture}, {fmt.count(card.members)} members"),
        ("Seed", str(card.random_state)),
        ("Training", f"{fmt.count(max(card.curve.steps, default=0))} steps"),
        ("Threshold", f"{fmt.score(detector.threshold)}: {fmt.threshold(detector.rule, len(detector.calibration))}"),
        *((name, f"{value:.4g}") for name, value in card.metrics.items()),
        ("Made with", ", ".join(f"{name} {version}" for name, version in card.versions.items())),
        ("Digest of the beats", card.digest[:_DIGEST_SHOWN]),
    ]


def _limits(detector: Detector, beats: Beats) -> tuple[str, ...]:
    """Limits of figures on these data."""
    layouts = dict.fromkeys((beats.layout.name, detector.layout.name))
    return tuple(DATA_STATEMENTS[name] for name in layouts if name in DATA_STATEMENTS)


# Figures


def _scores(detector: Detector, detection: Detection, evaluation: Evaluation | None) -> Figure | None:
    judged = ~detection.unreadable
    if not judged.any():
        return None
    score = detection.score
    if evaluation:
        abnormal = evaluation.beats.abnormal
        groups = [
            plots.ScoreGroup("labelled normal", score[judged & ~abnormal], "normal", False),
            plots.ScoreGroup("labelled abnormal", score[judged & abnormal], "abnormal", True),
        ]
    else:
        groups = [
            plots.ScoreGroup("held-out normals", detector.calibration, "normal", False),
            plots.ScoreGroup("beats judged", score[judged], "ink", True),
        ]
    return Figure(
        plots.score_distribution(groups, detection.threshold),
        "Scores of each group, as shares of the group. Beats right of the threshold are judged abnormal.",
    )


def _curves(evaluation: Evaluation) -> tuple[Figure, ...]:
    confusion, curves = evaluation.confusion, evaluation.curves
    point = plots.OperatingPoint(confusion.fpr, confusion.recall, confusion.precision)
    positives = confusion.true_positive + confusion.false_negative
    readable = len(evaluation.beats) - evaluation.unreadable
    return (
        Figure(plots.roc(curves, point), f"ROC: what every other threshold would do. Area {fmt.area(curves.auc)}."),
        Figure(
            plots.precision_recall(curves, point, positives / readable),
            "Precision and recall, for "
            f"{fmt.percent(positives, readable)} abnormal beats; where they are rarer, precision "
            f"is lower. Average precision {fmt.area(curves.average_precision)}.",
        ),
    )


def _learning(detector: Detector) -> Figure | None:
    curve = detector.card.curve
    if not curve.steps:
        return None
    return Figure(
        plots.learning_curve(curve),
        "Loss while learning. Training on disturbed beats, as a denoising autoencoder does, puts "
        "the training loss above the held-out loss.",
    )


# Galleries


def _galleries(
    detector: Detector, beats: Beats, detection: Detection, evaluation: Evaluation | None
) -> tuple[Gallery, ...]:
    selections = _selections(detection, evaluation.beats.abnormal if evaluation else None)
    rows = np.unique(np.concatenate([selection.rows for selection in selections]))
    cards = dict(zip(rows.tolist(), _cards(detector, beats, detection, rows), strict=True))
    return tuple(
        Gallery(
            selection.name,
            selection.title,
            selection.intro if len(selection.rows) else selection.text_if_empty,
            tuple(cards[row] for row in selection.rows.tolist()),
        )
        for selection in selections
        if len(selection.rows) or selection.text_if_empty
    )


def _selections(detection: Detection, abnormal: NDArray[np.bool_] | None) -> tuple[_Selection, ...]:
    counts = _counts(detection)
    normals = int(select_beats.normal(detection, abnormal).sum())
    return (
        _Selection(
            "abnormal",
            "Clearest abnormal beats",
            f"The highest scores of {fmt.beat_count(counts[Verdict.ABNORMAL])} judged abnormal.",
            "No beat was judged abnormal.",
            select_beats.clearest_abnormal(detection, _GALLERY),
        ),
        _Selection(
            "borderline",
            "Borderline beats",
            "The scores nearest to the threshold, on either side of it, highest first.",
            "",
            select_beats.borderline(detection, _SIDE),
        ),
        *(() if abnormal is None else _wrong(detection, abnormal)),
        _Selection(
            "normal",
            "Typical normal beats",
            f"For comparison: the most ordinary of {fmt.beat_count(normals)} judged"
            f"{'' if abnormal is None else ' and labelled'} normal.",
            "" if counts[Verdict.NORMAL] else "No beat was judged normal.",
            select_beats.typical_normal(detection, abnormal, _SIDE),
        ),
        _Selection(
            "unreadable",
            "Unreadable beats",
            f"The first of {fmt.beat_count(counts[Verdict.UNREADABLE])} that could not be judged: "
            "neither normal nor abnormal.",
            "",
            select_beats.unreadable(detection, _SIDE),
        ),
    )


def _wrong(detection: Detection, abnormal: NDArray[np.bool_]) -> Sequence[_Selection]:
    missed = int((abnormal & ~detection.abnormal & ~detection.unreadable).sum())
    alarms = int((~abnormal & detection.abnormal).sum())
    return (
        _Selection(
            "missed",
            "Missed abnormal beats",
            f"The lowest scores of {fmt.beat_count(missed)} labelled abnormal and judged normal.",
            "No beat labelled abnormal was judged normal.",
            select_beats.missed(detection, abnormal, _GALLERY),
        ),
        _Selection(
            "false-alarms",
            "False alarms",
            f"The highest scores of {fmt.beat_count(alarms)} labelled normal and judged abnormal.",
            "No beat labelled normal was judged abnormal.",
            select_beats.false_alarms(detection, abnormal, _GALLERY),
        ),
    )


def _cards(detector: Detector, beats: Beats, detection: Detection, rows: Rows) -> list[BeatCard]:
    selected = beats.select(rows)
    explanation = detector.explain(selected)
    limits = plots.common_limits(selected.samples)
    return [
        BeatCard(
            row=row,
            verdict=str(detection.verdict[row]),
            label="" if beats.labels is None else fmt.label(int(beats.labels[row])),
            score=fmt.score(float(detection.score[row])),
            p_value=fmt.p_value(float(detection.p_value[row])),
            reason=explanation.reason[place],
            svg=plots.beat(
                selected.samples[place],
                explanation.reconstruction[place],
                limits,
                _description(row, str(detection.verdict[row]), selected.samples[place]),
            ),
        )
        for place, row in enumerate(rows.tolist())
    ]


def _description(row: int, verdict: str, samples: NDArray[np.float32]) -> str:
    """Describe a beat's figure for those who cannot see it."""
    missing = ~np.isfinite(samples)
    if missing.any():
        return f"Beat {row}, {verdict.lower()}: {fmt.missing(missing)}."
    if verdict == Verdict.UNREADABLE:
        return f"Beat {row}, unreadable: a flat line."
    return f"Beat {row}, judged {verdict.lower()}, with its reconstruction."
