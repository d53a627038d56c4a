"""Tables of the cost of watching many patients for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, numbers_table


def renderables(figures: Mapping[str, Any]) -> Iterator[Table]:
    """One line for each number of patients."""
    table = numbers_table(
        "Patients watched in real time: 250 Hz, two leads, storage on",
        "patients",
        *("in time", "cores busy", "event\np50 s", "event\np95 s", "stored\np50 s", "stored\np95 s", "memory\nMB"),
        caption="In time: chunks answered before the next but one is sent. Event, stored: from a beat to its verdict, "
        "and to its verdict in the store.",
    )
    for cost in figures.get("growth", [figures]):
        delays = (cost[f"{name}_{percentile}_s"] for name in ("latency", "stored") for percentile in ("p50", "p95"))
        table.add_row(
            str(cost["patients"]),
            f"{cost['realtime_factor']:.2%}",
            f"{cost['cpu_share']:.1%}",
            *map(decimals, delays),
            f"{cost['rss_mb']:.0f}",
        )
    yield table
