"""Atrial fibrillation from RR intervals: how irregular the intervals around each beat are, and the episodes.

In atrial fibrillation successive intervals differ without a pattern. Six measures of 64 intervals in a row say so: how
many successive ones differ by more than 10 %, and how large that part of their variation is that the two intervals
before do not predict. Breathing changes intervals as much, but as a wave, which they do predict. The published
detectors look at the differences of successive intervals as well (Sarkar et al. 2008, doi:10.1109/TBME.2007.903707;
Lian et al. 2011, doi:10.1016/j.amjcard.2011.02.331; Zhou et al. 2014, doi:10.1186/1475-925X-13-18). Intervals before
and after an ectopic beat are left out, for most false episodes of such detectors are ectopic beats. A logistic
regression makes one number of the measures (`WEIGHTS`): the log odds of atrial fibrillation.

Only intervals are looked at. Atrial flutter with a changing block looks the same, and flutter with a constant block
looks like a regular rhythm: neither can be told.

The number for a beat rests on the 32 intervals before it, its own, and the 31 after. A stream has it 31 beats later.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.stretches import episodes

WINDOW = 64
"""RR intervals in a row that the measures are of."""

LEAST_LARGE = 0.15
"""Share of large differences below which a rhythm is not atrial fibrillation: 0.2 % of the labelled beats in it are."""

REMEMBERED = WINDOW + 2
"""Intervals that the latest window rests on: the first two have a difference only with those before them."""

LEAST_DIFFERENCES = 12
"""Differences of successive intervals that a window must have; the log odds are not known with fewer."""

SHORTEST_S, LONGEST_S = 0.2, 2.5
"""Intervals outside of these limits do not count."""

FIBRILLATION_LOG_ODDS = 1.0
"""Log odds above which an episode of atrial fibrillation begins."""

STILL_LOG_ODDS = -1.0
"""Log odds above which it goes on."""

APART_S = 30.0
"""Episodes that are less apart are one."""

LEAST_EPISODE_S = 30.0
"""An episode of atrial fibrillation lasts that long (Hindricks et al. 2021, doi:10.1093/eurheartj/ehaa612)."""

MEASURES = (
    "share of large differences",
    "share of large differences after an early beat",
    "mean logarithm",
    "share of intervals that count",
    "share of the variance that is predicted",
    "logarithm of the spread that is not",
)
"""Of the logarithms of the intervals of a window; differences are those of two successive ones."""

WEIGHTS = (-6.249, 11.84, -9.638, -6.153, 7.778, -9.128, 1.739)
"""Offset, then the weight of each measure: `ectopy benchmark rhythm --data ltafdb` fits them."""

_LARGE = 0.1
_GRID = 2.0**20
_LAGS = (0, 1, 2)
_LEAST_VARIANCE = 1e-8
_LEAST_SPREAD = 1e-3
_MOST_CORRELATION = 0.98


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
        plausible = (intervals_s > SHORTEST_S) & (intervals_s < LONGEST_S)
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
        In the order of `MEASURES`, of the 64 intervals around the beat, 32 before its own and 31 after; of fewer at the
        ends. The first is NaN with fewer than `LEAST_DIFFERENCES` differences.
    """
    return _measures(_sum_around(_summands(intervals_s)))


def latest_log_odds(intervals_s: Sequence[float]) -> float:
    """Return the log odds from the last 64 intervals of a stream, as `log_odds` has them for the beat 31 beats before.

    Parameters
    ----------
    intervals_s : sequence of float
        From `usual_intervals`: the last `REMEMBERED`, or all if there are fewer.

    Returns
    -------
    float
        NaN with fewer than 32, or too few differences.
    """
    if len(intervals_s) < WINDOW // 2:
        return nan
    sums = _summands(np.array(intervals_s))[:, -WINDOW:].sum(axis=1, keepdims=True)
    return float(log_odds(_measures(sums))[0])


def find_fibrillation(
    times_s: NDArray[np.float64],
    intervals_s: NDArray[np.float64],
    ectopic: NDArray[np.bool_],
    weights: Sequence[float] = WEIGHTS,
) -> list[tuple[int, int]]:
    """Find the episodes of atrial fibrillation of a recording.

    An episode begins where the log odds are above 1, goes on while they are above -1, and lasts 30 s at least, or half
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
    # Added one after the other: how a matrix product is rounded depends on the number of rows.
    odds = np.full(len(measures), weights[0])
    for weight, values in zip(weights[1:], measures.T, strict=True):
        odds += weight * values
    # A regular rhythm with a few intervals out of place is not fibrillation, however fast it is.
    odds = np.where(measures[:, 0] < LEAST_LARGE, np.minimum(odds, STILL_LOG_ODDS), odds)
    return np.asarray(odds, np.float64)


def _summands(intervals_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what is summed over a window around each beat, shape (17, n): counts, and products with earlier values."""
    # Logarithms, on a grid on which sums are exact, so that a stream has the same figures to the last bit.
    logs = np.round(np.log(intervals_s) * _GRID) / _GRID
    differences = np.diff(logs, prepend=np.nan)
    before = np.concatenate([[np.nan], differences])[:-1]
    large, early = np.abs(differences) > _LARGE, (before < -_LARGE) & (differences > _LARGE)
    columns = [np.isfinite(differences), large, np.isfinite(differences + before), early, np.ones(len(logs))]
    # The values, and those of none, one and two beats before, where both are known.
    for lag in _LAGS:
        earlier = np.concatenate([np.full(lag, np.nan), logs])[: len(logs)]
        both = np.isfinite(logs + earlier)
        values, earlier = np.where(both, logs, 0.0), np.where(both, earlier, 0.0)
        columns += [both, np.round(values * earlier * _GRID) / _GRID, values, earlier]
    return np.array(columns, np.float64)


def _measures(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the measures, shape (n, 6), from sums of `_summands`."""
    number, large_number, pairs, early_number, possible = sums[:5]
    (count, mean, variance), (_, _, once), (_, _, twice) = (
        _covariance(*sums[start : start + 4]) for start in range(5, len(sums), 4)
    )
    variance = np.maximum(variance, _LEAST_VARIANCE)
    # What the two intervals before predict: partial correlations (Durbin and Levinson).
    first = _limited(once / variance)
    second = _limited((twice / variance - np.square(first)) / (1.0 - np.square(first)))
    unpredicted = (1.0 - np.square(first)) * (1.0 - np.square(second))
    spread = 0.5 * np.log(variance * unpredicted + np.square(_LEAST_SPREAD))
    # A share of no pairs is zero; with too few differences nothing is known.
    number = np.where(number < LEAST_DIFFERENCES, np.nan, number)
    shares = large_number / number, early_number / np.maximum(pairs, 1.0)
    return np.column_stack([*shares, mean, count / possible, 1.0 - unpredicted, spread])


def _covariance(
    number: NDArray[np.float64], product: NDArray[np.float64], total: NDArray[np.float64], earlier: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """Return the number, mean and covariance of values with earlier ones, from their sums."""
    least_one = np.maximum(number, 1.0)
    return number, total / least_one, (product - total * earlier / least_one) / least_one


def _limited(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.minimum(np.maximum(correlation, -_MOST_CORRELATION), _MOST_CORRELATION)


def _sum_around(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the window around each value, shape (columns, n)."""
    total = np.zeros((len(columns), columns.shape[1] + 1))
    np.cumsum(columns, axis=1, out=total[:, 1:])
    place = np.arange(columns.shape[1])
    first, stop = np.maximum(place - WINDOW // 2, 0), np.minimum(place + WINDOW // 2, len(place))
    sums: NDArray[np.float64] = total[:, stop] - total[:, first]
    return sums
