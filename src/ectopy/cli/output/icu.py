"""Tables of the answers to bedside alarms for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import numbers_table


def renderables(figures: Mapping[str, Any]) -> Iterator[Table | str]:
    """Answers by kind of alarm, the score, and the records with a wrong answer."""
    table = numbers_table(
        f"{len(figures['records'])} bedside alarms, {'ECG and pulse' if figures['with_pulse'] else 'ECG only'}",
        *("alarm", "true ones raised", "false ones suppressed"),
    )
    counts = figures["by_kind"]
    for kind, each in counts.items():
        table.add_row(kind.replace("_", " "), *_cells(each))
    table.add_section()
    table.add_row("all", *_cells({key: sum(each[key] for each in counts.values()) for key in ("tp", "fn", "fp", "tn")}))
    yield table
    yield (
        f"Score {figures['score']:.1f}: {figures['tpr']:.1%} of the true alarms raised, {figures['tnr']:.1%} of the "
        "false ones suppressed."
    )
    for truth, title in ((True, "True ones missed"), (False, "False ones raised")):
        for kind in counts:
            names = [
                row["record"]
                for row in figures["records"]
                if row["kind"] == kind and row["truth"] is truth and row["answer"] is not truth
            ]
            if names:
                yield f"{title}, {kind.replace('_', ' ')}: {', '.join(names)}."


def _cells(counts: Mapping[str, int]) -> tuple[str, str]:
    true, false = counts["tp"] + counts["fn"], counts["fp"] + counts["tn"]
    return f"{counts['tp']} of {true}", f"{counts['tn']} of {false}"
