"""Makes the detector for recordings: a population model, and thresholds from the normal beats of many patients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from ectopy.beats import Beats
from ectopy.detector import Detector, ThresholdRule
from ectopy.detector.bundle import bundle_digest
from ectopy.detector.patient import LEARNING_S, compare, learn_normal
from ectopy.detector.population import AMBULATORY_LAYOUT, population_beats, timing, usual_height_mv
from ectopy.detector.recordings import RecordingCalibration
from ectopy.errors import NotEnoughNormalsError
from ectopy.model import Progress, TrainingSettings
from ectopy.pipeline import train
from ectopy.recording import Annotations, Recording
from ectopy.signal import filter_twice, find_heartbeats
from ectopy.signal.cut import CutBeats, cut_beats

NORMAL_SYMBOLS = tuple("NLRej")
"""What counts as normal when the population is learned: de Chazal's class N (doi:10.1109/TBME.2004.827359)."""

SHIPPED = "ambulatory"
"""Name of the detector that ships with Ectopy."""

_BUNDLE = files("ectopy") / "ambulatory.ectopy"
_TAUGHT_PER_RECORD = 150
_CALIBRATING_PER_RECORD = 250
_MATCH_S = 0.15


@dataclass(frozen=True, slots=True)
class Lessons:
    """What one annotated recording teaches.

    Attributes
    ----------
    rows : ndarray of float32, shape (k * leads, 140)
        Normal beats in the layout of the population model, all leads of a beat together.
    timing : ndarray of float64, shape (k,)
        What the timing of each of these beats adds to its population score.
    scores : ndarray of float64, shape (m,)
        Of normal beats after the first five minutes, against the patient's own normal.
    """

    rows: NDArray[np.float32]
    timing: NDArray[np.float64]
    scores: NDArray[np.float64]


def load_ambulatory() -> Detector:
    """The detector for recordings that ships with Ectopy; see its model card in ``docs/ambulatory.md``."""
    with as_file(_BUNDLE) as path:
        return Detector.load(path)


def ambulatory_digest() -> str:
    """The SHA-256 that names the detector that ships with Ectopy."""
    with as_file(_BUNDLE) as path:
        return bundle_digest(path)


def normal_beats(beats: CutBeats, reference: Annotations, sampling_rate_hz: float) -> NDArray[np.bool_]:
    """Which beats lie within 150 ms of a reference beat that is normal, shape (n,)."""
    if len(reference) == 0:
        return np.zeros(len(beats), np.bool_)
    times = reference.positions / sampling_rate_hz
    right = np.clip(np.searchsorted(times, beats.times_s), 1, max(len(times) - 1, 1))
    right = np.minimum(right, len(times) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(times[left] - beats.times_s) <= np.abs(times[right] - beats.times_s), left, right)
    close = np.abs(times[nearest] - beats.times_s) <= _MATCH_S
    normal: NDArray[np.bool_] = close & np.isin(reference.symbols[nearest], NORMAL_SYMBOLS)
    return normal


def spread(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most so many of the rows, evenly spread over their order."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def learn_from(recording: Recording) -> Lessons | None:
    """What a recording with reference annotations teaches; None where it has no normal beats."""
    if recording.annotations is None:
        return None
    early, filtered = filter_twice(recording.signal, recording.sampling_rate_hz)
    beats = cut_beats(filtered, find_heartbeats(early))
    normal = normal_beats(beats, recording.annotations, recording.sampling_rate_hz) & beats.readable.all(axis=1)
    taught = spread(np.flatnonzero(normal), _TAUGHT_PER_RECORD)
    if not len(taught):
        return None
    rows = population_beats(beats, usual_height_mv(beats)).samples.reshape(len(beats), len(recording.leads), -1)[taught]
    later = spread(np.flatnonzero(normal & (beats.times_s >= LEARNING_S)), _CALIBRATING_PER_RECORD)
    baseline = learn_normal(beats, recording.leads)
    scores = np.empty(0) if baseline is None else compare(beats, baseline).score[later]
    return Lessons(rows.reshape(-1, rows.shape[2]), timing(beats)[taught], scores)


def train_ambulatory(
    lessons: Iterable[Lessons],
    source: str,
    settings: TrainingSettings | None = None,
    rule: ThresholdRule | None = None,
    *,
    random_state: int | None = None,
    progress: Progress | None = None,
) -> Detector:
    """Train a detector for recordings on the normal beats of many patients, one set of lessons for each.

    Patients are held out as a whole, so that the population is calibrated on people it never saw.

    Raises
    ------
    NotEnoughNormalsError
        If there are fewer patients than members, or too few normals for the rule.
    """
    patients = list(lessons)
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
