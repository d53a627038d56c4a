"""How alarms look in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ectopy.monitor.alarm import Alarm, Transition
from ectopy.monitor.conditions import CONDITIONS, Priority
from ectopy.monitor.what_if import WhatIf
from ectopy.service.storage import StoredAlarm

STYLES = {Priority.HIGH: "bold red", Priority.MEDIUM: "yellow", Priority.LOW: "cyan"}


def alarm_table(alarms: Sequence[StoredAlarm]) -> Table:
    """One row for each alarm, the newest first."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("patient", "alarm", "raised (UTC)", "priority", "condition", "state"):
        table.add_column(heading)
    for stored in sorted(alarms, key=lambda one: one.raised_time, reverse=True):
        alarm = stored.alarm
        table.add_row(
            stored.patient,
            str(alarm.number),
            clock(stored.raised_time),
            Text(alarm.priority.name.lower(), STYLES[alarm.priority]),
            CONDITIONS[alarm.condition].title,
            f"{alarm.state}, {alarm.inactivation}" if alarm.ended_s is None else "ended",
        )
    return table


def log_table(origin: float, entries: Sequence[Transition]) -> Table:
    """What happened to one alarm."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("time (UTC)", "what", "state", "inactivation", "who", "why"):
        table.add_column(heading)
    for entry in entries:
        alarm = entry.alarm
        table.add_row(clock(origin + entry.at_s), entry.change, alarm.state, alarm.inactivation, entry.who, entry.why)
    return table


def what_if_table(result: WhatIf) -> Table:
    """Alarms that other limits would have gained and lost."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "at", "priority", "condition", "why"):
        table.add_column(heading)
    rows = [("lost", alarm) for alarm in result.lost] + [("gained", alarm) for alarm in result.gained]
    for what, alarm in sorted(rows, key=lambda row: row[1].raised_s):
        table.add_row(
            Text(what, "green" if what == "lost" else "red"),
            hours(alarm.raised_s),
            alarm.priority.name.lower(),
            CONDITIONS[alarm.condition].title,
            alarm.reading.text,
        )
    return table


def alarm_facts(alarm: Alarm) -> dict[str, Any]:
    """What there is to say of an alarm, for JSON; times in stream seconds."""
    return {
        "number": alarm.number,
        "condition": alarm.condition,
        "priority": alarm.priority.name.lower(),
        "kind": alarm.kind.value,
        "phase": alarm.phase.value,
        "state": alarm.state.value,
        "inactivation": alarm.inactivation.value,
        "raised_s": alarm.raised_s,
        "ended_s": alarm.ended_s,
        "text": alarm.latest.text,
        "value": alarm.latest.value,
        "limit": alarm.latest.limit,
        "level": alarm.level,
        "acknowledged_by": alarm.acknowledged_by,
    }


def clock(time: float) -> str:
    """A moment, to the second."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")


def hours(seconds: float) -> str:
    """A time within a recording."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{seconds % 60:04.1f}"
