"""Tables of verdicts on the MIT-BIH Arrhythmia Database for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, numbers_table

_AREAS = ("mean_record_auc", "pooled_auc", "veb_auc", "sveb_auc")


def renderables(figures: Mapping[str, Any]) -> Iterator[Table | str]:
    """Each record, each method, and what is not in the figures."""
    yield _records_table(figures)
    yield _methods_table(figures)
    yield from (f"Without {name}: {why}" for name, why in figures["left_out"].items())


def _records_table(figures: Mapping[str, Any]) -> Table:
    table = numbers_table(
        f"Beats of {len(figures['records'])} records ({figures['split']}), label map {figures['label_map']}",
        "record",
        *("beats", "abnormal", "unreadable", "AUC", "normals flagged", "an hour"),
        caption=f"After five minutes: {figures['beats']} beats, {figures['abnormal']} abnormal, "
        f"{figures['unreadable']} unreadable; {figures['false_alarms_per_hour']:.0f} normal beats flagged an hour.",
    )
    for name, row in figures["records"].items():
        counts = (str(row[key]) for key in ("beats", "abnormal", "unreadable"))
        flagged = str(row["flagged_normals"]), f"{row['false_alarms_per_hour']:.0f}"
        table.add_row(name, *counts, decimals(row["auc"], 4), *flagged)
    return table


def _methods_table(figures: Mapping[str, Any]) -> Table:
    """Areas under the curve of Ectopy and the peers; below them the hints as EC57 counts them."""
    rates = figures["ec57"]
    hints = ", ".join(
        f"{kind.upper()} {decimals(rates[f'{kind}_se'])} / {decimals(rates[f'{kind}_ppv'])}"
        for kind in ("qrs", "veb", "sveb")
    )
    table = numbers_table(
        "Area under the curve, abnormal against N",
        "method",
        *("mean of records", "all, one score", "V", "S"),
        caption=f"EC57 gross of Ectopy's hints, Se / +P in %: {hints}; 'other' and unreadable count as N.",
    )
    for name, row in {"ectopy": figures, **figures["peers"]}.items():
        table.add_row(name, *(decimals(row[key], 4) for key in _AREAS))
    return table
