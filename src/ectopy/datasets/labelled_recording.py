"""A recording with what its database says of it: patient, beats, rhythms, a label for the whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.datasets.patients import patient_of
from ectopy.errors import DataError
from ectopy.formats.annotation_codes import LABEL_MAPS
from ectopy.presentation import short_repr
from ectopy.recording import Annotations, Recording

CLASS_OF = {symbol: name for name, symbols in LABEL_MAPS["de_chazal"].items() for symbol in symbols}
"""Class of the AAMI, one of N S V F Q, of each symbol of a beat: de Chazal's map for all databases."""

_RHYTHM_CHANGE = "+"
_RHYTHM_BEGINS = "("


@dataclass(frozen=True, slots=True)
class LabelledBeats:
    """Beats of a recording as its database labels them, in order of time.

    Attributes
    ----------
    times_s : ndarray of float64, shape (n,)
        From the start of the recording.
    symbols : ndarray of str, shape (n,)
        PhysioNet annotation codes; of beats only.
    """

    __repr__ = short_repr

    times_s: NDArray[np.float64]
    symbols: NDArray[np.str_]

    @classmethod
    def of(cls, annotations: Annotations, sampling_rate_hz: float) -> LabelledBeats:
        """Select the beats among annotations, whose positions count at a rate."""
        beats = np.isin(annotations.symbols, list(CLASS_OF))
        return cls(annotations.positions[beats] / sampling_rate_hz, annotations.symbols[beats])

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def classes(self) -> NDArray[np.str_]:
        """Class of the AAMI of each beat, one of N S V F Q, shape (n,)."""
        return np.array([CLASS_OF[symbol] for symbol in self.symbols.tolist()], np.dtype("U1"))

    @property
    def is_normal(self) -> NDArray[np.bool_]:
        """Return whether each beat is of class N, shape (n,)."""
        return np.asarray(self.classes == "N")


@dataclass(frozen=True, slots=True)
class LabelledRhythms:
    """Changes of the rhythm of a recording as its database marks them, in order of time.

    Attributes
    ----------
    times_s : ndarray of float64, shape (n,)
        Where each rhythm begins, from the start of the recording; it lasts until the next one.
    names : tuple of str, of n
        PhysioNet's codes: ``N`` sinus rhythm, ``AFIB``, ``AFL``, ``B`` bigeminy, ``T`` trigeminy, ``SVTA``, ``VT`` ...
    """

    __repr__ = short_repr

    times_s: NDArray[np.float64]
    names: tuple[str, ...]

    @classmethod
    def of(cls, annotations: Annotations, sampling_rate_hz: float) -> LabelledRhythms:
        """Select the changes of rhythm among annotations, whose positions count at a rate."""
        notes = annotations.notes or ("",) * len(annotations)
        changes = [
            (position / sampling_rate_hz, note.removeprefix(_RHYTHM_BEGINS))
            for position, symbol, note in zip(
                annotations.positions.tolist(), annotations.symbols.tolist(), notes, strict=True
            )
            if symbol == _RHYTHM_CHANGE and note.startswith(_RHYTHM_BEGINS)
        ]
        return cls(np.array([time_s for time_s, _ in changes], np.float64), tuple(name for _, name in changes))

    def __len__(self) -> int:
        return len(self.times_s)

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.str_]:
        """Name the rhythm at each of these times, shape as `times_s`; empty before the first mark."""
        names = np.array(["", *self.names], np.str_)
        return np.asarray(names[np.searchsorted(self.times_s, times_s, side="right")])


@dataclass(frozen=True, slots=True)
class LabelledRecording:
    """A recording of a database, with its labels.

    Attributes
    ----------
    database : str
        Name of the database, as of its folder: ``mitdb``, ``qtdb`` ...
    name : str
        Name of the record.
    patient : str
        The same for two recordings of one person, in whichever databases they are (`patient_of`).
    duration_s : float
    recording : Recording or None
        None where the database is read without its signals.
    beats : LabelledBeats or None
        None where the database does not label beats.
    rhythms : LabelledRhythms or None
        None where the database does not mark rhythms.
    label : str or None
        Class or rhythm of the whole recording, in the database's words.
    """

    __repr__ = short_repr

    database: str
    name: str
    patient: str
    duration_s: float
    recording: Recording | None = None
    beats: LabelledBeats | None = None
    rhythms: LabelledRhythms | None = None
    label: str | None = None

    @classmethod
    def of(cls, database: str, name: str, recording: Recording) -> LabelledRecording:
        """Take beats and rhythms from the annotations of a recording.

        Raises
        ------
        DataError
            If it has none.
        """
        annotations, rate_hz = recording.annotations, recording.sampling_rate_hz
        if not annotations:
            raise DataError(f"record {name} has no reference annotations; take it out of the folder.")
        return cls(
            database,
            name,
            patient_of(database, name),
            recording.duration_s,
            recording,
            LabelledBeats.of(annotations, rate_hz),
            LabelledRhythms.of(annotations, rate_hz),
        )
