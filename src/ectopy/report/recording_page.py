"""The page about one recording: figures, events with their times, and strips of the signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from ectopy import __version__
from ectopy.analysis import Analysis
from ectopy.analysis.beat_families import find_families
from ectopy.analysis.inspection import described
from ectopy.analysis.patient_template import align
from ectopy.analysis.rhythm_episodes import find_rhythm_episodes, summarise_rhythm
from ectopy.analysis.rhythm_events import EVENT_TITLES, Event, by_severity
from ectopy.analysis.rhythm_rules import RECORDING, RhythmKind, RhythmLimits, definitions
from ectopy.analysis.verdicts import Hint
from ectopy.analysis.wave_rules import wave_definitions
from ectopy.arguments import checked
from ectopy.detector import Verdict
from ectopy.recording import Recording
from ectopy.report import ecg_paper, plots
from ectopy.report import text_format as fmt
from ectopy.report.page import Figure, Tile, check_page, write_page
from ectopy.report.recording_strips import MOST_LEADS, abnormal_beats, choices, cut_strip
from ectopy.report.rhythm_trend import heart_rate, trend
from ectopy.signal import FilterSettings
from ectopy.signal.heart_rate import WINDOW_S, HeartRate
from ectopy.signal.quality import QUALITY_WORDS

_MOST_OPEN, _MOST_EVENTS = 12, 100
_ALL_LISTED = (
    RhythmKind.VENTRICULAR_RUN,
    RhythmKind.ATRIAL_FIBRILLATION,
    RhythmKind.SUPRAVENTRICULAR_RUN,
    RhythmKind.PAUSE,
)
_BRIEF = (RhythmKind.VENTRICULAR_RUN, RhythmKind.SUPRAVENTRICULAR_RUN, RhythmKind.PAUSE, RhythmKind.COUPLET)
_LIMITS = (
    "Hints name what a beat looks like; they come from rules, not from labels, and are not a diagnosis.",
    "A loose electrode and a heart that stands still may look alike: where a lead is flat, look at the patient.",
)
_HINTS = (
    (Hint.VENTRICULAR, "wide or changed, V"),
    (Hint.SUPRAVENTRICULAR, "early, of usual width, S"),
    (Hint.OTHER, "unlike the usual beat, but neither of these, Q"),
)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A beat against the patient's usual one, lead by lead."""

    title: str
    drawings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Family:
    """Beats of one hint and shape: `title` names them, `text` says how many and when, one drawing for each lead."""

    title: str
    verdict: str
    text: str
    drawings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _StripCard:
    title: str
    verdict: str
    text: str
    svg: str


@dataclass(frozen=True, slots=True)
class _Kind:
    """The events of one kind: `total` is their number and time, `left_out` the number of those that are not listed.

    The rows of the table begin with the most serious event; `open_rows` are always visible, `more_rows` on demand.
    """

    title: str
    total: str
    left_out: int
    open_rows: list[dict[str, str]]
    more_rows: list[dict[str, str]]


@checked
def recording_report(
    path: str | Path,
    recording: Recording,
    analysis: Analysis,
    events: Sequence[Event],
    filters: FilterSettings | None = None,
    limits: RhythmLimits = RECORDING,
) -> None:
    """Write a page on a recording: the figures, the trend, the events, and strips at true scale.

    Parameters
    ----------
    path : str or Path
        An HTML file, written as a whole or not at all, without references to other files.
    recording : Recording
    analysis : Analysis
        Of this recording.
    events : sequence of Event
        From `ectopy.analysis.wave_findings.find_all_events`, in order of their start.
    filters : FilterSettings, optional
        Those of the analysis.
    limits : RhythmLimits, optional
        Those of the events.

    Raises
    ------
    OutputError
        If the file cannot be written.
    MissingExtraError
        If the ``report`` extra is not installed.
    """
    path = check_page(path)
    filters = filters or FilterSettings()
    duration_s = recording.duration_s
    rate = heart_rate(analysis, duration_s)
    subject = recording.source.rstrip("/").rpartition("/")[2] or "Recording"
    started = f"{recording.start:%Y-%m-%d %H:%M:%S}" if recording.start else "start not stated"
    write_page(
        path,
        "recording.html.jinja",
        subject=subject,
        running_title=fmt.css_string(f"{subject} · {started} · Ectopy {__version__}"),
        facts=_facts(recording, filters),
        beats=len(analysis),
        tiles=_tiles(recording, analysis, rate),
        baseline=analysis.baseline,
        learned_to=fmt.elapsed(analysis.learned_to_s) if analysis.learned_to_s else "",
        threshold=analysis.threshold,
        quality_words=QUALITY_WORDS,
        quality=_quality_rows(recording, analysis),
        trend=_trend(recording, analysis, rate, events) if duration_s else None,
        kinds=_kinds(recording, events),
        profile=limits.profile,
        definitions=[
            (EVENT_TITLES[kind], text)
            for kind, text in [*definitions(limits).items(), *wave_definitions(recording.patient.sex).items()]
        ],
        started=recording.start is not None,
        strips=_strips(recording, analysis, events, rate, filters),
        pulses=bool(recording.pulses),
        hidden_leads=max(len(recording.leads) - MOST_LEADS, 0),
        usual=_usual(analysis),
        families=_families(recording, analysis),
        comparisons=_comparisons(analysis),
        paper_style=ecg_paper.STYLE,
        limits=_LIMITS,
    )


# Numbers


def _facts(recording: Recording, filters: FilterSettings) -> list[tuple[str, str]]:
    return [
        ("Source", recording.source or "not stated"),
        *((title, text) for title, text in described(recording).items() if text),
        ("Start", f"{recording.start:%Y-%m-%d %H:%M:%S}" if recording.start else "not stated"),
        ("Length", f"{fmt.elapsed(recording.duration_s)} (hours:minutes:seconds)"),
        ("Leads", ", ".join(map(fmt.lead, recording.leads))),
        ("Sampling rate", f"{recording.sampling_rate_hz:g} Hz"),
        *_pulse_facts(recording),
        ("Filter", fmt.band(filters)),
        *(("Note", note) for note in recording.notes),
    ]


def _pulse_facts(recording: Recording) -> list[tuple[str, str]]:
    waves = [f"{wave.name} in {wave.unit} at {wave.sampling_rate_hz:g} Hz" for wave in recording.pulses]
    return [("Pulse waves", ", ".join(waves))] if waves else []


def _tiles(recording: Recording, analysis: Analysis, rate: HeartRate) -> tuple[Tile, ...]:
    beats = len(analysis)
    readable = analysis.quality.readable.any(axis=0)
    abnormal = int(analysis.abnormal.sum())
    unreadable = int(np.equal(analysis.verdict, Verdict.UNREADABLE).sum())
    return (
        Tile("Beats", fmt.count(beats), "heartbeats found"),
        Tile(
            "Heart rate", fmt.whole(rate.median_bpm), f"per minute, median from beat to beat; {_span(recording, rate)}"
        ),
        Tile("Readable", fmt.percent(int(readable.sum()), readable.size), "of the time, in at least one lead"),
        Tile("Unreadable", fmt.count(unreadable), f"beats, {fmt.percent(unreadable, beats)}", Verdict.UNREADABLE),
        Tile("Abnormal", fmt.count(abnormal), f"beats, {fmt.percent(abnormal, beats)}", Verdict.ABNORMAL),
        _fibrillation_tile(analysis),
        *(
            Tile(hint.value.capitalize(), fmt.count(int(np.equal(analysis.hint, hint).sum())), note)
            for hint, note in _HINTS
        ),
    )


def _fibrillation_tile(analysis: Analysis) -> Tile:
    figures = summarise_rhythm(find_rhythm_episodes(analysis))["atrial_fibrillation"]
    episodes = figures["episodes"]
    if figures["burden"] is None:
        return Tile("Atrial fibrillation", fmt.NO_NUMBER, "the rhythm is not known")
    longest = f"; the longest lasts {fmt.seconds(figures['longest_s'])}" if episodes else ""
    noun = "episode" if episodes == 1 else "episodes"
    return Tile(
        "Atrial fibrillation", f"{figures['burden']:.1f} %", f"of the time, {fmt.count(episodes)} {noun}{longest}"
    )


def _span(recording: Recording, rate: HeartRate) -> str:
    """Mean, lowest and highest heart rate, with their times."""
    if rate.extremes is None:
        return "no interval between readable beats"
    lowest, highest = (
        f"{rate.bpm[window]:.0f} at {fmt.time_of_day(recording.start, begins_s) or fmt.elapsed(begins_s)}"
        for window in rate.extremes
        for begins_s in [WINDOW_S * window]
    )
    return f"mean {fmt.whole(rate.mean_bpm)}; over 10 s lowest {lowest}, highest {highest}"


def _quality_rows(recording: Recording, analysis: Analysis) -> list[tuple[str, list[str]]]:
    windows = analysis.quality.word
    return [
        (fmt.lead(lead), [fmt.percent(int(np.equal(row, word).sum()), row.size) for word in QUALITY_WORDS])
        for lead, row in zip(recording.leads, windows, strict=True)
    ]


def _kinds(recording: Recording, events: Sequence[Event]) -> list[_Kind]:
    """The events of each kind, the most serious kind and event first; every run and every pause is listed."""
    kinds = []
    for name, of_kind in groupby(by_severity(events), key=lambda event: event.kind):
        listed = list(of_kind)
        rows = [_event_row(recording, event) for event in (listed if name in _ALL_LISTED else listed[:_MOST_EVENTS])]
        total_s = sum(event.duration_s for event in listed)
        lasting = "" if name in _BRIEF else f", {fmt.seconds(total_s)} in all"
        total = f"{fmt.count(len(listed))}{lasting}"
        kinds.append(_Kind(EVENT_TITLES[name], total, len(listed) - len(rows), rows[:_MOST_OPEN], rows[_MOST_OPEN:]))
    return kinds


def _event_row(recording: Recording, event: Event) -> dict[str, str]:
    return {
        "start": fmt.elapsed(event.start_s),
        "clock": fmt.time_of_day(recording.start, event.start_s),
        "length": fmt.seconds(event.duration_s),
        "beats": fmt.count(event.beats),
        "rate": fmt.NO_NUMBER if event.rate_bpm is None else fmt.whole(event.rate_bpm),
        "text": event.text,
    }


# Figures


def _trend(recording: Recording, analysis: Analysis, rate: HeartRate, events: Sequence[Event]) -> Figure:
    points = trend(analysis, rate, events, recording.duration_s, recording.start)
    band = "; the band shows the lowest and highest over ten seconds" if len(points.bpm) < len(rate.bpm) else ""
    return Figure(
        plots.heart_rate(points),
        f"Mean heart rate{band}. Only intervals between readable beats count. Shaded: no lead is readable. Below: when "
        "abnormal beats and events were.",
    )


def _strips(
    recording: Recording, analysis: Analysis, events: Sequence[Event], rate: HeartRate, filters: FilterSettings
) -> list[_StripCard]:
    if len(recording.signal) == 0:
        return []
    signals = fmt.lead_count(min(len(recording.leads), MOST_LEADS))
    if recording.pulses:
        signals += f", and {', '.join(wave.name for wave in recording.pulses)}"
    return [
        _StripCard(
            title=choice.title,
            verdict=choice.verdict,
            text=choice.text,
            svg=ecg_paper.strip(
                cut_strip(recording, analysis, choice, filters),
                f"strip-{number}",
                f"{choice.title}: {fmt.seconds(choice.end_s - choice.start_s)} of ECG, {signals}.",
            ),
        )
        for number, choice in enumerate(choices(recording, analysis, events, rate))
    ]


def _usual(analysis: Analysis) -> list[Figure]:
    normal = analysis.normal
    if normal is None:
        return []
    weights = normal.clearness / normal.clearness.sum()
    return [
        Figure(
            ecg_paper.template(
                normal.template[lead],
                normal.leads[lead],
                f"usual-{lead}",
                f"The patient's usual beat in {normal.leads[lead]}.",
            ),
            f"counts for {fmt.rate(float(weights[lead]))}",
        )
        for lead in range(len(normal.leads))[:MOST_LEADS]
    ]


def _families(recording: Recording, analysis: Analysis) -> list[_Family]:
    times_s, start = analysis.beats.times_s, recording.start
    cards = []
    for number, family in enumerate(find_families(analysis.beats, analysis.hint), start=1):
        first, last = (fmt.moment(start, float(times_s[family.rows[place]])) for place in (0, -1))
        drawings = tuple(
            ecg_paper.template(
                family.mean_mv[lead],
                recording.leads[lead],
                f"family-{number}-{lead}",
                f"Mean shape of family {number} in {recording.leads[lead]}.",
            )
            for lead in np.flatnonzero(np.isfinite(family.mean_mv).all(axis=1))[:MOST_LEADS].tolist()
        )
        cards.append(
            _Family(
                f"{number}: {fmt.beat_count(len(family), family.hint.value or 'normal')}",
                Verdict.ABNORMAL.value if family.hint else Verdict.NORMAL.value,
                f"{fmt.percent(len(family), len(analysis))} of all beats; the first at {first}, the last at {last}.",
                drawings,
            )
        )
    return cards


def _comparisons(analysis: Analysis) -> list[_Comparison]:
    normal = analysis.normal
    beats = abnormal_beats(analysis)
    if normal is None or not beats:
        return []
    aligned = align(analysis.beats, normal, np.array(list(beats)))
    return [
        _Comparison(
            title,
            tuple(
                ecg_paper.template(
                    normal.template[lead],
                    normal.leads[lead],
                    f"compared-{beat}-{lead}",
                    f"Beat {beat} on the patient's usual beat in {normal.leads[lead]}.",
                    aligned[place, lead],
                )
                for lead in np.flatnonzero(analysis.beats.readable[beat])[:MOST_LEADS].tolist()
            ),
        )
        for place, (beat, title) in enumerate(beats.items())
    ]
