"""Selects the few seconds of a recording that are worth a look, and cuts their strips."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.rhythm_events import Event, by_severity
from ectopy.analysis.rhythm_rules import RhythmKind
from ectopy.analysis.verdicts import Hint
from ectopy.detector import Verdict
from ectopy.recording import PulseWave, Recording
from ectopy.report import text_format as fmt
from ectopy.report.ecg_paper import Mark, PulseTrace, Strip
from ectopy.signal import FilterSettings, filter_signal
from ectopy.signal.beat_segments import MARGIN
from ectopy.signal.heart_rate import WINDOW_S, HeartRate
from ectopy.signal.similar_beats import similar_groups

STRIP_S = 7.0
MOST_LEADS = 12

_MOST_GROUPS, _MOST_SHAPES = 12, 3
_BEFORE_EVENT_S, _BESIDE_EVENT_S = 1.5, 0.3
_AROUND_BEAT_S = (0.2, 0.4)
_LONGEST: Mapping[str, Callable[[Event], float]] = MappingProxyType({"longest": lambda event: event.duration_s})
_RUNS: Mapping[str, Callable[[Event], float]] = MappingProxyType(
    {"fastest": lambda event: event.rate_bpm or 0.0, "longest": lambda event: event.beats}
)
_FASTEST: Mapping[str, Callable[[Event], float]] = MappingProxyType({"fastest": lambda event: event.rate_bpm or 0.0})
_SLOWEST: Mapping[str, Callable[[Event], float]] = MappingProxyType({"slowest": lambda event: -(event.rate_bpm or 0.0)})
_SUPERLATIVES: Mapping[str, Mapping[str, Callable[[Event], float]]] = {
    RhythmKind.VENTRICULAR_RUN: _RUNS,
    RhythmKind.SUPRAVENTRICULAR_RUN: _RUNS,
    RhythmKind.COUPLET: _FASTEST,
    RhythmKind.HIGH_RATE: _FASTEST,
    RhythmKind.LOW_RATE: _SLOWEST,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A few seconds to show; the verdict, or an empty text, decides the colour, `highlight` is the event itself."""

    title: str
    verdict: str
    text: str
    start_s: float
    end_s: float
    highlight: tuple[float, float] | None = None


def choices(recording: Recording, analysis: Analysis, events: Sequence[Event], rate: HeartRate) -> list[Choice]:
    """Select the usual rhythm, the worst events of each kind, the lowest and highest rate, and abnormal beats."""
    duration_s, start = recording.duration_s, recording.start
    return [
        _usual(analysis, duration_s),
        *(_event(event, which, start, duration_s) for event, which in worst_events(events)),
        *_extremes(rate, start, duration_s),
        *(
            _beat(analysis, beat, f"{fmt.moment(start, float(analysis.beats.times_s[beat]))}: {title}", duration_s)
            for beat, title in abnormal_beats(analysis).items()
        ),
    ]


def worst_events(events: Sequence[Event]) -> list[tuple[Event, str]]:
    """Select the most serious event of each kind, of runs the fastest and the longest as well; with that reason."""
    worst = []
    for kind, of_kind in groupby(by_severity(events), key=lambda event: event.kind):
        listed = list(of_kind)
        superlatives: dict[int, list[str]] = {}
        for name, key in _SUPERLATIVES.get(kind, _LONGEST).items():
            best = max(range(len(listed)), key=lambda place: key(listed[place]))
            superlatives.setdefault(best, []).append(name)
        superlatives.setdefault(0, ["most serious"])
        for place, names in sorted(superlatives.items()):
            which = "the only one" if len(listed) == 1 else f"{' and '.join(names)} of {fmt.count(len(listed))}"
            worst.append((listed[place], which))
    return worst


def abnormal_beats(analysis: Analysis) -> dict[int, str]:
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
                alike = f"{fmt.count(len(groups[number]))} of {fmt.count(len(beats))} look like it"
                which = "highest score" if number == 0 else "another shape"
                titles[beat] = f"beat {fmt.count(beat)}, {hint}, {which}; {alike}"
    return titles


def cut_strip(recording: Recording, analysis: Analysis, choice: Choice, filters: FilterSettings) -> Strip:
    """Cut and filter the signal of a strip as for the analysis."""
    rate_hz = recording.sampling_rate_hz
    margin_s = 1.0 + 1.5 / filters.low_hz
    first = max(math.floor((choice.start_s - margin_s) * rate_hz), 0)
    stop = math.ceil((choice.end_s + margin_s) * rate_hz)
    filtered = filter_signal(recording.signal[first:stop, :MOST_LEADS], rate_hz, filters)
    times_s = first / rate_hz + np.arange(filtered.signal.shape[1]) / filtered.rate_hz
    inside = _within(times_s, choice)
    beats = np.flatnonzero(_within(analysis.beats.times_s, choice))
    symbols = analysis.annotations().symbols
    return Strip(
        start_s=choice.start_s,
        end_s=choice.end_s,
        signal=filtered.with_gaps()[:, inside],
        times_s=times_s[inside],
        leads=recording.leads[:MOST_LEADS],
        band=fmt.band(filters),
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
            if stretch.word != "good" and stretch.start_s < choice.end_s and stretch.end_s > choice.start_s
        ),
        highlight=choice.highlight,
        start=recording.start,
        pulses=tuple(cut_pulse(wave, choice.start_s, choice.end_s) for wave in recording.pulses),
    )


def cut_pulse(wave: PulseWave, start_s: float, end_s: float, begins_s: float = 0.0) -> PulseTrace:
    """Cut the part of a strip out of a pulse wave, whose first sample is at `begins_s`."""
    rate_hz = wave.sampling_rate_hz
    first = max(math.ceil((start_s - begins_s) * rate_hz), 0)
    samples = wave.samples[first : max(math.floor((end_s - begins_s) * rate_hz) + 1, first)]
    return PulseTrace(wave.name, wave.unit, begins_s + (first + np.arange(len(samples))) / rate_hz, samples)


def _usual(analysis: Analysis, duration_s: float) -> Choice:
    """Select a normal beat with the fewest others near it, then the clearest signal, then the most ordinary score."""
    normal = np.flatnonzero(np.equal(analysis.verdict, Verdict.NORMAL))
    if len(normal) == 0:
        text = "No heartbeat was found." if len(analysis) == 0 else "No beat was judged normal."
        return Choice("The start of the recording", "", text, 0.0, min(STRIP_S, duration_s))
    times_s = analysis.beats.times_s
    # Differences of the running count of other beats give their number in the strip around each normal beat.
    not_normal = np.append(0, np.cumsum(~np.equal(analysis.verdict, Verdict.NORMAL)))
    around = np.searchsorted(times_s, times_s[normal, None] + np.array([-STRIP_S, STRIP_S]) / 2)
    near = not_normal[around[:, 1]] - not_normal[around[:, 0]]
    unclear = -np.round(_clearness(analysis, times_s[normal]), 1)
    from_median = np.abs(analysis.score[normal] - np.median(analysis.score[normal]))
    beat = int(normal[np.lexsort((from_median, unclear, near))[0]])
    start_s, end_s = _around(float(times_s[beat]), duration_s)
    return Choice("What is usual for this patient", Verdict.NORMAL, analysis.reason(beat), start_s, end_s)


def _clearness(analysis: Analysis, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean index of quality of all leads in the strips around some moments."""
    total = np.append(0.0, np.cumsum(analysis.quality.index.mean(axis=0)))
    windows = (times_s[:, None] + np.array([-STRIP_S, STRIP_S]) / 2) // analysis.quality.window_s
    first, last = np.clip(windows.T + np.array([[0], [1]]), 0, len(total) - 1).astype(np.int64)
    return np.asarray((total[last] - total[first]) / np.maximum(last - first, 1))


def _beat(analysis: Analysis, beat: int, title: str, duration_s: float) -> Choice:
    time_s = float(analysis.beats.times_s[beat])
    before, after = _AROUND_BEAT_S
    highlight = time_s - before, time_s + after
    return Choice(title, Verdict.ABNORMAL, analysis.reason(beat), *_around(time_s, duration_s), highlight)


def _event(event: Event, which: str, start: datetime | None, duration_s: float) -> Choice:
    if event.duration_s <= STRIP_S - 2 * _BESIDE_EVENT_S:
        start_s, end_s = _around((event.start_s + event.end_s) / 2, duration_s)
    else:
        start_s, end_s = _around(event.start_s - _BEFORE_EVENT_S + STRIP_S / 2, duration_s)
    title = f"{fmt.moment(start, event.start_s)}: {event.kind}, {which}"
    text = f"{event.text[:1].upper()}{event.text[1:]}".rstrip(".") + "."
    return Choice(title, "", text, start_s, end_s, (event.start_s, event.end_s))


def _extremes(rate: HeartRate, start: datetime | None, duration_s: float) -> list[Choice]:
    """The ten seconds with the lowest and with the highest heart rate."""
    if rate.extremes is None:
        return []
    extremes = []
    for which, window in zip(("lowest", "highest"), rate.extremes, strict=True):
        begins_s = WINDOW_S * window
        start_s, end_s = _around(min(begins_s + WINDOW_S / 2, duration_s), duration_s)
        title = f"{fmt.moment(start, begins_s)}: {which} heart rate"
        text = f"{rate.bpm[window]:.0f} per minute, mean of the ten seconds from {fmt.elapsed(begins_s)}."
        extremes.append(Choice(title, "", text, start_s, end_s))
    return extremes


def _around(time_s: float, duration_s: float) -> tuple[float, float]:
    start_s = max(min(time_s - STRIP_S / 2, duration_s - STRIP_S), 0.0)
    return start_s, min(start_s + STRIP_S, duration_s)


def _within(times_s: NDArray[np.float64], choice: Choice) -> NDArray[np.bool_]:
    return (times_s >= choice.start_s) & (times_s <= choice.end_s)
