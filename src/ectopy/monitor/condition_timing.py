"""How long a condition has been there or away, as far as readings could tell."""

from __future__ import annotations

from dataclasses import dataclass

from ectopy.monitor.alarm import Alarm, State
from ectopy.monitor.rhythm_input import Reading
from ectopy.reprs import short_repr
from ectopy.signal.state_replace import replace


@dataclass(frozen=True, slots=True)
class Course:
    """What is known of a condition that is there, or whose alarm is not over; all times are stream seconds.

    Attributes
    ----------
    present : bool
        By the last reading that could tell.
    since_s : float
        When the first reading said so.
    told_s : float
        When the last one did.
    evidence : Reading
        The last one with the condition there.
    unknown_s : float
        How much of the time from `since_s` to `told_s` does not count, because a reading could not tell.
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
    told_s: float
    evidence: Reading
    unknown_s: float = 0.0
    unknown: bool = False
    alarm: Alarm | None = None
    escalates_s: float | None = None

    @property
    def lasted_s(self) -> float:
        """How long the condition is known to have been there, or away."""
        return self.told_s - self.since_s - self.unknown_s

    @property
    def is_active(self) -> bool:
        """Whether it has an alarm whose condition is there."""
        return self.alarm is not None and self.alarm.state is State.ACTIVE


def told(course: Course | None, reading: Reading, at_s: float) -> Course | None:
    """What is known of a condition after one more reading.

    Time counts between two readings that agree and have none between them that could not tell. Samples that come late
    belong to an earlier time than the reading before: what has been counted stays, and time goes on from there.

    Returns
    -------
    Course or None
        The same object where the reading tells nothing new; None for a condition that is away and has no alarm.
    """
    if course is None:
        return Course(True, at_s, at_s, reading) if reading.present else None
    if at_s < course.told_s:
        course = replace(course, since_s=course.since_s - (course.told_s - at_s), told_s=at_s)
    latched = course.alarm is not None and course.alarm.state is State.LATCHED
    if latched and not course.present and not reading.present:
        return course
    if reading.present is None:
        return course if course.unknown else replace(course, unknown=True)
    if not reading.present and course.alarm is None:
        return None
    if reading.present == course.present:
        unknown_s = course.unknown_s + (at_s - course.told_s if course.unknown else 0.0)
        course = replace(course, told_s=at_s, unknown_s=unknown_s, unknown=False)
    else:
        course = replace(course, present=reading.present, since_s=at_s, told_s=at_s, unknown_s=0.0, unknown=False)
    if not reading.present:
        return course
    return replace(course, evidence=reading, alarm=course.alarm and replace(course.alarm, latest=reading))
