"""Corrections that a person makes to an analysis: labels, beats, noise; strips and the conclusion of the report.

A correction names beats by their position in samples, so that it means the same to whoever reads it. Corrections form a
log that only grows: `undo` adds an entry that takes the last one back, and the log still says who did what, and when.
`ectopy.analysis.corrected_analysis` applies them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from numbers import Integral
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ectopy.errors import DataError, printable, short_text
from ectopy.files import GENERATOR, write_text

MOST_ENTRIES = 100_000
MOST_POSITIONS = 2_000_000
"""Beats in one correction: more than a fortnight has."""
MOST_NAME, MOST_CAPTION, MOST_CONCLUSION = 100, 300, 20_000
"""Characters."""
MAX_BYTES, MOST_RESULTS_BYTES = 64 << 20, 512 << 20
"""Size of a file of corrections, and of results with corrections."""

_FORMAT, _VERSION = "ectopy corrections", 1
_MOST_S, _MOST_POSITION = 1e8, 1 << 53
_WIDE_SPACES = re.compile(r"[\u00a0\u2000-\u200a\u202f\u205f\u3000]")  # as word processors write them


class BeatLabel(StrEnum):
    """What a beat is, as a person says."""

    NORMAL = "normal"
    VENTRICULAR = "ventricular"
    SUPRAVENTRICULAR = "supraventricular"
    OTHER = "other"
    UNREADABLE = "unreadable"


class _OfBeats(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A correction of beats; its positions, samples of the recording, are put in order."""

    positions: tuple[int, ...]

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "positions", _positions(self.positions))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.positions)} beats)"


class Relabel(_OfBeats, frozen=True, forbid_unknown_fields=True, tag="relabel"):
    """Give another label to a beat, or to those of a family or a stretch.

    Attributes
    ----------
    positions : tuple of int
        Of the beats, in samples of the recording.
    label : BeatLabel
    """

    label: BeatLabel

    def __post_init__(self) -> None:
        super().__post_init__()
        msgspec.structs.force_setattr(self, "label", _label(self.label))

    def __repr__(self) -> str:
        return f"Relabel({len(self.positions)} beats, {self.label})"


class DeleteBeats(_OfBeats, frozen=True, forbid_unknown_fields=True, tag="delete_beats"):
    """Delete what is not a beat; the intervals before and after it join.

    Attributes
    ----------
    positions : tuple of int
        In samples of the recording.
    """


class AddBeat(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="add_beat"):
    """Add a beat that was not found.

    Attributes
    ----------
    position : int
        In samples of the recording.
    label : BeatLabel
    """

    position: int
    label: BeatLabel

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "position", _positions([self.position])[0])
        msgspec.structs.force_setattr(self, "label", _label(self.label))


class _OfTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A correction of a stretch of time, in seconds from the start of the recording."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        start_s, end_s = self.start_s, self.end_s
        if not (_is_number(start_s) and _is_number(end_s) and 0 <= start_s < end_s <= _MOST_S):
            raise DataError(
                f"a time goes from 0 s or later to a later one, not from {short_text(start_s)} to {short_text(end_s)} "
                "s."
            )


class MarkNoise(_OfTime, frozen=True, forbid_unknown_fields=True, tag="mark_noise"):
    """Mark a time as noise in all leads; its beats become unreadable, and no interval across it is known.

    Attributes
    ----------
    start_s, end_s : float
        Seconds from the start of the recording.
    """


class ChooseStrip(_OfTime, frozen=True, forbid_unknown_fields=True, tag="choose_strip"):
    """Choose a strip for the report, or give another caption to a chosen one.

    Attributes
    ----------
    start_s, end_s : float
        Seconds from the start of the recording.
    caption : str
    """

    caption: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_text("a caption", self.caption, MOST_CAPTION)


class RemoveStrip(_OfTime, frozen=True, forbid_unknown_fields=True, tag="remove_strip"):
    """Remove a strip from the report: the one of this time that a person chose, or else those of the program.

    Attributes
    ----------
    start_s, end_s : float
        Seconds from the start of the recording.
    """


class WriteConclusion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="write_conclusion"):
    """Write the conclusion of the report, in place of what it was.

    Attributes
    ----------
    text : str
        It may have several lines.
    """

    text: str

    def __post_init__(self) -> None:
        _check_text("the conclusion", self.text, MOST_CONCLUSION, lines=True)


class Undo(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="undo"):
    """Take back the last correction that is in force."""


Correction = Relabel | AddBeat | DeleteBeats | MarkNoise | ChooseStrip | RemoveStrip | WriteConclusion | Undo


class CorrectionEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A correction with who made it, and when.

    Attributes
    ----------
    correction : Correction
    by : str
        Name of the person or the file.
    at : datetime
        With its time zone.
    """

    correction: Correction
    by: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]

    def __post_init__(self) -> None:
        if not isinstance(self.correction, Correction):
            raise DataError(f"an entry takes a correction, such as Relabel, not {short_text(self.correction)}.")
        _check_text("the name of who corrects", self.by, MOST_NAME)
        if not self.by.strip():
            raise DataError("a correction needs the name of who makes it.")
        if not isinstance(self.at, datetime) or self.at.tzinfo is None:
            raise DataError("the time of a correction needs its time zone.")


class Corrections(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All corrections of one analysis, in the order in which they were made.

    Attributes
    ----------
    analysis_digest : str
        Of the analysis that they were made on, by `corrected_analysis.analysis_digest`.
    entries : tuple of CorrectionEntry
        The complete log; what was undone and the undoing are in it.
    """

    analysis_digest: str
    entries: tuple[CorrectionEntry, ...] = ()

    def __post_init__(self) -> None:
        if len(self.entries) > MOST_ENTRIES:
            raise DataError(f"an analysis takes {MOST_ENTRIES:,} corrections at most, not {len(self.entries):,}.")

    def __repr__(self) -> str:
        return f"Corrections({self.analysis_digest[:12]!r}, {len(self.entries)} entries)"

    def followed_by(self, correction: Correction, by: str, at: datetime) -> Corrections:
        """Append a correction; `at` needs a time zone."""
        return Corrections(self.analysis_digest, (*self.entries, CorrectionEntry(correction, by, at)))

    @property
    def in_force(self) -> tuple[CorrectionEntry, ...]:
        """Return the entries that are not undone, in their order."""
        entries: list[CorrectionEntry] = []
        for entry in self.entries:
            if not isinstance(entry.correction, Undo):
                entries.append(entry)
            elif entries:
                entries.pop()
        return tuple(entries)

    @property
    def strips(self) -> tuple[ChooseStrip, ...]:
        """Return the chosen strips, in order of time."""
        return tuple(strip for strip in self._strips() if isinstance(strip, ChooseStrip))

    @property
    def hidden_strips(self) -> tuple[RemoveStrip, ...]:
        """Return the strips that a person removed, in order of time."""
        return tuple(strip for strip in self._strips() if isinstance(strip, RemoveStrip))

    @property
    def conclusion(self) -> str:
        """Return the conclusion; empty where nobody wrote one."""
        texts = [entry.correction.text for entry in self.in_force if isinstance(entry.correction, WriteConclusion)]
        return texts[-1] if texts else ""

    def _strips(self) -> list[ChooseStrip | RemoveStrip]:
        """Return the last decision on each strip; one that was chosen and removed again leaves no trace."""
        last: dict[tuple[float, float], ChooseStrip | RemoveStrip] = {}
        for entry in self.in_force:
            if isinstance(entry.correction, ChooseStrip | RemoveStrip):
                span = entry.correction.start_s, entry.correction.end_s
                before = last.pop(span, None)
                if isinstance(entry.correction, ChooseStrip) or not isinstance(before, ChooseStrip):
                    last[span] = entry.correction
        return [last[span] for span in sorted(last)]

    def save(self, path: str | Path) -> None:
        """Write as JSON, atomically.

        Raises
        ------
        DataError
            If it would be larger than `load` reads.
        OutputError
            If the file cannot be written.
        """
        stored = _Stored(_FORMAT, _VERSION, GENERATOR, self.analysis_digest, self.entries)
        content = msgspec.json.encode(stored) + b"\n"
        if len(content) > MAX_BYTES:
            raise DataError(f"corrections have {MAX_BYTES >> 20} MiB at most; the last one has no room.")
        write_text(Path(path), content.decode())

    @classmethod
    def load(cls, path: str | Path) -> Corrections:
        """Read a file of `save`.

        Raises
        ------
        DataError
            If the file is missing, too large, of a later version, or something else.
        """
        try:
            with Path(path).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}; name a file of corrections.") from error
        if len(content) > MAX_BYTES:
            raise DataError(f"{path} is larger than the {MAX_BYTES >> 20} MiB that corrections may take.")
        try:
            head = msgspec.json.decode(content, type=_Head)
            if head.format != _FORMAT:
                raise DataError(f"{path} is not a file of corrections.")
            if head.version != _VERSION:
                raise DataError(
                    f"{path} holds corrections of version {head.version}, and this Ectopy reads version {_VERSION}."
                )
            stored = msgspec.json.decode(content, type=_Stored)
            return cls(stored.analysis_digest, stored.entries)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DataError(f"{path} is not a file of corrections: {short_text(error)}.") from error


class _Head(msgspec.Struct, frozen=True):
    """First fields of a file of corrections, of any version."""

    format: str
    version: int


class _Results(msgspec.Struct, frozen=True):
    """What results of Ectopy as JSON say of corrections."""

    format: str = ""
    corrections: msgspec.Raw = msgspec.Raw(b"null")


def find_corrections(path: str | Path) -> Corrections | None:
    """Read a file of corrections, or those in results as JSON; None where a file has none or is something else.

    Raises
    ------
    DataError
        If it has some that cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(1)
            content += file.read(MOST_RESULTS_BYTES) if content == b"{" else b""
        results = msgspec.json.decode(content, type=_Results) if content[:1] == b"{" else _Results()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if results.format == _FORMAT:
        return Corrections.load(path)
    try:
        return msgspec.json.decode(results.corrections, type=Corrections | None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{path} has corrections that cannot be read: {short_text(error)}.") from error


class _Stored(msgspec.Struct, frozen=True):
    """A file of corrections."""

    format: str
    version: int
    generator: str
    analysis_digest: str
    entries: tuple[CorrectionEntry, ...]


def undo(corrections: Corrections, by: str, at: datetime) -> Corrections:
    """Take back the last correction that is in force, by an entry of its own.

    Raises
    ------
    DataError
        If no correction is in force.
    """
    if not corrections.in_force:
        raise DataError("there is no correction to undo.")
    return corrections.followed_by(Undo(), by, at)


def _positions(positions: Any) -> tuple[int, ...]:
    """Check positions of beats, and put them in order, each once."""
    plain = list(positions) if isinstance(positions, Iterable) else [positions]
    if not 0 < len(plain) <= MOST_POSITIONS:
        raise DataError(f"a correction is of 1 to {MOST_POSITIONS:,} beats, not of {len(plain):,}.")
    for position in plain:
        if isinstance(position, bool) or not isinstance(position, Integral) or not 0 <= int(position) < _MOST_POSITION:
            raise DataError(f"the position of a beat is a number of samples from 0, not {short_text(position)}.")
    return tuple(sorted({int(position) for position in plain}))


def _label(label: Any) -> BeatLabel:
    try:
        return BeatLabel(label)
    except ValueError as error:
        raise DataError(f"the label of a beat is {', '.join(BeatLabel)}, not {short_text(label)}.") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def _check_text(subject: str, text: object, most: int, lines: bool = False) -> None:
    if not isinstance(text, str) or len(text) > most:
        raise DataError(f"{subject} is text of {most:,} characters at most.")
    plain = text.replace("\n", "").replace("\t", "") if lines else text
    plain = _WIDE_SPACES.sub(" ", plain)
    if printable(plain) != plain:
        raise DataError(f"{subject} holds characters that cannot be printed: {short_text(plain)}.")
