"""Tables of a comparison of marks of waves for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.benchmarks.waves_benchmark import TOLERANCES_MS
from ectopy.cli.output.rich_tables import decimals, numbers_table
from ectopy.datasets.marked_recordings import READERS

_TITLES = {"p_on": "P onset", "p_off": "P end", "qrs_on": "QRS onset", "qrs_off": "QRS end", "t_off": "T end"}


def renderables(figures: Mapping[str, Any]) -> Iterator[Table | str]:
    """Sensitivity, mean and standard deviation of each mark by each method, and invented P waves."""
    yield from _tables(figures)
    if not figures["peers"]:
        yield "Not installed, and left out: neurokit2. To have it: pip install neurokit2"


def left_out_renderables(figures: Mapping[str, Any]) -> Iterator[Table | str]:
    """The same of Ectopy by database, trained without the people that are judged."""
    for database in READERS:
        yield from _tables(figures[database])


def _tables(figures: Mapping[str, Any]) -> Iterator[Table]:
    methods = {"ectopy": figures, **figures["peers"]}
    for name, row in methods.items():
        table = numbers_table(
            f"{name}: waves of {len(figures['records'])} records ({figures['database']})",
            "mark",
            *("Se, %", "mean, ms", "SD, ms", "SD within records, ms", "CSE, ms"),
            caption=f"Of the P waves reported, {decimals(row['p_invented'])} % are invented.",
        )
        for mark, title in _TITLES.items():
            error = row["waves"][mark]
            table.add_row(
                title,
                decimals(error["se"]),
                decimals(error["mean_ms"], 1),
                decimals(error["sd_ms"], 1),
                decimals(error["sd_within_ms"], 1),
                decimals(TOLERANCES_MS[mark], 1),
            )
        yield table
