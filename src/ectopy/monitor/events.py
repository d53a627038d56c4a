"""What the monitor says. Every event of a patient has a number; the same input gives the same events and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from ectopy.monitor.alarm import Transition


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
    verdict, hint : str
    score, p_value, threshold : float or None
    reason : str
        One sentence; empty for a normal beat.
    """

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


@dataclass(frozen=True, slots=True)
class QualityChanged:
    """A lead has become readable or unreadable, or so for another reason.

    Attributes
    ----------
    number : int
    at_s : float
    lead : str
    word : str
        One of `ectopy.signal.quality.WORDS`.
    index : float
        0 = useless, 1 = perfect.
    """

    number: int
    at_s: float
    lead: str
    word: str
    index: float


@dataclass(frozen=True, slots=True)
class AlarmChanged:
    """An alarm was raised, or something has happened to it."""

    number: int
    at_s: float
    transition: Transition


@dataclass(frozen=True, slots=True)
class Refused:
    """An input was not taken.

    Attributes
    ----------
    number : int
    at_s : float
    reason : str
        One sentence for the sender: what is wrong and what would be right.
    """

    number: int
    at_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something a person may want to know: a gap, a change of leads, a baseline learned.

    Attributes
    ----------
    number : int
    at_s : float
    subject : str
        One word or two for machines: ``gap``, ``late``, ``restarted``, ``leads``, ``rate``, ``baseline``, ``limits``.
    text : str
        One sentence.
    """

    number: int
    at_s: float
    subject: str
    text: str


Event = BeatJudged | QualityChanged | AlarmChanged | Refused | Noticed
