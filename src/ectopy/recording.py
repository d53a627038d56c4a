"""A continuous ECG: the type that every reader returns and everything downstream takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import as_samples, check_fields
from ectopy.errors import DataError
from ectopy.presentation import short_repr


@dataclass(frozen=True, slots=True)
class Annotations:
    """Marks on a recording, in order of position.

    Attributes
    ----------
    positions : ndarray of int64, shape (n,)
        Sample index of each mark, from the start of the recording.
    symbols : ndarray of str, shape (n,)
        PhysioNet annotation codes: ``N`` normal, ``V`` premature ventricular, ``A`` atrial premature, ``F`` fusion,
        ``Q`` unclassifiable, ``E`` ventricular escape, ``~`` change of signal quality, and so on.
    subtypes : ndarray of int8, shape (n,), or None
        What a symbol leaves open; 0 where nothing does. Of ``~``: 0 where all leads are clean again, -1 where the
        signal is unreadable, else one bit for each noisy lead.
    notes : tuple of str, of n, or None
        Text of each mark, as ``(AFIB`` of ``+``, a change of rhythm; empty where there is none.
    """

    __repr__ = short_repr

    positions: NDArray[np.int64]
    symbols: NDArray[np.str_]
    subtypes: NDArray[np.int8] | None = None
    notes: tuple[str, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", _array(self.positions, "positions", "iu"))
        object.__setattr__(self, "symbols", _array(self.symbols, "symbols", "U"))
        if self.subtypes is not None:
            object.__setattr__(self, "subtypes", _array(self.subtypes, "subtypes", "iu"))
        check_fields(self)
        if self.positions.shape != self.symbols.shape or self.positions.ndim != 1:
            raise DataError("annotations need one symbol per position.")
        for subject, values in (("subtype", self.subtypes), ("note", self.notes)):
            if values is not None and len(values) != len(self.positions):
                raise DataError(f"annotations need one {subject} per position, or none at all.")
        if np.any(np.diff(self.positions) < 0):
            raise DataError("annotations must be in order of position.")

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True, slots=True)
class PulseWave:
    """A pulse wave recorded beside the ECG; its first sample belongs to the ECG's first one.

    Attributes
    ----------
    name : str
        As in the file: ``PLETH``, ``ABP``, ``ART``.
    unit : str
        ``mmHg`` for a pressure; a plethysmogram has none (``NU``).
    sampling_rate_hz : float
        Its own, which may differ from the ECG's.
    samples : ndarray of float32, shape (n,)
        NaN where there is no valid sample.
    """

    __repr__ = short_repr

    name: str
    unit: str
    sampling_rate_hz: float
    samples: NDArray[np.float32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", as_samples(self.samples, f"the pulse wave {self.name}"))
        check_fields(self)
        if self.samples.ndim != 1:
            raise DataError(f"a pulse wave needs samples of shape (n,), not {self.samples.shape}.")
        if not 0 < self.sampling_rate_hz < math.inf:
            raise DataError(f"the sampling rate of a pulse wave must be positive, not {self.sampling_rate_hz} Hz.")


@dataclass(frozen=True, slots=True)
class Patient:
    """The patient as the file of a recording describes them; empty or None where it does not say.

    Attributes
    ----------
    name : str
    identifier : str
        Number of the patient or the examination.
    sex : str
        ``female``, ``male``, or empty.
    birth_date : date or None
    age_years : float or None
        At the time of the recording.
    """

    name: str = ""
    identifier: str = ""
    sex: str = ""
    birth_date: date | None = None
    age_years: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    def __bool__(self) -> bool:
        return self != Patient()


@dataclass(frozen=True, slots=True)
class Recording:
    """A continuous ECG.

    Attributes
    ----------
    signal : ndarray of float32, shape (samples, leads)
        Millivolt; NaN where there is no valid sample.
    sampling_rate_hz : float
    leads : tuple of str
        Lead names, one per column.
    start : datetime or None
        Time of the first sample, where known.
    annotations : Annotations or None
        Reference or imported marks, where there are any.
    source : str
        Where the recording comes from, for people.
    notes : tuple of str
        Sentences on what was left out, is missing or damaged, for people.
    pulses : tuple of PulseWave
        Pulse waves recorded beside the ECG.
    patient : Patient
        What the file says of the patient; false where it says nothing.
    device : str
        Recorder: manufacturer, model, serial number, as far as the file states them.
    """

    __repr__ = short_repr

    signal: NDArray[np.float32]
    sampling_rate_hz: float
    leads: tuple[str, ...]
    start: datetime | None = None
    annotations: Annotations | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    pulses: tuple[PulseWave, ...] = ()
    patient: Patient = Patient()
    device: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "signal", as_samples(self.signal, "the signal"))
        check_fields(self)
        object.__setattr__(self, "leads", tuple(self.leads))
        if self.signal.ndim != 2 or self.signal.shape[1] != len(self.leads):
            raise DataError(
                f"a recording with {len(self.leads)} leads needs a signal of shape (samples, {len(self.leads)}), "
                f"not {self.signal.shape}."
            )
        if not 0 < self.sampling_rate_hz < math.inf:
            raise DataError(f"the sampling rate must be positive, not {self.sampling_rate_hz} Hz.")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.signal) / self.sampling_rate_hz


def _array(values: Any, subject: str, kinds: str) -> NDArray[Any]:
    """Values of annotations as an array; an empty list has no kind yet."""
    plain = isinstance(values, np.ndarray | list | tuple) and not np.ma.is_masked(values)
    try:
        array = np.asarray(values) if plain else None
    except ValueError:  # lists of unequal length
        array = None
    if array is None or (array.size and array.dtype.kind not in kinds):
        raise DataError(f"annotations take an array of {'text' if kinds == 'U' else 'whole numbers'} as {subject}.")
    return array if array.size else array.astype(np.str_ if kinds == "U" else np.int64)
