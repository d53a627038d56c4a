"""Train the detector for recordings: a population model, and thresholds from the normal beats of many patients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.patient_template import LEARNING_S, compare, learn_normal
from ectopy.analysis.population import AMBULATORY_LAYOUT, population_beats, timing, usual_height_mv
from ectopy.arguments import StepProgress, checked
from ectopy.beats import Beats
from ectopy.detector import Detector, ThresholdRule
from ectopy.detector.threshold import RecordingCalibration
from ectopy.errors import DataError, NotEnoughNormalsError
from ectopy.presentation import short_repr
from ectopy.recording import Annotations, Recording
from ectopy.signal import filter_twice, find_heartbeats
from ectopy.signal.beat_segments import BeatSegments, cut_beats
from ectopy.training import TrainingSettings
from ectopy.training.training import train

NORMAL_SYMBOLS = tuple("NLRej")
"""Symbols of normal beats of the population: de Chazal's class N (doi:10.1109/TBME.2004.827359)."""

_TRAINING_PER_RECORD = 150
_CALIBRATING_PER_RECORD = 250
_MATCH_S = 0.15
_LEAST_SHARED = 0.8


@dataclass(frozen=True, slots=True)
class TrainingBeats:
    """Training data from one annotated recording.

    Attributes
    ----------
    rows : ndarray of float32, shape (k * leads, 140)
        Normal beats in the layout of the population model, all leads of a beat together.
    timing : ndarray of float64, shape (k,)
        Contribution of the timing of each of these beats to its population score.
    scores : ndarray of float64, shape (m,)
        Of normal beats after the first five minutes, against the patient's own template.
    """

    __repr__ = short_repr

    rows: NDArray[np.float32]
    timing: NDArray[np.float64]
    scores: NDArray[np.float64]


def normal_beats(beats: BeatSegments, reference: Annotations, sampling_rate_hz: float) -> NDArray[np.bool_]:
    """Return which beats lie within 150 ms of a normal reference beat, shape (n,)."""
    if len(reference) == 0:
        return np.zeros(len(beats), np.bool_)
    times_s = reference.positions / sampling_rate_hz
    nearest = _nearest(beats.times_s, times_s)
    close = np.abs(times_s[nearest] - beats.times_s) <= _MATCH_S
    normal: NDArray[np.bool_] = close & np.isin(reference.symbols[nearest], NORMAL_SYMBOLS)
    return normal


def _nearest(times_s: NDArray[np.float64], others_s: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the index of the nearest of one or more other times to each time."""
    right = np.minimum(np.searchsorted(others_s, times_s), len(others_s) - 1)
    left = np.maximum(right - 1, 0)
    nearest: NDArray[np.intp] = np.where(
        np.abs(others_s[left] - times_s) <= np.abs(others_s[right] - times_s), left, right
    )
    return nearest


def _require_own_annotations(recording: Recording, reference: Annotations, beats: BeatSegments) -> None:
    """Refuse annotations whose normal beats do not coincide with the heartbeats."""
    marks = reference.positions[np.isin(reference.symbols, NORMAL_SYMBOLS)] / recording.sampling_rate_hz
    if len(marks) == 0 or len(beats) == 0:
        return
    share = float(np.mean(np.abs(beats.times_s[_nearest(marks, beats.times_s)] - marks) <= _MATCH_S))
    if share < _LEAST_SHARED:
        raise DataError(
            f"{recording.source or 'the recording'} has annotations of another recording: at {share:.0%} of the beats "
            "that they call normal there is a heartbeat; put its own in their place."
        )


def evenly_spaced(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Return at most `most` rows, evenly spaced in their order."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]


@checked
def training_beats_of(recording: Recording) -> TrainingBeats | None:
    """Collect the training beats of a recording with reference annotations; None without normal beats.

    Raises
    ------
    DataError
        If its annotations are those of another recording.
    """
    if recording.annotations is None:
        return None
    early, filtered = filter_twice(recording.signal, recording.sampling_rate_hz)
    beats = cut_beats(filtered, find_heartbeats(early))
    _require_own_annotations(recording, recording.annotations, beats)
    normal = normal_beats(beats, recording.annotations, recording.sampling_rate_hz) & beats.readable.all(axis=1)
    selected = evenly_spaced(np.flatnonzero(normal), _TRAINING_PER_RECORD)
    if not len(selected):
        return None
    rows = population_beats(beats, usual_height_mv(beats)).samples.reshape(len(beats), len(recording.leads), -1)[
        selected
    ]
    later = evenly_spaced(np.flatnonzero(normal & (beats.times_s >= LEARNING_S)), _CALIBRATING_PER_RECORD)
    baseline = learn_normal(beats, recording.leads)
    scores = np.empty(0) if baseline is None else compare(beats, baseline).score[later]
    return TrainingBeats(rows.reshape(-1, rows.shape[2]), timing(beats)[selected], scores)


def train_ambulatory(
    training_beats: Iterable[TrainingBeats],
    source: str,
    settings: TrainingSettings | None = None,
    rule: ThresholdRule | None = None,
    *,
    random_state: int | None = None,
    progress: StepProgress | None = None,
) -> Detector:
    """Train a detector for recordings on the normal beats of many patients, one set of training beats for each.

    Patients are held out as a whole, so that the population is calibrated on people outside its training.

    Raises
    ------
    NotEnoughNormalsError
        If there are fewer patients than members, or too few normals for the rule.
    """
    patients = list(training_beats)
    if not patients:
        raise NotEnoughNormalsError(f"{source} holds no normal beats; give recordings with reference annotations.")
    beats = Beats(np.concatenate([patient.rows for patient in patients]), AMBULATORY_LAYOUT, source=source)
    groups = np.repeat(np.arange(len(patients)), [len(patient.rows) for patient in patients])
    detector = train(beats, settings, rule, random_state=random_state, progress=progress, groups=groups)
    leads = np.concatenate(
        [np.full(len(patient.timing), len(patient.rows) // len(patient.timing)) for patient in patients]
    )
    beat = np.repeat(np.arange(len(leads)), leads)
    alone = np.bincount(beat, detector.calibration) / leads + np.concatenate([patient.timing for patient in patients])
    scores = np.concatenate([patient.scores for patient in patients])
    return replace(detector, recordings=RecordingCalibration(scores, alone))
