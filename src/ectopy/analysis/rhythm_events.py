"""Events of a recording, by `ectopy.analysis.rhythm_rules`: runs, pauses, rates, atrial fibrillation.

No two events of a kind overlap. A run, a couplet, bigeminy and trigeminy end at a pause, and where beats may be missing
between two of their beats; a pause is one in every readable lead. Runs and couplets are counted from hints, which rest
on rules and not on labels. An irregular rhythm is one outside of atrial fibrillation. Nothing here is a diagnosis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.blocked_p_waves import LONGEST_PR_S, BlockedPWaves, is_calm, type_of_block
from ectopy.analysis.rhythm_rules import (
    IRREGULAR_S,
    RATE_APART_S,
    RATE_OVER,
    RECORDING,
    RHYTHM_OVER,
    STILL_IRREGULAR,
    TACHYCARDIA_BPM,
    TITLES,
    RhythmKind,
    RhythmLimits,
    irregularity,
    mean_rates,
    moving_mean,
)
from ectopy.analysis.stretches import episodes, stretches
from ectopy.analysis.verdicts import Hint
from ectopy.analysis.wave_rules import WAVE_TITLES, WaveKind
from ectopy.arguments import checked

_BLOCKED_APART_S = 10.0
_BLOCKED_SHARE = 0.1
_RHYTHM = list(RhythmKind)
_PLACE = _RHYTHM.index(RhythmKind.SUPRAVENTRICULAR_RUN)
_TITLES: dict[str, str] = {kind.value: title for kind, title in (*TITLES.items(), *WAVE_TITLES.items())}
EVENT_TITLES: Mapping[str, str] = MappingProxyType(
    {kind.value: _TITLES[kind] for kind in (*_RHYTHM[:_PLACE], *WaveKind, *_RHYTHM[_PLACE:])}
)
"""Each kind of events of rhythm and waves as a heading, the most serious kind first."""

_RANKS = {kind: rank for rank, kind in enumerate(EVENT_TITLES)}
_ALTERNATION = {
    RhythmKind.BIGEMINY: 2,
    RhythmKind.TRIGEMINY: 3,
    RhythmKind.SUPRAVENTRICULAR_BIGEMINY: 2,
    RhythmKind.SUPRAVENTRICULAR_TRIGEMINY: 3,
}


@dataclass(frozen=True, slots=True)
class Extreme:
    """The minute in which the waves of an event are farthest from the usual.

    Attributes
    ----------
    lead : str
        Of the ST segment; empty for QTc, which is of all leads.
    value : float
        Deviation of ST in mV, negative below the patient's own level; QTc in ms.
    time_s : float
        The middle of the minute.
    """

    lead: str
    value: float
    time_s: float


@dataclass(frozen=True, slots=True)
class Event:
    """Something that lasts longer than a beat.

    Attributes
    ----------
    kind : str
        The value of a `ectopy.analysis.rhythm_rules.RhythmKind`, or a `ectopy.analysis.wave_rules.WaveKind`.
    start_s, end_s : float
        First and last beat, seconds from the start of the recording.
    beats : int
        Beats from the first to the last.
    text : str
        One sentence with the figures.
    rate_bpm : float or None
        Mean rate of a run, couplet or atrial fibrillation; the highest over eight intervals of a high rate, and the
        lowest of a low one.
        None for other events.
    coupling_s : float or None
        RR interval before the first beat of a run or couplet; in bigeminy and trigeminy the median of those before the
        ectopic beats. None for other events, and where it is not known.
    extreme : Extreme or None
        Of a finding in the waves; None for other events.
    """

    kind: str
    start_s: float
    end_s: float
    beats: int
    text: str
    rate_bpm: float | None = None
    coupling_s: float | None = None
    extreme: Extreme | None = None

    @property
    def duration_s(self) -> float:
        """From the first beat to the last."""
        return self.end_s - self.start_s


@checked
def find_events(analysis: Analysis, limits: RhythmLimits = RECORDING) -> list[Event]:
    """Find the events of an analysed recording, in order of their start.

    Parameters
    ----------
    analysis : Analysis
    limits : RhythmLimits, optional
        From where on beats are a run, a pause or a rate; those of the profile ``recording`` by default.
    """
    ventricular = np.equal(analysis.hint, Hint.VENTRICULAR)
    supraventricular = np.equal(analysis.hint, Hint.SUPRAVENTRICULAR)
    fibrillation = fibrillation_episodes(analysis)
    events = [
        *_ventricular(analysis, limits, ventricular),
        *_supraventricular(analysis, limits, supraventricular),
        *_alternation(analysis, limits, RhythmKind.BIGEMINY, ventricular),
        *_alternation(analysis, limits, RhythmKind.TRIGEMINY, ventricular),
        *_alternation(analysis, limits, RhythmKind.SUPRAVENTRICULAR_BIGEMINY, supraventricular),
        *_alternation(analysis, limits, RhythmKind.SUPRAVENTRICULAR_TRIGEMINY, supraventricular),
        *_pauses(analysis, limits),
        *_av_block(analysis),
        *_rates(analysis, limits),
        *_fibrillation(analysis, fibrillation),
        *_irregular(analysis, limits, fibrillation, ventricular | supraventricular | analysis.corrected_to_other),
    ]
    return sorted(events, key=lambda event: (event.start_s, event.kind))


def by_severity(events: Sequence[Event]) -> list[Event]:
    """Sort events, the most serious one first.

    Kinds come in the order of `RhythmKind`, those of `WaveKind` before supraventricular runs. Of runs those above 100
    per minute come first, and of these the one with the largest product of beats and rate; of pauses and irregular
    rhythms the longest; of rates and findings in the waves the most extreme.
    """
    return sorted(events, key=lambda event: (_RANKS[event.kind], *_mildness(event), event.start_s))


def _mildness(event: Event) -> tuple[float, float]:
    """Small for the most serious event of its kind."""
    rate_bpm = event.rate_bpm or 0.0
    match event.kind:
        case RhythmKind.VENTRICULAR_RUN | RhythmKind.SUPRAVENTRICULAR_RUN:
            return -float(rate_bpm > TACHYCARDIA_BPM), -event.beats * rate_bpm
        case RhythmKind.HIGH_RATE | RhythmKind.COUPLET:
            return -rate_bpm, -event.duration_s
        case RhythmKind.LOW_RATE:
            return rate_bpm, -event.duration_s
        case _ if event.extreme is not None:
            return -abs(event.extreme.value), -event.duration_s
        case _:
            return -event.duration_s, 0.0


def beats_in_a_row(analysis: Analysis, of_kind: NDArray[np.bool_], limits: RhythmLimits) -> list[tuple[int, int]]:
    """First and last of each beats of a kind in a row, single ones too; a row ends at a pause."""
    return stretches(of_kind, _interrupted(analysis.intervals_s, limits))


def _ventricular(analysis: Analysis, limits: RhythmLimits, ventricular: NDArray[np.bool_]) -> list[Event]:
    """Runs and couplets."""
    intervals_s = analysis.intervals_s
    events = []
    for first, last in beats_in_a_row(analysis, ventricular, limits):
        beats = last - first + 1
        if beats >= limits.run_beats:
            events.append(_run(analysis, intervals_s, RhythmKind.VENTRICULAR_RUN, first, last))
        elif beats == 2:
            rate_bpm = _rate_bpm(intervals_s, last, last)
            text = f"two beats in a row at {rate_bpm:.0f} per minute"
            coupling_s = _coupling_s(intervals_s, [first])
            events.append(_event(analysis, RhythmKind.COUPLET, first, last, text, rate_bpm, coupling_s))
    return events


def _supraventricular(analysis: Analysis, limits: RhythmLimits, supraventricular: NDArray[np.bool_]) -> list[Event]:
    intervals_s = analysis.intervals_s
    runs = [
        _run(analysis, intervals_s, RhythmKind.SUPRAVENTRICULAR_RUN, first, last)
        for first, last in beats_in_a_row(analysis, supraventricular, limits)
        if last - first + 1 >= limits.svt_beats
    ]
    return [run for run in runs if run.rate_bpm is not None and run.rate_bpm > limits.svt_bpm]


def _run(analysis: Analysis, intervals_s: NDArray[np.float64], kind: RhythmKind, first: int, last: int) -> Event:
    rate_bpm = _rate_bpm(intervals_s, first + 1, last)
    text = f"{last - first + 1} beats in a row at {rate_bpm:.0f} per minute"
    coupling_s = _coupling_s(intervals_s, [first])
    if coupling_s is not None:
        text += f", {coupling_s:.2f} s after the beat before"
    return _event(analysis, kind, first, last, text, rate_bpm, coupling_s)


def _alternation(analysis: Analysis, limits: RhythmLimits, kind: RhythmKind, ectopic: NDArray[np.bool_]) -> list[Event]:
    """Bigeminy, in which one of every two beats in a row is ectopic, or trigeminy, in which one of every three is."""
    length = _ALTERNATION[kind]
    if len(ectopic) < length:
        return []
    intervals_s = analysis.intervals_s
    windows = sliding_window_view(ectopic, length)
    broken = sliding_window_view(_interrupted(intervals_s, limits), length)[:, 1:].any(axis=1)
    name = "supraventricular-like" if "supraventricular" in kind else "ventricular-like"
    events = []
    for first, last in stretches((windows.sum(axis=1) == 1) & ~broken):
        last += length - 1
        if last - first + 1 >= length * limits.bigeminy_pairs:
            beats = first + np.flatnonzero(ectopic[first : last + 1])
            text = f"every {'other' if length == 2 else 'third'} beat {name}, {len(beats)} times"
            events.append(_event(analysis, kind, first, last, text, coupling_s=_coupling_s(intervals_s, beats)))
    return events


def _interrupted(intervals_s: NDArray[np.float64], limits: RhythmLimits) -> NDArray[np.bool_]:
    """Before which beats there is a pause, or an interval in which there may have been other beats; shape (n,)."""
    return ~(intervals_s < limits.pause_s)


def _pauses(analysis: Analysis, limits: RhythmLimits) -> list[Event]:
    rr = analysis.intervals_s
    return [
        _event(analysis, RhythmKind.PAUSE, beat - 1, beat, f"{rr[beat]:.1f} s without a beat")
        for beat in np.flatnonzero(rr >= limits.pause_s).tolist()
    ]


def _av_block(analysis: Analysis) -> list[Event]:
    """P waves that are not conducted; those that are less apart than ten seconds are one event."""
    blocked, following = _blocked(analysis)
    if not len(blocked):
        return []
    begins = np.flatnonzero(np.diff(blocked.times_s, prepend=-np.inf) > _BLOCKED_APART_S)
    events = []
    for first, stop in pairwise([*begins.tolist(), len(blocked)]):
        number = f"{stop - first} P wave{'' if stop == first + 1 else 's'} without a QRS complex"
        text = f"{number}; {type_of_block(blocked[first:stop])}"
        events.append(_event(analysis, RhythmKind.AV_BLOCK, following[first] - 1, following[stop - 1], text))
    return events


def _blocked(analysis: Analysis) -> tuple[BlockedPWaves, NDArray[np.intp]]:
    """P waves that are not conducted, and the beat after each.

    Where beats have been corrected, those that lie where none would be looked for count no longer.
    """
    blocked, times_s = analysis.signs.blocked, analysis.beats.times_s
    following = np.searchsorted(times_s, blocked.times_s)
    inside = (following > 0) & (following < len(times_s))
    next_s = times_s[np.minimum(following, len(times_s) - 1)] if len(times_s) else blocked.times_s
    inside &= next_s - blocked.times_s > LONGEST_PR_S
    may_follow = np.append(is_calm(analysis.ectopic) & np.isfinite(analysis.intervals_s), False)
    inside &= may_follow[following]
    return blocked[inside], following[inside]


def _rates(analysis: Analysis, limits: RhythmLimits) -> list[Event]:
    mean_s = moving_mean(analysis.intervals_s[1:], RATE_OVER)
    # Neither a pause nor a few early beats make a low rate.
    lower_s = np.minimum(mean_s, _moving_median(analysis.intervals_s[1:], RATE_OVER))
    return [
        *_rates_beyond(analysis, limits, RhythmKind.HIGH_RATE, 60 / mean_s),
        *_rates_beyond(analysis, limits, RhythmKind.LOW_RATE, 60 / lower_s),
    ]


def _rates_beyond(
    analysis: Analysis, limits: RhythmLimits, kind: RhythmKind, rate_bpm: NDArray[np.float64]
) -> list[Event]:
    """Return the episodes of a rate above the high limit or below the low one, which are the same but for the sign."""
    if kind is RhythmKind.HIGH_RATE:
        sign, limit_bpm, most, side = 1.0, limits.high_bpm, "most", "above"
    else:
        sign, limit_bpm, most, side = -1.0, limits.low_bpm, "least", "below"
    intervals_s = analysis.intervals_s[1:]
    mean_bpm = mean_rates(intervals_s)
    beyond, near = sign * rate_bpm > sign * limit_bpm, sign * rate_bpm > sign * limit_bpm - limits.clear_bpm
    events = []
    for first, stop in episodes(
        beyond,
        near,
        analysis.beats.times_s,
        RATE_OVER,
        apart_s=RATE_APART_S,
        may_join=lambda *ends: sign * mean_bpm(*ends) > sign * limit_bpm,
    ):
        extreme_bpm = sign * float(np.nanmax(sign * rate_bpm[first : stop + 1 - RATE_OVER]))
        average = f"{_rate_bpm(intervals_s, first, stop - 1):.0f} on average over {stop - first:,} intervals"
        time_s = _time_beyond_s(intervals_s, beyond, first, stop)
        text = f"{extreme_bpm:.0f} per minute at {most}, {average}; {side} {limit_bpm:g} for {time_s:,.0f} s"
        events.append(_event(analysis, kind, first, stop, text, extreme_bpm))
    return events


def _time_beyond_s(intervals_s: NDArray[np.float64], beyond: NDArray[np.bool_], first: int, stop: int) -> float:
    """Sum the intervals of an episode that lie in a window beyond the limit."""
    inside = np.convolve(beyond[first : stop + 1 - RATE_OVER], np.ones(RATE_OVER)) > 0
    return float(intervals_s[first:stop][inside].sum())


def _fibrillation(analysis: Analysis, fibrillation: Sequence[tuple[int, int]]) -> list[Event]:
    intervals_s = analysis.intervals_s
    events = []
    for first, last in fibrillation:
        rate_bpm = _rate_bpm(intervals_s, first + 1, last)
        text = f"intervals differ without a pattern, {rate_bpm:.0f} per minute on average"
        events.append(_event(analysis, RhythmKind.ATRIAL_FIBRILLATION, first, last, text, rate_bpm))
    return events


def fibrillation_episodes(analysis: Analysis) -> list[tuple[int, int]]:
    """First and last beat of each episode of atrial fibrillation of an analysed recording.

    One in which a tenth of the intervals or more hold a P wave that is not conducted is left out: in fibrillation
    there are no P waves, and second-degree AV block makes intervals irregular, too.
    """
    _, following = _blocked(analysis)
    return [
        (first, last)
        for first, last in analysis.irregular_stretches
        if len(np.unique(following[(following > first) & (following <= last)])) < _BLOCKED_SHARE * (last - first)
    ]


def _irregular(
    analysis: Analysis, limits: RhythmLimits, fibrillation: Sequence[tuple[int, int]], ectopic: NDArray[np.bool_]
) -> list[Event]:
    usual = np.flatnonzero(~ectopic)
    neighbours = np.diff(usual, prepend=-1) == 1
    intervals_s = analysis.intervals_s.copy()
    for first, last in fibrillation:
        intervals_s[first : last + 1] = np.nan
    rr = np.where(neighbours, intervals_s[usual], np.nan)
    shares = irregularity(rr)
    beyond, near = shares > limits.irregular_share, shares > STILL_IRREGULAR * limits.irregular_share
    times_s = analysis.beats.times_s[usual]
    events = []
    for first, stop in episodes(beyond, near, times_s, RHYTHM_OVER, apart_s=IRREGULAR_S, least_s=IRREGULAR_S):
        share = float(np.nanmax(shares[first : stop + 1 - RHYTHM_OVER]))
        text = f"successive intervals differ by {share:.0%} of the mean"
        events.append(_event(analysis, RhythmKind.IRREGULAR_RHYTHM, int(usual[first]), int(usual[stop]), text))
    return events


def _event(
    analysis: Analysis,
    kind: RhythmKind,
    first: int,
    last: int,
    text: str,
    rate_bpm: float | None = None,
    coupling_s: float | None = None,
) -> Event:
    times = analysis.beats.times_s
    return Event(kind.value, float(times[first]), float(times[last]), int(last - first + 1), text, rate_bpm, coupling_s)


def _coupling_s(intervals_s: NDArray[np.float64], beats: Sequence[int] | NDArray[np.intp]) -> float | None:
    """Median RR interval before some beats; None where none is known."""
    before_s = intervals_s[beats]
    before_s = before_s[np.isfinite(before_s)]
    return float(np.median(before_s)) if len(before_s) else None


def _rate_bpm(intervals_s: NDArray[np.float64], first: int, last: int) -> float:
    """Mean rate of the intervals before some beats, of which one at least is known."""
    before_s = intervals_s[first : last + 1]
    return float(60 / before_s[np.isfinite(before_s)].mean())


def _moving_median(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Median of each stretch of so many values, an even number; not defined where one of them is NaN."""
    if len(values) < length:
        return np.empty(0)
    middle = np.sort(sliding_window_view(values, length))[:, length // 2 - 1 : length // 2 + 1]
    median: NDArray[np.float64] = middle.mean(axis=1)
    return median
