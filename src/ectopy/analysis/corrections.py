"""Correct an analysed recording by hand: labels, beats, noise; strips and the conclusion of the report.

A correction names beats by their position in samples, so that it means the same to whoever reads it. Corrections form a
log that only grows: `undo` adds an entry that takes the last one back, and the log still says who did what, and when.
`apply_corrections` gives another `Analysis`, from which events, episodes, families and variability are found as from
any other. Corrections belong to one analysis, which `analysis_digest` identifies.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from numbers import Integral
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.analysis import Analysis
from ectopy.analysis.beat_editing import edit_beats, without_noise
from ectopy.analysis.verdicts import Hint
from ectopy.arguments import checked
from ectopy.detector import Verdict
from ectopy.errors import ConflictError, DataError, printable, short_text
from ectopy.files import GENERATOR, write_text

MOST_ENTRIES = 100_000
MOST_POSITIONS = 2_000_000
"""Beats in one correction: more than a fortnight has."""
MOST_NAME, MOST_CAPTION, MOST_CONCLUSION = 100, 300, 20_000
"""Characters."""
MAX_BYTES, MOST_RESULTS_BYTES = 64 << 20, 512 << 20
"""Size of a file of corrections, and of results with corrections."""
LEAST_APART_S = 0.1
"""A beat is not added nearer than this to another one."""

_FORMAT, _VERSION = "ectopy corrections", 1
_MOST_S, _MOST_POSITION = 1e8, 1 << 53
_ROUNDED_S = 1.0
_AS_ANALYSED = -1
_WIDE_SPACES = re.compile(r"[\u00a0\u2000-\u200a\u202f\u205f\u3000]")  # as word processors write them


class BeatLabel(StrEnum):
    """What a beat is, as a person says."""

    NORMAL = "normal"
    VENTRICULAR = "ventricular"
    SUPRAVENTRICULAR = "supraventricular"
    OTHER = "other"
    UNREADABLE = "unreadable"


_LABELS = tuple(BeatLabel)
_VERDICTS = np.array([Verdict.NORMAL.value, *[Verdict.ABNORMAL.value] * 3, Verdict.UNREADABLE.value], "U10")
_HINTS = np.array(
    [Hint.EMPTY.value, Hint.VENTRICULAR.value, Hint.SUPRAVENTRICULAR.value, Hint.OTHER.value, Hint.EMPTY.value], "U21"
)
_UNREADABLE = _LABELS.index(BeatLabel.UNREADABLE)


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
        Of the analysis that they were made on, by `analysis_digest`.
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


@checked
def analysis_digest(analysis: Analysis) -> str:
    """Return the SHA-256 of the positions and labels of all beats: of what a person sees and corrects.

    It does not depend on scores, whose last bits may differ between machines.
    """
    marks = analysis.annotations()
    content = sha256(marks.positions.astype("<i8").tobytes())
    content.update(marks.symbols.astype("<U1").tobytes())
    return content.hexdigest()


@checked
def apply_corrections(analysis: Analysis, corrections: Corrections, sampling_rate_hz: float) -> Analysis:
    """Apply corrections to the analysis that they were made on, in their order.

    A beat with another label has its verdict and hint, and the score that it had. An unreadable one is in no family and
    the intervals next to it are not known. An added beat has no score and no readable segment; the interval that it
    divides is known unless samples are missing in it. Where beats are deleted, intervals join. Noise makes its beats
    unreadable and is part of the quality where it fills a second; no interval that touches it is known.

    Parameters
    ----------
    analysis : Analysis
    corrections : Corrections
    sampling_rate_hz : float
        Of the recording.

    Raises
    ------
    ConflictError
        If they were made on another analysis.
    DataError
        If a correction names a beat that is not there, or adds one where there is one.
    """
    if corrections.analysis_digest != analysis_digest(analysis):
        raise ConflictError(
            "these corrections were made on another analysis, with other beats or labels, which has been superseded; "
            "they are left as they are: make them again on this one, or read the results of that one as labels."
        )
    entries = corrections.in_force
    labels = _Labels(analysis, sampling_rate_hz)
    for number, entry in enumerate(entries):
        try:
            labels.correct(number, entry.correction)
        except DataError as error:
            raise DataError(f"correction {number + 1} by {short_text(entry.by)} cannot be applied: {error}") from error
    return labels.applied(entries) if labels.has_changed else analysis


class _Labels:
    """The beats of an analysis while corrections are applied: which remain, which are added, and what each is called.

    A label is a number in `BeatLabel`, and goes with the number of the entry that gave it.
    """

    def __init__(self, analysis: Analysis, sampling_rate_hz: float) -> None:
        self._analysis = analysis
        self._rate_hz = sampling_rate_hz
        self._remains = np.ones(len(analysis), np.bool_)
        self._label = np.full(len(analysis), _AS_ANALYSED)
        self._entry = np.full(len(analysis), -1)
        self._added: dict[int, tuple[int, int]] = {}
        self._noise: list[tuple[float, float]] = []
        self.has_changed = False

    def correct(self, number: int, correction: Correction) -> None:
        """Apply one correction, the entry of this number."""
        match correction:
            case Relabel():
                self._relabel(*self._places(correction.positions), correction.label, number)
            case DeleteBeats():
                rows, added = self._places(correction.positions)
                self._remains[rows] = False
                for position in added:
                    del self._added[position]
            case AddBeat():
                self._require_free(correction.position)
                self._added[correction.position] = _LABELS.index(correction.label), number
            case MarkNoise():
                self._require_inside(correction)
                self._relabel(*self._inside(correction), BeatLabel.UNREADABLE, number)
                self._noise.append((correction.start_s, correction.end_s))
            case ChooseStrip():
                self._require_inside(correction)
                return  # strips and the conclusion belong to the report
            case _:
                return
        self.has_changed = True

    def applied(self, entries: Sequence[CorrectionEntry]) -> Analysis:
        """Return the corrected analysis."""
        positions = sorted(self._added)
        edited, is_added = edit_beats(self._analysis, self._remains, np.array(positions, np.int64), self._rate_hz)
        label, entry = (np.empty(len(edited), np.int64) for _ in range(2))
        label[~is_added], entry[~is_added] = self._label[self._remains], self._entry[self._remains]
        added = np.array([self._added[position] for position in positions], np.int64).reshape(-1, 2)
        label[is_added], entry[is_added] = added.T
        is_corrected = label != _AS_ANALYSED
        before = np.full(len(edited), "") if edited.correction is None else edited.correction
        edited = replace(
            edited,
            beats=edited.beats.masked((label != _UNREADABLE)[:, None]),
            verdict=np.where(is_corrected, _VERDICTS[label], edited.verdict),
            hint=np.where(is_corrected, _HINTS[label], edited.hint),
            correction=np.where(is_corrected, _sentences(entries)[entry], before),
        )
        return without_noise(edited, self._noise)

    def _relabel(self, rows: NDArray[np.intp], added: Iterable[int], label: BeatLabel, number: int) -> None:
        self._label[rows], self._entry[rows] = _LABELS.index(label), number
        for position in added:
            self._added[position] = _LABELS.index(label), number

    def _places(self, positions: tuple[int, ...]) -> tuple[NDArray[np.intp], list[int]]:
        """Find beats by their positions: the rows of analysed ones, and the positions of added ones."""
        sought, analysed = np.array(positions), self._analysis.positions
        rows = np.searchsorted(analysed, sought)
        is_analysed = rows < len(analysed)
        inside = rows[is_analysed]
        is_analysed[is_analysed] = (analysed[inside] == sought[is_analysed]) & self._remains[inside]
        added = sought[~is_analysed].tolist()
        for position in added:
            if position not in self._added:
                raise DataError(f"there is no beat at {self._place(position)}.")
        return rows[is_analysed], added

    def _inside(self, noise: MarkNoise) -> tuple[NDArray[np.intp], list[int]]:
        """Find the beats in a time, as `_places` does."""
        # A time that was read off a beat is rounded.
        first, last = round(noise.start_s * self._rate_hz), round(noise.end_s * self._rate_hz)
        begin, end = np.searchsorted(self._analysis.positions, [first, last + 1])
        rows = begin + np.flatnonzero(self._remains[begin:end])
        return rows, [position for position in self._added if first <= position <= last]

    def _require_inside(self, time: MarkNoise | ChooseStrip) -> None:
        """Raise DataError if a time ends after the recording, by more than a page rounds it."""
        duration_s = self._analysis.quality.duration_s
        if time.end_s > duration_s + _ROUNDED_S:
            raise DataError(f"{time.end_s:g} s lies after the end of the recording, which is {duration_s:,.1f} s long.")

    def _require_free(self, position: int) -> None:
        """Raise DataError if a beat cannot be added here."""
        if position >= self._analysis.quality.duration_s * self._rate_hz:
            raise DataError(f"{self._place(position)} lies after the end of the recording.")
        reach = math.ceil(LEAST_APART_S * self._rate_hz) - 1
        first, stop = np.searchsorted(self._analysis.positions, [position - reach, position + reach + 1])
        near = self._analysis.positions[first:stop][self._remains[first:stop]].tolist()
        near += [other for other in range(position - reach, position + reach + 1) if other in self._added]
        if near:
            raise DataError(
                f"{self._place(position)} is less than {LEAST_APART_S:g} s from the beat at sample {near[0]:,}; "
                "relabel or delete that beat."
            )

    def _place(self, position: int) -> str:
        return f"sample {position:,} ({position / self._rate_hz:,.3f} s)"


def _sentences(entries: Sequence[CorrectionEntry]) -> NDArray[np.str_]:
    """Say of each entry what it did to a beat; the last one, -1, is empty."""
    sentences = []
    for entry in entries:
        match entry.correction:
            case Relabel(label=label):
                sentences.append(f"Corrected to {label} by {entry.by}.")
            case AddBeat(label=label):
                sentences.append(f"Added as {label} by {entry.by}.")
            case MarkNoise():
                sentences.append(f"Marked as noise by {entry.by}.")
            case _:
                sentences.append("")
    return np.array([*sentences, ""])


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
