"""Tables of the speed of detection for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.table import Table

from ectopy.cli.output.rich_tables import pairs_table


def renderables(figures: Mapping[str, float]) -> Iterator[Table]:
    """Time and memory."""
    yield pairs_table(
        "Detection on one thread",
        {
            "large array": f"{figures['batch_beats_per_s']:,.0f} beats/s",
            "one beat": f"{figures['single_us']:.0f} us",
            "import ectopy": f"{figures['import_s']:.3f} s",
            "peak memory": f"{figures['peak_rss_mb']:.0f} MB",
        },
    )
