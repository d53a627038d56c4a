"""Tables of analysed recordings for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import decimals, pairs_table
from ectopy.presentation import elapsed


def analysis_table(summaries: Sequence[Mapping[str, Any]]) -> Table:
    """One row per recording; of a single one, one row per figure."""
    if len(summaries) == 1:
        return _figures_table(summaries[0])
    hints = ("ventricular-\nlike", "supraven-\ntricular-like", "other")
    table = Table("recording", "beats", "abnormal", *hints, "rate", "runs", "pauses")
    for figures in summaries:
        counts, events = figures["hints"], figures["events"]
        runs = sum(count for kind, count in events.items() if kind.endswith("run"))
        table.add_row(
            Path(figures["source"]).name,
            f"{figures['beats']:,}",
            f"{figures['abnormal']:,}",
            *(f"{counts[hint]:,}" for hint in ("ventricular-like", "supraventricular-like", "other")),
            decimals(figures["median_rate_bpm"], 0),
            str(runs),
            str(events.get("pause", 0)),
        )
    return table


def _figures_table(figures: Mapping[str, Any]) -> Table:
    shares = ", ".join(f"{lead} {share or 0:.1%}" for lead, share in figures["readable_share"].items())
    rate = figures["median_rate_bpm"]
    rows = {
        "length": elapsed(figures["duration_s"]),
        "readable": shares,
        "beats": f"{figures['beats']:,}, of which {figures['unreadable']:,} not readable",
        "heart rate": "not known" if rate is None else f"median {rate:.0f} per minute from beat to beat",
        "abnormal": f"{figures['abnormal']:,}",
        **{f"  {hint}": f"{count:,}" for hint, count in figures["hints"].items()},
        **{kind: f"{count:,}" for kind, count in figures["events"].items()},
        "rhythm": _rhythm(figures["rhythm"]),
        "limits of events": _limits(figures["event_limits"]),
        "patient's usual beat": figures["baseline"],
    }
    if figures["notes"]:
        rows["notes"] = "\n".join(figures["notes"])
    return pairs_table(figures["source"] or "Recording", rows)


def _rhythm(rhythm: Mapping[str, Any]) -> str:
    shares = ", ".join(f"{name} {share:.1f} %" for name, share in rhythm["shares"].items())
    fibrillation = rhythm["atrial_fibrillation"]
    if not fibrillation["episodes"]:
        return shares or "not known"
    return f"{shares} of the time; longest atrial fibrillation {elapsed(fibrillation['longest_s'])}"


def _limits(limits: Mapping[str, Any]) -> str:
    return (
        f"profile {limits['profile']}: pause from {limits['pause_s']:g} s, "
        f"rate above {limits['high_bpm']:g} or below {limits['low_bpm']:g} per minute"
    )
