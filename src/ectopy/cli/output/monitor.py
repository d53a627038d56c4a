"""How the cost of watching many patients looks in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ectopy.benchmarks.monitor_benchmark import Cost


def cost_table(costs: Sequence[Cost]) -> Table:
    """One line for each number of patients."""
    table = Table(
        title="Patients watched in real time: 250 Hz, two leads, storage on",
        title_justify="left",
        caption="In time: chunks answered before the next but one is sent. Told, stored: from a beat to that of its "
        "verdict, in seconds.",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    headings = ("patients", "in time", "cores busy", "told p50", "told p95", "stored p50", "stored p95", "memory, MB")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for cost in costs:
        table.add_row(
            str(cost.patients),
            f"{cost.realtime_factor:.2%}",
            f"{cost.cpu_share:.1%}",
            f"{cost.latency_p50_s:.2f}",
            f"{cost.latency_p95_s:.2f}",
            f"{cost.stored_p50_s:.2f}",
            f"{cost.stored_p95_s:.2f}",
            f"{cost.rss_mb:.0f}",
        )
    return table
