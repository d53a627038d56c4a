"""What the beats of a recording add up to: runs, pauses, fast, slow and irregular rhythm.

====================================  ==================================================================================
ventricular / supraventricular run    three or more such beats in a row
ventricular couplet                   two in a row
bigeminy                              every other beat ventricular-like, three times or more
pause                                 two seconds or more between two beats
fast rate                             mean rate of eight beats above 120 per minute
slow rate                             mean rate of eight beats below 50 per minute
irregular rhythm                      among 64 beats without ectopic ones, successive RR intervals differ by more than a
                                      tenth of the mean, root mean square (after Dash et al. 2009,
                                      doi:10.1007/s10439-009-9740-z)
====================================  ==================================================================================

Runs and couplets are counted from hints, which rest on rules and not on labels. Nothing here is a diagnosis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.arguments import checked
from ectopy.judgement import Hint

PAUSE_S = 2.0
FAST_BPM, SLOW_BPM = 120.0, 50.0
RATE_OVER = 8
RHYTHM_OVER = 64
IRREGULAR = 0.1
RUN_BEATS = 3
BIGEMINY_PAIRS = 3


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
    """

    kind: str
    start_s: float
    end_s: float
    beats: int
    text: str


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
    found = []
    for first, last in _stretches(kind):
        beats = last - first + 1
        if beats >= RUN_BEATS:
            rate = _rate(analysis, first + 1, last)
            found.append(
                _event(analysis, f"{name} run", first, last, f"{beats} beats in a row at {rate:.0f} per minute")
            )
        elif beats == RUN_BEATS - 1 and name == "ventricular":
            found.append(_event(analysis, f"{name} couplet", first, last, "two beats in a row"))
    return found


def _bigeminy(analysis: Analysis, ventricular: NDArray[np.bool_]) -> list[Event]:
    alternates = ventricular[:-1] != ventricular[1:]
    found = []
    for first, last in _stretches(alternates):
        beats = last - first + 2
        if beats >= 2 * BIGEMINY_PAIRS:
            text = f"every other beat ventricular-like, {int(ventricular[first : last + 2].sum())} times"
            found.append(_event(analysis, "bigeminy", first, last + 1, text))
    return found


def _pauses(analysis: Analysis) -> list[Event]:
    rr = analysis.intervals_s
    return [
        _event(analysis, "pause", beat - 1, beat, f"{rr[beat]:.1f} s without a beat")
        for beat in np.flatnonzero(rr >= PAUSE_S).tolist()
    ]


def _rates(analysis: Analysis) -> list[Event]:
    mean = _moving_mean(analysis.intervals_s[1:], RATE_OVER)
    found = []
    with np.errstate(invalid="ignore"):
        extremes = (("fast rate", mean < 60 / FAST_BPM), ("slow rate", mean > 60 / SLOW_BPM))
    for kind, beyond in extremes:
        for first, last in _stretches(beyond):
            stop = last + RATE_OVER
            rate = _rate(analysis, first + 1, stop)
            found.append(_event(analysis, kind, first, stop, f"{rate:.0f} per minute over {stop - first} intervals"))
    return found


def _irregular(analysis: Analysis, ectopic: NDArray[np.bool_]) -> list[Event]:
    usual = np.flatnonzero(~ectopic)
    neighbours = np.diff(usual, prepend=-1) == 1
    rr = np.where(neighbours, analysis.intervals_s[usual], np.nan)
    shares = irregularity(rr)
    found = []
    for first, last in _stretches(shares > IRREGULAR):
        start, stop = usual[first], usual[min(last + RHYTHM_OVER, len(usual) - 1)]
        share = float(np.nanmax(shares[first : last + 1]))
        text = f"successive intervals differ by {share:.0%} of the mean"
        found.append(_event(analysis, "irregular rhythm", int(start), int(stop), text))
    return found


def _event(analysis: Analysis, kind: str, first: int, last: int, text: str) -> Event:
    times = analysis.beats.times_s
    return Event(kind, float(times[first]), float(times[last]), int(last - first + 1), text)


def _rate(analysis: Analysis, first: int, last: int) -> float:
    known = analysis.intervals_s[first : last + 1]
    known = known[np.isfinite(known)]
    return float(60 / known.mean()) if len(known) else float("nan")


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


def _stretches(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of each stretch of true values."""
    edges = np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))
    firsts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return list(zip(firsts.tolist(), (ends - 1).tolist(), strict=True))
