"""Read labels that a person or another program gave to the beats of a recording, as corrections of its analysis."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.analysis import Analysis
from ectopy.analysis.corrected_analysis import LEAST_APART_S, analysis_digest
from ectopy.analysis.corrections import (
    MOST_NAME,
    AddBeat,
    BeatLabel,
    Correction,
    CorrectionEntry,
    Corrections,
    DeleteBeats,
    Relabel,
    find_corrections,
)
from ectopy.arguments import checked
from ectopy.errors import DataError, printable, short_text
from ectopy.formats import read_annotations
from ectopy.formats.annotation_codes import LABEL_MAPS
from ectopy.recording import Annotations

Number = TypeVar("Number", np.int64, np.float64)

MATCH_S = 0.15
"""A mark and a beat no further apart are the same heartbeat (ANSI/AAMI EC57:2012)."""

# By chance, half of the marks of another recording with 110 heartbeats a minute are within 150 ms of a heartbeat. Those
# of the recording itself are also all at about the same distance from one.
_JITTER_S = 0.05

_LABEL_OF_CLASS = {
    "N": BeatLabel.NORMAL,
    "S": BeatLabel.SUPRAVENTRICULAR,
    "V": BeatLabel.VENTRICULAR,
    "F": BeatLabel.OTHER,
    "Q": BeatLabel.OTHER,
}
_LABELS = {symbol: _LABEL_OF_CLASS[name] for name, symbols in LABEL_MAPS["aami"].items() for symbol in symbols} | {
    "?": BeatLabel.UNREADABLE
}
_ARTEFACT = "|"


@checked
def corrections_from_annotations(
    analysis: Analysis, annotations: Annotations, sampling_rate_hz: float, by: str, at: datetime
) -> Corrections:
    """Compare the beats of an analysis with annotations, and return the corrections that make them the same.

    A beat and a mark at most 150 ms apart, each the nearest to the other, are one; the beat stays where it is. A beat
    without a mark is deleted, and a mark without a beat added, unless it is less than 0.1 s from a beat and so marks it
    a second time. Labels are those of the AAMI: fusion, paced and unclassifiable beats are ``other``; ``?`` is
    unreadable, as is a beat at an artefact mark (``|``), which may hide a heartbeat. Other marks say nothing.

    Parameters
    ----------
    analysis : Analysis
    annotations : Annotations
        On samples of the recording.
    sampling_rate_hz : float
        Of the recording.
    by : str
        Name of who gave the labels.
    at : datetime
        When, with its time zone.

    Raises
    ------
    DataError
        If there are no marks of beats; if they are of another recording: fewer than half of them, or of the heartbeats
        where these are fewer, coincide at the median distance, within 50 ms; if fewer than half of the heartbeats have
        a mark, as where only ectopic beats are marked.
    """
    all_marks = [
        (position, _LABELS[symbol])
        for position, symbol in zip(annotations.positions.tolist(), annotations.symbols.tolist(), strict=True)
        if symbol in _LABELS
    ]
    marks = [mark for mark in all_marks if mark[0] < analysis.quality.duration_s * sampling_rate_hz]
    positions, beats = np.array([position for position, _ in marks], np.int64), analysis.positions
    rows, mark_rows = _pairs(beats, positions, MATCH_S * sampling_rate_hz)
    if not marks:
        reason = (
            "all of its beats lie after the end of this recording" if all_marks else "it holds no annotations of beats"
        )
        raise DataError(f"{short_text(by)} cannot be used: {reason}.")
    alike = _count_alike(positions[mark_rows] - beats[rows], _JITTER_S * sampling_rate_hz)
    if 2 * alike < min(len(marks), len(beats)):
        raise DataError(
            f"{short_text(by)} has labels of another recording: only {alike:,} of its {len(marks):,} beats coincide "
            f"with one of the {len(beats):,} heartbeats of this one; nearly all would if they belonged to it."
        )
    if 2 * len(rows) < len(beats):
        raise DataError(
            f"{short_text(by)} has labels of only {len(rows):,} of the {len(beats):,} heartbeats of this recording, "
            "and those without one would be deleted; labels of all beats are needed, the normal ones included."
        )
    corrections: list[Correction] = []
    without_mark = np.delete(beats, rows)
    artefacts = annotations.positions[np.equal(annotations.symbols, _ARTEFACT)]
    in_artefact, _ = _pairs(without_mark, artefacts, MATCH_S * sampling_rate_hz)
    if len(in_artefact):
        corrections.append(Relabel(tuple(without_mark[in_artefact].tolist()), BeatLabel.UNREADABLE))
        without_mark = np.delete(without_mark, in_artefact)
    if len(without_mark):
        corrections.append(DeleteBeats(tuple(without_mark.tolist())))
    old = analysis.annotations().symbols[rows].tolist()
    new = [marks[mark][1] for mark in mark_rows.tolist()]
    for label in BeatLabel:
        changed = [row for row, before, after in zip(rows, old, new, strict=True) if _LABELS[before] != after == label]
        if changed:
            corrections.append(Relabel(tuple(beats[changed].tolist()), label))
    # A mark near a beat, or near the last one that was added, is the second of that beat.
    remaining, near = np.setdiff1d(beats, without_mark), LEAST_APART_S * sampling_rate_hz
    without_beat = np.delete(np.arange(len(marks)), mark_rows)
    if len(remaining):
        apart = positions[without_beat] - remaining[nearest(positions[without_beat], remaining)]
        without_beat = without_beat[np.abs(apart) >= near]
    last = -math.inf
    for position, label in (marks[mark] for mark in without_beat.tolist()):
        if position - last >= near:
            corrections.append(AddBeat(position, label))
            last = position
    entries = tuple(CorrectionEntry(correction, by, at) for correction in corrections)
    return Corrections(analysis_digest(analysis), entries)


@checked
def read_corrections(path: str | Path, analysis: Analysis, sampling_rate_hz: float) -> Corrections:
    """Read corrections of an analysis, or labels of any program as corrections; the content tells which.

    Labels are by the file, of the time when it was last changed.

    Parameters
    ----------
    path : str or Path
        A file of `Corrections.save`, results of Ectopy as JSON, whose corrections are read where they have some, or
        what `ectopy.formats.read_annotations` reads.
    analysis : Analysis
    sampling_rate_hz : float
        Of the recording.

    Raises
    ------
    DataError
        If the file is missing, damaged or something else, or of another recording.
    """
    corrections = find_corrections(path)
    if corrections is not None:
        return corrections
    path = Path(path)
    annotations = read_annotations(path, sampling_rate_hz)
    changed_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    by = printable(path.name)[:MOST_NAME]
    return corrections_from_annotations(analysis, annotations, sampling_rate_hz, by, changed_at)


def nearest(values: NDArray[Number], candidates: NDArray[Number]) -> NDArray[np.intp]:
    """Return the row of the nearest of one or more candidates, in order, to each value."""
    right = np.minimum(np.searchsorted(candidates, values), len(candidates) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(candidates[left] - values) <= np.abs(candidates[right] - values), left, right)


def _pairs(
    beats: NDArray[np.int64], marks: NDArray[np.int64], most: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of beats and of marks that are the nearest to each other, at most so many samples apart."""
    if not len(beats) or not len(marks):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    beat_of, rows = nearest(marks, beats), np.arange(len(marks))
    is_pair = (nearest(beats, marks)[beat_of] == rows) & (np.abs(beats[beat_of] - marks) <= most)
    return beat_of[is_pair], rows[is_pair]


def _count_alike(distances: NDArray[np.int64], jitter: float) -> int:
    """Return how many distances differ from their median by at most `jitter` samples."""
    return int(np.count_nonzero(np.abs(distances - np.median(distances)) <= jitter)) if len(distances) else 0
