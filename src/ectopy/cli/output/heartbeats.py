"""Tables of a comparison of methods that find heartbeats for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, numbers_table


def renderables(figures: Mapping[str, Any]) -> Iterator[Table | str]:
    """Sensitivity, positive predictivity, missed ventricular beats and time of each method; methods left out."""
    methods, left_out = figures["methods"], figures["left_out"]
    records = len(next(iter(methods.values()))["records"])
    table = numbers_table(
        f"Heartbeats of {records} records ({figures['split']}), EC57 gross; Se and +P in %",
        "method",
        *("QRS Se", "+P", "missed", "extra", "V missed", "seconds", "times"),
        caption=f"Ectopy: {figures['seconds_24h']:.1f} s for 24 h of one lead. times: relative to ectopy_first_lead.",
    )
    for name, row in methods.items():
        gross = row["gross"]
        table.add_row(
            name,
            decimals(gross["qrs_se"]),
            decimals(gross["qrs_ppv"]),
            str(gross["qrs_fn"]),
            str(gross["qrs_fp"]),
            f"{row['missed_veb']} of {row['veb']}",
            f"{row['seconds']:.2f}",
            decimals(row["relative_seconds"]),
        )
    yield table
    if left_out:
        packages = " ".join(sorted(set(left_out.values())))
        yield f"Not installed, and left out: {', '.join(left_out)}. To have them: pip install {packages}"
