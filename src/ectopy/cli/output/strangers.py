"""Tables of verdicts on people of databases that were held out, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, numbers_table

_OF_BEATS = {
    "mean_record_auc": ("mean of records", 4),
    "pooled_auc": ("all", 4),
    "veb_auc": ("V", 4),
    "sveb_auc": ("S", 4),
    "veb_se": ("V Se", 1),
    "veb_ppv": ("V +P", 1),
    "sveb_se": ("S Se", 1),
    "sveb_ppv": ("S +P", 1),
    "false_alarms_per_hour": ("N flagged an hour", 0),
}
_OF_CLASSES = {
    "pooled_auc": ("A and O", 4),
    "auc_A": ("A", 4),
    "auc_O": ("O", 4),
    "false_alarms_per_hour": ("N flagged an hour", 0),
}


def renderables(figures: Mapping[str, Any]) -> Iterator[Table | str]:
    """A table for each held-out database, and what could not be held out."""
    yield from (_table(name, row, figures["seeds"]) for name, row in figures["held_out"].items())
    yield from (f"Without {name}: {why}" for name, why in figures["left_out"].items())


def _table(name: str, row: Mapping[str, Any], seeds: int) -> Table:
    columns = _OF_CLASSES if "recordings" in row else _OF_BEATS
    trained_on = ", ".join(f"{database} ({patients} patients)" for database, patients in row["trained_on"].items())
    table = numbers_table(
        f"{name} held out: {row['patients']} patients, {row['beats']} beats",
        "method",
        *(heading for heading, _ in columns.values()),
        caption=f"Areas under the curve against N, and hints as labels by EC57 (gross, %); mean of {seeds} seeds, and "
        f"of Ectopy the standard deviation. Trained on {trained_on}.",
    )
    table.add_row("ectopy", *(decimals(row[key], places) for key, (_, places) in columns.items()))
    table.add_row("", *(f"±{decimals(row['spread'][key], places)}" for key, (_, places) in columns.items()))
    for peer, figures in row["peers"].items():
        table.add_row(peer, *(decimals(figures.get(key), places) for key, (_, places) in columns.items()))
    return table
