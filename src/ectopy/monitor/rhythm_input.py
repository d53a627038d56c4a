"""Data between detection, rules and alarms; all times are stream seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.presentation import short_repr
from ectopy.signal.fibrillation_waveform import Waveform

MOST_EVIDENCE = 20
"""Beats that a reading names as its evidence, at most."""

_TELLABLE = frozenset({"good", "flat"})


@dataclass(frozen=True, slots=True)
class JudgedBeats:
    """Beats with their verdicts; arrays with one entry per beat, in order of time.

    Attributes
    ----------
    time_s : ndarray of float64
        Fiducial points.
    interval_s : ndarray of float64
        RR interval before each beat; NaN for the first one, across gaps, and where either beat is unreadable.
    verdict : ndarray of str
        A `Verdict`: NORMAL, ABNORMAL or UNREADABLE.
    hint : ndarray of str
        A `Hint`: empty, ventricular-like, supraventricular-like or other.
    credible : ndarray of bool
        Whether a beat ends a silence: it is not far lower than the patient's usual ones (`ectopy.monitor.beat_height`),
        and does not lie in a second in which all leads show noise alone.
    """

    __repr__ = short_repr

    time_s: NDArray[np.float64]
    interval_s: NDArray[np.float64]
    verdict: NDArray[np.str_]
    hint: NDArray[np.str_]
    credible: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time_s)


@dataclass(frozen=True, slots=True)
class DetectorOutput:
    """Results of detection in one more piece of signal, a second of it.

    Attributes
    ----------
    at_s : float
        Where the piece ends.
    complete_to_s : float
        All beats up to here are in `detected_s`, now or earlier, but for one that is found late because it was overdue;
        about two seconds before `at_s`.
    detected_s : ndarray of float64, shape (n,)
        Beats found since the last piece; a beat is heard before it is judged.
    beats : JudgedBeats
        Beats judged since the last piece: each one when the next beat, or a gap, has come.
    words : tuple of str
        Quality of each lead in the newest judged second: of `ectopy.signal.quality.QUALITY_WORDS`; empty until there
        is one.
    motionless : bool
        Whether no lead has moved in this piece, as no heart leaves it: quality is judged over longer.
    noise_is_low : bool
        Whether a lead is noisy, but so little that a usual QRS complex would stand out in it.
    leads : tuple of str
        Names of the leads of `waveform`.
    waveform : Waveform or None
        Whether the leads show fibrillation, in the seconds judged for it since the last piece; None = not judged.
    """

    __repr__ = short_repr

    at_s: float
    complete_to_s: float
    detected_s: NDArray[np.float64]
    beats: JudgedBeats
    words: tuple[str, ...]
    motionless: bool = False
    noise_is_low: bool = False
    leads: tuple[str, ...] = ()
    waveform: Waveform | None = None

    @property
    def readable(self) -> bool:
        """Return whether at least one lead can be read."""
        return "good" in self.words

    @property
    def is_tellable(self) -> bool:
        """Return whether a lead can be read, is flat, or has so little noise that beats would stand out in it."""
        return not _TELLABLE.isdisjoint(self.words) or self.noise_is_low


@dataclass(frozen=True, slots=True)
class ConditionReading:
    """A rule's answer: whether a condition is present, and by which figures.

    Attributes
    ----------
    condition : str
        Code of a `Condition`.
    present : bool or None
        None = cannot be told now, for lack of readable signal, or because the figure is no longer beyond the limit but
        not yet clear of it.
    text : str
        One sentence with the figures.
    value, limit : float or None
        What was measured, and where the condition begins, in the unit of the condition.
    beats_s : tuple of float
        Fiducial points of the beats that count as evidence, at most twenty.
    """

    __repr__ = short_repr

    condition: str
    present: bool | None
    text: str = ""
    value: float | None = None
    limit: float | None = None
    beats_s: tuple[float, ...] = ()
