"""The rule book of rhythm: what a pause, a run, a couplet or a rate is, and what it is called.

Recordings (`ectopy.analysis.rhythm_events`) and the live monitor (`ectopy.monitor.rhythm`) both read it, so that one
word means one thing in a report, in an alarm and in a message. What differs is a profile of limits: `RECORDING` for
reports, `WARD` as the default of the monitor, and those of other profiles and of single patients in
`ectopy.monitor.limits`. `definitions` says in words what a set of limits means.

A report is read afterwards by somebody who wants to see everything: its limits are close, and nobody is disturbed by
them. A rate below 50 per minute is a bradycardia (Kusumoto et al. 2019, doi:10.1016/j.jacc.2018.10.044), and pauses are
listed from two seconds on, as Holter software does; those above three seconds, which the same guideline calls sinus
pauses, come first. An alarm calls somebody to a bed: its limits are wide apart.

In both, a rate or an irregular rhythm that has begun goes on until it is clear of its limit, so that one that hovers
around the limit is one episode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.atrial_fibrillation import LEAST_EPISODE_S, WINDOW
from ectopy.errors import SettingError

RATE_OVER = 8
"""RR intervals in a row that make a rate."""

RHYTHM_OVER = 64
"""RR intervals that irregularity is measured over."""

RATE_APART_S = 60.0
"""Episodes of a rate that are less apart are one, where the mean rate of both together is beyond the limit as well."""

IRREGULAR_S = 120.0
"""Time that a rhythm must be irregular, and that it must be regular between two episodes.

One beat that is out of place, or missed, counts for the next 64.
"""

STILL_IRREGULAR = 0.8
"""A rhythm that was irregular remains so until its irregularity is below this share of the limit."""

UNKNOWN_FROM_S = 2.0
"""Intervals of this length or longer do not count for the irregularity: a pause says nothing of the rhythm."""

TACHYCARDIA_BPM = 100.0
"""A run above this rate is a tachycardia."""

RHYTHM_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "low_bpm": (20, 160),
        "high_bpm": (60, 320),
        "clear_bpm": (0, 20),
        "pause_s": (1, 10),
        "run_beats": (3, 20),
        "svt_beats": (3, 50),
        "svt_bpm": (0, 250),
        "bigeminy_pairs": (2, 20),
        "irregular_share": (0.02, 1),
    }
)
"""Least and greatest value of each limit."""


class RhythmKind(StrEnum):
    """Kinds of events, the most serious first; the value is the name in results, alarms and messages."""

    VENTRICULAR_RUN = "ventricular run"
    PAUSE = "pause"
    AV_BLOCK = "second-degree AV block suspected"
    ATRIAL_FIBRILLATION = "atrial fibrillation"
    SUPRAVENTRICULAR_RUN = "supraventricular run"
    HIGH_RATE = "high rate"
    LOW_RATE = "low rate"
    COUPLET = "couplet"
    BIGEMINY = "bigeminy"
    TRIGEMINY = "trigeminy"
    SUPRAVENTRICULAR_BIGEMINY = "supraventricular bigeminy"
    SUPRAVENTRICULAR_TRIGEMINY = "supraventricular trigeminy"
    IRREGULAR_RHYTHM = "irregular rhythm"


TITLES: Mapping[RhythmKind, str] = MappingProxyType(
    {
        RhythmKind.VENTRICULAR_RUN: "Ventricular run",
        RhythmKind.PAUSE: "Pause",
        RhythmKind.AV_BLOCK: "Second-degree AV block suspected",
        RhythmKind.ATRIAL_FIBRILLATION: "Atrial fibrillation or flutter",
        RhythmKind.SUPRAVENTRICULAR_RUN: "Supraventricular run",
        RhythmKind.HIGH_RATE: "High heart rate",
        RhythmKind.LOW_RATE: "Low heart rate",
        RhythmKind.COUPLET: "Ventricular couplets",
        RhythmKind.BIGEMINY: "Ventricular bigeminy",
        RhythmKind.TRIGEMINY: "Ventricular trigeminy",
        RhythmKind.SUPRAVENTRICULAR_BIGEMINY: "Supraventricular bigeminy",
        RhythmKind.SUPRAVENTRICULAR_TRIGEMINY: "Supraventricular trigeminy",
        RhythmKind.IRREGULAR_RHYTHM: "Irregular rhythm",
    }
)
"""Each kind as a heading, the same in reports and alarms."""


@dataclass(frozen=True, slots=True)
class RhythmLimits:
    """From where on beats are a run, a pause or a rate; the defaults are those of the profile ``ward``.

    Attributes
    ----------
    profile : str
        Whose limits these are: ``recording``, or a profile of the monitor.
    low_bpm, high_bpm : float
        Mean rate of eight RR intervals, per minute: 20 to 160 and 60 to 320.
    clear_bpm : float
        How far back behind its limit a rate must be before it is no longer beyond, 0 to 20 per minute.
    pause_s : float
        RR interval, 1 to 10 s.
    run_beats : int
        Ventricular-like beats in a row that are a run, 3 to 20.
    svt_beats : int
        Supraventricular-like beats in a row that are a run, 3 to 50.
    svt_bpm : float
        And above which rate, 0 to 250 per minute.
    bigeminy_pairs : int
        How often in a row every other beat is ectopic in bigeminy, and every third one in trigeminy, 2 to 20.
    irregular_share : float
        Difference of successive RR intervals, share of the mean, 0.02 to 1.

    Raises
    ------
    SettingError
        If a value is out of its range, or the low rate is not below the high one.
    """

    profile: str = "ward"
    low_bpm: float = 45.0
    high_bpm: float = 130.0
    clear_bpm: float = 5.0
    pause_s: float = 3.0
    run_beats: int = 3
    svt_beats: int = 5
    svt_bpm: float = 100.0
    bigeminy_pairs: int = 3
    irregular_share: float = 0.1

    def __post_init__(self) -> None:
        for name, (least, most) in RHYTHM_RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise SettingError(f"{name} must be {least:g} to {most:g}, not {value}.")
        if not self.low_bpm < self.high_bpm:
            raise SettingError(f"low_bpm must be below high_bpm, {self.high_bpm:g}.")


WARD = RhythmLimits()
RECORDING = RhythmLimits(
    "recording", low_bpm=50.0, high_bpm=120.0, clear_bpm=10.0, pause_s=2.0, svt_beats=3, svt_bpm=0.0
)


def definitions(limits: RhythmLimits) -> dict[RhythmKind, str]:
    """Say what each kind is under some limits.

    Examples
    --------
    >>> definitions(RECORDING)[RhythmKind.PAUSE]
    'RR interval of at least 2 s'
    >>> definitions(WARD)[RhythmKind.SUPRAVENTRICULAR_RUN]
    '5 or more supraventricular-like beats in a row above 100 per minute'
    """
    fast = f" above {limits.svt_bpm:g} per minute" if limits.svt_bpm else ""
    times = f"{limits.bigeminy_pairs} times in a row"
    return {
        RhythmKind.VENTRICULAR_RUN: f"{limits.run_beats} or more ventricular-like beats in a row",
        RhythmKind.PAUSE: f"RR interval of at least {limits.pause_s:g} s",
        RhythmKind.AV_BLOCK: "P waves of the usual form that come when they are due, and that no QRS complex follows",
        RhythmKind.ATRIAL_FIBRILLATION: (
            f"RR intervals between beats that are not ectopic differ without a pattern, judged over {WINDOW}, for "
            f"{LEAST_EPISODE_S:g} s"
        ),
        RhythmKind.SUPRAVENTRICULAR_RUN: f"{limits.svt_beats} or more supraventricular-like beats in a row{fast}",
        RhythmKind.HIGH_RATE: (
            f"mean rate of {RATE_OVER} RR intervals above {limits.high_bpm:g} per minute, "
            f"until it is at most {limits.high_bpm - limits.clear_bpm:g}"
        ),
        RhythmKind.LOW_RATE: (
            f"rate of {RATE_OVER} RR intervals below {limits.low_bpm:g} per minute, by mean and by median, "
            f"until it is at least {limits.low_bpm + limits.clear_bpm:g}"
        ),
        RhythmKind.COUPLET: "2 ventricular-like beats in a row",
        RhythmKind.BIGEMINY: f"every other beat ventricular-like, {times}",
        RhythmKind.TRIGEMINY: f"every third beat ventricular-like, {times}",
        RhythmKind.SUPRAVENTRICULAR_BIGEMINY: f"every other beat supraventricular-like, {times}",
        RhythmKind.SUPRAVENTRICULAR_TRIGEMINY: f"every third beat supraventricular-like, {times}",
        RhythmKind.IRREGULAR_RHYTHM: (
            f"among {RHYTHM_OVER} RR intervals between beats that are not ectopic, successive ones differ by "
            f"more than {limits.irregular_share:.0%} of the mean, RMS, for {IRREGULAR_S:g} s, "
            f"until by less than {STILL_IRREGULAR * limits.irregular_share:.0%}"
        ),
    }


def irregularity(intervals_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure how far successive RR intervals differ, as a share of their mean, root mean square.

    After Dash et al. 2009, doi:10.1007/s10439-009-9740-z.

    Parameters
    ----------
    intervals_s : ndarray of float64, shape (n,)
        RR interval before each beat that is not ectopic; NaN where the beat before it is, or the interval is not known.

    Returns
    -------
    ndarray of float64, shape (n - 64,)
        Of each stretch of 64 differences; NaN where fewer than half are known.
    """
    regular_s = np.where(intervals_s < UNKNOWN_FROM_S, intervals_s, np.nan)
    rms = np.sqrt(moving_mean(np.square(regular_s[1:] - regular_s[:-1]), RHYTHM_OVER, least_share=0.5))
    share: NDArray[np.float64] = rms / moving_mean(regular_s[1:], RHYTHM_OVER, least_share=0.5)
    return share


def mean_rates(intervals_s: NDArray[np.float64]) -> Callable[[int, int], float]:
    """Return a function that gives the mean rate between two beats, per minute, as rates of joined episodes are judged.

    Parameters
    ----------
    intervals_s : ndarray of float64, shape (n,)
        RR interval after each beat but the last; NaN = not known, and does not count.
    """
    finite = np.isfinite(intervals_s)
    counts, totals_s = np.zeros((2, len(intervals_s) + 1))
    np.cumsum(finite, out=counts[1:])
    np.cumsum(np.where(finite, intervals_s, 0.0), out=totals_s[1:])
    return lambda first, last: float(60.0 * (counts[last] - counts[first]) / (totals_s[last] - totals_s[first]))


def moving_mean(values: NDArray[np.float64], length: int, least_share: float = 1.0) -> NDArray[np.float64]:
    """Average each stretch of so many values; NaN where a smaller share of them than `least_share` is finite."""
    if len(values) < length:
        return np.empty(0)
    finite = np.isfinite(values)
    counts = np.zeros(len(values) + 1)
    np.cumsum(finite, out=counts[1:])
    count = counts[length:] - counts[:-length]
    total = np.convolve(np.where(finite, values, 0.0), np.ones(length), "valid")
    enough = count >= least_share * length
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(len(total), np.nan), where=enough)
    return mean
