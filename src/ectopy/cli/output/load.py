"""Tables of the load that a service bore for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, pairs_table


def renderables(figures: Mapping[str, Any]) -> Iterator[Table]:
    """Chunks sent, stored and lost, delay at the screen, memory and processor time."""
    p50, p95 = (decimals(figures[f"sample_to_screen_{name}_s"]) for name in ("p50", "p95"))
    start, end = figures["rss_mb_start"], figures["rss_mb_end"]
    yield pairs_table(
        f"{figures['devices']} devices, {figures['viewers']} viewers, {figures['seconds']:g} s",
        {
            "chunks sent": f"{figures['chunks_sent']:,}, of which {figures['chunks_stored']:,} stored",
            "lost, doubled": f"{figures['chunks_lost']}, {figures['chunks_doubled']}",
            "sample to screen": f"{p50} s, and {p95} s at p95; {figures['frames_missed']} frames missed",
            "memory": f"{start:.0f} to {end:.0f} MB, {figures['rss_mb_growth_per_hour']:+.0f} MB an hour",
            "cores busy": f"{figures['cpu_share']:.1%}",
        },
    )
