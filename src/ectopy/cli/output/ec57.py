"""How an EC57 comparison looks in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ectopy.evaluation.ec57_files import FilesComparison

_KINDS = {"qrs": "QRS", "veb": "VEB", "sveb": "SVEB"}


def comparison_table(result: FilesComparison) -> Table:
    """Beats, sensitivity and positive predictivity of each kind: per record, gross and average."""
    figures = result.summary()
    table = Table(
        title=f"EC57 beat by beat, label map {result.label_map}; Se and +P in %",
        title_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    table.add_column("record", overflow="fold")
    for name in _KINDS.values():
        for heading in (name, "Se", "+P"):
            table.add_column(heading, justify="right", no_wrap=True)
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


def decimals(value: float) -> str:
    """Two decimals; a rate of nothing is a dash."""
    return "-" if math.isnan(value) else f"{value:.2f}"
