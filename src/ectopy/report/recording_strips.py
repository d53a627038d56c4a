"""Selects the few seconds of a recording that are worth a look, and cuts their strips."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, pairwise
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.corrections import ChooseStrip, Corrections, RemoveStrip
from ectopy.analysis.rhythm_events import EVENT_TITLES, Event, by_severity
from ectopy.analysis.rhythm_rules import RhythmKind
from ectopy.analysis.verdicts import Hint
from ectopy.analysis.wave_rules import WaveKind
from ectopy.detector import Verdict
from ectopy.recording import PulseWave, Recording
from ectopy.report import text_format as fmt
from ectopy.report.ecg_paper import Mark, PulseTrace, Strip, leads_that_fit
from ectopy.report.language import ENGLISH, Language
from ectopy.signal import FilterSettings, filter_signal
from ectopy.signal.beat_segments import MARGIN
from ectopy.signal.heart_rate import WINDOW_S, HeartRate
from ectopy.signal.quality import QUALITY_WINDOW_S
from ectopy.signal.similar_beats import similar_groups

STRIP_S = 7.0
"""Length of a strip, and of each line of a longer one."""
MOST_LEADS = 12

_MOST_GROUPS, _MOST_SHAPES = 12, 3
_BEFORE_EVENT_S, _BESIDE_EVENT_S = 1.5, 0.3
_EARLY = 0.1
_MOST_SERIOUS = "most serious"
_AROUND_BEAT_S = (0.2, 0.4)
_LONGEST_OWN_S = 5 * STRIP_S
_SAME_S = 1e-6
_Key = Callable[[Event], tuple[float, ...]]
_LONGEST: Mapping[str, _Key] = MappingProxyType({"longest": lambda event: (event.duration_s,)})
_RUNS: Mapping[str, _Key] = MappingProxyType(
    {
        "fastest": lambda event: (event.rate_bpm or 0.0, event.beats),
        "longest": lambda event: (event.beats, event.duration_s),
    }
)
_FASTEST: Mapping[str, _Key] = MappingProxyType({"fastest": lambda event: (event.rate_bpm or 0.0,)})
_SLOWEST: Mapping[str, _Key] = MappingProxyType({"slowest": lambda event: (-(event.rate_bpm or 0.0),)})
_SUPERLATIVES: Mapping[str, Mapping[str, _Key]] = {
    RhythmKind.VENTRICULAR_RUN: _RUNS,
    RhythmKind.SUPRAVENTRICULAR_RUN: _RUNS,
    RhythmKind.COUPLET: _FASTEST,
    RhythmKind.HIGH_RATE: _FASTEST,
    RhythmKind.LOW_RATE: _SLOWEST,
}

SUPERLATIVES = ("fastest", "longest", "slowest", _MOST_SERIOUS)
"""Why an event is shown; the catalogues translate them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A few seconds to show; the verdict, or an empty text, decides the colour, `highlight` is the event itself."""

    title: str
    verdict: str
    text: str
    start_s: float
    end_s: float
    highlight: tuple[float, float] | None = None


def choices(
    recording: Recording,
    analysis: Analysis,
    events: Sequence[Event],
    rate: HeartRate,
    corrections: Corrections | None = None,
    language: Language = ENGLISH,
) -> list[Choice]:
    """Select strips: those that a person chose, the worst events of each kind, the lowest and highest rate, and beats.

    A strip is left out where a person removed one that covers more than half of it.
    """
    duration_s, start = recording.duration_s, recording.start
    own = [] if corrections is None else [_own(strip, start, duration_s, language) for strip in corrections.strips]
    selected = [
        *(_event(event, which, start, duration_s, language) for event, which in worst_events(events, language)),
        *_extremes(rate, start, duration_s, language),
        *(
            _beat(analysis, beat, title, start, duration_s, language)
            for beat, title in abnormal_beats(analysis, language).items()
        ),
    ]
    hidden = [] if corrections is None else corrections.hidden_strips
    return [
        *(choice for choice in own if choice.end_s > choice.start_s),
        *(choice for choice in selected if not any(_covers(strip, choice) for strip in hidden)),
    ]


def usual_rhythm(recording: Recording, analysis: Analysis, language: Language = ENGLISH) -> Choice:
    """Select a normal beat with the fewest others near it, then the clearest signal, then the most ordinary score."""
    duration_s = recording.duration_s
    normal = np.flatnonzero(np.equal(analysis.verdict, Verdict.NORMAL) & np.isfinite(analysis.score))
    if len(normal) == 0:
        empty, unlike = language.text("No heartbeat was found."), language.text("No beat was judged normal.")
        title = language.text("The start of the recording")
        return Choice(title, "", unlike if len(analysis) else empty, 0.0, min(STRIP_S, duration_s))
    times_s = analysis.beats.times_s
    # Differences of the running count of other beats give their number in the strip around each normal beat.
    not_normal = np.append(0, np.cumsum(~np.equal(analysis.verdict, Verdict.NORMAL)))
    around = np.searchsorted(times_s, times_s[normal, None] + np.array([-STRIP_S, STRIP_S]) / 2)
    near = not_normal[around[:, 1]] - not_normal[around[:, 0]]
    unclear = -np.round(_clearness(analysis, times_s[normal]), 1)
    from_median = np.abs(analysis.score[normal] - np.median(analysis.score[normal]))
    beat = int(normal[np.lexsort((from_median, unclear, near))[0]])
    start_s, end_s = _around(float(times_s[beat]), duration_s)
    return Choice(language.text("What is usual for this patient"), Verdict.NORMAL, "", start_s, end_s)


def worst_events(events: Sequence[Event], language: Language = ENGLISH) -> list[tuple[Event, str]]:
    """Select the most serious event of each kind, of runs the fastest and the longest as well; with that reason."""
    worst = []
    for kind, of_kind in groupby(by_severity(events), key=lambda event: event.kind):
        listed = list(of_kind)
        superlatives: dict[int, list[str]] = {}
        for name, key in _SUPERLATIVES.get(kind, _LONGEST).items():
            best = max(range(len(listed)), key=lambda place: key(listed[place]))
            superlatives.setdefault(best, []).append(name)
        superlatives.setdefault(0, [_MOST_SERIOUS])
        for place, names in sorted(superlatives.items()):
            number = fmt.count(len(listed), language)
            best_of = language.listed(language.text(name) for name in names)
            which = language.text("{which} of {number}", which=best_of, number=number)
            worst.append((listed[place], language.text("the only one") if len(listed) == 1 else which))
    return worst


def abnormal_beats(analysis: Analysis, language: Language = ENGLISH) -> dict[int, str]:
    """Select beats of each hint: one of each of the largest groups of similar beats, and the highest score; titled.

    A group is represented by its beat with the highest score; no two beats lie in the same strip.
    """
    times_s, titles = analysis.beats.times_s, dict[int, str]()
    for hint in (Hint.VENTRICULAR, Hint.SUPRAVENTRICULAR, Hint.OTHER):
        beats = np.flatnonzero(np.equal(analysis.hint, hint) & np.isfinite(analysis.score))
        highest = beats[np.argsort(-analysis.score[beats], kind="stable")]
        groups, _ = similar_groups(analysis.beats.samples[highest], _MOST_GROUPS, MARGIN)
        numbers = sorted(range(len(groups)), key=lambda number: (number != 0, -len(groups[number])))[:_MOST_SHAPES]
        selected: list[int] = []
        for number in numbers:
            beat = int(highest[groups[number][0]])
            if all(abs(times_s[beat] - times_s[other]) > STRIP_S for other in selected):
                selected.append(beat)
                titles[beat] = language.text(
                    "{kind} beat, {which}; {alike} of {number} look like it",
                    kind=language.text(hint.value),
                    which=language.text("another shape") if number else language.text("highest score"),
                    alike=fmt.count(len(groups[number]), language),
                    number=fmt.count(len(beats), language),
                )
    return titles


def cut_strip(
    recording: Recording,
    analysis: Analysis,
    choice: Choice,
    filters: FilterSettings,
    language: Language = ENGLISH,
) -> Strip:
    """Cut and filter the signal of a strip as for the analysis; of many leads those that fit a printed page."""
    rate_hz = recording.sampling_rate_hz
    margin_s = 1.0 + 1.5 / filters.low_hz
    first = max(math.floor((choice.start_s - margin_s) * rate_hz), 0)
    stop = math.ceil((choice.end_s + margin_s) * rate_hz)
    filtered = filter_signal(recording.signal[first:stop, :MOST_LEADS], rate_hz, filters)
    times_s = first / rate_hz + np.arange(filtered.signal.shape[1]) / filtered.rate_hz
    inside = _within(times_s, choice)
    signal = filtered.with_gaps()[:, inside]
    leads = leads_that_fit(signal, len(recording.pulses))
    beats = np.flatnonzero(_within(analysis.beats.times_s, choice))
    symbols = analysis.annotations().symbols
    return Strip(
        start_s=choice.start_s,
        end_s=choice.end_s,
        signal=signal[:leads],
        times_s=times_s[inside],
        leads=recording.leads[:MOST_LEADS][:leads],
        band=fmt.band(filters, language),
        marks=tuple(
            Mark(
                float(analysis.beats.times_s[beat]),
                str(symbols[beat]),
                str(analysis.verdict[beat]),
                float(analysis.beats.rr_s[beat]),
            )
            for beat in beats.tolist()
        ),
        doubts=tuple(
            stretch
            for stretch in analysis.quality.intervals()
            if stretch.word != "good"
            and stretch.lead < leads
            and stretch.start_s < choice.end_s
            and stretch.end_s > choice.start_s
        ),
        highlight=choice.highlight,
        start=recording.start,
        pulses=tuple(cut_pulse(wave, choice.start_s, choice.end_s) for wave in recording.pulses),
    )


def strip_lines(strip: Strip) -> list[Strip]:
    """Divide a strip into lines of `STRIP_S`, the last one of what is left."""
    count = max(math.ceil((strip.end_s - strip.start_s - _SAME_S) / STRIP_S), 1)
    edges = [*(strip.start_s + STRIP_S * line for line in range(count)), strip.end_s]
    return [_line(strip, start_s, end_s) for start_s, end_s in pairwise(edges)]


def _line(strip: Strip, start_s: float, end_s: float) -> Strip:
    def inside(times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        return (times_s >= start_s) & (times_s <= end_s)

    samples, highlight = inside(strip.times_s), strip.highlight
    return replace(
        strip,
        start_s=start_s,
        end_s=end_s,
        signal=strip.signal[:, samples],
        times_s=strip.times_s[samples],
        marks=tuple(mark for mark in strip.marks if start_s <= mark.time_s <= end_s),
        doubts=tuple(doubt for doubt in strip.doubts if doubt.start_s < end_s and doubt.end_s > start_s),
        highlight=highlight if highlight and highlight[0] < end_s and highlight[1] > start_s else None,
        pulses=tuple(
            replace(wave, times_s=wave.times_s[inside(wave.times_s)], samples=wave.samples[inside(wave.times_s)])
            for wave in strip.pulses
        ),
    )


def cut_pulse(wave: PulseWave, start_s: float, end_s: float, begins_s: float = 0.0) -> PulseTrace:
    """Cut the part of a strip out of a pulse wave, whose first sample is at `begins_s`."""
    rate_hz = wave.sampling_rate_hz
    first = max(math.ceil((start_s - begins_s) * rate_hz), 0)
    samples = wave.samples[first : max(math.floor((end_s - begins_s) * rate_hz) + 1, first)]
    return PulseTrace(wave.name, wave.unit, begins_s + (first + np.arange(len(samples))) / rate_hz, samples)


def _clearness(analysis: Analysis, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean index of quality of all leads in the strips around some moments."""
    total = np.append(0.0, np.cumsum(analysis.quality.index.mean(axis=0)))
    windows = (times_s[:, None] + np.array([-STRIP_S, STRIP_S]) / 2) // QUALITY_WINDOW_S
    first, last = np.clip(windows.T + np.array([[0], [1]]), 0, len(total) - 1).astype(np.int64)
    return np.asarray((total[last] - total[first]) / np.maximum(last - first, 1))


def _own(strip: ChooseStrip, start: datetime | None, duration_s: float, language: Language) -> Choice:
    """Take a strip that a person chose; a very long one is shown from its start."""
    start_s = max(strip.start_s, 0.0)
    end_s = min(strip.end_s, start_s + _LONGEST_OWN_S, duration_s)
    name = language.text("Chosen strip")
    title = f"{name} · {fmt.moment(start, start_s, language)}"
    text, whole_s = strip.caption, min(strip.end_s, duration_s) - start_s
    if whole_s > _LONGEST_OWN_S:
        part, length = fmt.seconds(_LONGEST_OWN_S, language), fmt.seconds(whole_s, language)
        remark = language.text("The first {part} of {length}.", part=part, length=length)
        text = f"{text}\n{remark}".strip()
    return Choice(title, "", text, start_s, end_s)


def _covers(strip: RemoveStrip, choice: Choice) -> bool:
    common_s = min(strip.end_s, choice.end_s) - max(strip.start_s, choice.start_s)
    return common_s > (choice.end_s - choice.start_s) / 2


def _beat(
    analysis: Analysis, beat: int, title: str, start: datetime | None, duration_s: float, language: Language
) -> Choice:
    time_s = float(analysis.beats.times_s[beat])
    before, after = _AROUND_BEAT_S
    title = f"{title[:1].upper()}{title[1:]} · {fmt.moment(start, time_s, language)}"
    text = language.text(
        "Score {score} against a threshold of {threshold}.",
        score=fmt.score(float(analysis.score[beat]), language),
        threshold=fmt.score(analysis.threshold, language),
    )
    if analysis.beats.prematurity[beat] > _EARLY:
        share = f"{language.decimal(100 * np.exp(-analysis.beats.prematurity[beat]))} %"
        text += " " + language.text("It comes early, after {share} of the usual interval.", share=share)
    return Choice(title, Verdict.ABNORMAL, text, *_around(time_s, duration_s), (time_s - before, time_s + after))


def _event(event: Event, which: str, start: datetime | None, duration_s: float, language: Language) -> Choice:
    if event.extreme is not None:
        start_s, end_s = _around(event.extreme.time_s, duration_s)
    elif event.duration_s <= STRIP_S - 2 * _BESIDE_EVENT_S:
        start_s, end_s = _around((event.start_s + event.end_s) / 2, duration_s)
    else:
        start_s, end_s = _around(event.start_s - _BEFORE_EVENT_S + STRIP_S / 2, duration_s)
    name = language.text(EVENT_TITLES[event.kind])
    title = f"{name}, {which} · {fmt.moment(start, event.start_s, language)}"
    return Choice(title, "", _event_text(event, language), start_s, end_s, (event.start_s, event.end_s))


def _event_text(event: Event, language: Language) -> str:
    """Say how long an event is, with its beats and its rate, or how far its waves are from the usual."""
    duration = fmt.seconds(event.duration_s, language)
    if event.kind == RhythmKind.PAUSE:
        return language.text("{duration} without a beat.", duration=duration)
    if event.extreme is not None and event.kind == WaveKind.LONG_QTC:
        longest = f"{language.decimal(event.extreme.value)} ms"
        return language.text("QTc up to {longest}; {duration}.", longest=longest, duration=duration)
    if event.extreme is not None:
        lead, change = event.extreme.lead, f"{language.decimal(abs(event.extreme.value), 2)} mV"
        return language.text("{lead}: by up to {change}; {duration}.", lead=lead, change=change, duration=duration)
    beats = language.counted("{number} beat", "{number} beats", event.beats)
    if event.rate_bpm is None:
        return language.text("{beats} in {duration}.", beats=beats, duration=duration)
    rate = fmt.whole(event.rate_bpm, language)
    if event.kind == RhythmKind.HIGH_RATE:
        return language.text(
            "{beats} in {duration}, at most {rate} per minute.", beats=beats, duration=duration, rate=rate
        )
    if event.kind == RhythmKind.LOW_RATE:
        return language.text(
            "{beats} in {duration}, at least {rate} per minute.", beats=beats, duration=duration, rate=rate
        )
    return language.text("{beats} in {duration}, {rate} per minute.", beats=beats, duration=duration, rate=rate)


def _extremes(rate: HeartRate, start: datetime | None, duration_s: float, language: Language) -> list[Choice]:
    """The ten seconds with the lowest and with the highest heart rate."""
    if rate.extremes is None:
        return []
    extremes = []
    names = language.text("Lowest heart rate"), language.text("Highest heart rate")
    for name, window in zip(names, rate.extremes, strict=True):
        begins_s = WINDOW_S * window
        start_s, end_s = _around(min(begins_s + WINDOW_S / 2, duration_s), duration_s)
        title = f"{name} · {fmt.moment(start, begins_s, language)}"
        text = language.text(
            "{rate} per minute, mean of the ten seconds from {begin}.",
            rate=fmt.whole(float(rate.bpm[window]), language),
            begin=fmt.elapsed(begins_s),
        )
        extremes.append(Choice(title, "", text, start_s, end_s))
    return extremes


def _around(time_s: float, duration_s: float) -> tuple[float, float]:
    start_s = max(min(time_s - STRIP_S / 2, duration_s - STRIP_S), 0.0)
    return start_s, min(start_s + STRIP_S, duration_s)


def _within(times_s: NDArray[np.float64], choice: Choice) -> NDArray[np.bool_]:
    return (times_s >= choice.start_s) & (times_s <= choice.end_s)
