"""From normal beats to a detector: check, train, convert, calibrate."""

from __future__ import annotations

import platform
import secrets
from dataclasses import replace
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import StepProgress, checked
from ectopy.beats import Beats, beats_digest, readable
from ectopy.detector import Detector, ThresholdRule
from ectopy.detector.model_card import Card, LearningCurve
from ectopy.detector.runtime import Graph
from ectopy.detector.threshold import lowest_rate, normals_needed
from ectopy.errors import DataError, NotEnoughNormalsError, SettingError
from ectopy.training import TrainingSettings, to_keras, to_litert, train_network
from ectopy.training.calibration import calibrate

MAX_SEED = 2**32 - 1

_LEAST_FLAGGED = 0.5
_LEAST_JUDGED = 10


@checked
def train(
    beats: Beats,
    settings: TrainingSettings | None = None,
    rule: ThresholdRule | None = None,
    *,
    random_state: int | None = None,
    progress: StepProgress | None = None,
    groups: NDArray[np.int_] | None = None,
) -> Detector:
    """Train a detector on the normal beats among `beats`.

    Parameters
    ----------
    beats : Beats
        Beats labelled abnormal are left out; unlabelled beats are all taken for normal.
    settings : TrainingSettings, optional
    rule : ThresholdRule, optional
        The conformal threshold for a false-positive rate of 1 % by default.
    random_state : int, optional
        Seed; drawn, and kept in the detector's card, when none is given.
    progress : callable, optional
        Called with the optimiser steps done and the steps at most.
    groups : ndarray of int, one per normal beat, optional
        What each belongs to, a patient for example; a group is held out as a whole.

    Raises
    ------
    NotEnoughNormalsError
        If there are too few normals to learn from, or to calibrate with at the asked rate.
    DataError
        If a normal beat holds NaN, infinite values, or the same value throughout.
    MissingExtraError
        If TensorFlow is not installed.
    """
    settings = settings or TrainingSettings()
    rule = rule or ThresholdRule()
    require_trainable(beats, settings, rule)
    normals = beats.normals()
    seed = secrets.randbelow(MAX_SEED + 1) if random_state is None else random_state
    if not 0 <= seed <= MAX_SEED:
        raise SettingError(f"the seed must lie between 0 and {MAX_SEED}, not {seed}.")
    trained = train_network(normals.samples, settings, seed, progress, groups)
    card = Card(
        architecture=settings.architecture,
        members=settings.members,
        random_state=seed,
        normals=len(normals),
        source=normals.source,
        digest=beats_digest(normals.samples),
        versions={
            "python": platform.python_version(),
            **{name: version(name) for name in ("ectopy", "tensorflow", "keras", "numpy", "ai-edge-litert")},
        },
        curve=LearningCurve(trained.steps, trained.training_loss, trained.held_out_loss),
    )
    detector = calibrate(
        Graph(to_litert(trained.network)),
        normals.samples,
        trained.held_out_by,
        rule=rule,
        layout=normals.layout,
        card=card,
        network=to_keras(trained.network),
        grouped=groups is not None,
    )
    return replace(detector, card=replace(card, metrics=_metrics(detector, beats)))


def _metrics(detector: Detector, beats: Beats) -> dict[str, float]:
    """Scores of the training data themselves: held-out normals, and abnormal beats, which trained nothing."""
    metrics = {"held_out_normals_flagged": float(np.mean(detector.calibration > detector.threshold))}
    if beats.labels is not None:
        detection = detector.detect(beats.select(beats.abnormal))
        judged = ~detection.unreadable
        if judged.any():
            metrics["abnormal_training_beats"] = float(judged.sum())
            metrics["abnormal_training_beats_flagged"] = float(detection.abnormal[judged].mean())
    return metrics


def labels_look_reversed(detector: Detector) -> bool:
    """Return whether most training beats that are labelled abnormal are scored normal.

    With 1 = abnormal, as in many published tables, a detector learns the abnormal beats and calibrates its threshold on
    them, and the normal ones lie below it: on ECG5000 and simulated beats 3 to 43 % of them were flagged with reversed
    labels, and 56 to 97 % of the abnormal ones with right labels, by every architecture. Ten such beats are needed to
    tell.
    """
    metrics = detector.card.metrics
    enough = metrics.get("abnormal_training_beats", 0.0) >= _LEAST_JUDGED
    return enough and metrics["abnormal_training_beats_flagged"] < _LEAST_FLAGGED


@checked
def require_trainable(
    beats: Beats, settings: TrainingSettings | None = None, rule: ThresholdRule | None = None
) -> None:
    """Refuse beats that `train` cannot learn from; parameters as for it.

    Raises
    ------
    NotEnoughNormalsError
        If there are too few normals to learn from, or to calibrate with at the asked rate.
    DataError
        If a normal beat holds NaN, infinite values, or the same value throughout.
    """
    settings = settings or TrainingSettings()
    rule = rule or ThresholdRule()
    normals = beats.normals()
    source = normals.source or "the data"
    needed = max(settings.members, normals_needed(rule.target_fpr) if rule.name == "conformal" else 0)
    if len(normals) == 0:
        raise NotEnoughNormalsError(f"{source} holds no normal beats (label 1); training needs at least {needed}.")
    bad = np.flatnonzero(~readable(normals.samples))
    if len(bad):
        raise DataError(
            f"{source}: {len(bad)} of {len(normals)} normal beats hold NaN, infinite or only equal values, the first "
            f"is normal beat {bad[0]}; leave them out for training."
        )
    if len(normals) < settings.members:
        raise NotEnoughNormalsError(
            f"{source} holds {len(normals)} normal beats, and training {settings.members} members needs at least "
            f"{settings.members}."
        )
    if len(normals) < needed:
        raise NotEnoughNormalsError(
            f"{source} holds {len(normals)} normal beats, and a false-positive rate of {rule.target_fpr:g} needs at "
            f"least {needed} to calibrate with; give more, or ask for {lowest_rate(len(normals)):.4f} or more."
        )
