"""Tables of time and memory of a long recording for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import numbers_table


def renderables(figures: Mapping[str, Any]) -> Iterator[Table]:
    """Seconds by hours and of a correction, and memory."""
    table = numbers_table(
        f"One lead of {figures['hours']:g} h at 360 Hz, on one thread",
        "hours",
        "seconds",
        caption=f"NeuroKit2's ecg_process takes {figures['times_neurokit']:.1f} times as long, measured on "
        f"{figures['neurokit_minutes']:g} minutes and scaled."
        if figures["times_neurokit"] is not None
        else "NeuroKit2 is not installed, and left out. To have it: pip install neurokit2",
    )
    for hours, seconds in figures["scaling"].items():
        table.add_row(hours, f"{seconds:.2f}")
    table.add_section()
    table.add_row("10,000 beats relabelled", f"{figures['correction_seconds']:.2f}")
    table.add_row("memory", f"{figures['peak_rss_mb']:.0f} MB")
    yield table
