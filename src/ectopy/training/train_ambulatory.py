"""Train the detector for recordings on the normal beats of many people, and calibrate it on them.

Four things are learned: an autoencoder of beats of all people, which judges while a patient's template is not known;
a network that predicts RR intervals; the distributions of what differs among normal beats, in the shape, in the P wave
and from other people; and the scores of normal beats, from which thresholds come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.interval_model import IntervalModel
from ectopy.analysis.normal_scale import NormalScale
from ectopy.analysis.population import AMBULATORY_LAYOUT
from ectopy.analysis.verdicts import combined_score
from ectopy.arguments import StepProgress
from ectopy.beats import Beats
from ectopy.detector import Detector, ThresholdRule
from ectopy.detector.threshold import RecordingCalibration
from ectopy.errors import NotEnoughNormalsError
from ectopy.training import TrainingSettings
from ectopy.training.recording_examples import RecordingExamples, TrainingBeats, summarise_examples
from ectopy.training.train_intervals import train_intervals
from ectopy.training.training import train


def calibrate_recordings(
    recordings: Sequence[TrainingBeats], population: Sequence[NDArray[np.float64]], intervals: IntervalModel
) -> RecordingCalibration:
    """Measure how normal beats differ, and what they score, on the normal beats of many people.

    Parameters
    ----------
    recordings : sequence of TrainingBeats
    population : sequence of ndarray of float64, shape (k,)
        Of each recording, the differences of the beats `learned` from other people's, by autoencoders that never saw
        the patient.
    intervals : IntervalModel

    Raises
    ------
    NotEnoughNormalsError
        If no patient has beats after the first five minutes.
    """
    shape = np.concatenate([recording.shape for recording in recordings])
    p_wave = np.concatenate([recording.p_wave for recording in recordings])
    if not np.isfinite(shape).any():
        raise NotEnoughNormalsError(
            "no recording has normal beats after its first five minutes, from which thresholds come; give longer ones."
        )
    scales = [_scale(shape), _scale(p_wave), _scale(np.concatenate(population))]
    with_baseline, without_baseline = [], []
    for recording, difference in zip(recordings, population, strict=True):
        timing = recording.timing(intervals)
        parts = scales[0].deviates(recording.shape), scales[1].deviates(recording.p_wave)
        with_baseline.append(combined_score(*parts, timing[recording.later]))
        no_p_wave = np.full(len(difference), np.nan)
        learned = recording.learned[: len(difference)]
        without_baseline.append(combined_score(scales[2].deviates(difference), no_p_wave, timing[learned]))
    return RecordingCalibration(
        with_baseline=_finite(np.concatenate(with_baseline)),
        without_baseline=_finite(np.concatenate(without_baseline)),
        shape_quantiles=scales[0].quantiles,
        p_wave_quantiles=scales[1].quantiles,
        population_quantiles=scales[2].quantiles,
        interval_weights=intervals.weights,
    )


def train_ambulatory(
    examples: Sequence[RecordingExamples],
    settings: TrainingSettings | None = None,
    rule: ThresholdRule | None = None,
    *,
    random_state: int = 0,
    intervals: IntervalModel | None = None,
    progress: StepProgress | None = None,
) -> Detector:
    """Train a detector for recordings.

    Patients are held out as a whole, so that the population is calibrated on people outside its training.

    Parameters
    ----------
    examples : sequence of RecordingExamples
        From `collect_examples`.
    settings, rule, random_state
        As for `ectopy.train`.
    intervals : IntervalModel, optional
        Trained on the examples where none is given.
    progress : callable, optional
        Called with the optimiser steps of the autoencoder done and the steps at most.

    Raises
    ------
    NotEnoughNormalsError
        If there are fewer patients than members, or too few normals for the rule.
    """
    used = [(example.labelled.patient, example.beats) for example in examples if example.beats is not None]
    if not used:
        raise NotEnoughNormalsError("there are no normal beats to learn from; give recordings with reference labels.")
    recordings = [beats for _, beats in used]
    model = intervals or train_intervals(
        [example.intervals for example in examples if example.intervals is not None], random_state
    )
    beats = Beats(
        np.concatenate([recording.rows for recording in recordings]), AMBULATORY_LAYOUT, source=_source(examples)
    )
    _, patients = np.unique([patient for patient, _ in used], return_inverse=True)
    groups = np.repeat(patients, [len(recording.rows) for recording in recordings])
    detector = train(beats, settings, rule, random_state=random_state, progress=progress, groups=groups)
    population = [
        rows.reshape(len(recording.learned), -1).mean(axis=1)
        for recording, rows in zip(recordings, _of_recordings(detector.calibration, recordings), strict=True)
    ]
    return replace(detector, recordings=calibrate_recordings(recordings, population, model))


def _source(examples: Sequence[RecordingExamples]) -> str:
    """Name the databases, with the patients of each."""
    return ", ".join(f"{each.database} ({each.patients} patients)" for each in summarise_examples(examples)[:-1])


def _of_recordings(values: NDArray[np.float64], recordings: Sequence[TrainingBeats]) -> list[NDArray[np.float64]]:
    return np.split(values, np.cumsum([len(recording.rows) for recording in recordings])[:-1])


def _scale(values: NDArray[np.float64]) -> NormalScale:
    finite = _finite(values)
    return NormalScale.of(finite if len(finite) else np.zeros(1))


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]
