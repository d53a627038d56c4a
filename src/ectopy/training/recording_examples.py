"""Collect what the detector for recordings learns from: normal beats and RR intervals of many people, by database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.interval_model import IntervalHistory, IntervalModel, Timing, predicting, timing_step
from ectopy.analysis.label_import import MATCH_S, nearest
from ectopy.analysis.patient_template import LEARNING_S
from ectopy.analysis.population import population_beats, usual_height_mv
from ectopy.analysis.reconstruction import ReconstructionNetwork
from ectopy.analysis.template_comparison import compare
from ectopy.analysis.template_learning import learn_normal
from ectopy.analysis.verdicts import CHANGED_SHAPE
from ectopy.arguments import Progress, silent
from ectopy.datasets.databases import DATABASES, find_database, read_database
from ectopy.datasets.labelled_recording import LabelledBeats, LabelledRecording
from ectopy.datasets.sources import SourceSummary, summarise_sources
from ectopy.errors import DataError, DatasetUnavailableError
from ectopy.presentation import short_repr
from ectopy.recording import Recording
from ectopy.signal import filter_twice, find_heartbeats
from ectopy.signal.beat_segments import BeatSegments, cut_beats
from ectopy.training.train_intervals import IntervalExamples, labelled_examples, unlabelled_examples
from ectopy.training.train_reconstruction import ReconstructionExamples

INTERVALS_FROM = ("ltafdb", "cinc2017")
"""Databases whose RR intervals are learned: none of MIT-BIH, so that its records remain a test."""

_TRAINING_PER_RECORD = 150
_ROWS_OF_SHORT = 20  # a recording of many leads or of seconds counts little
_SHORT_S = 120.0
_CALIBRATING_PER_RECORD = 250
_LEAST_SHARED = 0.8
_SINUS_RHYTHM, _FIBRILLATION = "N", "A"


@dataclass(frozen=True, slots=True)
class RecordingExamples:
    """What one recording contributes.

    Attributes
    ----------
    labelled : LabelledRecording
        Without its signal.
    beats : TrainingBeats or None
        None where it has no normal beats with their signal.
    intervals : IntervalExamples or None
        None where its RR intervals are not learned.
    """

    __repr__ = short_repr

    labelled: LabelledRecording
    beats: TrainingBeats | None
    intervals: IntervalExamples | None


def find_sources(folders: Sequence[Path] = ()) -> dict[str, Path]:
    """Return the folder of each database: in one of `folders`, or, where none is named, where the user keeps data.

    Raises
    ------
    DatasetUnavailableError
        If there is none.
    """
    places = {}
    for name, database in DATABASES.items():
        named = (folder / name for folder in folders)
        inside = next((folder for folder in named if folder.is_dir() and database.records(folder)), None)
        place = inside if folders else find_database(name)
        if place is not None:
            places[name] = place
    if not places:
        where = f"in {', '.join(map(str, folders))}" if folders else "on this machine"
        raise DatasetUnavailableError(
            f"there is no database to learn from {where}; fetch some of {', '.join(DATABASES)} with 'ectopy fetch', or "
            "name the folder in which their folders are."
        )
    return places


def collect_examples(places: Mapping[str, Path], seed: int = 0, progress: Progress = silent) -> list[RecordingExamples]:
    """Read databases, and collect the examples of each recording.

    Parameters
    ----------
    places : mapping of str to Path
        Folder of each database, from `find_sources`.
    seed : int
        Examples of a recording depend on this and its name, not on the recordings before it.
    progress : callable
        Called with recordings done, recordings in all, and the current one.
    """
    total = sum(len(DATABASES[name].records(place)) for name, place in places.items())
    examples: list[RecordingExamples] = []
    for labelled in _read_all(places):
        progress(len(examples), total, f"{labelled.database} {labelled.name}")
        examples.append(examples_of(labelled, seed))
    progress(total, total, "done")
    return examples


def examples_of(labelled: LabelledRecording, seed: int = 0) -> RecordingExamples:
    """Collect the examples of one recording."""
    generator = np.random.default_rng([seed, crc32(f"{labelled.database}/{labelled.name}".encode())])
    beats = None if labelled.recording is None else beats_of(labelled.recording)
    return RecordingExamples(
        replace(labelled, recording=None),
        None if beats is None else training_beats_of(labelled, beats),
        _interval_examples(labelled, beats, generator) if labelled.database in INTERVALS_FROM else None,
    )


def summarise_examples(examples: Iterable[RecordingExamples]) -> tuple[SourceSummary, ...]:
    """Count patients, recordings, beats and hours of each database."""
    return summarise_sources(example.labelled for example in examples)


def _read_all(places: Mapping[str, Path]) -> Iterator[LabelledRecording]:
    for name, place in places.items():
        yield from read_database(name, place)


def _interval_examples(
    labelled: LabelledRecording, beats: BeatSegments | None, generator: np.random.Generator
) -> IntervalExamples | None:
    if labelled.beats is not None and labelled.rhythms is not None:
        return labelled_examples(labelled.beats, labelled.rhythms, generator)
    if beats is None or labelled.label not in (_SINUS_RHYTHM, _FIBRILLATION):
        return None
    # An interval between noise is not known.
    readable = np.asarray(beats.readable.any(axis=1))
    rr_s = np.where(readable & np.concatenate([[False], readable[:-1]]), beats.rr_s, np.nan)
    return unlabelled_examples(rr_s, labelled.label == _FIBRILLATION, generator)


@dataclass(frozen=True, slots=True)
class TrainingBeats:
    """Training data from one recording.

    Attributes
    ----------
    rows : ndarray of float32, shape (k * leads, 140)
        Normal beats in the layout of the population model, all leads of a beat together.
    training_beats : ndarray of int, shape (k,)
        Which beats of the recording these are.
    later_beats : ndarray of int, shape (m,)
        Normal beats after the first five minutes; none where the patient's template could not be learned.
    shape, p_wave : ndarray of float64, shape (m,)
        Differences of these from the patient's own template, as in `BeatDifference`.
    reconstruction : ReconstructionExamples or None
        These, or, in a recording without any, all normal beats; None without a template.
    rr_s, next_s : ndarray of float64, shape (n,)
        RR interval before and after each beat of the recording.
    usual_shape : ndarray of bool, shape (n,)
        Which beats have the patient's usual shape.
    usual_difference : float
        As in `PatientTemplate`; 0 without a template.
    """

    __repr__ = short_repr

    rows: NDArray[np.float32]
    training_beats: NDArray[np.intp]
    later_beats: NDArray[np.intp]
    shape: NDArray[np.float64]
    p_wave: NDArray[np.float64]
    reconstruction: ReconstructionExamples | None
    rr_s: NDArray[np.float64]
    next_s: NDArray[np.float64]
    usual_shape: NDArray[np.bool_]
    usual_difference: float

    def errors(self, network: ReconstructionNetwork) -> NDArray[np.float64]:
        """Return the errors of reconstruction of the later beats, shape (m,)."""
        if self.reconstruction is None or not len(self.later_beats):
            return np.empty(0)
        return self.reconstruction.errors(network)

    def timing(self, model: IntervalModel) -> Timing:
        """Time all beats of the recording."""
        return predicting(model, timing_step(IntervalHistory(), self.rr_s, self.next_s, self.usual_shape))[1]


def beats_of(recording: Recording) -> BeatSegments:
    """Find and cut the heartbeats of a recording."""
    early, filtered = filter_twice(recording.signal, recording.sampling_rate_hz)
    return cut_beats(filtered, find_heartbeats(early))


def training_beats_of(labelled: LabelledRecording, beats: BeatSegments) -> TrainingBeats | None:
    """Collect the training beats of a recording from its heartbeats, `beats_of`; None without normal beats.

    Normal are the beats that the labels of beats say so of, or all of a recording that as a whole is in sinus rhythm.

    Raises
    ------
    DataError
        If its annotations are those of another recording.
    """
    recording = labelled.recording
    if recording is None or (labelled.beats is None and labelled.label != _SINUS_RHYTHM):
        return None
    readable = beats.readable.all(axis=1)
    if labelled.beats is None:
        normal = readable
    else:
        _require_own_annotations(labelled.name, labelled.beats, beats)
        normal = normal_beats(beats, labelled.beats) & readable
    most = _TRAINING_PER_RECORD if labelled.duration_s > _SHORT_S else max(1, _ROWS_OF_SHORT // len(recording.leads))
    selected = evenly_spaced(np.flatnonzero(normal), most)
    if not len(selected):
        return None
    rows = population_beats(beats, usual_height_mv(beats)).samples
    rows = rows.reshape(len(beats), len(recording.leads), -1)[selected]
    template = learn_normal(beats, recording.leads)
    difference = None if template is None else compare(beats, template)
    later = evenly_spaced(np.flatnonzero(normal & (beats.times_s >= LEARNING_S)), _CALIBRATING_PER_RECORD)
    later = later[:0] if difference is None else later
    reconstructed = later if len(later) else evenly_spaced(np.flatnonzero(normal), _CALIBRATING_PER_RECORD)
    empty = np.empty(0)
    return TrainingBeats(
        rows=rows.reshape(-1, rows.shape[2]),
        training_beats=selected,
        later_beats=later,
        shape=empty if difference is None else difference.shape[later],
        p_wave=empty if difference is None else difference.p_wave[later],
        reconstruction=None if template is None else ReconstructionExamples.of(beats[reconstructed], template),
        rr_s=beats.rr_s,
        next_s=beats.next_s,
        usual_shape=np.zeros(len(beats), np.bool_) if difference is None else difference.window < CHANGED_SHAPE,
        usual_difference=0.0 if template is None else template.usual_difference,
    )


def normal_beats(beats: BeatSegments, labels: LabelledBeats) -> NDArray[np.bool_]:
    """Return which beats lie within 150 ms of one that is labelled normal, shape (n,)."""
    if len(labels) == 0:
        return np.zeros(len(beats), np.bool_)
    label = nearest(beats.times_s, labels.times_s)
    close = np.abs(labels.times_s[label] - beats.times_s) <= MATCH_S
    normal: NDArray[np.bool_] = close & labels.is_normal[label]
    return normal


def evenly_spaced(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Return at most `most` rows, evenly spaced in their order."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def _require_own_annotations(name: str, labels: LabelledBeats, beats: BeatSegments) -> None:
    """Refuse annotations whose normal beats do not coincide with the heartbeats."""
    marks_s = labels.times_s[labels.is_normal]
    if len(marks_s) == 0 or len(beats) == 0:
        return
    share = float(np.mean(np.abs(beats.times_s[nearest(marks_s, beats.times_s)] - marks_s) <= MATCH_S))
    if share < _LEAST_SHARED:
        raise DataError(
            f"{name} has annotations of another recording: at {share:.0%} of the beats that they call normal there is "
            "a heartbeat; put its own in their place."
        )
