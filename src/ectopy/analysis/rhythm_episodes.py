"""The rhythm of a recording as episodes one after the other: sinus rhythm, slow or fast, and atrial fibrillation.

What interrupts a rhythm for some beats (runs, couplets, bigeminy, pauses) are events, `ectopy.analysis.rhythm_events`.
Sinus rhythm is what remains: a rhythm whose intervals are known and are not those of atrial fibrillation. Flutter with
a constant block, and other tachycardias that begin before the recording does, are told by the P wave and look like it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.rhythm_events import fibrillation_episodes
from ectopy.analysis.rhythm_rules import RATE_OVER, TACHYCARDIA_BPM, mean_rates, moving_mean
from ectopy.analysis.stretches import episodes, stretches

BRADYCARDIA_BPM = 50.0
"""Sinus rhythm below this rate is sinus bradycardia (Kusumoto et al. 2019, doi:10.1016/j.jacc.2018.10.044)."""

_CLEAR_BPM = 5.0
_LEAST_S = 30.0
_UNKNOWN_S = 30.0
_SPIKE_BEFORE_S, _SAME_DELAY_S, _LEAST_PACED, _MOST_BETWEEN = 0.3, 0.02, 5, 2


class Rhythm(StrEnum):
    """Rhythms, and their names in results."""

    UNKNOWN = "not known"
    SINUS = "sinus rhythm"
    BRADYCARDIA = "sinus bradycardia"
    TACHYCARDIA = "sinus tachycardia"
    PACED = "paced rhythm"
    FIBRILLATION = "atrial fibrillation"


@dataclass(frozen=True, slots=True)
class RhythmEpisode:
    """A stretch of one rhythm.

    Attributes
    ----------
    rhythm : str
        The value of a `Rhythm`.
    start_s, end_s : float
        First and last beat, seconds from the start of the recording; the next episode begins with the last beat.
    beats : int
        RR intervals in it.
    rate_bpm : float or None
        Mean rate; None where no interval is known.
    """

    rhythm: str
    start_s: float
    end_s: float
    beats: int
    rate_bpm: float | None

    @property
    def duration_s(self) -> float:
        """From the first beat to the last."""
        return self.end_s - self.start_s


def find_rhythm_episodes(analysis: Analysis) -> list[RhythmEpisode]:
    """Divide an analysed recording into episodes of one rhythm, in order of time, from its first beat to its last.

    Sinus bradycardia is a mean rate of eight intervals below 50 per minute, sinus tachycardia one above 100, for 30 s;
    each goes on until the rate is clear of the limit by 5, and two less than 30 s apart are one where their mean rate
    together is beyond the limit as well. The rhythm is not known where no interval is for 30 s.
    """
    times_s, intervals_s = analysis.beats.times_s, analysis.intervals_s
    if len(times_s) < 2:
        return []
    rhythm = np.full(len(times_s), Rhythm.SINUS.value, "U20")
    rate_bpm = 60.0 / moving_mean(intervals_s[1:], RATE_OVER)
    mean_bpm = mean_rates(intervals_s[1:])
    slow, nearly_slow = rate_bpm < BRADYCARDIA_BPM, rate_bpm < BRADYCARDIA_BPM + _CLEAR_BPM
    fast, nearly_fast = rate_bpm > TACHYCARDIA_BPM, rate_bpm > TACHYCARDIA_BPM - _CLEAR_BPM
    find = partial(episodes, times_s=times_s, intervals=RATE_OVER, apart_s=_LEAST_S, least_s=_LEAST_S)
    for first, last in find(slow, nearly_slow, may_join=lambda *ends: mean_bpm(*ends) < BRADYCARDIA_BPM):
        rhythm[first + 1 : last + 1] = Rhythm.BRADYCARDIA.value
    for first, last in find(fast, nearly_fast, may_join=lambda *ends: mean_bpm(*ends) > TACHYCARDIA_BPM):
        rhythm[first + 1 : last + 1] = Rhythm.TACHYCARDIA.value
    for first, last in paced_stretches(times_s, analysis.signs.spikes_s):
        rhythm[first + 1 : last + 1] = Rhythm.PACED.value
    for first, last in fibrillation_episodes(analysis):
        rhythm[first + 1 : last + 1] = Rhythm.FIBRILLATION.value
    for first, last in stretches(np.isnan(intervals_s)):
        if first and times_s[last] - times_s[first - 1] >= _UNKNOWN_S:
            rhythm[first : last + 1] = Rhythm.UNKNOWN.value
    # The rhythm of a beat is that of the interval before it; the first beat has none.
    begins = np.flatnonzero(rhythm[1:] != np.concatenate([[""], rhythm[1:-1]])) + 1
    ends = np.append(begins[1:], len(rhythm))
    return [
        RhythmEpisode(
            str(rhythm[first]),
            float(times_s[first - 1]),
            float(times_s[stop - 1]),
            int(stop - first),
            _rate_bpm(intervals_s[first:stop]),
        )
        for first, stop in zip(begins.tolist(), ends.tolist(), strict=True)
    ]


def paced_stretches(times_s: NDArray[np.float64], spikes_s: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Find where beats follow the spikes of a pacemaker.

    A beat is paced where a spike lies 0.03 to 0.3 s before it, by the same time, within 20 ms, as before two of the
    four nearest beats that follow one: what noise leaves comes at any time before a beat. Five paced beats or more,
    with at most two others between, are paced rhythm.

    Parameters
    ----------
    times_s, spikes_s : ndarray of float64
        Of all beats, and of the spikes before them, both in order of time.

    Returns
    -------
    list of (int, int)
        First and last paced beat of each.
    """
    if not len(spikes_s) or not len(times_s):
        return []
    latest = np.searchsorted(spikes_s, times_s) - 1
    delay_s = times_s - spikes_s[np.maximum(latest, 0)]
    rows = np.flatnonzero((latest >= 0) & (delay_s <= _SPIKE_BEFORE_S))
    delays_s = delay_s[rows]
    around = np.arange(len(rows))[:, None] + np.array([-2, -1, 1, 2])
    near_s = np.concatenate([delays_s, [np.nan] * 2])[np.where(around < 0, len(rows), np.minimum(around, len(rows)))]
    rows = rows[(np.abs(near_s - delays_s[:, None]) <= _SAME_DELAY_S).sum(axis=1) >= 2]
    firsts = np.flatnonzero(np.diff(rows, prepend=-np.inf) > _MOST_BETWEEN + 1).tolist()
    groups = [rows[first:stop] for first, stop in pairwise([*firsts, len(rows)])]
    return [(int(group[0]), int(group[-1])) for group in groups if len(group) >= _LEAST_PACED]


def paced_beats(analysis: Analysis) -> NDArray[np.bool_]:
    """Return which beats of an analysed recording lie in a paced rhythm, shape (n,)."""
    paced = np.zeros(len(analysis), np.bool_)
    for first, last in paced_stretches(analysis.beats.times_s, analysis.signs.spikes_s):
        paced[first : last + 1] = True
    return paced


def summarise_rhythm(rhythm_episodes: Sequence[RhythmEpisode]) -> dict[str, Any]:
    """Return the figures of the rhythms, for JSON and tables.

    Returns
    -------
    dict
        ``shares``: percent of the time in which the rhythm is known, by rhythm. ``atrial_fibrillation``: ``burden``,
        its share in percent, None where no rhythm is known; ``episodes``; ``longest_s``; ``mean_rate_bpm``, None
        without.
    """
    times_s = {
        rhythm.value: sum(episode.duration_s for episode in rhythm_episodes if episode.rhythm == rhythm)
        for rhythm in Rhythm
        if rhythm is not Rhythm.UNKNOWN
    }
    total_s = sum(times_s.values())
    shares = {name: round(100.0 * time_s / total_s, 3) for name, time_s in times_s.items() if time_s}
    fibrillation = [episode for episode in rhythm_episodes if episode.rhythm == Rhythm.FIBRILLATION]
    weighted = [(episode.rate_bpm, episode.beats) for episode in fibrillation if episode.rate_bpm is not None]
    # Beats over time: the mean of the intervals, not of the rates.
    minutes = sum(beats / rate_bpm for rate_bpm, beats in weighted)
    return {
        "shares": shares,
        "atrial_fibrillation": {
            "burden": shares.get(Rhythm.FIBRILLATION.value, 0.0) if total_s else None,
            "episodes": len(fibrillation),
            "longest_s": round(max((episode.duration_s for episode in fibrillation), default=0.0), 3),
            "mean_rate_bpm": round(sum(beats for _, beats in weighted) / minutes, 3) if minutes else None,
        },
    }


def _rate_bpm(intervals_s: NDArray[np.float64]) -> float | None:
    is_known = np.isfinite(intervals_s)
    return float(60.0 / intervals_s[is_known].mean()) if is_known.any() else None
