"""How the fit of what tells fibrillation looks in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ectopy.cli.output.ec57 import decimals


def fibrillation_table(figures: Mapping[str, Any]) -> Table:
    """Sensitivity and false windows of each database, with records and with the database left out."""
    headings = ("there", "not there", "Se, records out", "false/h", "Se, database out", "false/h")
    table = _table("Windows of 4 s with fibrillation, flutter or ventricular tachycardia; Se in %", headings)
    folds = figures["records_left_out"], figures["databases_left_out"]
    for name, counts in figures["windows"].items():
        row = [str(counts["there"]), str(counts["not_there"])]
        for fold in folds:
            share, false = fold["sensitivity"].get(name), fold["false_windows_per_hour"].get(name)
            row += ["-" if share is None else decimals(100.0 * share), "-" if false is None else f"{false:.1f}"]
        table.add_row(name, *row)
    return table


def weights_table(figures: Mapping[str, Any]) -> Table:
    """The weights in use, and those of every fit."""
    weights = figures["weights"]
    table = _table("Weights", ("offset", *figures["measures"]))
    rows = {"in use": weights["in_use"], "fitted on all": weights["fitted"]}
    rows |= {f"without {name}": fitted for name, fitted in weights["without"].items()}
    for name, row in rows.items():
        table.add_row(name, *(f"{weight:.3f}" for weight in row))
    return table


def _table(title: str, headings: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
