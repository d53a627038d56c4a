"""Recordings in which people marked the waves of beats: the QT Database and LUDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ectopy.datasets.ludb import LEADS, ludb_records
from ectopy.datasets.ludb import NAME as LUDB
from ectopy.datasets.patients import patient_of
from ectopy.datasets.qtdb import NAME as QTDB
from ectopy.datasets.waves import NOT_MARKED, Waves, read_waves
from ectopy.errors import DataError
from ectopy.formats import read
from ectopy.presentation import short_repr
from ectopy.recording import Recording

P_PEAK, QRS_PEAK, T_PEAK = 1, 4, 7
"""Rows of the peaks in `MarkedRecording.marks_s`."""

_FIRST_ANNOTATOR = ".q1c"
_FURTHEST_P_S, _FURTHEST_T_S = 0.6, 0.9


@dataclass(frozen=True, slots=True)
class MarkedRecording:
    """A recording and the marks of its waves.

    Attributes
    ----------
    database, record, patient : str
    recording : Recording
    marks_s : tuple of ndarray of float64, shape (9, n)
        Onset, peak and end of P, QRS and T of the marked beats, in seconds; NaN = not marked. One array for all leads
        together, or one for each lead.
    whole : tuple of ndarray of bool, shape (n,)
        Whether a wave of a beat that is not marked is absent; otherwise it may only have been left out.
    """

    __repr__ = short_repr

    database: str
    record: str
    patient: str
    recording: Recording
    marks_s: tuple[NDArray[np.float64], ...]
    whole: tuple[NDArray[np.bool_], ...]

    def lead_marks(self, lead: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the marks that hold for a lead, and which beats are whole."""
        row = lead if len(self.marks_s) > 1 else 0
        return self.marks_s[row], self.whole[row]


def read_marked_qtdb(folder: Path) -> Iterator[MarkedRecording]:
    """Read the records that the first cardiologist marked, one at a time; both leads have the same marks."""
    for path in sorted(folder.glob(f"*{_FIRST_ANNOTATOR}")):
        recording = read(path.with_suffix(""), unit="mV")
        marks = marks_of_beats(read_waves(path), recording.sampling_rate_hz)
        whole = np.ones(marks.shape[1], np.bool_)
        yield MarkedRecording(QTDB, path.stem, patient_of(QTDB, path.stem), recording, (marks,), (whole,))


def read_marked_ludb(folder: Path) -> Iterator[MarkedRecording]:
    """Read the records of LUDB, one at a time; each lead has its own marks.

    Waves before the first marked QRS complex and after the last are often left out.
    """
    for name in ludb_records(folder):
        recording = read(folder / name)
        marks = tuple(
            marks_of_beats(read_waves(folder / f"{name}.{lead}"), recording.sampling_rate_hz) for lead in LEADS
        )
        whole = tuple(_inner(each.shape[1]) for each in marks)
        yield MarkedRecording(LUDB, name, patient_of(LUDB, name), recording, marks, whole)


READERS = {QTDB: read_marked_qtdb, LUDB: read_marked_ludb}
"""How the records of each database are read from its folder."""


def database_of(folder: Path) -> str:
    """Return which database a folder holds, by its files.

    Raises
    ------
    DataError
        If it holds neither.
    """
    if any(folder.glob(f"*{_FIRST_ANNOTATOR}")):
        return QTDB
    if ludb_records(folder):
        return LUDB
    raise DataError(f"{folder} holds no records with marked waves; name a folder of the QT Database or of LUDB.")


def marks_of_beats(waves: Waves, rate_hz: float) -> NDArray[np.float64]:
    """Return the marks of each QRS complex and of its P and T wave.

    Returns
    -------
    ndarray of float64, shape (9, n)
        Onset, peak and end of P, QRS and T, in seconds; NaN = not marked.
    """
    times = np.stack([waves.onsets, waves.peaks, waves.ends])
    times_s = np.where(times == NOT_MARKED, np.nan, times / rate_hz)
    complexes = times_s[:, waves.kinds == "QRS"]
    count, peaks = complexes.shape[1], complexes[1]
    marks = np.full((3, 3, count), np.nan)
    marks[1] = complexes
    for wave in times_s[:, waves.kinds == "P"].T:
        beat = int(np.searchsorted(peaks, wave[1]))
        if beat < count and peaks[beat] - wave[1] < _FURTHEST_P_S:
            _merge(marks[0, :, beat], wave)
    for wave in times_s[:, waves.kinds == "T"].T:
        beat = int(np.searchsorted(peaks, wave[1])) - 1
        if beat >= 0 and wave[1] - peaks[beat] < _FURTHEST_T_S:
            _merge(marks[2, :, beat], wave)
    return marks.reshape(9, count)


def _merge(marks: NDArray[np.float64], wave: NDArray[np.float64]) -> None:
    """Set what is marked of a wave; one with two peaks has its onset at the first and its end at the second."""
    marks[np.isfinite(wave)] = wave[np.isfinite(wave)]


def _inner(count: int) -> NDArray[np.bool_]:
    places = np.arange(count)
    return (places > 0) & (places < count - 1)
