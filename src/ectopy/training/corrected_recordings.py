"""Recordings whose labels a person has corrected, as examples to learn from."""

from __future__ import annotations

from pathlib import Path

from ectopy.analysis import analyse
from ectopy.analysis.corrected_analysis import apply_corrections
from ectopy.analysis.label_import import read_corrections
from ectopy.datasets.databases import DATABASES
from ectopy.datasets.labelled_recording import LabelledBeats, LabelledRecording
from ectopy.datasets.patients import patient_of
from ectopy.detector import Detector
from ectopy.errors import DataError
from ectopy.formats import read

DATABASE = "corrected"
"""Name of corrected recordings in summaries and in the card of a detector."""

SUFFIX = ".corrections.json"
"""The corrections of ``holter.edf`` are in ``holter.corrections.json`` beside it."""


def read_corrected(path: Path, detector: Detector) -> LabelledRecording:
    """Read a recording and the corrections beside it; all beats have the labels of the corrected analysis.

    Recordings of one patient, by the number or else the name in their files, are of one patient here, so that training
    holds them out together; one that does not say whose it is counts as another patient. One in the folder of a
    database is of the patient of that record.

    Parameters
    ----------
    path : Path
        Of the recording.
    detector : Detector
        That the corrected analysis was made with.

    Raises
    ------
    DataError
        If a file is missing or cannot be used.
    ConflictError
        If the corrections were made on another analysis.
    """
    beside = path.with_suffix(SUFFIX)
    if not beside.is_file():
        raise DataError(f"{path} has no corrections beside it; expected them in {beside.name}.")
    recording = read(path)
    rate_hz = recording.sampling_rate_hz
    analysis = analyse(recording, detector)
    corrected = apply_corrections(analysis, read_corrections(beside, analysis, rate_hz), rate_hz)
    if path.parent.name in DATABASES:
        patient = patient_of(path.parent.name, path.stem)
    else:
        patient = f"{DATABASE}/{recording.patient.identifier or recording.patient.name or path.resolve()}"
    return LabelledRecording(
        DATABASE,
        path.stem,
        patient,
        recording.duration_s,
        recording,
        LabelledBeats.of(corrected.annotations(), rate_hz),
    )
