"""How a comparison of methods that find heartbeats looks in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ectopy.benchmarks.heartbeat_benchmark import HeartbeatBenchmark
from ectopy.cli.output.ec57 import decimals


def heartbeats_table(result: HeartbeatBenchmark) -> Table:
    """Sensitivity, positive predictivity, missed ventricular beats and time of each method."""
    figures = result.summary()
    records = len(next(iter(result.findings.values())).comparisons)
    table = Table(
        title=f"Heartbeats of {records} records ({result.split}), EC57 gross; Se and +P in %",
        title_justify="left",
        caption=f"Ectopy: {result.seconds_24h:.1f} s for 24 h of one lead. times: relative to ectopy_first_lead.",
        caption_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    table.add_column("method", no_wrap=True)
    for heading in ("QRS Se", "+P", "missed", "extra", "V missed", "seconds", "times"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in figures["methods"].items():
        table.add_row(name, *_cells(row))
    return table


def missing_line(left_out: Mapping[str, str]) -> str:
    """One line: which methods did not run, and how to have them."""
    packages = " ".join(sorted(set(left_out.values())))
    return f"Not installed, and left out: {', '.join(left_out)}. To have them: pip install {packages}"


def _cells(row: Mapping[str, Any]) -> list[str]:
    figures = row["gross"]
    return [
        decimals(figures["qrs_se"]),
        decimals(figures["qrs_ppv"]),
        str(figures["qrs_fn"]),
        str(figures["qrs_fp"]),
        f"{row['missed_veb']} of {row['veb']}",
        f"{row['seconds']:.2f}",
        decimals(row["relative_seconds"]),
    ]
