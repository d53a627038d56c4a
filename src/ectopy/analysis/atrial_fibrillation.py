"""Atrial fibrillation from RR intervals: how irregular the intervals around each beat are, and the episodes.

In atrial fibrillation successive intervals differ without a pattern. Six measures of 64 intervals in a row say so; the
first four are those of the published detectors that rest on the differences of successive intervals (Sarkar et al.
2008, doi:10.1109/TBME.2007.903707; Lian et al. 2011, doi:10.1016/j.amjcard.2011.02.331; Zhou et al. 2014,
doi:10.1186/1475-925X-13-18). Intervals before and after an ectopic beat are left out, for most false episodes of such
detectors are ectopic beats. A logistic regression makes one number of the measures (`WEIGHTS`): the log odds of
atrial fibrillation.

Only intervals are looked at. Atrial flutter with a changing block looks the same, and flutter with a constant block
looks like a regular rhythm: neither can be told.

The number for a beat rests on the 32 intervals up to it and the 32 after. A stream has it 32 beats later.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.stretches import episodes

WINDOW = 64
"""RR intervals in a row that the measures are of."""

LEAST_DIFFERENCES = 12
"""Differences of successive intervals that a window must have; the log odds are not known with fewer."""

FIBRILLATION_LOG_ODDS = 0.5
"""Log odds above which an episode of atrial fibrillation begins."""

STILL_LOG_ODDS = 0.0
"""Log odds above which it goes on."""

APART_S = 30.0
"""Episodes that are less apart are one."""

LEAST_EPISODE_S = 30.0
"""An episode of atrial fibrillation lasts that long (Hindricks et al. 2021, doi:10.1093/eurheartj/ehaa612)."""

MEASURES = (
    "share of differences above 10 %",
    "share of differences above 2 %",
    "share of a short interval that a longer one follows",
    "entropy of the differences",
    "mean logarithm of the intervals",
    "share of intervals that count",
)
"""Of the intervals of a window; differences are of the logarithms of two successive intervals."""

WEIGHTS = (-21.39, 19.95, -6.332, -15.6, 6.126, -5.003, 6.13)
"""Offset, then the weight of each measure: `ectopy benchmark rhythm --data ltafdb` fits them."""

_LARGE, _SMALL = 0.1, 0.02
_SHORTEST_S, _LONGEST_S = 0.2, 2.5
_EDGES = np.array([-0.3, -0.2, -0.13, -0.08, -0.05, -0.03, -0.01, 0.01, 0.03, 0.05, 0.08, 0.13, 0.2, 0.3])


def usual_intervals(intervals_s: NDArray[np.float64], ectopic: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Leave the intervals before and after ectopic beats out.

    Parameters
    ----------
    intervals_s : ndarray of float64, shape (n,)
        RR interval before each beat; NaN = not known.
    ectopic : ndarray of bool, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN where an interval is not known, is shorter than 0.2 s or longer than 2.5 s, or begins or ends at an ectopic
        beat.
    """
    beside = ectopic.copy()
    beside[1:] |= ectopic[:-1]
    with np.errstate(invalid="ignore"):
        plausible = (intervals_s > _SHORTEST_S) & (intervals_s < _LONGEST_S)
    return np.where(plausible & ~beside, intervals_s, np.nan)


def measure_irregularity(intervals_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure the intervals around each beat.

    Parameters
    ----------
    intervals_s : ndarray of float64, shape (n,)
        RR interval before each beat, from `usual_intervals`.

    Returns
    -------
    ndarray of float64, shape (n, 6)
        In the order of `MEASURES`, of the 32 intervals before the beat and the 32 after; of fewer at the ends. NaN with
        fewer than `LEAST_DIFFERENCES` differences.
    """
    # Logarithms, and the differences of two successive ones.
    logs = np.log(intervals_s)
    differences = np.diff(logs, prepend=np.nan)
    before = np.concatenate([[np.nan], differences])[:-1]
    size = np.abs(differences)
    # What is counted in each window: differences, pairs of differences, intervals.
    differs, pairs, counts = np.isfinite(differences), np.isfinite(differences + before), np.isfinite(logs)
    returns = (before < -_LARGE) & (differences > _LARGE)
    number = _around(differs)
    number[number < LEAST_DIFFERENCES] = np.nan
    large, small = _around(size > _LARGE) / number, _around(size > _SMALL) / number
    shares = _around(returns) / np.maximum(_around(pairs), 1.0)
    # The entropy of the histogram of differences, in nats.
    entropy = np.zeros(len(logs))
    bins = np.where(differs, np.digitize(differences, _EDGES), -1)
    for each in range(len(_EDGES) + 1):
        share = _around(bins == each) / number
        entropy -= share * np.log(np.maximum(share, 1e-12))
    mean = _around(np.where(counts, logs, 0.0)) / np.maximum(_around(counts), 1.0)
    return np.column_stack([large, small, shares, entropy, mean, _around(counts) / _around(np.ones(len(logs)))])


def find_fibrillation(
    times_s: NDArray[np.float64],
    intervals_s: NDArray[np.float64],
    ectopic: NDArray[np.bool_],
    weights: Sequence[float] = WEIGHTS,
) -> list[tuple[int, int]]:
    """Find the episodes of atrial fibrillation of a recording.

    An episode begins where the log odds are above 0.5, goes on while they are above 0, and lasts 30 s at least, or half
    of a recording that is shorter than a minute; episodes less than 30 s apart are one.

    Parameters
    ----------
    times_s, intervals_s : ndarray of float64, shape (n,)
        Of the beats; RR interval before each, NaN = not known.
    ectopic : ndarray of bool, shape (n,)
    weights : sequence of float
        As `WEIGHTS`.

    Returns
    -------
    list of (int, int)
        First and last beat of each, in order of time.
    """
    if not len(times_s):
        return []
    odds = log_odds(measure_irregularity(usual_intervals(intervals_s, ectopic)), weights)
    return episodes(
        odds > FIBRILLATION_LOG_ODDS,
        odds > STILL_LOG_ODDS,
        times_s,
        0,
        apart_s=APART_S,
        least_s=min(LEAST_EPISODE_S, 0.5 * float(times_s[-1] - times_s[0])),
    )


def log_odds(measures: NDArray[np.float64], weights: Sequence[float] = WEIGHTS) -> NDArray[np.float64]:
    """Return the log odds of atrial fibrillation for each beat, shape (n,); NaN where the measures are."""
    odds: NDArray[np.float64] = weights[0] + measures @ np.array(weights[1:])
    return odds


def _around(values: NDArray[np.bool_] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the window around each value, shape (n,)."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    place = np.arange(len(values))
    first, stop = np.maximum(place - WINDOW // 2, 0), np.minimum(place + WINDOW // 2, len(values))
    sums: NDArray[np.float64] = total[stop] - total[first]
    return sums
