"""What the beats of a recording add up to: runs, pauses, fast, slow and irregular rhythm.

====================================  ==================================================================================
ventricular / supraventricular run    three or more such beats in a row
ventricular couplet                   two in a row
bigeminy                              every other beat ventricular-like, three times or more
pause                                 two seconds or more between two beats, in every readable lead
fast rate                             mean rate of eight RR intervals above 120 per minute, until it stays below 100
slow rate                             mean rate of eight RR intervals below 50 per minute, until it stays above 60
irregular rhythm                      among 64 beats without ectopic ones, successive RR intervals differ by more than a
                                      tenth of the mean, root mean square (after Dash et al. 2009,
                                      doi:10.1007/s10439-009-9740-z)
====================================  ==================================================================================

No two events of a kind overlap. A run, a couplet and bigeminy end at a pause, and where beats may be missing between
two of their beats. Runs and couplets are counted from hints, which rest on rules and not on labels. Nothing here is a
diagnosis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.arguments import checked
from ectopy.judgement import Hint
from ectopy.signal.missed import PAUSE_S

FAST_BPM, SLOW_BPM = 120.0, 50.0
RATE_OVER = 8
RHYTHM_OVER = 64
IRREGULAR = 0.1
RUN_BEATS = 3
BIGEMINY_PAIRS = 3
KINDS = (
    "ventricular run",
    "pause",
    "supraventricular run",
    "fast rate",
    "slow rate",
    "ventricular couplet",
    "bigeminy",
    "irregular rhythm",
)
"""Kinds of events, the most serious one first."""

_NO_LONGER_FAST_BPM, _NO_LONGER_SLOW_BPM = 100.0, 60.0
_TACHYCARDIA_BPM = 100.0
_RANKS = {kind: rank for rank, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that lasts longer than a beat.

    Attributes
    ----------
    kind : str
        One of those listed above.
    start_s, end_s : float
        First and last beat, seconds from the start of the recording.
    beats : int
        Beats from the first to the last.
    text : str
        One sentence with the figures.
    rate_bpm : float or None
        Mean rate of a run or couplet; the highest over eight intervals of a fast rate, and the lowest of a slow one.
        None for other events.
    """

    kind: str
    start_s: float
    end_s: float
    beats: int
    text: str
    rate_bpm: float | None = None

    @property
    def duration_s(self) -> float:
        """From the first beat to the last."""
        return self.end_s - self.start_s


@checked
def find_events(analysis: Analysis) -> list[Event]:
    """Find the events of an analysed recording, in order of their start."""
    ventricular = np.equal(analysis.hint, Hint.VENTRICULAR)
    supraventricular = np.equal(analysis.hint, Hint.SUPRAVENTRICULAR)
    events = [
        *_rows(analysis, ventricular, "ventricular"),
        *_rows(analysis, supraventricular, "supraventricular"),
        *_bigeminy(analysis, ventricular),
        *_pauses(analysis),
        *_rates(analysis),
        *_irregular(analysis, ventricular | supraventricular),
    ]
    return sorted(events, key=lambda event: (event.start_s, event.kind))


def by_severity(events: Sequence[Event]) -> list[Event]:
    """Sort events, the most serious one first.

    Kinds come in the order of `KINDS`. Of runs those above 100 per minute come first, and of these the one with the
    largest product of beats and rate; of pauses and irregular rhythms the longest; of rates the most extreme.
    """
    return sorted(events, key=lambda event: (_RANKS.get(event.kind, len(KINDS)), *_mildness(event), event.start_s))


def _mildness(event: Event) -> tuple[float, float]:
    """Small for the most serious event of its kind."""
    rate_bpm = event.rate_bpm or 0.0
    match event.kind:
        case "ventricular run" | "supraventricular run":
            return -float(rate_bpm > _TACHYCARDIA_BPM), -event.beats * rate_bpm
        case "fast rate" | "ventricular couplet":
            return -rate_bpm, -event.duration_s
        case "slow rate":
            return rate_bpm, -event.duration_s
        case _:
            return -event.duration_s, 0.0


def irregularity(intervals_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far successive RR intervals differ, as a share of the mean, root mean square.

    Parameters
    ----------
    intervals_s : ndarray of float64, shape (n,)
        RR interval before each beat that is not ectopic; NaN where the beat before it is, or the interval is not known.
        A pause says nothing of the rhythm and counts as not known.

    Returns
    -------
    ndarray of float64, shape (n - 64,)
        Of each stretch of 64 differences; NaN where fewer than half are known. Above `IRREGULAR` the rhythm is so.
    """
    known_s = np.where(intervals_s < PAUSE_S, intervals_s, np.nan)
    rms = np.sqrt(_moving_mean(np.square(np.diff(known_s)), RHYTHM_OVER, known=0.5))
    share: NDArray[np.float64] = rms / _moving_mean(known_s[1:], RHYTHM_OVER, known=0.5)
    return share


def _rows(analysis: Analysis, kind: NDArray[np.bool_], name: str) -> list[Event]:
    events = []
    for first, last in _stretches(kind, _interrupted(analysis)):
        beats = last - first + 1
        if beats >= RUN_BEATS:
            rate_bpm = _rate_bpm(analysis, first + 1, last)
            text = f"{beats} beats in a row at {rate_bpm:.0f} per minute"
            events.append(_event(analysis, f"{name} run", first, last, text, rate_bpm))
        elif beats == RUN_BEATS - 1 and name == "ventricular":
            rate_bpm = _rate_bpm(analysis, last, last)
            text = f"two beats in a row at {rate_bpm:.0f} per minute"
            events.append(_event(analysis, f"{name} couplet", first, last, text, rate_bpm))
    return events


def _bigeminy(analysis: Analysis, ventricular: NDArray[np.bool_]) -> list[Event]:
    interrupted = _interrupted(analysis)
    alternates = (ventricular[:-1] != ventricular[1:]) & ~interrupted[1:]
    events = []
    for first, last in _stretches(alternates):
        beats = last - first + 2
        if beats >= 2 * BIGEMINY_PAIRS:
            text = f"every other beat ventricular-like, {int(ventricular[first : last + 2].sum())} times"
            events.append(_event(analysis, "bigeminy", first, last + 1, text))
    return events


def _interrupted(analysis: Analysis) -> NDArray[np.bool_]:
    """Before which beats there is a pause, or an interval in which there may have been other beats; shape (n,)."""
    return ~(analysis.intervals_s < PAUSE_S)


def _pauses(analysis: Analysis) -> list[Event]:
    rr = analysis.intervals_s
    return [
        _event(analysis, "pause", beat - 1, beat, f"{rr[beat]:.1f} s without a beat")
        for beat in np.flatnonzero(rr >= PAUSE_S).tolist()
    ]


def _rates(analysis: Analysis) -> list[Event]:
    rate_bpm = 60 / _moving_mean(analysis.intervals_s[1:], RATE_OVER)
    extremes = (
        ("fast rate", "at most", np.nanmax, rate_bpm > FAST_BPM, rate_bpm >= _NO_LONGER_FAST_BPM),
        ("slow rate", "at least", np.nanmin, rate_bpm < SLOW_BPM, rate_bpm <= _NO_LONGER_SLOW_BPM),
    )
    events = []
    for kind, how, extreme, beyond, near in extremes:
        for first, last in _episodes(beyond, _with_lulls(near, np.isfinite(rate_bpm)), RATE_OVER):
            stop = last + RATE_OVER
            most_bpm, mean_bpm = float(extreme(rate_bpm[first : last + 1])), _rate_bpm(analysis, first + 1, stop)
            text = f"{most_bpm:.0f} per minute {how}, {mean_bpm:.0f} on average over {stop - first} intervals"
            events.append(_event(analysis, kind, first, stop, text, most_bpm))
    return events


def _irregular(analysis: Analysis, ectopic: NDArray[np.bool_]) -> list[Event]:
    usual = np.flatnonzero(~ectopic)
    neighbours = np.diff(usual, prepend=-1) == 1
    rr = np.where(neighbours, analysis.intervals_s[usual], np.nan)
    shares = irregularity(rr)
    beyond = shares > IRREGULAR
    events = []
    for first, last in _episodes(beyond, beyond, RHYTHM_OVER):
        start, stop = usual[first], usual[min(last + RHYTHM_OVER, len(usual) - 1)]
        share = float(np.nanmax(shares[first : last + 1]))
        text = f"successive intervals differ by {share:.0%} of the mean"
        events.append(_event(analysis, "irregular rhythm", int(start), int(stop), text))
    return events


def _event(analysis: Analysis, kind: str, first: int, last: int, text: str, rate_bpm: float | None = None) -> Event:
    times = analysis.beats.times_s
    return Event(kind, float(times[first]), float(times[last]), int(last - first + 1), text, rate_bpm)


def _rate_bpm(analysis: Analysis, first: int, last: int) -> float:
    """Mean rate of the intervals before some beats, of which one at least is known."""
    intervals_s = analysis.intervals_s[first : last + 1]
    return float(60 / intervals_s[np.isfinite(intervals_s)].mean())


def _moving_mean(values: NDArray[np.float64], length: int, known: float = 1.0) -> NDArray[np.float64]:
    """Mean of each stretch of so many values; NaN where a smaller share of them is known."""
    if len(values) < length:
        return np.empty(0)
    finite, window = np.isfinite(values), np.ones(length)
    count = np.convolve(finite, window, "valid")
    total = np.convolve(np.where(finite, values, 0.0), window, "valid")
    enough = count >= known * length
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(len(total), np.nan), where=enough)
    return mean


def _stretches(flags: NDArray[np.bool_], interrupted: NDArray[np.bool_] | None = None) -> list[tuple[int, int]]:
    """First and last index of each stretch of true values; an interruption before an index ends a stretch there."""
    apart = np.zeros(len(flags), np.bool_) if interrupted is None else interrupted
    before, after = np.append(False, flags)[:-1], np.append(flags, False)[1:]
    firsts = np.flatnonzero(flags & (~before | apart))
    lasts = np.flatnonzero(flags & (~after | np.append(apart, False)[1:]))
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _with_lulls(near: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a rate is near its limit, or returns there before eight windows, all of them known, have passed."""
    joined = near.copy()
    for first, last in _stretches(~near):
        if last - first + 1 < RATE_OVER and first > 0 and last < len(near) - 1 and known[first : last + 1].all():
            joined[first : last + 1] = True
    return joined


def _episodes(beyond: NDArray[np.bool_], near: NDArray[np.bool_], length: int) -> list[tuple[int, int]]:
    """First and last window beyond a limit of each episode, which goes on as long as windows stay near the limit.

    Window k covers the values k to k + length - 1; episodes whose windows overlap are one.
    """
    episodes: list[tuple[int, int]] = []
    for start, stop in _stretches(beyond | near):
        inside = start + np.flatnonzero(beyond[start : stop + 1])
        if not len(inside):
            continue
        first, last = int(inside[0]), int(inside[-1])
        if episodes and first <= episodes[-1][1] + length:
            first = episodes.pop()[0]
        episodes.append((first, last))
    return episodes
