"""Alarms as the store gives them."""

from __future__ import annotations

from ectopy.monitor.alarm import Alarm, AlarmState, Inactivation, Phase
from ectopy.monitor.alarm_json import AlarmJson, alarm_json
from ectopy.monitor.conditions import CONDITIONS
from ectopy.monitor.rhythm_input import ConditionReading

NOW = 1_700_000_000.25


def stored(condition: str = "asystole", patient: str = "p/1 ü", **changes: object) -> AlarmJson:
    kind, priority = CONDITIONS[condition].kind, CONDITIONS[condition].priority
    reading = ConditionReading(condition, True, "No QRS complex for 4.2 s.", 4.2, 4.0)
    life = {"phase": Phase.START, "state": AlarmState.ACTIVE, "inactivation": Inactivation.ENABLED, **changes}
    alarm = Alarm(
        3, condition, kind, priority, present_s=100.0, raised_s=104.2, reading=reading, latest=reading, **life
    )
    return alarm_json(alarm, patient, NOW)
