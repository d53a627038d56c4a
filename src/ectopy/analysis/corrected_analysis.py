"""Apply corrections to an analysis, which gives another `Analysis`.

Events, episodes, families and variability are found in it as in any other. Corrections belong to one analysis, which
`analysis_digest` identifies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.analysis import Analysis
from ectopy.analysis.beat_editing import edit_beats, without_noise
from ectopy.analysis.corrections import (
    AddBeat,
    BeatLabel,
    ChooseStrip,
    Correction,
    CorrectionEntry,
    Corrections,
    DeleteBeats,
    MarkNoise,
    Relabel,
)
from ectopy.analysis.verdicts import Hint
from ectopy.arguments import checked
from ectopy.detector import Verdict
from ectopy.errors import ConflictError, DataError, short_text

LEAST_APART_S = 0.1
"""A beat is not added nearer than this to another one."""

_ROUNDED_S = 1.0
_AS_ANALYSED = -1
_LABELS = tuple(BeatLabel)
_VERDICTS = np.array([Verdict.NORMAL.value, *[Verdict.ABNORMAL.value] * 3, Verdict.UNREADABLE.value], "U10")
_HINTS = np.array(
    [Hint.EMPTY.value, Hint.VENTRICULAR.value, Hint.SUPRAVENTRICULAR.value, Hint.OTHER.value, Hint.EMPTY.value], "U21"
)
_UNREADABLE = _LABELS.index(BeatLabel.UNREADABLE)


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
