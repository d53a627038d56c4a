"""The same signal with other limits: which alarms would be gained, and which lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ectopy.monitor.alarm import Alarm
from ectopy.monitor.events import AlarmChanged
from ectopy.monitor.inputs import Command, CommandKind, Input
from ectopy.monitor.monitor import Monitor, MonitorState
from ectopy.reprs import short_repr

_SAME_S = 10.0


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Alarms with the present limits and with others.

    Attributes
    ----------
    kept, lost, gained : tuple of Alarm
        Raised with both, with the present limits only, and with the others only. Two are the same if their condition
        is, and they were raised within ten seconds.
    """

    __repr__ = short_repr

    kept: tuple[Alarm, ...]
    lost: tuple[Alarm, ...]
    gained: tuple[Alarm, ...]


def raised(monitor: Monitor, state: MonitorState, inputs: Iterable[Input]) -> tuple[Alarm, ...]:
    """The alarms that these inputs raise, as they stand when they are; orders to set limits are passed over."""
    found: list[Alarm] = []
    for given in inputs:
        if isinstance(given, Command) and given.kind is CommandKind.SET_LIMITS:
            continue
        state, events = monitor.step(state, given)
        changes = [event.transition for event in events if isinstance(event, AlarmChanged)]
        found += [transition.alarm for transition in changes if transition.change == "raised"]
    return tuple(found)


def compare(present: Iterable[Alarm], other: Iterable[Alarm]) -> WhatIf:
    """Tell alarms of two runs apart."""
    kept, lost, left = [], [], list(other)
    for alarm in present:
        same = [
            index
            for index, one in enumerate(left)
            if one.condition == alarm.condition and abs(one.raised_s - alarm.raised_s) <= _SAME_S
        ]
        if same:
            kept.append(alarm)
            del left[same[0]]
        else:
            lost.append(alarm)
    return WhatIf(tuple(kept), tuple(lost), tuple(left))
