"""Tables of verdicts on people of databases that were held out, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, numbers_table

_AREAS = {"mean_record_auc": "mean", "pooled_auc": "all", "veb_auc": "V", "sveb_auc": "S"}
_AREAS_OF_CLASSES = {"pooled_auc": "A and O", "auc_A": "A", "auc_O": "O"}
_RATES = {"veb_se": "V Se", "veb_ppv": "V +P", "sveb_se": "S Se", "sveb_ppv": "S +P"}
_FALSE_ALARMS = {"false_alarms_per_hour": "N an hour"}


def renderables(figures: Mapping[str, Any]) -> Iterator[Table | str]:
    """Tables for each held-out database, and what could not be held out."""
    for name, row in figures["held_out"].items():
        of_classes = "recordings" in row
        trained_on = ", ".join(f"{database} ({patients})" for database, patients in row["trained_on"].items())
        yield _table(
            f"{name} held out: {row['patients']} patients, {row['beats']} beats; area under the curve against N",
            row,
            _AREAS_OF_CLASSES if of_classes else _AREAS,
            4,
            f"Mean of {figures['seeds']} trainings, ± their standard deviation, on patients of {trained_on}.",
        )
        yield _table(
            f"{name}: normal beats flagged"
            if of_classes
            else f"{name}: hints as labels (EC57, %), normal beats flagged",
            row,
            _FALSE_ALARMS if of_classes else _RATES | _FALSE_ALARMS,
            1,
        )
    yield from (f"Without {name}: {why}" for name, why in figures["left_out"].items())


def _table(
    title: str, row: Mapping[str, Any], columns: Mapping[str, str], places: int, caption: str | None = None
) -> Table:
    table = numbers_table(title, "method", *columns.values(), caption=caption)
    methods = {"ectopy": row, "": row["spread"], **row["peers"]}
    for name, values in methods.items():
        if any(key in values for key in columns):
            sign = "" if name else "±"
            table.add_row(name, *(sign + decimals(values.get(key), places) for key in columns))
    return table
