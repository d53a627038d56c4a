"""Tables of a recording for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from ectopy.analysis.inspection import Inspection, described, diary
from ectopy.cli.output.rich_tables import numbers_table, pairs_table
from ectopy.errors import printable
from ectopy.presentation import elapsed
from ectopy.recording import Recording
from ectopy.signal.quality import QUALITY_WORDS

_MOST_LISTED = 20


def inspection_tables(inspection: Inspection) -> Iterator[Table]:
    """Tables of facts and heart rate; quality by lead; the longest stretches that cannot be read, in order of time."""
    recording, figures = inspection.recording, inspection.summary()
    rate = figures["heart_rate_bpm"]
    rows = {
        **_origin_rows(recording),
        "leads": ", ".join(recording.leads),
        "length": elapsed(recording.duration_s, places=1),
        "start": recording.start.isoformat(" ", "seconds") if recording.start else "not stated",
        "sampling rate": f"{recording.sampling_rate_hz:g} Hz",
        "beats": f"{figures['beats']:,}, of which {figures['beats_unreadable']:,} not readable",
        "heart rate": (
            "not known"
            if rate["median"] is None
            else f"median {rate['median']:.0f} per minute from beat to beat{_span(rate)}"
        ),
    }
    if recording.pulses:
        waves = (f"{wave.name} in {wave.unit} at {wave.sampling_rate_hz:g} Hz" for wave in recording.pulses)
        rows["pulse waves"] = ", ".join(waves)
    if recording.notes:
        rows["notes"] = "\n".join(recording.notes)
    yield pairs_table(recording.source or "Recording", rows)

    quality = numbers_table("Quality, % of the time", "lead", *QUALITY_WORDS)
    for name, shares in zip(recording.leads, inspection.shares(), strict=True):
        quality.add_row(name, *(f"{100 * share:.1f}" if share else "-" for share in shares.values()))
    yield quality

    unreadable = inspection.unreadable
    if not unreadable:
        return
    longest = sorted(unreadable, key=lambda stretch: stretch.start_s - stretch.end_s)[:_MOST_LISTED]
    count = (
        f"the {_MOST_LISTED} longest of {len(unreadable)}" if len(unreadable) > _MOST_LISTED else str(len(unreadable))
    )
    stretches = numbers_table(f"Not readable: {count}", "lead", "from", "to", "why", "index")
    for stretch in sorted(longest, key=lambda stretch: (stretch.start_s, stretch.lead)):
        times = (elapsed(seconds, places=1) for seconds in (stretch.start_s, stretch.end_s))
        stretches.add_row(recording.leads[stretch.lead], *times, stretch.word, f"{stretch.index:.2f}")
    yield stretches


def _origin_rows(recording: Recording) -> dict[str, str]:
    """The patient and the recorder, and the marks of the diary, as far as the file states them."""
    rows = {title.lower(): text for title, text in described(recording).items()}
    rows["diary"] = "\n".join(_diary(recording))
    return {title: text for title, text in rows.items() if text}


def _diary(recording: Recording) -> list[str]:
    """The first comments of a recording, with the time of each."""
    comments = [f"{elapsed(time_s)} {printable(text)}" for time_s, text in diary(recording)]
    more = [f"and {len(comments) - _MOST_LISTED:,} more"] if len(comments) > _MOST_LISTED else []
    return comments[:_MOST_LISTED] + more


def _span(rate: dict[str, float | None]) -> str:
    lowest, highest = rate["min"], rate["max"]
    return "" if lowest is None or highest is None else f"; {lowest:.0f} to {highest:.0f} over 10 s"
