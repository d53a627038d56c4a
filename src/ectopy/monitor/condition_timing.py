"""Timing of a condition: how long it has been present or away, as far as readings could tell."""

from __future__ import annotations

from dataclasses import dataclass

from ectopy.monitor.alarm import Alarm, AlarmState
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.presentation import short_repr
from ectopy.signal.state_replace import replace


@dataclass(frozen=True, slots=True)
class ConditionTimer:
    """Timer of a condition that is present, or whose alarm is not over; all times are stream seconds.

    Attributes
    ----------
    present : bool
        By the last reading that could tell.
    since_s : float
        When the first reading said so.
    last_reading_s : float
        When the last one did.
    evidence : ConditionReading
        The last one with the condition there.
    uncounted_s : float
        How much of the time from `since_s` to `last_reading_s` does not count, because a reading could not tell.
    unknown : bool
        Whether the newest reading cannot tell.
    alarm : Alarm or None
        Active or latched.
    escalates_s : float or None
        When the alarm is escalated next.
    """

    __repr__ = short_repr

    present: bool
    since_s: float
    last_reading_s: float
    evidence: ConditionReading
    uncounted_s: float = 0.0
    unknown: bool = False
    alarm: Alarm | None = None
    escalates_s: float | None = None

    @property
    def lasted_s(self) -> float:
        """Time for which the condition is known to have been present, or away."""
        return self.last_reading_s - self.since_s - self.uncounted_s

    @property
    def is_active(self) -> bool:
        """Return whether it has an alarm whose condition is there."""
        return self.alarm is not None and self.alarm.state is AlarmState.ACTIVE


def update_timer(timer: ConditionTimer | None, reading: ConditionReading, at_s: float) -> ConditionTimer | None:
    """Take one more reading of a condition.

    Time counts between two readings that agree and have none between them that could not tell. Samples that come late
    belong to an earlier time than the reading before: what has been counted stays, and time goes on from there.

    Returns
    -------
    Course or None
        The same object where the reading tells nothing new; None for a condition that is away and has no alarm.
    """
    if timer is None:
        return ConditionTimer(True, at_s, at_s, reading) if reading.present else None
    if at_s < timer.last_reading_s:
        timer = replace(timer, since_s=timer.since_s - (timer.last_reading_s - at_s), last_reading_s=at_s)
    latched = timer.alarm is not None and timer.alarm.state is AlarmState.LATCHED
    if latched and not timer.present and not reading.present:
        return timer
    if reading.present is None:
        return timer if timer.unknown else replace(timer, unknown=True)
    if not reading.present and timer.alarm is None:
        return None
    if reading.present == timer.present:
        uncounted_s = timer.uncounted_s + (at_s - timer.last_reading_s if timer.unknown else 0.0)
        timer = replace(timer, last_reading_s=at_s, uncounted_s=uncounted_s, unknown=False)
    else:
        timer = replace(
            timer, present=reading.present, since_s=at_s, last_reading_s=at_s, uncounted_s=0.0, unknown=False
        )
    if not reading.present:
        return timer
    return replace(timer, evidence=reading, alarm=timer.alarm and replace(timer.alarm, latest=reading))
