"""Heartbeats as arrays: the type that data sets give and detectors take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import as_samples, check_fields
from ectopy.errors import DataError
from ectopy.presentation import short_repr

BEAT_SAMPLES = 140
NORMAL_LABEL = 1
UNSPECIFIED_ABNORMAL_LABEL = 0


@dataclass(frozen=True, slots=True)
class BeatLayout:
    """Layout of a row of a beat array.

    Two beats may be compared only when their layouts agree: a row of ECG5000 (one cardiac cycle stretched to
    140 samples) and a fixed window cut from a recording have the same length and nothing else in common.

    Attributes
    ----------
    name : str
        How the row was made, for example ``"ecg5000"``. ``"undeclared"`` when nobody said.
    samples : int
        Samples per row.
    sampling_rate_hz : float or None
        Sampling rate; None where a row has no fixed time axis, as in ECG5000, or nobody said.
    unit : str
        ``"mV"``, ``"z-score"``, or ``"undeclared"``.
    """

    name: str
    samples: int
    sampling_rate_hz: float | None
    unit: str

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def undeclared(cls, samples: int) -> BeatLayout:
        """Layout of a bare array: nothing is known but its length."""
        return cls("undeclared", samples, None, "undeclared")

    def accepts(self, other: BeatLayout) -> bool:
        """Return whether beats laid out as `other` may be used where this layout is expected.

        An undeclared layout, on either side, can only be checked by its length.
        """
        if "undeclared" in (self.name, other.name):
            return self.samples == other.samples
        return self == other

    def __str__(self) -> str:
        rate = "no fixed time axis" if self.sampling_rate_hz is None else f"{self.sampling_rate_hz:g} Hz"
        return f"{self.name} ({self.samples} samples, {rate}, {self.unit})"


@dataclass(frozen=True, slots=True)
class Beats:
    """Heartbeats, one per row.

    Attributes
    ----------
    samples : ndarray of float32, shape (n, layout.samples)
        The beats, in the layout's unit. May hold NaN where the signal was not readable.
    layout : BeatLayout
        What a row means.
    labels : ndarray of int, shape (n,), or None
        1 = normal; 2 to 5 = a class of abnormal beats; 0 = abnormal, class not known. None = unlabelled.
    source : str
        Where the beats come from, for people.
    """

    __repr__ = short_repr

    samples: NDArray[np.float32]
    layout: BeatLayout
    labels: NDArray[np.int_] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", as_samples(self.samples, "beats"))
        check_fields(self)
        if self.labels is not None:
            object.__setattr__(self, "labels", _labels(self.labels))
        if self.samples.ndim != 2 or self.samples.shape[1] != self.layout.samples:
            raise DataError(f"beats must be an array of shape (n, {self.layout.samples}), not {self.samples.shape}.")
        if self.labels is not None and self.labels.shape != (len(self.samples),):
            raise DataError(f"{len(self.samples)} beats need as many labels, not {self.labels.shape}.")

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def abnormal(self) -> NDArray[np.bool_]:
        """Return which beats are labelled abnormal, shape (n,).

        Raises
        ------
        DataError
            If the beats are unlabelled.
        """
        if self.labels is None:
            raise DataError(f"{self.source or 'the beats'} must be labelled: 1 = normal, any other class = abnormal.")
        return np.not_equal(self.labels, NORMAL_LABEL)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int_]) -> Beats:
        """The beats of some rows, in that order."""
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, samples=self.samples[rows], labels=labels)

    def normals(self) -> Beats:
        """The beats labelled normal; all of them where there are no labels."""
        return self if self.labels is None else self.select(~self.abnormal)


def _labels(labels: Any) -> NDArray[np.int_]:
    numbers = as_samples(labels, "labels")
    if not np.isfinite(numbers).all() or not np.equal(numbers, np.round(numbers)).all():
        raise DataError("labels must be whole numbers: 1 = normal, 0 and 2 to 5 = abnormal.")
    return numbers.astype(np.int_)


def readable(samples: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which beats can be judged at all: every sample finite, and not a flat line.

    Parameters
    ----------
    samples : ndarray, shape (n, samples)

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    finite: NDArray[np.bool_] = np.isfinite(samples).all(axis=1)
    constant: NDArray[np.bool_] = samples.max(axis=1, initial=-np.inf) == samples.min(axis=1, initial=np.inf)
    return finite & ~constant


def beats_digest(samples: NDArray[np.float32]) -> str:
    """Identify a set of beats whatever their order.

    Returns
    -------
    str
        SHA-256 over the concatenated, sorted SHA-256 hex digests of the rows as little-endian float32.
    """
    rows = np.ascontiguousarray(samples, dtype="<f4")
    digests = sorted(sha256(row.tobytes()).hexdigest() for row in rows)
    return sha256("".join(digests).encode()).hexdigest()
