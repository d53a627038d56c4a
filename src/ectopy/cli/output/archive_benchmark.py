"""Table of the time that two commands take for an archive, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import numbers_table


def renderables(figures: Mapping[str, Any]) -> Iterator[Table]:
    """Seconds and throughput of each command."""
    table = numbers_table(
        f"{figures['recordings']} recordings, {figures['hours']:.1f} h, on {figures['cores']} cores",
        "command",
        "seconds",
        "hours of ECG\nan hour",
        caption=f"Throughput of the cluster: {figures['ratio']:.1%} of that of ectopy detect.",
    )
    for command, seconds in (("ectopy detect", figures["detect_s"]), ("ectopy cluster detect", figures["cluster_s"])):
        table.add_row(command, f"{seconds:.1f}", f"{3600 * figures['hours'] / seconds:,.0f}")
    yield table
