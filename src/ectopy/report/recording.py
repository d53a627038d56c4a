"""The page about one recording: what was found, when, and the strips that show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from ectopy.analysis import Analysis
from ectopy.arguments import checked
from ectopy.detector import Verdict
from ectopy.detector.patient import align
from ectopy.events import Event
from ectopy.files import check_writable, write_text
from ectopy.judgement import Hint
from ectopy.recording import Recording
from ectopy.report import paper, plots, words
from ectopy.report.pages import Figure, Tile, render, require_extra
from ectopy.report.rhythm import HeartRate, heart_rate, trend
from ectopy.report.strips import MOST_LEADS, abnormal_beats, choices, cut_strip
from ectopy.signal import FilterSettings
from ectopy.signal.quality import WORDS
from ectopy.statements import STATEMENTS

_MOST_EVENTS = 24
_LIMITS = (
    "Hints name what a beat looks like; they come from rules, not from labels, and are no diagnosis.",
    "A loose electrode and a heart that stands still may look alike: where a lead is flat, look at the patient.",
)
_HINTS = (
    (Hint.VENTRICULAR, "wide or changed, V"),
    (Hint.SUPRAVENTRICULAR, "early, of usual width, S"),
    (Hint.OTHER, "neither of these, Q"),
)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A beat against the patient's usual one, lead by lead."""

    title: str
    drawings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _StripCard:
    title: str
    verdict: str
    when: str
    text: str
    svg: str


@checked
def recording_report(
    path: str | Path,
    recording: Recording,
    analysis: Analysis,
    events: Sequence[Event],
    filters: FilterSettings | None = None,
) -> None:
    """Write a page on a recording: the figures, the trend, the events, and strips at true scale.

    Parameters
    ----------
    path : str or Path
        An HTML file, which appears whole or not at all. It refers to nothing outside itself.
    recording : Recording
    analysis : Analysis
        Of this recording.
    events : sequence of Event
        From `ectopy.events.find_events`, in order of their start.
    filters : FilterSettings, optional
        Those of the analysis.

    Raises
    ------
    OutputError
        If the file cannot be written.
    MissingExtraError
        If the ``report`` extra is not installed.
    """
    require_extra()
    path = Path(path)
    check_writable(path)
    filters = filters or FilterSettings()
    duration_s = recording.duration_s
    rate = heart_rate(analysis, duration_s)
    write_text(
        path,
        render(
            "recording.html.jinja",
            subject=recording.source.rstrip("/").rpartition("/")[2] or "Recording",
            facts=_facts(recording, filters),
            beats=len(analysis),
            tiles=_tiles(analysis, rate),
            baseline=analysis.baseline,
            threshold=analysis.threshold,
            quality_words=WORDS,
            quality=_quality_rows(recording, analysis),
            trend=_trend(analysis, rate, events, duration_s) if duration_s else None,
            events=_event_rows(recording, events),
            kinds=Counter(event.kind for event in events),
            strips=_strips(recording, analysis, events, filters),
            hidden_leads=max(len(recording.leads) - MOST_LEADS, 0),
            usual=_usual(analysis),
            comparisons=_comparisons(analysis),
            paper_style=paper.STYLE,
            limits=_LIMITS,
            statements=STATEMENTS,
        ),
    )


# Numbers


def _facts(recording: Recording, filters: FilterSettings) -> list[tuple[str, str]]:
    return [
        ("Source", recording.source or "not stated"),
        ("Start", f"{recording.start:%Y-%m-%d %H:%M:%S}" if recording.start else "not stated"),
        ("Length", f"{words.elapsed(recording.duration_s)} (hours:minutes:seconds)"),
        ("Leads", ", ".join(recording.leads)),
        ("Sampling rate", f"{recording.sampling_rate_hz:g} Hz"),
        ("Filter", words.band(filters)),
    ]


def _tiles(analysis: Analysis, rate: HeartRate) -> tuple[Tile, ...]:
    beats = len(analysis)
    known = rate.bpm[np.isfinite(rate.bpm)]
    span = f"{known.min():.0f} to {known.max():.0f} over 10 s" if known.size else "no interval between readable beats"
    readable = analysis.quality.readable.any(axis=0)
    abnormal = int(analysis.abnormal.sum())
    unreadable = int(np.equal(analysis.verdict, Verdict.UNREADABLE).sum())
    return (
        Tile("Beats", words.count(beats), "heartbeats found"),
        Tile("Heart rate", words.whole(rate.mean_bpm), f"per minute, mean; {span}"),
        Tile("Readable", words.percent(int(readable.sum()), readable.size), "of the time, in at least one lead"),
        Tile(
            "Unreadable",
            words.count(unreadable),
            f"beats, {words.percent(unreadable, beats)}",
            Verdict.UNREADABLE,
        ),
        Tile("Abnormal", words.count(abnormal), f"beats, {words.percent(abnormal, beats)}", Verdict.ABNORMAL),
        *(
            Tile(hint.value.capitalize(), words.count(int(np.equal(analysis.hint, hint).sum())), note)
            for hint, note in _HINTS
        ),
    )


def _quality_rows(recording: Recording, analysis: Analysis) -> list[tuple[str, list[str]]]:
    windows = analysis.quality.word
    return [
        (lead, [words.percent(int(np.equal(row, word).sum()), row.size) for word in WORDS])
        for lead, row in zip(recording.leads, windows, strict=True)
    ]


def _event_rows(recording: Recording, events: Sequence[Event]) -> list[dict[str, str]]:
    """The longest events of every kind, in order of their start."""
    by_kind: dict[str, list[Event]] = {}
    for event in sorted(events, key=lambda event: event.start_s - event.end_s):
        by_kind.setdefault(event.kind, []).append(event)
    in_turn = chain.from_iterable(zip_longest(*by_kind.values()))
    shown = [event for event in in_turn if event is not None][:_MOST_EVENTS]
    return [
        {
            "start": words.elapsed(event.start_s),
            "clock": _clock(recording, event.start_s),
            "kind": event.kind,
            "length": words.seconds(event.end_s - event.start_s),
            "beats": words.count(event.beats),
            "text": event.text,
        }
        for event in sorted(shown, key=lambda event: event.start_s)
    ]


def _clock(recording: Recording, time_s: float) -> str:
    """The time of day, with the date where it is another than that of the start; nothing where it is unknown."""
    if recording.start is None:
        return ""
    moment = recording.start + timedelta(seconds=time_s)
    return f"{moment:%H:%M:%S}" if moment.date() == recording.start.date() else f"{moment:%Y-%m-%d %H:%M:%S}"


# Figures


def _trend(analysis: Analysis, rate: HeartRate, events: Sequence[Event], duration_s: float) -> Figure:
    shown = trend(analysis, rate, events, duration_s)
    band = "; the band shows the lowest and highest over ten seconds" if len(shown.bpm) < len(rate.bpm) else ""
    return Figure(
        plots.heart_rate(shown),
        f"Mean heart rate{band}. Only intervals between readable beats count. Shaded: no lead is readable. Below: when "
        "abnormal beats and events were.",
    )


def _strips(
    recording: Recording, analysis: Analysis, events: Sequence[Event], filters: FilterSettings
) -> list[_StripCard]:
    if len(recording.signal) == 0:
        return []
    leads = min(len(recording.leads), MOST_LEADS)
    return [
        _StripCard(
            title=choice.title,
            verdict=choice.verdict,
            when=_clock(recording, choice.start_s),
            text=choice.text,
            svg=paper.strip(
                cut_strip(recording, analysis, choice, filters),
                f"strip-{number}",
                f"{choice.title}: {words.seconds(choice.end_s - choice.start_s)} of ECG, {words.lead_count(leads)}.",
            ),
        )
        for number, choice in enumerate(choices(analysis, events, recording.duration_s))
    ]


def _usual(analysis: Analysis) -> list[Figure]:
    normal = analysis.normal
    if normal is None:
        return []
    weights = normal.clearness / normal.clearness.sum()
    return [
        Figure(
            paper.template(
                normal.template[lead],
                normal.leads[lead],
                f"usual-{lead}",
                f"The patient's usual beat in {normal.leads[lead]}.",
            ),
            f"counts for {words.rate(float(weights[lead]))}",
        )
        for lead in range(len(normal.leads))[:MOST_LEADS]
    ]


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
                paper.template(
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
