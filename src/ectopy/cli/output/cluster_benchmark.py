"""Tables of the cost of watching patients on a cluster for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, numbers_table

_DELAYS = ("event\np50 s", "event\np95 s", "batch\np95 s", "state\nkB/s", "stored\nkB", "memory\nMB")
_CORES = ("cores\nbusy", "Python", "Java", "compiler")


def renderables(figures: Mapping[str, Any]) -> Iterator[Table]:
    """Cost by patients, with the engine beside it, and by shards; delay of each, and of unequal patients."""
    growth, in_time = figures["growth"], figures["in_time"]
    table = numbers_table(
        "Patients watched on Spark and Kafka: 250 Hz, two leads",
        "patients",
        *_CORES,
        "engine\ncores",
        "ratio",
        caption="Ratio: processor time of the engine of one machine, which stores events in a database, for that of "
        "Spark, without the broker and without the compiler of Java, which works for minutes after a start and then "
        f"no more. The most patients in time: {in_time['stream']} on Spark (95 % of events within 8 s), "
        f"{in_time['engine']} with the engine (99 % of chunks answered before the next but one): "
        f"{in_time['share']:.0%}.",
    )
    for row in growth:
        engine = row["stream"]["cores"] * row["ratio"]
        table.add_row(str(row["stream"]["patients"]), *_cores(row["stream"]), f"{engine:.2f}", f"{row['ratio']:.0%}")
    yield table
    yield _delay_table(
        "Delay and state by patients", "patients", [(r["stream"]["patients"], r["stream"]) for r in growth]
    )
    by_shards = [(cost["shards"], cost) for cost in figures["shards"]]
    if by_shards:
        table = numbers_table("Cost by shards", "shards", *_CORES)
        for shards, cost in by_shards:
            table.add_row(str(shards), *_cores(cost))
        yield table
        yield _delay_table("Delay and state by shards", "shards", by_shards)
    if figures["skew"]:
        yield _delay_table("Unequal patients: delay of the others", "who", figures["skew"].items())


def _delay_table(title: str, name: str, rows: Iterable[tuple[object, Mapping[str, float]]]) -> Table:
    caption = "Event: from a beat to its verdict in Kafka. State: written for each patient and second."
    table = numbers_table(title, name, *_DELAYS, caption=caption)
    for key, cost in rows:
        delays = [decimals(cost[name]) for name in ("latency_p50_s", "latency_p95_s", "batch_p95_s")]
        sizes = [f"{cost['state_kb']:.1f}", f"{cost['stored_kb']:.0f}", f"{cost['rss_mb']:.0f}"]
        table.add_row(str(key), *delays, *sizes)
    return table


def _cores(cost: Mapping[str, float]) -> Iterator[str]:
    for name in ("cores", "python_cores", "java_cores", "compiler_cores"):
        yield f"{cost[name]:.2f}"
