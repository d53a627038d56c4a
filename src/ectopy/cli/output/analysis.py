"""Tables of analysed recordings for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from ectopy.analysis.rhythm_rules import RhythmKind
from ectopy.cli.output.rich_tables import decimals, pairs_table
from ectopy.presentation import elapsed
from ectopy.report.text_format import moment

_IN_OTHER_ROWS = {
    RhythmKind.VENTRICULAR_RUN,
    RhythmKind.SUPRAVENTRICULAR_RUN,
    RhythmKind.COUPLET,
    RhythmKind.PAUSE,
    RhythmKind.ATRIAL_FIBRILLATION,
}


def analysis_table(summaries: Sequence[Mapping[str, Any]]) -> Table:
    """One row per recording; of a single one, one row per figure."""
    if len(summaries) == 1:
        return _figures_table(summaries[0])
    table = Table(
        Column("recording", overflow="fold"),
        "beats",
        "min",
        "mean",
        "max",
        "VE",
        "SVE",
        "VE\nruns",
        "pauses",
        "AF",
        caption="min, mean, max: heart rate per minute; VE, SVE: ventricular-like and supraventricular-like beats; "
        "AF: atrial fibrillation, % of the time",
    )
    for figures in summaries:
        holter = figures["holter"]
        rate, ventricular = holter["rate"], holter["ventricular"]
        table.add_row(
            Path(figures["source"]).name,
            f"{holter['beats']['total']:,}",
            *(decimals(rate[name], 0) for name in ("minimum_bpm", "mean_bpm", "maximum_bpm")),
            f"{ventricular['total']:,}",
            f"{holter['supraventricular']['total']:,}",
            f"{ventricular['runs']['number']:,}",
            f"{holter['pauses']['number']:,}",
            decimals(holter["atrial_fibrillation"]["burden_percent"], 1),
        )
    return table


def _figures_table(figures: Mapping[str, Any]) -> Table:
    holter = figures["holter"]
    beats = holter["beats"]
    start = None if holter["times"]["start"] is None else datetime.fromisoformat(holter["times"]["start"])
    shares = ", ".join(f"{lead} {share or 0:.1%}" for lead, share in figures["readable_share"].items())
    rows = {
        "length": elapsed(figures["duration_s"]),
        "readable": shares,
        "beats": f"{beats['total']:,}, of which {beats['unreadable']:,} not readable",
        "heart rate": _rate(holter["rate"], start),
        "abnormal": f"{figures['abnormal']:,}",
        "  ventricular-like": _ectopic(holter["ventricular"], "couplets", start),
        "  supraventricular-like": _ectopic(holter["supraventricular"], "pairs", start),
        "  other": f"{beats['other']:,}",
        "pauses": _pauses(holter["pauses"], start),
        "rhythm": ", ".join(f"{name} {share:.1f} %" for name, share in holter["rhythms"].items()) or "not known",
        "atrial fibrillation": _fibrillation(holter["atrial_fibrillation"], start),
        **{kind: f"{count:,}" for kind, count in figures["events"].items() if kind not in _IN_OTHER_ROWS},
        "variability": _variability(holter["variability"]["whole"]),
        "limits of events": _limits(figures["event_limits"]),
        "patient's usual beat": figures["baseline"],
    }
    if figures["notes"]:
        rows["notes"] = "\n".join(figures["notes"])
    return pairs_table(figures["source"] or "Recording", rows)


def _rate(rate: Mapping[str, Any], start: datetime | None) -> str:
    if rate["minimum_bpm"] is None:
        return "not known"
    return (
        f"mean {rate['mean_bpm']:.0f} per minute; over {rate['window_s']:g} s\n"
        f"lowest {rate['minimum_bpm']:.0f} at {moment(start, rate['minimum_at_s'])}\n"
        f"highest {rate['maximum_bpm']:.0f} at {moment(start, rate['maximum_at_s'])}"
    )


def _ectopic(ectopic: Mapping[str, Any], pairs: str, start: datetime | None) -> str:
    if not ectopic["total"]:
        return "0"
    runs = ectopic["runs"]
    lines = [
        f"{ectopic['total']:,}, {ectopic['percent']:.1f} % of all beats",
        f"single {ectopic['single']:,}, {pairs} {ectopic['pairs']:,}, runs {runs['number']:,}",
    ]
    extremes = {"longest run": runs["longest"], "fastest run": runs["fastest"]} if runs["number"] else {}
    if runs["longest"] == runs["fastest"]:
        extremes.pop("fastest run", None)
    for name, run in extremes.items():
        lines.append(
            f"{name} {run['beats']:,} beats at {decimals(run['rate_bpm'], 0)} per minute at "
            f"{moment(start, run['start_s'])}"
        )
    return "\n".join(lines)


def _pauses(pauses: Mapping[str, Any], start: datetime | None) -> str:
    text = f"{pauses['number']:,} of at least {pauses['limit_s']:g} s"
    if not pauses["number"]:
        return text
    return f"{text}\nlongest {pauses['longest_rr_s']:.1f} s at {moment(start, pauses['longest_rr_start_s'])}"


def _fibrillation(fibrillation: Mapping[str, Any], start: datetime | None) -> str:
    if fibrillation["burden_percent"] is None:
        return "not known"
    text = f"{fibrillation['burden_percent']:.1f} % of the time, episodes: {fibrillation['episodes']:,}"
    if not fibrillation["episodes"]:
        return text
    longest = f"{elapsed(fibrillation['longest_s'])} at {moment(start, fibrillation['longest_start_s'])}"
    return f"{text}\nlongest {longest}\nmean rate {decimals(fibrillation['mean_bpm'], 0)} per minute"


def _variability(variability: Mapping[str, Any]) -> str:
    figures = {"SDNN": "sdnn_ms", "SDANN": "sdann_ms", "RMSSD": "rmssd_ms"}
    measured = [f"{name} {variability[key]:.0f} ms" for name, key in figures.items() if variability[key] is not None]
    return ", ".join(measured) or "not known"


def _limits(limits: Mapping[str, Any]) -> str:
    return (
        f"profile {limits['profile']}: pause from {limits['pause_s']:g} s, "
        f"rate above {limits['high_bpm']:g} or below {limits['low_bpm']:g} per minute"
    )
