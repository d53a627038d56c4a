"""Sums over recordings: patients, beats and hours of each database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ectopy.datasets.labelled_recording import LabelledRecording

ALL = "all"


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """Contribution of one database, or all of them together.

    Attributes
    ----------
    database : str
        Its name, or `ALL`.
    patients, recordings : int
    normal_beats, other_beats : int or None
        Beats of class N, and of the others; None where the database does not label beats.
    hours : float
    """

    database: str
    patients: int
    recordings: int
    normal_beats: int | None
    other_beats: int | None
    hours: float


def summarise_sources(recordings: Iterable[LabelledRecording]) -> tuple[SourceSummary, ...]:
    """Count patients, recordings, beats and hours of each database.

    Parameters
    ----------
    recordings : iterable of LabelledRecording
        In any order; signals are not needed (``dataclasses.replace(labelled, recording=None)``).

    Returns
    -------
    tuple of SourceSummary
        One of each database, in the order of appearance, then one of all together, in which a patient of two databases
        counts once. Empty without recordings.
    """
    by_database: dict[str, list[_Counts]] = {}
    for recording in recordings:
        by_database.setdefault(recording.database, []).append(_count(recording))
    rows = [_add_up(name, counts) for name, counts in by_database.items()]
    all_counts = [counts for of_database in by_database.values() for counts in of_database]
    return (*rows, _add_up(ALL, all_counts)) if rows else ()


@dataclass(frozen=True, slots=True)
class _Counts:
    """Counts of one recording."""

    patient: str
    duration_s: float
    normal: int | None
    other: int | None


def _count(recording: LabelledRecording) -> _Counts:
    if recording.beats is None:
        return _Counts(recording.patient, recording.duration_s, None, None)
    normal = int(recording.beats.is_normal.sum())
    return _Counts(recording.patient, recording.duration_s, normal, len(recording.beats) - normal)


def _add_up(database: str, counts: list[_Counts]) -> SourceSummary:
    return SourceSummary(
        database,
        len({count.patient for count in counts}),
        len(counts),
        _total(count.normal for count in counts),
        _total(count.other for count in counts),
        sum(count.duration_s for count in counts) / 3600.0,
    )


def _total(counts: Iterable[int | None]) -> int | None:
    """Sum of what is counted; None where nothing is."""
    present = [count for count in counts if count is not None]
    return sum(present) if present else None
