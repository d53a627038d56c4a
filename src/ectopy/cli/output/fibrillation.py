"""Tables of the fit of what tells fibrillation for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, numbers_table


def renderables(figures: Mapping[str, Any]) -> Iterator[Table]:
    """Sensitivity and false windows by database, with records and with the database left out; weights of every fit."""
    table = numbers_table(
        "Windows of 4 s with fibrillation, flutter or ventricular tachycardia; Se in %",
        "",
        *("there", "not there", "Se,\nrecords out", "false/h", "Se,\ndatabase out", "false/h"),
    )
    for name, counts in figures["windows"].items():
        row = [str(counts["there"]), str(counts["not_there"])]
        for fold in (figures["records_left_out"], figures["databases_left_out"]):
            share = fold["sensitivity"].get(name)
            row.append(decimals(None if share is None else 100.0 * share))
            row.append(decimals(fold["false_windows_per_hour"].get(name), 1))
        table.add_row(name, *row)
    yield table

    weights = figures["weights"]
    table = numbers_table("Weights", "", "offset", *(name.replace(" ", "\n") for name in figures["measures"]))
    rows = {"in use": weights["in_use"], "fitted on all": weights["fitted"]}
    rows |= {f"without {name}": fitted for name, fitted in weights["without"].items()}
    for name, values in rows.items():
        table.add_row(name, *(f"{weight:.3f}" for weight in values))
    yield table
