"""The corrections of a recording: one file for each analysis on which they were made, so that none is ever lost."""

from __future__ import annotations

import logging
from pathlib import Path

from ectopy.analysis.corrections import AddBeat, ChooseStrip, Correction, Corrections, DeleteBeats, Relabel, Undo
from ectopy.errors import ConflictError, DataError, NotFoundError, OutputError, StorageError
from ectopy.service.recordings.result import Result, ResultVersion

MOST_CORRECTIONS = 5_000
"""Entries in the log of one analysis, those that were undone included."""
MOST_CORRECTED = 2_000_000
"""Beats in all of them together."""
MOST_STRIPS = 100
"""Strips in a report that a person chose."""

_FOLDER = "corrections"

_log = logging.getLogger(__name__)


class OutdatedError(ConflictError):
    """A correction was made without having seen the newest ones: only the first `number` of those of `result`."""

    def __init__(self, result: Result, number: int) -> None:
        entries = result.corrections.entries
        authors = ", ".join(sorted({entry.by for entry in entries[number:]}))
        super().__init__(
            f"there are newer corrections, by {authors}; look at them, and make yours again."
            if authors
            else f"there are {len(entries)} corrections, not {number}; look at them, and make yours again."
        )
        self.result, self.number = result, number


class AuthorError(ConflictError):
    """The last correction of `result` that is in force, the entry of this index, is by another author."""

    def __init__(self, result: Result, index: int) -> None:
        by = result.corrections.entries[index].by
        super().__init__(f"the last correction is by {by}; it is undone only if they are named as its author.")
        self.result, self.index = result, index


def corrections_path(folder: Path, analysis_digest: str) -> Path:
    """Return the file of the corrections of an analysis in the folder of its recording."""
    return folder / _FOLDER / f"{analysis_digest}.json"


def load_corrections(folder: Path, analysis_digest: str) -> Corrections:
    """Return the corrections of an analysis from the folder of its recording; a `DataError` if they are damaged."""
    path = corrections_path(folder, analysis_digest)
    if not path.exists():
        return Corrections(analysis_digest)
    try:
        return Corrections.load(path)
    except DataError as error:
        _log.exception("the corrections of a recording cannot be read")
        raise DataError(
            "the corrections of this recording cannot be read; who runs the service finds the reason in its log."
        ) from error


def superseded_corrections(folder: Path, analysis_digest: str) -> list[Corrections]:
    """Return the corrections of all other analyses of a recording, the oldest file first; damaged ones are left out."""
    paths = [path for path in (folder / _FOLDER).glob("*.json") if path != corrections_path(folder, analysis_digest)]
    superseded = []
    for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns):
        try:
            superseded.append(Corrections.load(path))
        except DataError:
            _log.exception("the corrections of an earlier analysis cannot be read, and are left alone")
    return superseded


def save_corrections(folder: Path, corrections: Corrections) -> None:
    """Write the corrections of an analysis atomically.

    Raises
    ------
    NotFoundError
        If the recording has been deleted.
    StorageError
        If they cannot be written, as on a full disk.
    """
    try:
        (folder / _FOLDER).mkdir(exist_ok=True)
    except FileNotFoundError as error:
        raise NotFoundError("the recording has been deleted; nothing was corrected.") from error
    except OSError as error:
        raise StorageError(f"the correction cannot be stored: {error.strerror or error}; nothing changed.") from error
    try:
        corrections.save(corrections_path(folder, corrections.analysis_digest))
    except OutputError as error:
        _log.exception("the corrections of a recording cannot be written")
        raise StorageError(
            "the correction cannot be stored, and nothing changed; who runs the service finds the reason in its log."
        ) from error


def check_version(result: Result, version: ResultVersion) -> None:
    """Check that a person who corrects has seen the newest state.

    A `ConflictError` if the analysis is another one; an `OutdatedError` if there are other corrections.
    """
    if version.analysis != result.version.analysis:
        raise ConflictError(
            "the recording was analysed again, and this correction belongs to the analysis before; look at the new "
            "one, and correct that. The corrections until then are kept in the log."
        )
    if version.version != result.version.version:
        raise OutdatedError(result, version.version)


def check_author(result: Result, author: str) -> None:
    """Check who made the last correction that is in force; an `AuthorError` if it was somebody else."""
    corrections = result.corrections
    for entry in corrections.in_force[-1:]:
        if entry.by != author:
            index = max(place for place, other in enumerate(corrections.entries) if other is entry)
            raise AuthorError(result, index)


def check_room(corrections: Corrections, correction: Correction) -> None:
    """Check that one more correction has room; a `DataError` if not."""
    if len(corrections.entries) >= MOST_CORRECTIONS:
        raise DataError(f"a recording has at most {MOST_CORRECTIONS:,} corrections.")
    if isinstance(correction, ChooseStrip) and len(corrections.strips) >= MOST_STRIPS:
        raise DataError(f"a report has at most {MOST_STRIPS} strips that were chosen; remove one first.")
    beats = corrected_beats(correction) + sum(corrected_beats(entry.correction) for entry in corrections.entries)
    if beats > MOST_CORRECTED:
        raise DataError(f"the corrections of a recording are of {MOST_CORRECTED:,} beats at most, not {beats:,}.")


def corrected_beats(correction: Correction) -> int:
    """Return how many beats a correction names."""
    match correction:
        case Relabel() | DeleteBeats():
            return len(correction.positions)
        case AddBeat():
            return 1
        case _:
            return 0


def undone(corrections: Corrections) -> list[bool]:
    """Return for each entry whether a later one has undone it; what undoes is never undone."""
    in_force = {id(entry) for entry in corrections.in_force}
    return [not isinstance(entry.correction, Undo) and id(entry) not in in_force for entry in corrections.entries]
