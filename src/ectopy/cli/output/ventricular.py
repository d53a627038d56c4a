"""How the outcome of ventricular episodes looks in the terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

_NAMES = {"VF": "ventricular fibrillation", "VFL": "ventricular flutter", "VT": "ventricular tachycardia"}
_NAMES |= {"ASYS": "asystole"}


def episodes_table(figures: Mapping[str, Any], title: str) -> Table:
    """Of each kind, how many episodes are announced, and by alarms of which condition."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("episodes of 5 s or more", no_wrap=True)
    table.add_column("announced", justify="right", no_wrap=True)
    table.add_column("by")
    episodes = [episode for row in figures["records"] for episode in row["episodes"]]
    for kind, counts in figures["episodes"].items():
        by = Counter(each["by"]["condition"] for each in episodes if each["kind"] == kind and each["announced"])
        conditions = ", ".join(f"{condition} {count}" for condition, count in by.most_common())
        table.add_row(_NAMES[kind], f"{counts['announced']} of {counts['there']}", conditions)
    return table


def outcome_lines(figures: Mapping[str, Any]) -> list[str]:
    """Delays, and the episodes that were missed."""
    lines = [
        f"Delay after the start: {_seconds(figures['delay_p50_s'])} (half of them), {_seconds(figures['delay_p95_s'])} "
        f"(95 %); after the definition is met: {_seconds(figures['delay_after_definition_p50_s'])}, "
        f"{_seconds(figures['delay_after_definition_p95_s'])}. {figures['announced_by_alarms_active_before']} by an "
        "alarm that was active before."
    ]
    missed = [
        f"{row['record']} {each['kind']} at {each['start']:.0f} s"
        for row in figures["records"]
        for each in row["episodes"]
        if not each["announced"]
    ]
    return [*lines, f"Missed: {', '.join(missed)}."] if missed else lines


def false_table(figures: Mapping[str, Any]) -> Table:
    """False alarms of high priority by the rhythm in which they call."""
    table = Table(
        title=f"False high-priority alarms: {figures['false_high']} in {figures['hours_outside_episodes']:.1f} h "
        f"outside of episodes, {_number(figures['false_high_per_hour'])} an hour",
        title_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    table.add_column("rhythm", no_wrap=True)
    for heading in ("hours", "false", "an hour"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("conditions")
    alarms = [alarm for row in figures["records"] for alarm in row["false_high"]]
    for mark, each in figures["false_high_by_rhythm"].items():
        by = Counter(alarm["condition"] for alarm in alarms if alarm["rhythm"] == mark)
        conditions = ", ".join(f"{condition} {count}" for condition, count in by.most_common())
        hours, false = each["hours"], each["false_high"]
        if hours:
            name = mark.removeprefix("(") or "before the first mark"
            table.add_row(name, f"{hours:.2f}", str(false), f"{false / hours:.1f}", conditions)
    return table


def false_lines(figures: Mapping[str, Any]) -> list[str]:
    """The records in which they call."""
    counts = {row["record"]: len(row["false_high"]) for row in figures["records"]}
    names = ", ".join(f"{name} ({count})" for name, count in counts.items() if count)
    return [f"False high-priority alarms: {names}."] if names else []


def _seconds(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f} s"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
