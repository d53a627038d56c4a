"""The same signal with other limits: which alarms would be gained, and which lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ectopy.monitor.alarm import Alarm
from ectopy.monitor.events import AlarmChanged
from ectopy.monitor.inputs import Command, CommandKind, Input
from ectopy.monitor.monitor import Monitor
from ectopy.monitor.monitor_state import MonitorState
from ectopy.presentation import short_repr

_SAME_S = 10.0


@dataclass(frozen=True, slots=True)
class LimitComparison:
    """Alarms with the present limits and with others.

    Attributes
    ----------
    common, lost, gained : tuple of Alarm
        Raised with both, with the present limits only, and with the others only. Two are the same if their condition
        is, and they were raised within ten seconds.
    """

    __repr__ = short_repr

    common: tuple[Alarm, ...]
    missing: tuple[Alarm, ...]
    gained: tuple[Alarm, ...]


def raised(monitor: Monitor, state: MonitorState, inputs: Iterable[Input]) -> tuple[Alarm, ...]:
    """The alarms that these inputs raise, as they stand when they are; orders to set limits are passed over."""
    alarms: list[Alarm] = []
    for item in inputs:
        if isinstance(item, Command) and item.kind is CommandKind.SET_LIMITS:
            continue
        state, events = monitor.step(state, item)
        changes = [event.transition for event in events if isinstance(event, AlarmChanged)]
        alarms += [transition.alarm for transition in changes if transition.change == "raised"]
    return tuple(alarms)


def compare(present: Iterable[Alarm], other: Iterable[Alarm]) -> LimitComparison:
    """Tell alarms of two runs apart."""
    common, missing, left = [], [], list(other)
    for alarm in present:
        same = [
            index
            for index, candidate in enumerate(left)
            if candidate.condition == alarm.condition and abs(candidate.raised_s - alarm.raised_s) <= _SAME_S
        ]
        if same:
            common.append(alarm)
            del left[same[0]]
        else:
            missing.append(alarm)
    return LimitComparison(tuple(common), tuple(missing), tuple(left))
