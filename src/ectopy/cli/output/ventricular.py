"""Tables of the outcome of ventricular episodes for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, numbers_table

_NAMES = {"VF": "ventricular fibrillation", "VFL": "ventricular flutter", "VT": "ventricular tachycardia"}
_NAMES |= {"ASYS": "asystole"}


def renderables(figures: Mapping[str, Any]) -> Iterator[Table | str]:
    """Episodes announced and missed, delays, and false alarms; from the start of episodes without false alarms."""
    earlier = figures.get("from_60_s_before")
    if earlier is None:
        yield from _outcomes(figures, "in whole records")
        yield _false_table(figures)
        counts = {row["record"]: len(row["false_high"]) for row in figures["records"]}
        if any(counts.values()):
            names = ", ".join(f"{name} ({count})" for name, count in counts.items() if count)
            named = figures["false_high_named_by_mark"]
            yield f"False high-priority alarms: {names}. {named} of them say what the mark of rhythm there says, too."
    else:
        yield from _outcomes(figures, "watched from their first sample")
        yield from _outcomes(earlier, "watched from 60 s before")


def _outcomes(figures: Mapping[str, Any], title: str) -> Iterator[Table | str]:
    """For each kind the episodes announced, and the conditions of the alarms; delays; episodes that were missed."""
    records = figures["records"]
    table = numbers_table(
        f"Episodes {title}, {len(records)} records", "episodes of 5 s or more", "announced", text="by"
    )
    episodes = [episode for row in records for episode in row["episodes"]]
    for kind, counts in figures["episodes"].items():
        by = [each["by"]["condition"] for each in episodes if each["kind"] == kind and each["announced"]]
        table.add_row(_NAMES[kind], f"{counts['announced']} of {counts['there']}", _counts(by))
    yield table
    after_start, after_definition = (
        [decimals(figures[f"{name}_{percentile}_s"], 1, " s") for percentile in ("p50", "p95")]
        for name in ("delay", "delay_after_definition")
    )
    yield (
        f"Delay after the start: {after_start[0]} (half of them), {after_start[1]} (95 %); after the definition is "
        f"met: {after_definition[0]}, {after_definition[1]}. {figures['announced_by_alarms_active_before']} by an "
        "alarm that was active before."
    )
    missed = [
        f"{row['record']} {each['kind']} at {each['start']:.0f} s"
        for row in records
        for each in row["episodes"]
        if not each["announced"]
    ]
    if missed:
        yield f"Missed: {', '.join(missed)}."


def _false_table(figures: Mapping[str, Any]) -> Table:
    """False alarms of high priority by the rhythm in which they call."""
    table = numbers_table(
        f"False high-priority alarms: {figures['false_high']} in {figures['hours_outside_episodes']:.1f} h "
        f"outside of episodes, {decimals(figures['false_high_per_hour'])} an hour",
        *("rhythm", "hours", "false", "an hour"),
        text="conditions",
    )
    alarms = [alarm for row in figures["records"] for alarm in row["false_high"]]
    for mark, each in figures["false_high_by_rhythm"].items():
        conditions = _counts([alarm["condition"] for alarm in alarms if alarm["rhythm"] == mark])
        hours, false = each["hours"], each["false_high"]
        if hours:
            name = mark.removeprefix("(") or "before the first mark"
            table.add_row(name, f"{hours:.2f}", str(false), f"{false / hours:.1f}", conditions)
    return table


def _counts(conditions: Sequence[str]) -> str:
    return ", ".join(f"{condition} {count}" for condition, count in Counter(conditions).most_common())
