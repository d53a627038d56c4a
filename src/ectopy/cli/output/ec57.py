"""Tables of an EC57 comparison for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, numbers_table
from ectopy.evaluation.ec57_files import FilesComparison

_KINDS = ("qrs", "veb", "sveb")


def comparison_table(result: FilesComparison) -> Table:
    """Beats, sensitivity and positive predictivity of each kind: per record, gross and average."""
    figures = result.summary()
    table = numbers_table(
        f"EC57 beat by beat, label map {result.label_map}; Se and +P in %",
        "record",
        *(heading for kind in _KINDS for heading in (kind.upper(), "Se", "+P")),
    )
    for name, row in figures["records"].items():
        table.add_row(name, *_cells(row))
    table.add_section()
    table.add_row("gross", *_cells(figures["gross"]))
    table.add_row("average", *_cells(figures["average"]))
    return table


def _cells(row: Mapping[str, float]) -> list[str]:
    cells = []
    for kind in _KINDS:
        beats = str(row[f"{kind}_tp"] + row[f"{kind}_fn"]) if f"{kind}_tp" in row else ""
        cells += [beats, *(decimals(row[f"{kind}_{rate}"]) for rate in ("se", "ppv"))]
    return cells
