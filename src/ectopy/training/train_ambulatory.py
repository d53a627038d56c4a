"""Train the detector for recordings on the normal beats of many people, and calibrate it on them.

Five things are learned: an autoencoder of beats of all people, which judges while a patient's template is not known; a
network that reconstructs beats from the patient's template; a network that predicts RR intervals; the distributions of
what differs among normal beats, in shape and P wave and from other people; and the scores of normal beats, from which
thresholds come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.interval_model import IntervalModel
from ectopy.analysis.normal_scale import NormalScale
from ectopy.analysis.population import AMBULATORY_LAYOUT
from ectopy.analysis.reconstruction import ReconstructionNetwork
from ectopy.analysis.verdicts import combined_score, combined_shape, variability_allowance
from ectopy.arguments import StepProgress
from ectopy.beats import Beats
from ectopy.datasets import mitdb_records
from ectopy.detector import Detector, ThresholdRule
from ectopy.detector.threshold import RecordingCalibration
from ectopy.errors import NotEnoughNormalsError
from ectopy.training import TrainingSettings
from ectopy.training.recording_examples import RecordingExamples, TrainingBeats, summarise_examples
from ectopy.training.train_intervals import train_intervals
from ectopy.training.train_reconstruction import STEPS, train_reconstruction
from ectopy.training.training import train

_MOST_SCORES = 5000

Item = TypeVar("Item")


class Scales(NamedTuple):
    """Distributions among normal beats.

    Differences from the own template, errors of reconstruction, differences from the own P wave and from other people.
    """

    shape: NormalScale
    error: NormalScale
    p_wave: NormalScale
    population: NormalScale


def measure_scales(
    recordings: Sequence[TrainingBeats],
    population: Sequence[NDArray[np.float64]],
    reconstruction: ReconstructionNetwork,
) -> Scales:
    """Measure how normal beats differ.

    Parameters
    ----------
    recordings : sequence of TrainingBeats
    population : sequence of ndarray of float64, shape (k,)
        Of each recording, the differences of the `training_beats` from other people's, by autoencoders that never saw
        the patient.
    reconstruction : ReconstructionNetwork

    Raises
    ------
    NotEnoughNormalsError
        If no recording has normal beats after its first five minutes.
    """
    if not sum(len(recording.later_beats) for recording in recordings):
        raise NotEnoughNormalsError(
            "no recording has normal beats after its first five minutes, from which scales come; give longer ones."
        )
    measures = (
        [recording.shape for recording in recordings],
        [recording.errors(reconstruction) for recording in recordings],
        [recording.p_wave for recording in recordings],
        population,
    )
    return Scales(*(NormalScale.of(_finite(values, at_least=1)) for values in measures))


def calibrate_recordings(
    recordings: Sequence[TrainingBeats],
    population: Sequence[NDArray[np.float64]],
    scales: Scales,
    intervals: IntervalModel,
    reconstruction: ReconstructionNetwork,
) -> RecordingCalibration:
    """Score the normal beats of many people; thresholds come from these scores.

    Parameters
    ----------
    recordings, population
        As for `measure_scales`.
    scales : Scales
    intervals : IntervalModel
    reconstruction : ReconstructionNetwork
    """
    with_baseline, without_baseline = [], []
    for recording, difference in zip(recordings, population, strict=True):
        timing = recording.timing(intervals)
        shape = combined_shape(
            scales.shape.deviates(recording.shape), scales.error.deviates(recording.errors(reconstruction))
        )
        p_wave = scales.p_wave.deviates(recording.p_wave)
        allowance = variability_allowance(scales.shape, recording.usual_difference)
        with_baseline.append(combined_score(shape, p_wave, timing[recording.later_beats]) - allowance)
        no_p_wave = np.full(len(difference), np.nan)
        beats = recording.training_beats[: len(difference)]
        without_baseline.append(combined_score(scales.population.deviates(difference), no_p_wave, timing[beats]))
    return RecordingCalibration(
        with_baseline=_thin(with_baseline),
        without_baseline=_thin(without_baseline),
        shape_quantiles=scales.shape.quantiles,
        error_quantiles=scales.error.quantiles,
        p_wave_quantiles=scales.p_wave.quantiles,
        population_quantiles=scales.population.quantiles,
        interval_weights=intervals.weights,
        reconstruction_weights=reconstruction.weights,
    )


def train_ambulatory(
    examples: Sequence[RecordingExamples],
    settings: TrainingSettings | None = None,
    rule: ThresholdRule | None = None,
    *,
    random_state: int = 0,
    intervals: IntervalModel | None = None,
    reconstruction: ReconstructionNetwork | None = None,
    progress: StepProgress | None = None,
) -> Detector:
    """Train a detector for recordings.

    Patients are held out as a whole, so that the population is calibrated on people outside its training. Scales come
    from the recordings of other databases than MIT-BIH, and the threshold from those of MIT-BIH, half hours that nobody
    selected for clean signals; from all recordings where there are no such.

    Parameters
    ----------
    examples : sequence of RecordingExamples
        From `collect_examples`.
    settings, rule, random_state
        As for `ectopy.train`.
    intervals : IntervalModel, optional
    reconstruction : ReconstructionNetwork, optional
        Trained on the examples where none is given.
    progress : callable, optional
        Called with the optimiser steps of the autoencoder done and the steps at most.

    Raises
    ------
    NotEnoughNormalsError
        If there are fewer patients than members, or too few normals for the rule.
    """
    used = [(example.labelled, example.beats) for example in examples if example.beats is not None]
    if not used:
        raise NotEnoughNormalsError("there are no normal beats to learn from; give recordings with reference labels.")
    recordings = [beats for _, beats in used]
    steps = STEPS if settings is None else min(STEPS, settings.max_steps)
    model = intervals or train_intervals(
        [example.intervals for example in examples if example.intervals is not None], random_state
    )
    beats = Beats(
        np.concatenate([recording.rows for recording in recordings]), AMBULATORY_LAYOUT, source=_source(examples)
    )
    _, patients = np.unique([labelled.patient for labelled, _ in used], return_inverse=True)
    groups = np.repeat(patients, [len(recording.rows) for recording in recordings])
    detector = train(beats, settings, rule, random_state=random_state, progress=progress, groups=groups)
    of_recordings = np.split(detector.calibration, np.cumsum([len(recording.rows) for recording in recordings])[:-1])
    population = [
        rows.reshape(len(recording.training_beats), -1).mean(axis=1)
        for recording, rows in zip(recordings, of_recordings, strict=True)
    ]
    other_patients = np.array([not labelled.patient.startswith(f"{mitdb_records.NAME}/") for labelled, _ in used])
    of_mitdb = np.array([labelled.database == mitdb_records.NAME for labelled, _ in used])
    network = reconstruction or _train_reconstruction(recordings, other_patients, random_state, steps)
    rows = _select(recordings, other_patients)
    scales = measure_scales(_at(recordings, rows), _at(population, rows), network)
    of_all = calibrate_recordings(recordings, population, scales, model, network)
    rows = _select(recordings, of_mitdb)
    ambulatory = calibrate_recordings(_at(recordings, rows), _at(population, rows), scales, model, network)
    return replace(detector, recordings=replace(of_all, with_baseline=ambulatory.with_baseline))


def _train_reconstruction(
    recordings: Sequence[TrainingBeats], rows_used: NDArray[np.bool_], seed: int, steps: int
) -> ReconstructionNetwork:
    """Train on some recordings; on all of them where these have no beats."""
    examples = [each.reconstruction for each in recordings]
    of_rows = [examples[row] for row in np.flatnonzero(rows_used)]
    learned = [each for each in of_rows if each is not None] or [each for each in examples if each is not None]
    return train_reconstruction(learned, seed, steps)


def _select(recordings: Sequence[TrainingBeats], rows_used: NDArray[np.bool_]) -> list[int]:
    """Select recordings; all of them where none of these has beats after its first five minutes."""
    rows = [row for row in np.flatnonzero(rows_used).tolist() if len(recordings[row].later_beats)]
    return rows or list(range(len(recordings)))


def _at(items: Sequence[Item], rows: Sequence[int]) -> list[Item]:
    return [items[row] for row in rows]


def _source(examples: Sequence[RecordingExamples]) -> str:
    """Name the databases, with the patients of each."""
    return ", ".join(f"{each.database} ({each.patients} patients)" for each in summarise_examples(examples)[:-1])


def _finite(values: Sequence[NDArray[np.float64]], at_least: int = 0) -> NDArray[np.float64]:
    """Join the finite values; zeros where there are fewer than the least."""
    together = np.concatenate(values)
    together = together[np.isfinite(together)]
    return together if len(together) >= at_least else np.zeros(at_least)


def _thin(scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the scores, or that many of their quantiles where there are more than a detector keeps."""
    finite = _finite(scores)
    if len(finite) <= _MOST_SCORES:
        return finite
    return np.quantile(finite, (np.arange(_MOST_SCORES) + 0.5) / _MOST_SCORES)
