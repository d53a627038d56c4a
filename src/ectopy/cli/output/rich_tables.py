"""The look of tables in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table


def numbers_table(title: str, first: str, *numbers: str, text: str | None = None, caption: str | None = None) -> Table:
    """A table whose rows have a name, then numbers aligned at the right, and a text at the end where that is headed."""
    table = Table(
        title=title,
        title_justify="left",
        caption=caption,
        caption_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    table.add_column(first, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    if text is not None:
        table.add_column(text)
    return table


def list_table(*headings: str) -> Table:
    """A table of texts."""
    return Table(*headings, box=SIMPLE_HEAD, pad_edge=False)


def pairs_table(title: str, rows: Mapping[str, str]) -> Table:
    """A table of names and values."""
    table = Table(title=title, title_justify="left", show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def decimals(value: float | None, places: int = 2, unit: str = "") -> str:
    """Write a number with so many decimals and its unit; a figure of nothing is a dash."""
    return "-" if value is None or math.isnan(value) else f"{value:.{places}f}{unit}"
