"""Tables of the rhythms found for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, numbers_table


def renderables(figures: Mapping[str, Any]) -> Iterator[Table | str]:
    """Atrial fibrillation in all records and in each, and events of each kind; or F1 by class."""
    if "f1" in figures:
        yield from _classes(figures)
        return
    table = numbers_table("Atrial fibrillation, beats in %", "", "Se", "Sp", "+P", "episodes of 30 s found")
    rows = {"in all records": figures["af"]}
    if "fit" in figures:
        rows["with weights fitted without the patient"] = figures["fit"]["patients_left_out"]
    for name, row in rows.items():
        table.add_row(name, *(decimals(100.0 * row[key], 1) for key in ("se", "sp", "ppv", "episodes_found")))
    yield table
    table = numbers_table(
        "By record", "", "beats", "false", "missed", "episodes", "found", "burden,\n% of time", "labelled", "error"
    )
    for name, row in figures["af"]["records"].items():
        beats = sum(row[key] for key in ("tp", "fp", "fn", "tn"))
        error = figures["af"]["burden_errors"][name]
        counts = (beats, row["fp"], row["fn"], row["episodes"], row["found"])
        shares = (row["burden_percent"], row["labelled_percent"], error)
        table.add_row(name, *(f"{count:,}" for count in counts), *(decimals(share, 1) for share in shares))
    yield table
    if "kinds" in figures:
        table = numbers_table("Against the marks of rhythm", "", "labelled", "found", "events", "false")
        for name, row in figures["kinds"].items():
            table.add_row(name, *(f"{count:,}" for count in row.values()))
        yield table


def _classes(figures: Mapping[str, Any]) -> Iterator[Table]:
    """F1 by class, and how often each label got each class."""
    parts = {"Challenge 2017": figures}
    if "fit" in figures:
        parts["Fitted without the recording"] = figures["fit"]["recordings_left_out"]
    for title, part in parts.items():
        table = numbers_table(title, "label", "F1", "F1 of\nall 8,528", *(f"as {name}" for name in part["f1"]))
        for name, f1 in part["f1"].items():
            counts = map(str, part["confusion"][name].values())
            table.add_row(name, decimals(f1, 3), decimals(part["f1_of_all"][name], 3), *counts)
        yield table
