"""Which few seconds of a recording are worth a look, and the strips that show them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis, Hint
from ectopy.detector import Verdict
from ectopy.events import Event
from ectopy.recording import Recording
from ectopy.report import words
from ectopy.report.paper import Mark, Strip
from ectopy.signal import FilterSettings, filter_signal

STRIP_S = 7.0
MOST_LEADS = 12

_MOST_BEATS = 4
_MOST_KINDS = 8
_BEFORE_EVENT_S = 1.5
_AROUND_BEAT_S = (0.2, 0.4)


@dataclass(frozen=True, slots=True)
class Choice:
    """A few seconds to show.

    Attributes
    ----------
    title : str
    verdict : str
        The verdict whose colour and sign the title bears, or nothing.
    text : str
        What there is to see.
    start_s, end_s : float
    highlight : (float, float) or None
        From when to when the thing itself is.
    """

    title: str
    verdict: str
    text: str
    start_s: float
    end_s: float
    highlight: tuple[float, float] | None = None


def choices(analysis: Analysis, events: Sequence[Event], duration_s: float) -> list[Choice]:
    """The patient's usual rhythm, the most abnormal beats, and the first event of each kind."""
    chosen = [_usual(analysis, duration_s)]
    chosen += [_beat(analysis, beat, duration_s) for beat in most_abnormal(analysis)]
    first = {event.kind: event for event in reversed(events)}
    in_order = sorted(first.values(), key=lambda event: event.start_s)
    return chosen + [_event(event, duration_s) for event in in_order[:_MOST_KINDS]]


def most_abnormal(analysis: Analysis) -> list[int]:
    """The highest scores of each hint in turn, at most four; no two that one strip could show, where there are others."""
    by_hint = []
    for hint in (Hint.VENTRICULAR, Hint.SUPRAVENTRICULAR, Hint.OTHER):
        beats = np.flatnonzero(np.equal(analysis.hint, hint) & np.isfinite(analysis.score))
        by_hint.append(beats[np.argsort(-analysis.score[beats], kind="stable")].tolist())
    ranked = [beat for beat in chain.from_iterable(zip_longest(*by_hint)) if beat is not None]
    times_s = analysis.beats.times_s
    apart: list[int] = []
    for beat in ranked:
        if len(apart) < _MOST_BEATS and all(abs(times_s[beat] - times_s[other]) > STRIP_S for other in apart):
            apart.append(beat)
    others = [beat for beat in ranked if beat not in apart]
    return (apart + others)[:_MOST_BEATS]


def cut_strip(recording: Recording, analysis: Analysis, choice: Choice, filters: FilterSettings) -> Strip:
    """Filter what a strip shows, as it was filtered for the analysis."""
    rate_hz = recording.sampling_rate_hz
    margin_s = 1.0 + 1.5 / filters.low_hz
    first = max(math.floor((choice.start_s - margin_s) * rate_hz), 0)
    stop = math.ceil((choice.end_s + margin_s) * rate_hz)
    filtered = filter_signal(recording.signal[first:stop, :MOST_LEADS], rate_hz, filters)
    times_s = first / rate_hz + np.arange(filtered.signal.shape[1]) / filtered.rate_hz
    shown = _within(times_s, choice)
    beats = np.flatnonzero(_within(analysis.beats.times_s, choice))
    symbols = analysis.annotations().symbols
    return Strip(
        start_s=choice.start_s,
        end_s=choice.end_s,
        signal=filtered.with_gaps()[:, shown],
        times_s=times_s[shown],
        leads=recording.leads[:MOST_LEADS],
        band=words.band(filters),
        marks=tuple(
            Mark(
                float(analysis.beats.times_s[beat]),
                str(symbols[beat]),
                bool(analysis.abnormal[beat]),
                float(analysis.beats.rr_s[beat]),
            )
            for beat in beats.tolist()
        ),
        doubts=tuple(
            stretch
            for stretch in analysis.quality.stretches()
            if stretch.word != "good" and stretch.start_s < choice.end_s and stretch.end_s > choice.start_s
        ),
        highlight=choice.highlight,
    )


def _usual(analysis: Analysis, duration_s: float) -> Choice:
    """Around the most ordinary of the normal beats with the fewest others near it."""
    normal = np.flatnonzero(np.equal(analysis.verdict, Verdict.NORMAL))
    if len(normal) == 0:
        found = "No heartbeat was found." if len(analysis) == 0 else "No beat was judged normal."
        return Choice("The start of the recording", "", found, 0.0, min(STRIP_S, duration_s))
    times_s = analysis.beats.times_s
    others = np.append(0, np.cumsum(~np.equal(analysis.verdict, Verdict.NORMAL)))
    around = np.searchsorted(times_s, times_s[normal, None] + np.array([-STRIP_S, STRIP_S]) / 2)
    near = others[around[:, 1]] - others[around[:, 0]]
    unclear = _unclear(analysis, times_s[normal])
    from_median = np.abs(analysis.score[normal] - np.median(analysis.score[normal]))
    beat = int(normal[np.lexsort((from_median, near + unclear))[0]])
    start_s, end_s = _around(float(times_s[beat]), duration_s)
    return Choice("What is usual for this patient", Verdict.NORMAL, analysis.reason(beat), start_s, end_s)


def _unclear(analysis: Analysis, times_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many windows of leads are not readable in the strips around some moments."""
    bad = np.append(0, np.cumsum((~analysis.quality.readable).sum(axis=0)))
    windows = (times_s[:, None] + np.array([-STRIP_S, STRIP_S]) / 2) // analysis.quality.window_s
    first, last = np.clip(windows.T + np.array([[0], [1]]), 0, len(bad) - 1).astype(np.int64)
    return np.asarray(bad[last] - bad[first])


def _beat(analysis: Analysis, beat: int, duration_s: float) -> Choice:
    time_s = float(analysis.beats.times_s[beat])
    before, after = _AROUND_BEAT_S
    return Choice(
        f"{words.elapsed(time_s)}, beat {words.count(beat)}: {analysis.hint[beat]}",
        Verdict.ABNORMAL,
        analysis.reason(beat),
        *_around(time_s, duration_s),
        (time_s - before, time_s + after),
    )


def _event(event: Event, duration_s: float) -> Choice:
    if event.end_s - event.start_s <= STRIP_S - 2 * _BEFORE_EVENT_S:
        start_s, end_s = _around((event.start_s + event.end_s) / 2, duration_s)
    else:
        start_s, end_s = _around(event.start_s - _BEFORE_EVENT_S + STRIP_S / 2, duration_s)
    title = f"{words.elapsed(event.start_s)}, first {event.kind}"
    return Choice(title, "", event.text, start_s, end_s, (event.start_s, event.end_s))


def _around(time_s: float, duration_s: float) -> tuple[float, float]:
    start_s = max(min(time_s - STRIP_S / 2, duration_s - STRIP_S), 0.0)
    return start_s, min(start_s + STRIP_S, duration_s)


def _within(times_s: NDArray[np.float64], choice: Choice) -> NDArray[np.bool_]:
    return (times_s >= choice.start_s) & (times_s <= choice.end_s)
