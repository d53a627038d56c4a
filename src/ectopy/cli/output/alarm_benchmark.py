"""Tables of the alarms of replayed records for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, numbers_table
from ectopy.monitor.conditions import CONDITIONS


def renderables(figures: Mapping[str, Any]) -> Iterator[Table | str]:
    """Each record, each condition; what is right, what is false, what was missed, how late."""
    yield _records_table(figures)
    yield _conditions_table(figures)
    yield (
        f"High priority: {figures['high_priority']} alarms of rhythm, "
        f"{figures['high_priority_false_per_hour']:.2f} false ones an hour."
    )
    yield (
        f"Ventricular runs: {figures['vt_runs_announced']} of {figures['vt_runs']} announced, "
        f"{figures['vt_runs_in_standing_alarm']} of them by an alarm that was active already; "
        f"{figures['false_runs_per_hour']:.2f} false alarms of runs an hour."
    )
    p50, p95 = (decimals(figures[f"delay_{percentile}_s"], 1, " s") for percentile in ("p50", "p95"))
    yield f"Delay after the third beat: {p50} (half of them), {p95} (95 %)."
    yield (
        f"'Not this patient's normal' on {figures['normal_records']} records with more than 98 % normal beats: "
        f"{decimals(figures['not_normal_per_hour_on_normal_records'])} an hour."
    )


def _records_table(figures: Mapping[str, Any]) -> Table:
    table = numbers_table(
        f"Alarms of {len(figures['records'])} records ({figures['split']}), {figures['hours']:.1f} h, profile "
        f"{figures['profile']}",
        "record",
        *("alarms", "an hour", "high", "false", "medium", "low", "runs", "announced", "false"),
        caption="Each time an alarm is raised or returns. runs: three or more ventricular beats in a row by the "
        "reference; announced, false alarms of runs.",
    )
    for name, row in figures["records"].items():
        priority = row["by_priority"]
        cells = (
            row["alarms"],
            f"{row['alarms_per_hour']:.0f}",
            priority["high"],
            row["high_priority_false"],
            priority["medium"],
            priority["low"],
            row["vt_runs"],
            row["vt_runs_announced"],
            row["false_runs"],
        )
        table.add_row(name, *map(str, cells))
    return table


def _conditions_table(figures: Mapping[str, Any]) -> Table:
    """Return how often each condition calls, and in which records."""
    title = "Alarms per bed and day, and how many in which records"
    table = numbers_table(title, "condition", "priority", "a day", text="records")
    records = {name: row["by_condition"] for name, row in figures["records"].items()}
    for code, count in figures["per_bed_day_by_condition"].items():
        where = ", ".join(f"{name}: {counts[code]}" for name, counts in records.items() if code in counts)
        table.add_row(code, CONDITIONS[code].priority.word, f"{count:.1f}", where)
    table.add_section()
    for name, count in figures["per_bed_day_by_priority"].items():
        table.add_row("all", name, f"{count:.1f}", "")
    table.add_row("all", "", f"{figures['alarms_per_bed_day']:.1f}", "")
    return table
