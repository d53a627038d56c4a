"""How the alarms of replayed records look in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ectopy.monitor.conditions import CONDITIONS


def alarms_table(figures: Mapping[str, Any]) -> Table:
    """What became of each record."""
    table = _table(
        f"Alarms of {len(figures['records'])} records ({figures['split']}), {figures['hours']:.1f} h, profile "
        f"{figures['profile']}",
        "Each time an alarm is raised or returns. runs: three or more ventricular beats in a row by the reference; "
        "announced, false alarms of runs.",
    )
    table.add_column("record", no_wrap=True)
    for heading in ("alarms", "an hour", "high", "false", "medium", "low", "runs", "announced", "false"):
        table.add_column(heading, justify="right", no_wrap=True)
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


def conditions_table(figures: Mapping[str, Any]) -> Table:
    """How often each condition calls, and in which records."""
    table = _table("Alarms per bed and day, and how many in which records", "")
    table.add_column("condition", no_wrap=True)
    table.add_column("priority", no_wrap=True)
    table.add_column("a day", justify="right", no_wrap=True)
    table.add_column("records")
    records = {name: row["by_condition"] for name, row in figures["records"].items()}
    for code, count in figures["per_bed_day_by_condition"].items():
        where = ", ".join(f"{name}: {counts[code]}" for name, counts in records.items() if code in counts)
        table.add_row(code, CONDITIONS[code].priority.name.lower(), f"{count:.1f}", where)
    table.add_section()
    for name, count in figures["per_bed_day_by_priority"].items():
        table.add_row("all", name, f"{count:.1f}", "")
    table.add_row("all", "", f"{figures['alarms_per_bed_day']:.1f}", "")
    return table


def summary_lines(figures: Mapping[str, Any]) -> list[str]:
    """What is right, what is false, what was missed, how late."""
    lines = [
        f"High priority: {figures['high_priority']} alarms of rhythm, "
        f"{figures['high_priority_false_per_hour']:.2f} false ones an hour.",
        f"Ventricular runs: {figures['vt_runs_announced']} of {figures['vt_runs']} announced, "
        f"{figures['vt_runs_in_standing_alarm']} of them by an alarm that was active already; "
        f"{figures['false_runs_per_hour']:.2f} false alarms of runs an hour.",
        f"Delay after the third beat: {_seconds(figures['delay_p50_s'])} (half of them), "
        f"{_seconds(figures['delay_p95_s'])} (95 %).",
        f"'Not this patient's normal' on {figures['normal_records']} records with more than 98 % normal beats: "
        f"{_number(figures['not_normal_per_hour_on_normal_records'])} an hour.",
    ]
    if figures["missing"]:
        lines.append(f"Not in the folder, and left out: {', '.join(figures['missing'])}.")
    return lines


def _seconds(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f} s"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _table(title: str, caption: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        caption=caption,
        caption_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
