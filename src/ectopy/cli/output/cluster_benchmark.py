"""Tables of the cost of watching patients on a cluster for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, numbers_table

_COLUMNS = (
    *("cores\nbusy", "Python", "Java", "compiler"),
    *("event\np50 s", "event\np95 s", "batch\np95 s", "state\nkB/s", "stored\nkB", "memory\nMB"),
)


def renderables(figures: Mapping[str, Any]) -> Iterator[Table]:
    """Growth by patients, with the engine beside it; by shards; and unequal patients."""
    table = numbers_table(
        "Patients watched on Spark and Kafka: 250 Hz, two leads",
        "patients",
        *_COLUMNS,
        "engine\ncores",
        "ratio",
        caption="Event: from a beat to its verdict in Kafka. State: written for each patient and second. Ratio: "
        "processor time of the engine of one machine, which stores events in a database, for that of Spark, without "
        "the broker and without the compiler of Java, which works for minutes after a start and then no more.",
    )
    for row in figures["growth"]:
        engine = row["stream"]["cores"] * row["ratio"]
        table.add_row(str(row["stream"]["patients"]), *_cells(row["stream"]), f"{engine:.2f}", f"{row['ratio']:.0%}")
    yield table
    for title, name, rows in (
        ("By shards", "shards", {cost["shards"]: cost for cost in figures["shards"]}),
        ("Unequal patients: delay of the others", "who", figures["skew"]),
    ):
        table = numbers_table(title, name, *_COLUMNS)
        for key, cost in rows.items():
            table.add_row(str(key), *_cells(cost))
        if rows:
            yield table


def _cells(cost: Mapping[str, float]) -> Iterator[str]:
    for name in ("cores", "python_cores", "java_cores", "compiler_cores"):
        yield f"{cost[name]:.2f}"
    for name in ("latency_p50_s", "latency_p95_s", "batch_p95_s"):
        yield decimals(cost[name])
    for name in ("state_kb", "stored_kb"):
        yield f"{cost[name]:.1f}"
    yield f"{cost['rss_mb']:.0f}"
