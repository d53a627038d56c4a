"""Settings of alarms: latching, how long they are silenced, and escalation."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from ectopy.errors import SettingError
from ectopy.monitor.conditions import Priority


@dataclass(frozen=True, slots=True)
class PriorityRules:
    """Rules for the alarms of one priority.

    Attributes
    ----------
    latching : bool
        Whether an unacknowledged alarm outlasts its condition.
    acknowledged_s : float
        How long an acknowledgement lasts, above 0.
    escalate_after_s : float or None
        Time without acknowledgement before each escalation, above 0; None = never.
    """

    latching: bool
    acknowledged_s: float
    escalate_after_s: float | None


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """Settings of a patient's alarms.

    Attributes
    ----------
    audio_pause_s : float
        How long an audio pause lasts, above 0.
    most_escalations : int
        How often an unacknowledged alarm is escalated; at least 0.

    Raises
    ------
    SettingError
        If one of them is outside its range or not finite: nothing may be silenced for ever.
    """

    high: PriorityRules = PriorityRules(latching=True, acknowledged_s=300.0, escalate_after_s=60.0)
    medium: PriorityRules = PriorityRules(latching=False, acknowledged_s=900.0, escalate_after_s=300.0)
    low: PriorityRules = PriorityRules(latching=False, acknowledged_s=3600.0, escalate_after_s=None)
    audio_pause_s: float = 120.0
    most_escalations: int = 3

    def __post_init__(self) -> None:
        durations = [self.audio_pause_s]
        for rules in (self.high, self.medium, self.low):
            durations.append(rules.acknowledged_s)
            if rules.escalate_after_s is not None:
                durations.append(rules.escalate_after_s)
        if not all(isfinite(duration) and duration > 0 for duration in durations):
            raise SettingError("Every duration of the alarm settings must be a finite number of seconds above 0.")
        if self.most_escalations < 0:
            raise SettingError("An alarm cannot be escalated fewer than 0 times.")

    def of(self, priority: Priority) -> PriorityRules:
        """Rules of a priority."""
        match priority:
            case Priority.HIGH:
                return self.high
            case Priority.MEDIUM:
                return self.medium
            case Priority.LOW:
                return self.low
