"""Recordings of databases, read once for all detectors that judge them or learn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ectopy.analysis import Analysis
from ectopy.analysis.analysis import analyse_beats
from ectopy.analysis.verdicts import JudgingRules
from ectopy.arguments import Progress, silent
from ectopy.datasets.databases import DATABASES, read_database
from ectopy.datasets.labelled_recording import LabelledRecording
from ectopy.errors import DataError, EctopyError
from ectopy.presentation import short_repr
from ectopy.recording import Annotations
from ectopy.signal.beat_segments import BeatSegments
from ectopy.signal.recording_signal import ReadRecording, read_recording
from ectopy.training.recording_examples import RecordingExamples, examples_of

HELD_OUT = ("qtdb", "mitdb", "cinc2017")
"""Databases that are held out, one after the other; the others are always learned from."""


@dataclass(frozen=True, slots=True)
class ReadSignal:
    """The signal of a recording, read.

    Attributes
    ----------
    read : ReadRecording
    leads : tuple of str
    sampling_rate_hz : float
    samples : int
    reference : Annotations or None
        None where the database does not label beats.
    """

    __repr__ = short_repr

    read: ReadRecording
    leads: tuple[str, ...]
    sampling_rate_hz: float
    samples: int
    reference: Annotations | None

    @property
    def beats(self) -> BeatSegments:
        """Return all heartbeats, readable only where the leads are."""
        return self.read.beats

    def analysis(self, rules: JudgingRules) -> Analysis:
        """Judge the beats."""
        return analyse_beats(self.read, self.leads, self.sampling_rate_hz, rules)


@dataclass(frozen=True, slots=True)
class StrangerRecording:
    """One recording, to learn from and to be judged.

    Attributes
    ----------
    examples : RecordingExamples
        What detectors learn from it.
    signal : ReadSignal or None
        None in a database that is never held out.
    """

    __repr__ = short_repr

    examples: RecordingExamples
    signal: ReadSignal | None

    @property
    def labelled(self) -> LabelledRecording:
        """Return the labels, without the signal."""
        return self.examples.labelled


def read_recordings(places: Mapping[str, Path], progress: Progress = silent) -> list[StrangerRecording]:
    """Read databases.

    Parameters
    ----------
    places : mapping of str to Path
        Folder of each database, from `find_sources`.

    Raises
    ------
    DataError
        If a recording cannot be used.
    """
    total = sum(len(DATABASES[name].records(place)) for name, place in places.items())
    recordings: list[StrangerRecording] = []
    for name, place in places.items():
        for labelled in read_database(name, place):
            progress(len(recordings), total, f"reading {name} {labelled.name}")
            recordings.append(_read(labelled))
    return recordings


def _read(labelled: LabelledRecording) -> StrangerRecording:
    try:
        examples = examples_of(labelled)
        signal = _read_signal(labelled) if labelled.database in HELD_OUT else None
    except EctopyError as error:
        raise DataError(f"{labelled.database} {labelled.name}: {error}") from error
    return StrangerRecording(examples, signal)


def _read_signal(labelled: LabelledRecording) -> ReadSignal:
    recording = labelled.recording
    assert recording is not None
    read = read_recording(recording)
    return ReadSignal(read, recording.leads, recording.sampling_rate_hz, len(recording.signal), recording.annotations)
