"""Events of the monitor. Every event of a patient has a number; the same input gives the same events and numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.monitor.alarm import Alarm, Transition
from ectopy.presentation import short_repr


@dataclass(frozen=True, slots=True)
class BeatJudged:
    """A beat has its verdict.

    Attributes
    ----------
    number : int
        Counts the events of a patient from 1.
    at_s : float
        Stream second at which it is said.
    beat_s : float
        Fiducial point, stream seconds.
    position : int
        The same in samples of the stream.
    interval_s : float or None
        RR interval before it.
    reason : str
        One sentence; empty for a normal beat.
    confidence : str
        ``learning, 40 s`` or the like, while the patient's normal is not yet known; empty after that.
    """

    __repr__ = short_repr

    number: int
    at_s: float
    beat_s: float
    position: int
    interval_s: float | None
    verdict: str
    hint: str
    score: float | None
    p_value: float | None
    threshold: float
    reason: str
    confidence: str = ""


@dataclass(frozen=True, slots=True)
class QualityChanged:
    """A lead has become readable or unreadable, or so for another reason.

    Attributes
    ----------
    word : str
        One of `ectopy.signal.quality.QUALITY_WORDS`.
    index : float
        0 = useless, 1 = perfect.
    since_s : float
        Stream second from which it is so; a second of signal is judged a little after its end.
    """

    number: int
    at_s: float
    lead: str
    word: str
    index: float
    since_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """The beats an alarm rests on; arrays with one entry or row per beat, the newest five.

    Attributes
    ----------
    beats_s : ndarray of float64, shape (n,)
        Fiducial points, stream seconds.
    samples : ndarray of float64, shape (n, leads, 140)
        Millivolt at 180 Hz, shifted to where they fit the reconstruction best.
    reconstruction : ndarray of float64, shape (n, leads, 140)
        What a normal beat would have been: the patient's own, or the autoencoder's where that is not known.
    error : ndarray of float64, shape (n, leads, 140)
        How far they are apart, millivolt.
    """

    __repr__ = short_repr

    beats_s: NDArray[np.float64]
    leads: tuple[str, ...]
    samples: NDArray[np.float64]
    reconstruction: NDArray[np.float64]
    error: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AlarmChanged:
    """An alarm was raised, or something has happened to it.

    Attributes
    ----------
    strip_s : tuple of (float, float)
        The stretch of signal to look at, stream seconds: ten before the condition was there, five after.
    evidence : Evidence or None
        Of an alarm that is raised or returns because of beats.
    origins : tuple of (float, float) or None
        Time of stream second 0, seconds since 1970: as it was when the alarm was raised, and when its condition was
        there last; None where it is not known.
    """

    __repr__ = short_repr

    number: int
    at_s: float
    transition: Transition
    strip_s: tuple[float, float] = (0.0, 0.0)
    evidence: Evidence | None = None
    origins: tuple[float, float] | None = None

    @property
    def alarm(self) -> Alarm:
        """The alarm after the change."""
        return self.transition.alarm

    @property
    def change(self) -> str:
        """The word for what has happened; see `Transition`."""
        return self.transition.change


@dataclass(frozen=True, slots=True)
class InputRejected:
    """An input was not taken.

    Attributes
    ----------
    reason : str
        One sentence for the sender: what is wrong and what would be right.
    """

    number: int
    at_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person may want to know: a gap, a change of leads, a baseline learned.

    Attributes
    ----------
    subject : str
        One word or two for machines: ``gap``, ``late``, ``restarted``, ``leads``, ``rate``, ``baseline``, ``limits``,
        ``discharged``, ``admitted``.
    text : str
        One sentence.
    samples : int
        How many samples were not taken, of ``late`` ones.
    """

    number: int
    at_s: float
    subject: str
    text: str
    samples: int = 0


Event = BeatJudged | QualityChanged | AlarmChanged | InputRejected | Notice
