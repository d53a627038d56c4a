"""Tables of alarms for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from ectopy.cli.output.rich_tables import list_table
from ectopy.cli.output.watch import STYLES
from ectopy.monitor.alarm_json import AlarmJson, TransitionJson
from ectopy.monitor.conditions import CONDITIONS, Priority
from ectopy.monitor.limit_comparison import LimitComparison
from ectopy.presentation import elapsed


def alarm_table(alarms: Sequence[AlarmJson]) -> Table:
    """One row for each alarm, the newest first."""
    table = list_table("patient", "alarm", "raised (UTC)", "priority", "condition", "state")
    for alarm in sorted(alarms, key=lambda alarm: alarm["onset_time"] or 0.0, reverse=True):
        table.add_row(
            alarm["patient"],
            str(alarm["number"]),
            _moment(alarm["onset_time"]),
            Text(alarm["priority"], STYLES[Priority[alarm["priority"].upper()]]),
            alarm["title"],
            f"{alarm['state']}, {alarm['inactivation']}" if alarm["ended_time"] is None else "ended",
        )
    return table


def log_table(entries: Sequence[TransitionJson]) -> Table:
    """Return what happened to one alarm."""
    table = list_table("time (UTC)", "what", "state", "inactivation", "who", "why")
    for entry in entries:
        table.add_row(
            _moment(entry["time"]), entry["change"], entry["state"], entry["inactivation"], entry["who"], entry["why"]
        )
    return table


def what_if_table(result: LimitComparison) -> Table:
    """Alarms that other limits would have gained and lost."""
    table = list_table("", "at", "priority", "condition", "why")
    rows = [("lost", alarm) for alarm in result.missing] + [("gained", alarm) for alarm in result.gained]
    for outcome, alarm in sorted(rows, key=lambda row: row[1].raised_s):
        table.add_row(
            Text(outcome, "green" if outcome == "lost" else "red"),
            elapsed(alarm.raised_s, places=1),
            alarm.priority.word,
            CONDITIONS[alarm.condition].title,
            alarm.reading.text,
        )
    return table


def _moment(time: float | None) -> str:
    """A moment, to the second."""
    return "" if time is None else datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")
