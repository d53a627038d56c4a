"""The class of a recording of some ten seconds, as the Challenge 2017 asks for it: N, A, O or ~.

Fifteen measures of an analysed recording, and for each class a logistic regression of it against the others; the
class with the highest log odds is taken. Fitted and measured by `ectopy benchmark rhythm --data cinc2017`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.atrial_fibrillation import log_odds, measure_irregularity, usual_intervals
from ectopy.analysis.p_wave import find_p_wave
from ectopy.analysis.verdicts import Hint
from ectopy.benchmarks.logistic_fit import fit_logistic
from ectopy.datasets.cinc2017 import CLASSES
from ectopy.detector import Verdict
from ectopy.signal.beat_segments import BEFORE, MARGIN

NOISY = "~"
LEAST_BEATS = 4
"""With fewer readable beats a recording is too noisy."""

MEASURES = (
    "log odds of atrial fibrillation",
    "spread before the QRS complex",
    "P wave over its spread",
    "start of the P wave",
    "width of the QRS complex",
    "longest interval over the median",
    "most surprising early beat",
    "rate below 60",
    "rate above 90",
    "differences of intervals",
    "share of intervals that are not known",
    "log odds of atrial fibrillation above -4",
    "longest interval above 1.35 times the median",
    "logarithm of the ventricular-like beats",
    "no P wave",
)

WEIGHTS: tuple[tuple[float, ...], ...] = (
    (
        2.778,
        -0.09198,
        0.6611,
        0.06265,
        0.09167,
        -0.2142,
        -7.094,
        -0.0708,
        -0.1312,
        -0.0788,
        -0.416,
        -5.943,
        -0.158,
        5.881,
        0.2608,
        0.06332,
    ),
    (
        -5.309,
        0.2676,
        -1.434,
        -1.501,
        -0.08109,
        -0.01657,
        5.703,
        -0.6941,
        0.01962,
        0.02625,
        0.3448,
        1.881,
        0.05759,
        -6.714,
        0.2656,
        0.3644,
    ),
    (
        -3.148,
        0.1126,
        -0.6212,
        0.5317,
        -0.04827,
        0.146,
        6.012,
        0.3984,
        0.1484,
        0.02151,
        0.121,
        -3.944,
        -0.3531,
        -6.725,
        -0.3557,
        -0.5936,
    ),
    (
        0.7157,
        0.1855,
        2.307,
        -0.01783,
        0.1196,
        0.09007,
        -1.915,
        -0.02127,
        -0.3854,
        -0.002412,
        1.427,
        20.91,
        -0.1707,
        2.004,
        0.7854,
        0.8026,
    ),
)
"""For each of `CLASSES` the offset, then the weight of each measure."""

_P_WAVE = slice(0, BEFORE - 10)
_QRS = slice(BEFORE - 20, BEFORE + 25)
_LONG = 0.3  # logarithm of 1.35
_ODDS_RANGE, _ODDS_UNKNOWN = (-12.0, 6.0), -4.0


def measure_short(analysis: Analysis) -> NDArray[np.float64] | None:
    """Measure a recording, in the order of `MEASURES`; None where it is too noisy.

    Intervals are measured with premature beats of usual width among them: in thirty seconds of fibrillation those that
    come early are many.
    """
    readable = np.not_equal(analysis.verdict, Verdict.UNREADABLE)
    intervals_s = analysis.intervals_s
    is_known = np.isfinite(intervals_s)
    if readable.sum() < LEAST_BEATS or is_known.sum() < LEAST_BEATS:
        return None
    # Intervals.
    wide = np.equal(analysis.hint, Hint.VENTRICULAR) | ~readable
    odds = log_odds(measure_irregularity(usual_intervals(intervals_s, wide)))
    odds = odds[np.isfinite(odds)]
    typical_odds = float(np.clip(np.median(odds), *_ODDS_RANGE)) if len(odds) else _ODDS_UNKNOWN
    known_s = intervals_s[is_known]
    usual_s = float(np.median(known_s))
    rate_bpm, longest = 60.0 / usual_s, float(np.log(known_s.max() / usual_s))
    differences = np.diff(np.log(known_s))
    early = analysis.timing.early[np.isfinite(analysis.timing.early)]
    # The usual beat of the lead that is readable most often, in units of its height, and how far beats differ from it.
    lead = int(analysis.beats.readable.sum(axis=0).argmax())
    usual = readable & np.equal(analysis.hint, Hint.EMPTY)
    rows = usual if usual.sum() >= LEAST_BEATS else readable
    beats = analysis.beats.samples[rows, lead, MARGIN:-MARGIN].astype(np.float64)
    beats -= np.median(beats, axis=1, keepdims=True)
    shape = np.median(beats, axis=0)
    height = max(float(np.ptp(shape)), 1e-3)
    rest = (beats - shape)[:, _P_WAVE] / height
    rest -= rest.mean(axis=1, keepdims=True)
    spread = float(np.sqrt(np.square(rest).mean()))
    before = shape[_P_WAVE] / height
    times = np.linspace(-1.0, 1.0, len(before))
    wave = before - np.polyval(np.polyfit(times, before, 1), times)
    start = int(find_p_wave(shape[None, None, :], np.ones((1, 1), np.bool_))[0])
    return np.array(
        [
            typical_odds,
            np.log(spread + 0.003),
            np.log(np.sqrt(np.square(wave).mean()) / (spread + 1e-6) + 0.05),
            start,
            (np.abs(shape) > 0.5 * np.abs(shape).max())[_QRS].sum(),
            longest,
            float(early.max()) if len(early) else 0.0,
            max(60.0 - rate_bpm, 0.0),
            max(rate_bpm - 90.0, 0.0),
            np.log(np.sqrt(np.square(differences).mean()) + 0.005),
            1.0 - is_known.mean(),
            max(typical_odds - _ODDS_UNKNOWN, 0.0),
            max(longest - _LONG, 0.0),
            np.log1p(np.equal(analysis.hint, Hint.VENTRICULAR).sum()),
            float(start < 0),
        ]
    )


def class_of(measures: NDArray[np.float64] | None, weights: Sequence[Sequence[float]] = WEIGHTS) -> str:
    """Return the class of a recording that has been measured, one of `CLASSES`."""
    if measures is None:
        return NOISY
    table = np.array(weights)
    return list(CLASSES)[int((table[:, 0] + table[:, 1:] @ measures).argmax())]


def fit_classes(measures: NDArray[np.float64], labels: NDArray[np.str_]) -> list[list[float]]:
    """Fit the weights of each class to measured recordings of shape (n, measures), and their labels."""
    return [fit_logistic(measures, np.equal(labels, name)).tolist() for name in CLASSES]
