"""Lobachevsky University Electrocardiography Database 1.0.1: 200 people, ten seconds of twelve leads at 500 Hz.

Kalyakulina AI, Yusipov II, Moskalenko VA, et al. LUDB: a new open-access validation tool for electrocardiogram
delineation algorithms. IEEE Access 8:186181-186190 (2020), doi:10.1109/ACCESS.2020.3029211. From PhysioNet,
https://doi.org/10.13026/eegm-h675, under the Open Data Commons Attribution License 1.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ectopy.datasets.labelled_recording import LabelledBeats, LabelledRecording
from ectopy.datasets.patients import patient_of
from ectopy.datasets.waves import read_waves
from ectopy.errors import DataError
from ectopy.formats import read
from ectopy.formats.wfdb_header import read_comments

NAME = "ludb"
LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
"""The leads, and the suffixes of the files that hold the waves of each."""

_BEAT_LEAD = "ii"
_NORMAL, _UNCLASSIFIABLE = "N", "Q"
_RHYTHM = "rhythm:"
_SINUS = "sinus"
_NOT_NORMAL = ("extrasystole", "pacing", "pacemaker", "iii degree", "sinoatrial", "aberrant", "escape")


def ludb_records(folder: Path) -> tuple[str, ...]:
    """Names of the records in a folder, sorted by number."""
    return tuple(sorted((path.stem for path in folder.glob(f"*.{_BEAT_LEAD}")), key=lambda name: (len(name), name)))


def read_ludb(folder: Path) -> Iterator[LabelledRecording]:
    """Read the records, one at a time.

    The database marks the waves of every lead, but not the kind of a beat. Beats are the QRS complexes marked in lead
    II; the first and the last are often not marked. They are normal (``N``) in a record in sinus rhythm without a
    diagnosis of ectopic or paced beats, complete or sinoatrial block or aberrant conduction, and unclassifiable (``Q``)
    in the others. The label is the rhythm in the header.
    """
    for name in ludb_records(folder):
        recording = read(folder / name)
        waves = read_waves(folder / f"{name}.{_BEAT_LEAD}")
        positions = waves.peaks[waves.kinds == "QRS"]
        findings = _findings(folder / f"{name}.hea")
        symbol = _NORMAL if has_normal_beats(findings) else _UNCLASSIFIABLE
        beats = LabelledBeats(positions / recording.sampling_rate_hz, np.full(len(positions), symbol))
        yield LabelledRecording(
            NAME, name, patient_of(NAME, name), recording.duration_s, recording, beats, label=_rhythm(findings)
        )


def has_normal_beats(findings: Sequence[str]) -> bool:
    """Return whether a rhythm and diagnoses leave no room for beats that are not normal."""
    text = " ".join(findings).lower()
    return _SINUS in (_rhythm(findings) or "").lower() and not any(word in text for word in _NOT_NORMAL)


def _rhythm(findings: Sequence[str]) -> str | None:
    rhythms = (finding for finding in findings if finding.lower().startswith(_RHYTHM))
    return next((finding[len(_RHYTHM) :].strip(" .") for finding in rhythms), None)


def _findings(header: Path) -> tuple[str, ...]:
    """Rhythm and diagnoses in the comments of a header."""
    findings = tuple(comment for comment in read_comments(header) if not comment.startswith("<"))
    if _rhythm(findings) is None:
        raise DataError(f"{header} states no rhythm; copy the record again.")
    return findings
