"""The report on a recording, an HTML page or a PDF: two pages of figures, strips, the usual beat and the families.

What only a screen can show stands on the HTML page alone, and is not printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ectopy.analysis import Analysis
from ectopy.analysis.beat_families import find_families
from ectopy.analysis.corrections import Corrections
from ectopy.analysis.holter_figures import HolterFigures, holter_figures
from ectopy.analysis.minute_waves import MinuteMeasurements
from ectopy.analysis.rhythm_events import EVENT_TITLES, Event, by_severity
from ectopy.analysis.rhythm_rules import RECORDING, RhythmKind, RhythmLimits
from ectopy.analysis.template_comparison import align
from ectopy.arguments import checked
from ectopy.detector import Verdict
from ectopy.disclaimers import STATEMENT
from ectopy.files import atomic_path, write_text
from ectopy.recording import Recording
from ectopy.report import ecg_paper, plots
from ectopy.report import text_format as fmt
from ectopy.report.holter_tables import HolterTables
from ectopy.report.language import Language, load_language
from ectopy.report.logo import read_logo
from ectopy.report.page import Figure, render_page
from ectopy.report.pdf import render_pdf
from ectopy.report.recording_strips import (
    MOST_LEADS,
    Choice,
    abnormal_beats,
    choices,
    cut_strip,
    strip_lines,
    usual_rhythm,
)
from ectopy.report.report_style import ReportStyle, check_report, is_pdf
from ectopy.report.rhythm_trend import heart_rate, trend
from ectopy.signal import FilterSettings
from ectopy.signal.heart_rate import HeartRate
from ectopy.signal.quality import QUALITY_WORDS

_MOST_OPEN, _MOST_EVENTS = 12, 100
_FAMILY_LEADS = 2
_ALL_LISTED = (
    RhythmKind.VENTRICULAR_RUN,
    RhythmKind.ATRIAL_FIBRILLATION,
    RhythmKind.SUPRAVENTRICULAR_RUN,
    RhythmKind.PAUSE,
)
LIMITS = (
    "Hints name what a beat looks like; they come from rules, not from labels, and are not a diagnosis.",
    "A loose electrode and a heart that stands still may look alike: where a lead is flat, look at the patient.",
)
"""Texts at the end of a report; the catalogues translate them."""


@dataclass(frozen=True, slots=True)
class _Drawings:
    """The drawings of a strip, line by line, or of single beats, one for each lead, with a title and a text."""

    title: str
    verdict: str
    text: str
    drawings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """The events of one kind: `total` is their number, `left_out` the number of those that are not listed.

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
    minutes: MinuteMeasurements | None = None,
    corrections: Corrections | None = None,
    style: ReportStyle | None = None,
    figures: HolterFigures | None = None,
) -> None:
    """Write the report on a recording: its figures, hour by hour, the trend, and strips at true scale.

    Parameters
    ----------
    path : str or Path
        A PDF where its name ends with ``.pdf``, else an HTML file without references to other files; written as a whole
        or not at all.
    recording : Recording
    analysis : Analysis
        Of this recording, as analysed or with corrected beats.
    events : sequence of Event
        From `ectopy.analysis.wave_findings.find_all_events`, in order of their start.
    filters : FilterSettings, optional
        Those of the analysis.
    limits : RhythmLimits, optional
        Those of the events.
    minutes : MinuteMeasurements, optional
        Of this analysis; without it there are no intervals and no ST level.
    corrections : Corrections, optional
        Which give the conclusion, and the strips that a person chose or removed. `analysis` has them already.
    style : ReportStyle, optional
    figures : HolterFigures, optional
        Of this analysis, where they have been computed before.

    Raises
    ------
    OutputError, MissingExtraError, SettingError, DataError
        As `check_report`.
    """
    style = style or ReportStyle()
    path = check_report(path, style)
    screen = not is_pdf(path)
    language = load_language(style.language)
    filters = filters or FilterSettings()
    figures = figures or holter_figures(recording, analysis, events, minutes, limits)
    page = render_page(
        "recording.html.jinja",
        language,
        screen=screen,
        paper=style.paper,
        logo="" if style.logo is None else read_logo(style.logo),
        **_head(recording, filters, figures, language),
        **_summary(recording, analysis, events, figures, limits, language),
        **_conclusion(corrections, language),
        **_drawings(recording, analysis, events, filters, corrections, language),
        **(_screen_only(recording, analysis, events, language) if screen else {}),
        paper_style=ecg_paper.STYLE,
        limits=tuple(language.text(limit) for limit in LIMITS),
    )
    if screen:
        write_text(path, page)
        return
    content = render_pdf(page, ecg_paper.STYLE)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


# Patient, recorder and figures


def _head(recording: Recording, filters: FilterSettings, figures: HolterFigures, language: Language) -> dict[str, Any]:
    """Whose recording it is, for the head of the report and of each printed page."""
    text, patient, start = language.text, recording.patient, recording.start
    source = recording.source.rstrip("/").rpartition("/")[2] or text("Recording")
    born = language.date(patient.birth_date) if patient.birth_date else ""
    age = "" if patient.age_years is None else text("{age} years", age=f"{patient.age_years:.0f}")
    subject = patient.name or patient.identifier or source
    started = language.moment(start) if start else text("start not stated")
    ended = language.moment(start + timedelta(seconds=recording.duration_s)) if start else text("not stated")
    identity = [subject, patient.identifier if patient.name else "", born and text("born {date}", date=born)]
    readable = figures.times.readable_percent
    sentences = [f"{sentence.rstrip('.')}." for sentence in STATEMENT.split(". ")]
    return {
        "subject": subject,
        "running_title": fmt.css_string(" · ".join(filter(None, identity))),
        "running_date": fmt.css_string(" · ".join((text("Holter ECG report"), started))),
        "running_statement": fmt.css_string(" ".join(map(text, sentences))),
        "page_of": _page_of(language),
        "patient": [
            (text("Patient"), patient.name or text("not stated")),
            (text("ID"), patient.identifier or text("not stated")),
            (text("Born"), ", ".join(filter(None, (born, age)))) if born else (text("Age"), age or text("not stated")),
            (text("Sex"), text(patient.sex) if patient.sex else text("not stated")),
            (text("Recorder"), recording.device or text("not stated")),
            (text("File"), source),
        ],
        "recording_facts": [
            (text("Start"), language.moment(start) if start else text("not stated")),
            (text("End"), ended),
            (text("Length"), fmt.elapsed(recording.duration_s)),
            (text("Readable"), fmt.NO_NUMBER if readable is None else f"{language.decimal(readable, 1)} %"),
            (text("Leads"), ", ".join(map(fmt.lead, recording.leads))),
            (text("Sampling rate"), f"{fmt.shortest(recording.sampling_rate_hz, language)} Hz"),
            *_pulse_facts(recording, language),
        ],
        "band": fmt.band(filters, language),
        "notes": recording.notes,
        "started": start is not None,
    }


def _page_of(language: Language) -> str:
    """Write "page 1 of 7" as the content of a style sheet, which counts the pages."""
    page_of = language.text("Page {page} of {pages}", page="\0", pages="\0")
    before, between, after = map(fmt.css_string, page_of.split("\0"))
    return f"{before} counter(page) {between} counter(pages) {after}"


def _pulse_facts(recording: Recording, language: Language) -> list[tuple[str, str]]:
    waves = [
        language.text(
            "{name} in {unit} at {rate} Hz",
            name=wave.name,
            unit=wave.unit,
            rate=fmt.shortest(wave.sampling_rate_hz, language),
        )
        for wave in recording.pulses
    ]
    return [(language.text("Pulse waves"), ", ".join(waves))] if waves else []


def _summary(
    recording: Recording,
    analysis: Analysis,
    events: Sequence[Event],
    figures: HolterFigures,
    limits: RhythmLimits,
    language: Language,
) -> dict[str, Any]:
    """The tables and figures of the first two pages."""
    tables = HolterTables(figures, recording.start, limits, language)
    rate = heart_rate(analysis, recording.duration_s)
    return {
        "columns": tables.columns(),
        "criteria": tables.criteria(),
        "hours": tables.hours(),
        "variability": tables.variability(),
        "poincare": plots.poincare(figures.poincare, language) if figures.poincare.pairs else "",
        "waves": tables.waves(),
        "quality": _quality_rows(recording, analysis, language),
        "quality_words": [language.text(word) for word in QUALITY_WORDS],
        "trend": _trend(recording, analysis, rate, events, language) if recording.duration_s else None,
    }


def _quality_rows(recording: Recording, analysis: Analysis, language: Language) -> list[tuple[str, list[str]]]:
    windows = analysis.quality.word
    return [
        (fmt.lead(lead), [fmt.percent(int(np.equal(row, word).sum()), row.size, language) for word in QUALITY_WORDS])
        for lead, row in zip(recording.leads, windows, strict=True)
    ]


def _trend(
    recording: Recording, analysis: Analysis, rate: HeartRate, events: Sequence[Event], language: Language
) -> Figure:
    points = trend(analysis, rate, events, recording.duration_s, recording.start)
    caption = language.text("Mean heart rate; below, abnormal beats and events. Shaded: no lead is readable.")
    if len(points.bpm) < len(rate.bpm):
        caption += " " + language.text("Band: lowest and highest over 10 s.")
    return Figure(plots.heart_rate(points, language), caption)


def _conclusion(corrections: Corrections | None, language: Language) -> dict[str, Any]:
    """What a person concluded, and who corrected the analysis."""
    if corrections is None or not corrections.in_force:
        return {"conclusion": "" if corrections is None else corrections.conclusion, "corrected": ""}
    entries = corrections.in_force
    names = language.listed(dict.fromkeys(entry.by for entry in entries))
    last = language.moment(max(entry.at for entry in entries))
    corrected = language.counted(
        "{number} correction by {names}, the last one at {last} ({zone}).",
        "{number} corrections by {names}, the last one at {last} ({zone}).",
        len(entries),
        names=names,
        last=last,
        zone=max(entry.at for entry in entries).tzname(),
    )
    return {"conclusion": corrections.conclusion, "corrected": corrected}


# Drawings


def _drawings(
    recording: Recording,
    analysis: Analysis,
    events: Sequence[Event],
    filters: FilterSettings,
    corrections: Corrections | None,
    language: Language,
) -> dict[str, Any]:
    """Strips, the usual beat and the families."""
    rate = heart_rate(analysis, recording.duration_s)
    selected = choices(recording, analysis, events, rate, corrections, language)
    usual = usual_rhythm(recording, analysis, language)
    strips = _strips(recording, analysis, [*selected, usual], filters, language)
    return {
        "strips": strips[: len(selected)],
        "usual_strips": strips[len(selected) :],
        "usual": _usual(analysis, language),
        "baseline": _baseline(analysis, language),
        "families": _families(recording, analysis, language),
        "pulses": bool(recording.pulses),
        "hidden_leads": max(len(recording.leads) - MOST_LEADS, 0),
    }


def _strips(
    recording: Recording, analysis: Analysis, selected: Sequence[Choice], filters: FilterSettings, language: Language
) -> list[_Drawings]:
    if len(recording.signal) == 0:
        return []
    cards = []
    for number, choice in enumerate(selected):
        section = cut_strip(recording, analysis, choice, filters, language)
        leads = language.counted("{number} lead", "{number} leads", len(section.leads))
        drawings = []
        for place, line in enumerate(strip_lines(section)):
            duration = fmt.seconds(line.end_s - line.start_s, language)
            label = language.text(
                "{title}: {duration} of ECG, {leads}.", title=choice.title, duration=duration, leads=leads
            )
            drawings.append(ecg_paper.strip(line, f"strip-{number}-{place}", label, language))
        missing = min(len(recording.leads), MOST_LEADS) - len(section.leads)
        text = choice.text
        if missing:
            more = language.counted("{number} more lead is not drawn.", "{number} more leads are not drawn.", missing)
            text = f"{text} {more}".strip()
        cards.append(_Drawings(choice.title, choice.verdict, text, tuple(drawings)))
    return cards


def _baseline(analysis: Analysis, language: Language) -> str:
    """Say where the patient's usual beat comes from."""
    if analysis.normal is None:
        return language.text("The patient's usual beat could not be learned.")
    if not analysis.learned_to_s:
        return language.text("The patient's usual beat comes from an earlier recording.")
    learned_to = fmt.elapsed(analysis.learned_to_s)
    return language.text("The patient's usual beat was learned from the first {time}.", time=learned_to)


def _usual(analysis: Analysis, language: Language) -> list[Figure]:
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
                language.text("The patient's usual beat in {lead}.", lead=normal.leads[lead]),
            ),
            language.text("counts for {share}", share=fmt.rate(float(weights[lead]), language)),
        )
        for lead in range(len(normal.leads))[:MOST_LEADS]
    ]


def _families(recording: Recording, analysis: Analysis, language: Language) -> list[_Drawings]:
    times_s, start = analysis.beats.times_s, recording.start
    cards = []
    for number, family in enumerate(find_families(analysis.beats, analysis.hint), start=1):
        first, last = (fmt.moment(start, time, language) for time in times_s[family.rows[[0, -1]]])
        drawings = tuple(
            ecg_paper.template(
                family.mean_mv[lead],
                recording.leads[lead],
                f"family-{number}-{lead}",
                language.text("Mean shape of family {family} in {lead}.", family=number, lead=recording.leads[lead]),
            )
            for lead in np.flatnonzero(np.isfinite(family.mean_mv).all(axis=1))[:_FAMILY_LEADS].tolist()
        )
        beats = language.counted("{number} beat", "{number} beats", len(family))
        text = language.text(
            "{share} of all beats, from {first} to {last}",
            share=fmt.percent(len(family), len(analysis), language),
            first=first,
            last=last,
        )
        title = f"{number}: {beats}, {language.text(family.hint.value or 'normal')}"
        verdict = Verdict.ABNORMAL.value if family.hint else Verdict.NORMAL.value
        cards.append(_Drawings(title, verdict, text, drawings))
    return cards


# What only a screen shows


def _screen_only(
    recording: Recording, analysis: Analysis, events: Sequence[Event], language: Language
) -> dict[str, Any]:
    return {
        "kinds": _kinds(recording, events, language),
        "comparisons": _comparisons(analysis, language),
        "threshold": fmt.score(analysis.threshold, language),
    }


def _kinds(recording: Recording, events: Sequence[Event], language: Language) -> list[_Kind]:
    """The events of each kind, the most serious kind and event first; every run and every pause is listed."""
    kinds = []
    for name, of_kind in groupby(by_severity(events), key=lambda event: event.kind):
        listed = list(of_kind)
        most = len(listed) if name in _ALL_LISTED else _MOST_EVENTS
        rows = [_event_row(recording, event, language) for event in listed[:most]]
        title, total = language.text(EVENT_TITLES[name]), fmt.count(len(listed), language)
        kinds.append(_Kind(title, total, len(listed) - len(rows), rows[:_MOST_OPEN], rows[_MOST_OPEN:]))
    return kinds


def _event_row(recording: Recording, event: Event, language: Language) -> dict[str, str]:
    return {
        "start": fmt.elapsed(event.start_s),
        "clock": fmt.time_of_day(recording.start, event.start_s, language),
        "length": fmt.seconds(event.duration_s, language),
        "beats": fmt.count(event.beats, language),
        "rate": fmt.whole(event.rate_bpm, language),
    }


def _comparisons(analysis: Analysis, language: Language) -> list[_Drawings]:
    """The abnormal beats of the strips, each against the usual one, lead by lead."""
    normal = analysis.normal
    beats = abnormal_beats(analysis, language)
    if normal is None or not beats:
        return []
    aligned = align(analysis.beats, normal, np.array(list(beats)))
    return [
        _Drawings(
            title,
            Verdict.ABNORMAL.value,
            "",
            tuple(
                ecg_paper.template(
                    normal.template[lead],
                    normal.leads[lead],
                    f"compared-{beat}-{lead}",
                    language.text("Beat on the patient's usual beat in {lead}.", lead=normal.leads[lead]),
                    aligned[place, lead],
                )
                for lead in np.flatnonzero(analysis.beats.readable[beat])[:MOST_LEADS].tolist()
            ),
        )
        for place, (beat, title) in enumerate(beats.items())
    ]
