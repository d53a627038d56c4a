"""Tables of the sources of training for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, numbers_table
from ectopy.datasets.sources import SourceSummary


def sources_table(summaries: Sequence[SourceSummary]) -> Table:
    """Patients, recordings, beats and hours of each database."""
    table = numbers_table(
        "Sources", "", "patients", "recordings", "normal beats", "other beats", "hours", caption="-: beats not labelled"
    )
    for summary in summaries:
        counts = (summary.patients, summary.recordings, summary.normal_beats, summary.other_beats)
        numbers = ("-" if count is None else f"{count:,}" for count in counts)
        table.add_row(summary.database, *numbers, decimals(summary.hours, 1))
    return table
