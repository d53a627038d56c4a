"""An alarm and its changes as JSON: one set of keys for the API, events, webhooks and the command line.

``..._time`` and ``time`` are seconds since 1970, null where there is no clock, as in a recording; ``..._s`` is the same
moment in stream seconds.
"""

from __future__ import annotations

from typing_extensions import TypedDict

from ectopy.disclaimers import STATEMENT
from ectopy.monitor.alarm import Alarm, Transition
from ectopy.monitor.conditions import CONDITIONS
from ectopy.monitor.events import AlarmChanged
from ectopy.presentation import finite_or_none


class AlarmJson(TypedDict):
    """An alarm as it stands; words of the IHE profile Alert Communication Management.

    `patient` is empty for a recording. `since` is when the condition came, `onset` when the alarm was raised, `cleared`
    when the condition went away, also of an alarm that is active in case it returns, `ended` when the alarm ended.
    """

    patient: str
    number: int
    condition: str
    title: str
    type: str
    priority: str
    phase: str
    state: str
    inactivation: str
    text: str
    value: float | None
    limit: float | None
    unit: str
    since_time: float | None
    since_s: float
    onset_time: float | None
    onset_s: float
    cleared_time: float | None
    cleared_s: float | None
    ended_time: float | None
    ended_s: float | None
    level: int
    acknowledged_by: str
    acknowledged_until_time: float | None
    acknowledged_until_s: float | None
    advice: str
    statement: str


class _EntryJson(TypedDict):
    transition: int
    time: float | None
    at_s: float
    change: str
    who: str
    why: str
    digest: str


class TransitionJson(_EntryJson):
    """An entry of the alarm log: what happened, who did it and why, and how the alarm stood afterwards."""

    state: str
    inactivation: str
    level: int
    text: str


class AlarmChangeJson(_EntryJson):
    """A change of an alarm, with the alarm as it stands afterwards; `number` counts all events of the patient."""

    patient: str
    number: int
    alarm: AlarmJson


def alarm_json(
    alarm: Alarm, patient: str = "", origin: float | None = None, origins: tuple[float, float] | None = None
) -> AlarmJson:
    """Return an alarm as JSON.

    Parameters
    ----------
    origin : float or None
        Time of stream second 0 when the alarm changed last; None = no clock.
    origins : tuple of (float, float) or None
        The same when the alarm was raised, and when its condition was last present; None = as `origin`.
    """
    condition = CONDITIONS[alarm.condition]
    raised_origin, since_origin = (origin, origin) if origins is None else origins
    return AlarmJson(
        patient=patient,
        number=alarm.number,
        condition=condition.code,
        title=condition.title,
        type=alarm.kind.value,
        priority=alarm.priority.word,
        phase=alarm.phase.value,
        state=alarm.state.value,
        inactivation=alarm.inactivation.value,
        text=alarm.latest.text,
        value=finite_or_none(alarm.latest.value),
        limit=finite_or_none(alarm.latest.limit),
        unit=condition.unit,
        since_time=_time(since_origin, alarm.present_s),
        since_s=alarm.present_s,
        onset_time=_time(raised_origin, alarm.raised_s),
        onset_s=alarm.raised_s,
        cleared_time=_time(since_origin, alarm.cleared_s),
        cleared_s=alarm.cleared_s,
        ended_time=_time(origin, alarm.ended_s),
        ended_s=alarm.ended_s,
        level=alarm.level,
        acknowledged_by=alarm.acknowledged_by,
        acknowledged_until_time=_time(origin, alarm.acknowledged_until_s),
        acknowledged_until_s=alarm.acknowledged_until_s,
        advice=condition.advice,
        statement=STATEMENT,
    )


def transition_json(transition: Transition, origin: float | None = None) -> TransitionJson:
    """Return an entry of the alarm log as JSON; `origin` is the time of stream second 0."""
    alarm = transition.alarm
    return TransitionJson(
        **_entry(transition, origin),
        state=alarm.state.value,
        inactivation=alarm.inactivation.value,
        level=alarm.level,
        text=alarm.latest.text,
    )


def change_json(event: AlarmChanged, patient: str = "", origin: float | None = None) -> AlarmChangeJson:
    """Return a change of an alarm as JSON; `origin` is the time of stream second 0."""
    origins = None if origin is None else event.origins
    alarm = alarm_json(event.alarm, patient, origin, origins)
    entry = _entry(event.transition, origin)
    return AlarmChangeJson(**entry, patient=patient, number=event.number, alarm=alarm)


def _entry(transition: Transition, origin: float | None) -> _EntryJson:
    return _EntryJson(
        transition=transition.number,
        time=_time(origin, transition.at_s),
        at_s=transition.at_s,
        change=transition.change,
        who=transition.person,
        why=transition.why,
        digest=transition.digest,
    )


def _time(origin: float | None, at_s: float | None) -> float | None:
    return None if origin is None or at_s is None else origin + at_s
