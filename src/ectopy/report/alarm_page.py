"""The page on alarms: each with its strip, its evidence, its rule, and the command that shows it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from ectopy import __version__
from ectopy.analysis.verdicts import SYMBOLS
from ectopy.detector import Verdict
from ectopy.monitor import AlarmChanged, BeatJudged, Limits
from ectopy.monitor.alarm import Alarm
from ectopy.monitor.conditions import CONDITIONS, Priority
from ectopy.monitor.event_counts import EventCounts
from ectopy.monitor.events import Evidence
from ectopy.report import ecg_paper
from ectopy.report import text_format as fmt
from ectopy.report.alarm_strips import LONGEST_S, MOST_STRIPS, AlarmStrip, AlarmStrips
from ectopy.report.ecg_paper import Mark, Strip
from ectopy.report.page import Tile, check_page, write_page
from ectopy.report.recording_strips import cut_pulse, strip_lines
from ectopy.signal import FilterSettings, filter_signal
from ectopy.signal.quality import QualityInterval

MOST_LEADS = 3
_FILTERS = FilterSettings()
_LIMITS = (
    "Alarms come from rules and from beats unlike this patient's normal ones. They are not a diagnosis, and no "
    "conformity to a standard is claimed.",
    "A loose electrode and a heart that stands still may look alike: where a lead is flat, look at the patient.",
)


@dataclass(frozen=True, slots=True)
class Watched:
    """The signal and the settings that were watched.

    `from_s` and `to_s` are stream seconds, `baseline` is one sentence on the patient's normal, and `digest` is the
    SHA-256 of the detector's bundle. `replay` makes the command that shows a change of an alarm again; None for
    standard input.
    """

    source: str
    from_s: float
    to_s: float
    sampling_rate_hz: float
    leads: tuple[str, ...]
    limits: Limits
    baseline: str
    bundle: str
    digest: str
    replay: Callable[[AlarmChanged], str | None]


@dataclass(frozen=True, slots=True)
class _Card:
    """One alarm, when it was raised or returned."""

    name: str
    title: str
    priority: str
    when: str
    text: str
    facts: tuple[tuple[str, str], ...]
    strips: tuple[str, ...]
    beats: tuple[_Beat, ...]
    command: str | None


@dataclass(frozen=True, slots=True)
class _Beat:
    """A beat that counts as evidence, lead by lead."""

    caption: str
    drawings: tuple[str, ...]


def alarm_report(path: Path, watched: Watched, counts: EventCounts, alarm_strips: AlarmStrips) -> None:
    """Write a page on alarms: a list with times, and the strips at true scale.

    The strips must be closed; path and errors are those of `recording_report`.
    """
    check_page(path)
    write_page(
        path,
        "alarms.html.jinja",
        subject=watched.source.rstrip("/").rpartition("/")[2],
        facts=_facts(watched, counts),
        tiles=_tiles(watched, counts),
        rows=[_row(alarm, alarm_strips) for alarm in alarm_strips.alarms.values()],
        raised=counts.raised.total(),
        cards=[_card(alarm_strip, watched) for alarm_strip in alarm_strips.strips],
        most_strips=MOST_STRIPS,
        longest_s=LONGEST_S,
        pulses=any(alarm_strip.recording.pulses for alarm_strip in alarm_strips.strips),
        hidden_leads=max(len(watched.leads) - MOST_LEADS, 0),
        patient_limits=[(field.name, getattr(watched.limits, field.name)) for field in fields(watched.limits)],
        paper_style=ecg_paper.STYLE,
        limits=_LIMITS,
    )


# Numbers


def _facts(watched: Watched, counts: EventCounts) -> list[tuple[str, str]]:
    return [
        ("Source", watched.source),
        ("Watched", f"{fmt.elapsed(watched.from_s)} to {fmt.elapsed(watched.to_s)} (hours:minutes:seconds)"),
        ("Leads", f"{', '.join(watched.leads)}, {watched.sampling_rate_hz:g} Hz"),
        ("Patient's normal", f"{watched.baseline}{_provisional(counts)}"),
        ("Detector", f"{watched.bundle}, SHA-256 {watched.digest}"),
        ("Software", f"Ectopy {__version__}"),
    ]


def _provisional(counts: EventCounts) -> str:
    """A sentence on the beats that were judged while the patient's normal was being learned."""
    if not counts.provisional:
        return ""
    beats = f"{fmt.count(counts.provisional)} beats were" if counts.provisional > 1 else "One beat was"
    return f" {beats} judged before, with a provisional normal or other people's."


def _tiles(watched: Watched, counts: EventCounts) -> tuple[Tile, ...]:
    abnormal = f"beats, {fmt.percent(counts.abnormal, counts.beats)}"
    return (
        *(
            Tile(f"{priority.name.capitalize()} priority", fmt.count(counts.raised[priority]), "alarms raised")
            for priority in sorted(Priority, reverse=True)
        ),
        Tile("Watched", fmt.elapsed(watched.to_s - watched.from_s), "hours:minutes:seconds"),
        Tile("Beats", fmt.count(counts.beats), f"of which {fmt.count(counts.unreadable)} are not readable"),
        Tile("Abnormal", fmt.count(counts.abnormal), abnormal, Verdict.ABNORMAL),
    )


def _row(alarm: Alarm, alarm_strips: AlarmStrips) -> dict[str, str]:
    with_strip = [strip for strip in alarm_strips.strips if strip.event.alarm.number == alarm.number]
    return {
        "number": str(alarm.number),
        "raised": fmt.elapsed(alarm.raised_s),
        "lasted": alarm.state if alarm.ended_s is None else fmt.seconds(alarm.ended_s - alarm.raised_s),
        "priority": alarm.priority.word,
        "title": CONDITIONS[alarm.condition].title,
        "text": alarm.reading.text,
        "card": _name(with_strip[0].event) if with_strip else "",
    }


def _card(alarm_strip: AlarmStrip, watched: Watched) -> _Card:
    event = alarm_strip.event
    alarm = event.alarm
    condition, reading = CONDITIONS[alarm.condition], alarm.latest
    name = _name(event)
    unit = f" {condition.unit}".rstrip()
    facts = [("Rule", condition.definition), ("Source", condition.source)]
    if reading.value is not None:
        facts.append(("Measured", f"{reading.value:.4g}{unit}"))
    if reading.limit is not None:
        facts.append(("Limit", f"{reading.limit:.4g}{unit}"))
    since_s = _since_s(alarm)
    facts.append(("Evidence", f"from {fmt.elapsed(since_s)}; the alarm came {event.at_s - since_s:.1f} s after that"))
    return _Card(
        name,
        f"{condition.title} {event.change}",
        alarm.priority.word,
        fmt.elapsed(event.at_s),
        reading.text,
        tuple(facts),
        tuple(_strips(alarm_strip, name)),
        tuple(_beats(event.evidence, name)) if event.evidence else (),
        watched.replay(event),
    )


def _since_s(alarm: Alarm) -> float:
    return min((*alarm.latest.beats_s, alarm.present_s))


def _name(event: AlarmChanged) -> str:
    return f"alarm-{event.alarm.number}-{event.transition.number}"


# Figures


def _strips(alarm_strip: AlarmStrip, name: str) -> list[str]:
    """The strip in lines as long as the strips of other pages."""
    rate_hz = alarm_strip.recording.sampling_rate_hz
    cleaned = filter_signal(alarm_strip.recording.signal[:, :MOST_LEADS], rate_hz, _FILTERS)
    signal = cleaned.with_gaps()
    times_s = alarm_strip.begins_s + np.arange(signal.shape[1]) / cleaned.rate_hz
    alarm = alarm_strip.event.alarm
    title = CONDITIONS[alarm.condition].title
    start_s, end_s = alarm_strip.start_s, alarm_strip.end_s
    strip = Strip(
        start_s=start_s,
        end_s=end_s,
        signal=signal,
        times_s=times_s,
        leads=alarm_strip.recording.leads[:MOST_LEADS],
        band=fmt.band(_FILTERS),
        marks=tuple(_mark(beat) for beat in alarm_strip.beats),
        doubts=tuple(_doubts(alarm_strip)),
        highlight=(_since_s(alarm), alarm_strip.event.at_s),
        pulses=tuple(cut_pulse(wave, start_s, end_s, alarm_strip.begins_s) for wave in alarm_strip.recording.pulses),
    )
    return [
        ecg_paper.strip(
            line, f"{name}-{place}", f"{title}: ECG from {fmt.elapsed(line.start_s)} to {fmt.elapsed(line.end_s)}."
        )
        for place, line in enumerate(strip_lines(strip))
    ]


def _mark(beat: BeatJudged) -> Mark:
    symbol = "?" if beat.verdict == Verdict.UNREADABLE else SYMBOLS.get(beat.hint, "N")
    return Mark(beat.beat_s, symbol, beat.verdict, np.nan if beat.interval_s is None else beat.interval_s)


def _doubts(alarm_strip: AlarmStrip) -> list[QualityInterval]:
    doubts = []
    for index, lead in enumerate(alarm_strip.recording.leads[:MOST_LEADS]):
        changes = [change for change in alarm_strip.quality if change.lead == lead]
        ends_s = [*(change.since_s for change in changes[1:]), alarm_strip.end_s]
        doubts += [
            QualityInterval(index, change.since_s, end_s, change.word, change.index)
            for change, end_s in zip(changes, ends_s, strict=False)
            if change.word != "good"
        ]
    return doubts


def _beats(evidence: Evidence, name: str) -> list[_Beat]:
    return [
        _Beat(
            f"at {second:.1f} s, differs by up to {np.nanmax(error[:MOST_LEADS]):.2f} mV",
            tuple(
                ecg_paper.template(
                    evidence.reconstruction[beat, lead],
                    evidence.leads[lead],
                    f"{name}-beat-{beat}-{lead}",
                    f"The beat at {fmt.elapsed(second)} on a normal one in {evidence.leads[lead]}.",
                    evidence.samples[beat, lead],
                )
                for lead in range(len(evidence.leads))[:MOST_LEADS]
            ),
        )
        for beat, (second, error) in enumerate(zip(evidence.beats_s.tolist(), evidence.error, strict=True))
    ]
