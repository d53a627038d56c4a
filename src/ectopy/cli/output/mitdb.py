"""How the figures for recordings look in the terminal: verdicts on MIT-BIH, and time and memory of a long recording."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ectopy.benchmarks.mitdb_benchmark import MitdbBenchmark
from ectopy.cli.output.ec57 import decimals

_KINDS = ("qrs", "veb", "sveb")
_AREAS = ("mean_record_auc", "pooled_auc", "veb_auc", "sveb_auc")


def records_table(result: MitdbBenchmark) -> Table:
    """What became of each record."""
    figures = result.summary()
    table = _table(
        f"Beats of {len(figures['records'])} records ({result.split}), label map {figures['label_map']}",
        f"After five minutes: {figures['beats']} beats, {figures['abnormal']} abnormal, "
        f"{figures['unreadable']} unreadable; {figures['false_alarms_per_hour']:.0f} normal beats flagged an hour.",
    )
    table.add_column("record", no_wrap=True)
    for heading in ("beats", "abnormal", "unreadable", "AUC", "normals flagged", "an hour"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in figures["records"].items():
        counts = (str(row[key]) for key in ("beats", "abnormal", "unreadable"))
        flagged = str(row["flagged_normals"]), f"{row['false_alarms_per_hour']:.0f}"
        table.add_row(name, *counts, _area(row["auc"]), *flagged)
    return table


def methods_table(result: MitdbBenchmark) -> Table:
    """Areas under the curve of Ectopy and the peers; below it the hints as EC57 counts them."""
    figures = result.summary()
    rates = figures["ec57"]
    shown = (f"{kind.upper()} {decimals(rates[f'{kind}_se'])} / {decimals(rates[f'{kind}_ppv'])}" for kind in _KINDS)
    table = _table(
        "Area under the curve, abnormal against N",
        f"EC57 gross of Ectopy's hints, Se / +P in %: {', '.join(shown)}; 'other' and unreadable count as N.",
    )
    table.add_column("method", no_wrap=True)
    for heading in ("mean of records", "all, one score", "V", "S"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in {"ectopy": figures, **figures["peers"]}.items():
        table.add_row(name, *(_area(row[key]) for key in _AREAS))
    return table


def gaps_lines(result: MitdbBenchmark) -> list[str]:
    """What is not in the figures: records that are not there, peers that could not run."""
    missing = [f"Not in the folder, and left out: {', '.join(result.missing)}."] if result.missing else []
    return missing + [f"Without {name}: {why}" for name, why in result.left_out.items()]


def holter_table(figures: Mapping[str, Any]) -> Table:
    """Time and memory of a long recording."""
    table = _table(
        f"One lead of {figures['hours']:g} h at 360 Hz, on one thread",
        f"NeuroKit2's ecg_process takes {figures['times_neurokit']:.1f} times as long, measured on "
        f"{figures['neurokit_minutes']:g} minutes and scaled."
        if figures["times_neurokit"] is not None
        else "NeuroKit2 is not installed, and left out. To have it: pip install neurokit2",
    )
    table.add_column("hours", justify="right")
    table.add_column("seconds", justify="right")
    for hours, seconds in figures["scaling"].items():
        table.add_row(hours, f"{seconds:.2f}")
    table.add_section()
    table.add_row("memory", f"{figures['peak_rss_mb']:.0f} MB")
    return table


def _table(title: str, caption: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        caption=caption,
        caption_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )


def _area(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
