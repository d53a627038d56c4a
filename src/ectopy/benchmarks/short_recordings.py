"""The class of a recording of some ten seconds, as the Challenge 2017 asks for it: N, A, O or ~.

Measures of an analysed recording, and for each class a sum of small trees; the class with the highest log odds is
taken. Fitted and measured by `ectopy benchmark rhythm --data cinc2017`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib import resources

import msgspec
import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.atrial_fibrillation import log_odds as fibrillation_log_odds
from ectopy.analysis.atrial_fibrillation import measure_irregularity, usual_intervals
from ectopy.analysis.p_wave import find_p_wave
from ectopy.analysis.slow_waves import without_slow_waves
from ectopy.analysis.verdicts import Hint
from ectopy.analysis.wave_intervals import WaveIntervals, measure_waves
from ectopy.benchmarks.boosted_trees import DEPTH, TreesOfClass, log_odds, trees_of
from ectopy.datasets.cinc2017 import CLASSES
from ectopy.detector import Verdict
from ectopy.errors import MissingExtraError
from ectopy.recording import Recording
from ectopy.signal.beat_segments import BEFORE, MARGIN

NOISY = "~"
LEAST_BEATS = 4
"""With fewer readable beats a recording is too noisy."""

COUNTS = {"N": 5076, "A": 758, "O": 2415, "~": 279}
"""Training records of each class in the whole Challenge (labels of version 3): those at hand are another mixture."""

TREES = "short_recordings.json"
"""File with the trees of each class, beside this module."""

_ROUNDS, _RATE, _SHARE_OF_RECORDINGS, _SHARE_OF_MEASURES, _LEAST_RECORDINGS = 200, 0.08, 0.6, 0.3, 8
_P_WAVE = slice(0, BEFORE - 10)
_QRS = slice(BEFORE - 22, BEFORE + 30)
_ODDS_RANGE, _ODDS_UNKNOWN = (-12.0, 6.0), -4.0
_UNKNOWN_MS = {"pr_ms": 160.0, "qrs_ms": 90.0}
_ANOTHER_SHAPE = 0.8
_STEPS = (0.06, 0.15)
_SIGMA_PERCENT = 16.0, 84.0


def measure_short(recording: Recording, analysis: Analysis) -> dict[str, float] | None:
    """Measure a recording that has been analysed; None where it is too noisy."""
    readable = np.not_equal(analysis.verdict, Verdict.UNREADABLE)
    is_known = np.isfinite(analysis.intervals_s)
    if readable.sum() < LEAST_BEATS or is_known.sum() < LEAST_BEATS:
        return None
    return {
        **_measure_intervals(analysis, readable),
        **_measure_shape(analysis, readable),
        **_measure_waves(measure_waves(recording, analysis).intervals, readable),
        "median score": _percentile(analysis.score, 50.0),
        "shape of the most unusual beats": _percentile(analysis.shape, 90.0),
        "supraventricular-like beats": float(np.equal(analysis.hint, Hint.SUPRAVENTRICULAR).sum()),
        "mean quality": float(analysis.quality.index.mean()),
        "duration": recording.duration_s,
    }


def _measure_intervals(analysis: Analysis, readable: NDArray[np.bool_]) -> dict[str, float]:
    """Measure the intervals, with premature beats among them: in thirty seconds of fibrillation those are many."""
    intervals_s = analysis.intervals_s
    wide = np.equal(analysis.hint, Hint.VENTRICULAR) | ~readable
    odds = fibrillation_log_odds(measure_irregularity(usual_intervals(intervals_s, wide)))
    odds = odds[np.isfinite(odds)]
    typical_odds = float(np.clip(np.median(odds), *_ODDS_RANGE)) if len(odds) else _ODDS_UNKNOWN
    known_s = intervals_s[np.isfinite(intervals_s)]
    usual_s = float(np.median(known_s))
    over_usual = np.log(known_s / usual_s)
    steps = np.abs(np.diff(over_usual))
    early = np.sort(analysis.timing.early[np.isfinite(analysis.timing.early)])[::-1]
    return {
        "log odds of atrial fibrillation": typical_odds,
        "rate": 60.0 / usual_s,
        **{f"interval, percentile {share}": _percentile(over_usual, share) for share in (2, 75, 90, 98)},
        **{f"share of steps above {step}": float((steps > step).mean()) for step in _STEPS},
        "median step": _percentile(steps, 50.0),
        "steps": float(np.sqrt(np.square(steps).mean())),
        "early beat with a pause": float(np.minimum(analysis.beats.prematurity, analysis.beats.delay).max()),
        "most surprising early beat": float(early[0]) if len(early) else 0.0,
        "third surprising early beat": float(early[2]) if len(early) > 2 else 0.0,
    }


def _measure_shape(analysis: Analysis, readable: NDArray[np.bool_]) -> dict[str, float]:
    """Measure beats in the lead that is readable most often, in units of the height of the usual one."""
    lead = int(analysis.beats.readable.sum(axis=0).argmax())
    beats = analysis.beats.samples[readable, lead, MARGIN:-MARGIN].astype(np.float64)
    beats -= np.median(beats, axis=1, keepdims=True)
    usual = readable & np.equal(analysis.hint, Hint.EMPTY)
    rows = usual[readable] if usual.sum() >= LEAST_BEATS else np.ones(len(beats), np.bool_)
    shape = np.median(beats[rows], axis=0)
    height = max(float(np.ptp(shape)), 1e-3)
    # Before the QRS complex: how far beats differ, and the wave there without its slope.
    rest = (beats[rows] - shape)[:, _P_WAVE] / height
    spread = float((rest - rest.mean(axis=1, keepdims=True)).std())
    times = np.linspace(-1.0, 1.0, BEFORE - 10)
    before = shape[_P_WAVE] / height
    wave = before - np.polyval(np.polyfit(times, before, 1), times)
    # Likeness of all beats to the median one.
    middle = np.median(beats, axis=0)
    of_complex, of_whole = _likeness(beats[:, _QRS], middle[_QRS]), _likeness(beats, middle)
    # Slow waves in which beats differ from it.
    different = (beats - middle) / height
    slow = different - without_slow_waves(different[:, None], np.ones(beats.shape, np.bool_))[:, 0]
    heights = np.ptp(beats[:, _QRS], axis=1)
    return {
        "spread before the QRS complex": spread,
        "wave before the QRS complex over its spread": float(wave.std()) / (spread + 1e-6),
        "start of the P wave": float(find_p_wave(shape[None, None, :], np.ones((1, 1), np.bool_))[0]),
        "median likeness of QRS complexes": float(np.median(of_complex)),
        "share of unlike QRS complexes": float((of_complex < _ANOTHER_SHAPE).mean()),
        "likeness of unusual beats": _percentile(of_whole, 10.0),
        "spread of heights": float(heights.std() / max(heights.mean(), 1e-3)),
        "slow waves of most beats": _percentile(slow.std(axis=1), 75.0),
        "slow waves of unusual beats": _percentile(slow.std(axis=1), 95.0),
        "height": float(np.ptp(middle[_QRS])),
        "roughness": float(np.median(np.abs(np.diff(beats, 2)).mean(axis=1))) / height,
    }


def _measure_waves(intervals: WaveIntervals, readable: NDArray[np.bool_]) -> dict[str, float]:
    low, high = _SIGMA_PERCENT
    return {
        "share of beats with a P wave": float(np.isfinite(intervals.p_ms[readable]).mean()),
        "share of beats with a T wave": float(np.isfinite(intervals.qtc_fridericia_ms[readable]).mean()),
        "PR": _percentile(intervals.pr_ms, 50.0, _UNKNOWN_MS["pr_ms"]),
        "spread of P durations": _percentile(intervals.p_ms, high) - _percentile(intervals.p_ms, low),
        "QRS": _percentile(intervals.qrs_ms, 50.0, _UNKNOWN_MS["qrs_ms"]),
        "wide QRS": _percentile(intervals.qrs_ms, high, _UNKNOWN_MS["qrs_ms"]),
    }


def _percentile(values: NDArray[np.float64], share: float, unknown: float = 0.0) -> float:
    finite = values[np.isfinite(values)]
    return float(np.percentile(finite, share)) if len(finite) else unknown


def _likeness(beats: NDArray[np.float64], shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation of each beat with a shape; 0 for a flat one."""
    beats, shape = beats - beats.mean(axis=1, keepdims=True), shape - shape.mean()
    size = np.sqrt(np.square(beats).sum(axis=1) * np.square(shape).sum())
    likeness: NDArray[np.float64] = np.divide(beats @ shape, size, out=np.zeros(len(beats)), where=size > 0)
    return likeness


@cache
def shipped_trees() -> dict[str, TreesOfClass]:
    """Return the trees of each of `CLASSES`, fitted to all recordings at hand."""
    content = resources.files(__package__).joinpath(TREES).read_bytes()
    return msgspec.json.decode(content, type=dict[str, TreesOfClass])


def class_of(measures: dict[str, float] | None, trees: dict[str, TreesOfClass] | None = None) -> str:
    """Return the class of a recording that has been measured, one of `CLASSES`."""
    if measures is None:
        return NOISY
    values = np.array([*measures.values()])
    odds = {name: log_odds(each, values) for name, each in (trees or shipped_trees()).items()}
    return max(odds, key=odds.__getitem__)


def fit_classes(measures: Sequence[dict[str, float]], labels: Sequence[str]) -> dict[str, TreesOfClass]:
    """Fit the trees of each class to measured recordings and their labels; the mixture of classes is that of `COUNTS`.

    A `MissingExtraError` without scikit-learn.
    """
    try:
        from sklearn.ensemble import GradientBoostingClassifier
    except ModuleNotFoundError as missing:
        raise MissingExtraError.of("train", "fitting the classes of recordings") from missing
    model = GradientBoostingClassifier(
        n_estimators=_ROUNDS,
        learning_rate=_RATE,
        max_depth=DEPTH,
        subsample=_SHARE_OF_RECORDINGS,
        max_features=_SHARE_OF_MEASURES,
        min_samples_leaf=_LEAST_RECORDINGS,
        random_state=0,
    )
    model.fit(np.array([[*each.values()] for each in measures]), labels)
    trees = dict(zip(map(str, model.classes_), trees_of(model), strict=True))
    shift = {name: math.log(COUNTS[name] / labels.count(name)) for name in CLASSES}
    return {name: msgspec.structs.replace(trees[name], offset=trees[name].offset + shift[name]) for name in CLASSES}
