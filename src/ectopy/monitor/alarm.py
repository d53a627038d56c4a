"""An alarm, and the log of everything that ever happened to it.

Words are those of the IHE profile Alert Communication Management (PCD-04); no conformity is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ectopy.monitor.conditions import AlarmType, Priority
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.presentation import short_repr


class Phase(StrEnum):
    """Phase of an alarm's life."""

    START = "start"
    CONTINUE = "continue"
    END = "end"


class AlarmState(StrEnum):
    """Presence of the condition; latched = gone, but not acknowledged."""

    OFF = "off"
    INACTIVE = "inactive"
    ACTIVE = "active"
    LATCHED = "latched"


class Inactivation(StrEnum):
    """Reason why an alarm is silent."""

    ENABLED = "enabled"
    AUDIO_PAUSED = "audio-paused"
    AUDIO_OFF = "audio-off"
    ALARM_PAUSED = "alarm-paused"
    ALARM_OFF = "alarm-off"
    ACKNOWLEDGED = "alert-acknowledged"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm as it stands; all times are stream seconds.

    Attributes
    ----------
    number : int
        Counts the alarms of a patient from 1.
    condition : str
        Code of a `Condition`.
    present_s : float
        Since when the condition is there.
    raised_s : float
        When the alarm started.
    ended_s : float or None
        When it ended.
    reading : ConditionReading
        The evidence at the start.
    latest : ConditionReading
        The newest evidence.
    level : int
        How often it was escalated.
    acknowledged_by : str
        Empty where nobody has, or no longer.
    acknowledged_until_s : float or None
        When the acknowledgement runs out.
    cleared_s : float or None
        Of an alarm that is latched or has ended, when its condition went away; None where it was there to the end.
        `ectopy.monitor.status` gives it for an active alarm that waits for its condition to return, too.
    """

    __repr__ = short_repr

    number: int
    condition: str
    kind: AlarmType
    priority: Priority
    phase: Phase
    state: AlarmState
    inactivation: Inactivation
    present_s: float
    raised_s: float
    reading: ConditionReading
    latest: ConditionReading
    ended_s: float | None = None
    level: int = 0
    acknowledged_by: str = ""
    acknowledged_until_s: float | None = None
    cleared_s: float | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """One entry of the append-only log of a patient's alarms.

    Attributes
    ----------
    number : int
        Counts the entries from 1.
    change : str
        What happened: ``raised``, ``latched``, ``returned``, ``continued``, ``ended``, ``acknowledged``,
        ``unacknowledged``, ``acknowledgement expired``, ``audio paused``, ``audio resumed``, ``reminded``,
        ``escalated``, ``discharged``.
    alarm : Alarm
        As it stands after the change.
    person, why : str
        Of the person; empty where no person did it.
    previous : str
        `digest` of the entry before; 64 zeros for the first one.
    digest : str
        SHA-256 of all the others, hexadecimal.
    evidence : str
        SHA-256 of the beats that the alarm rests on, hexadecimal; empty where it rests on none. So the log can be
        verified when the beats themselves are not kept any more.
    """

    __repr__ = short_repr

    number: int
    at_s: float
    change: str
    alarm: Alarm
    person: str
    why: str
    previous: str
    digest: str
    evidence: str = ""
