"""How the answers to bedside alarms look in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table


def kinds_table(figures: Mapping[str, Any]) -> Table:
    """Of each kind, how many true alarms are raised and how many false ones are suppressed."""
    table = Table(
        title=f"{len(figures['records'])} bedside alarms, {'ECG and pulse' if figures['with_pulse'] else 'ECG only'}",
        title_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    table.add_column("alarm", no_wrap=True)
    table.add_column("true ones raised", justify="right", no_wrap=True)
    table.add_column("false ones suppressed", justify="right", no_wrap=True)
    counts = figures["by_kind"]
    for kind, each in counts.items():
        table.add_row(kind.replace("_", " "), *_cells(each))
    table.add_section()
    table.add_row("all", *_cells({key: sum(each[key] for each in counts.values()) for key in ("tp", "fn", "fp", "tn")}))
    return table


def answer_lines(figures: Mapping[str, Any]) -> list[str]:
    """The score, and the records with a wrong answer."""
    lines = [
        f"Score {figures['score']:.1f}: {figures['tpr']:.1%} of the true alarms raised, {figures['tnr']:.1%} of the "
        "false ones suppressed."
    ]
    for truth, what in ((True, "True ones missed"), (False, "False ones raised")):
        for kind in figures["by_kind"]:
            names = [
                row["record"]
                for row in figures["records"]
                if row["kind"] == kind and row["truth"] is truth and row["answer"] is not truth
            ]
            if names:
                lines.append(f"{what}, {kind.replace('_', ' ')}: {', '.join(names)}.")
    return lines


def _cells(counts: Mapping[str, int]) -> tuple[str, str]:
    true, false = counts["tp"] + counts["fn"], counts["fp"] + counts["tn"]
    return f"{counts['tp']} of {true}", f"{counts['tn']} of {false}"
