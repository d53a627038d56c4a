"""Predict when the next normal beat comes, and measure how early or late a beat is against that.

A small network, learned from normal beats of many people in sinus rhythm and in atrial fibrillation, takes the last RR
intervals of a patient and gives the distribution of the next one, a mixture of logistic distributions of its log. What
an interval says is its rank in that distribution, as a standard normal deviate: 3 is as rare for everybody, whatever
the rhythm. The history holds no intervals that came surprisingly early, so that a run, or every second beat, does not
become what is expected; a faster rhythm that lasts becomes it after a while.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from ectopy.errors import DataError
from ectopy.presentation import short_repr
from ectopy.signal.array_columns import select
from ectopy.signal.lower_median import lower_median

HISTORY = 50
"""Number of intervals that a prediction rests on."""
LEAST_INTERVALS = 4
"""Fewer say nothing of the next."""
COMPONENTS = 3
"""Number of logistic distributions of a prediction."""
LAYERS = 3
LOG_SCALES = -4.0, 0.0
"""Least and greatest log of the scale of a component. Below 0.018, a rhythm without any variability would make a beat
that comes 5 % early as rare as an ectopic one."""
FURTHEST = 1.5
"""Logarithm of an interval over the usual one, at most; further ones count as this far."""
FAST_S = 0.6
"""Intervals below are those of a fast rhythm, above 100 per minute."""

_LATEST = 32
_USUAL_S = 0.8
_LEAST_SPREAD = 0.01
_ROWS, _AT_ONCE = 8, 255  # a block of intervals, and the prediction after it, fill rows
_RAREST, _COMMONEST = 1e-15, 1.0 - 1e-15
_SURPRISING = 2.0
_LIKELY_SURPRISING = math.log(0.85)
_EARLY_RATIO = math.log(0.75)
_MOST_DOUBTFUL, _MOST_EARLY = 16, 200
_UNKNOWN = np.array([np.nan])


@dataclass(frozen=True, slots=True)
class IntervalModel:
    """Weights of the network.

    Attributes
    ----------
    weights : tuple of ndarray of float32
        Matrix and offset of each of three layers: 67 features, two hidden layers, and the weight, location and log
        scale of each of three components.
    """

    __repr__ = short_repr

    weights: tuple[NDArray[np.float32], ...]
    _layers: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        matrices, offsets = self.weights[::2], self.weights[1::2]
        sizes = [2 * _LATEST + 3, *(len(offset) for offset in offsets)]
        shapes = list(pairwise(sizes))
        if [matrix.shape for matrix in matrices] != shapes or len(shapes) != LAYERS or sizes[-1] != 3 * COMPONENTS:
            raise DataError("the weights are not those of a network of RR intervals")
        layers = tuple(zip(*([each.astype(np.float64) for each in part] for part in (matrices, offsets)), strict=True))
        object.__setattr__(self, "_layers", layers)

    def predict(self, windows: NDArray[np.float64]) -> Prediction:
        """Predict the next interval after each history.

        Parameters
        ----------
        windows : ndarray of float64, shape (n, 50)
            Log of intervals in seconds, the newest last; NaN where there are fewer.
        """
        inputs, usual = features(windows)
        # Blocks of one size, so that a row gives the same bits whatever the rows beside it.
        blocks = -(-len(inputs) // _ROWS)
        rows = np.zeros((blocks * _ROWS, inputs.shape[1]))
        rows[: len(inputs)] = inputs
        values = rows.reshape(blocks, _ROWS, -1)
        for matrix, offset in self._layers[:-1]:
            values = values @ matrix
            values += offset
            gate = np.exp(-values)
            gate += 1.0
            values /= gate
        matrix, offset = self._layers[-1]
        outputs = (values @ matrix + offset).reshape(blocks * _ROWS, 3, COMPONENTS)[: len(inputs)]
        # Weights add up to 1; locations are relative to the usual interval.
        weights = np.exp(outputs[:, 0] - outputs[:, 0].max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        scales = np.exp(np.minimum(np.maximum(outputs[:, 2], LOG_SCALES[0]), LOG_SCALES[1]))
        enough = np.isfinite(windows[:, -LEAST_INTERVALS])
        return Prediction(weights, outputs[:, 1] + usual[:, None], scales, usual, enough)


def features(windows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the inputs of the network, shape (n, 67), and the log of the usual interval, shape (n,).

    The inputs are the last 32 intervals relative to the median of all, newest first, and which of them are known; then
    the median, the spread and the number of the intervals.
    """
    usual = _or_zero(lower_median(windows))
    relative = windows - usual[:, None]
    latest = np.minimum(np.maximum(relative[:, : -_LATEST - 1 : -1], -FURTHEST), FURTHEST)
    spread = 1.4826 * np.minimum(_or_zero(lower_median(np.abs(relative, out=relative))), FURTHEST)
    is_known = np.isfinite(latest)
    inputs = np.empty((len(windows), 2 * _LATEST + 3))
    inputs[:, :_LATEST] = np.where(is_known, latest, 0.0)
    inputs[:, _LATEST : 2 * _LATEST] = is_known
    inputs[:, -3] = usual - math.log(_USUAL_S)
    inputs[:, -2] = np.log(spread + _LEAST_SPREAD) + 3.0
    inputs[:, -1] = np.isfinite(windows).sum(axis=1) / HISTORY
    return inputs, usual


def _or_zero(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(values), 0.0, values)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Distribution of the log of the next interval after each of n histories.

    Attributes
    ----------
    weights, locations, scales : ndarray of float64, shape (n, 3)
        Of the logistic distributions.
    usual : ndarray of float64, shape (n,)
        Log of the usual interval.
    enough : ndarray of bool, shape (n,)
        Whether there are enough intervals for a prediction.
    """

    weights: NDArray[np.float64]
    locations: NDArray[np.float64]
    scales: NDArray[np.float64]
    usual: NDArray[np.float64]
    enough: NDArray[np.bool_]

    def early(self, log_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how early an interval after each history is, from its log in seconds; NaN = not known.

        Standard normal deviates, shape (n,); 0 where nothing is known.
        """
        return self._deviates(log_s, 1.0)

    def late(self, log_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how late an interval after each history is; as `early`."""
        return self._deviates(log_s, -1.0)

    def _deviates(self, log_s: NDArray[np.float64], sign: float) -> NDArray[np.float64]:
        standard = sign * (log_s[:, None] - self.locations) / self.scales
        share = (self.weights * expit(standard)).sum(axis=1)
        share = np.minimum(np.maximum(share, _RAREST), _COMMONEST)
        deviates: NDArray[np.float64] = np.where(self.enough & np.isfinite(log_s), -ndtri(share), 0.0)
        return deviates


class Histories(NamedTuple):
    """Histories of RR intervals, and intervals to be compared with what the model predicts after them.

    Attributes
    ----------
    windows : ndarray of float64, shape (n, 50)
        As for `IntervalModel.predict`.
    early_log_s, late_log_s : ndarray of float64, shape (n,)
        Log of the intervals after each history that may be early, and late; NaN = not known.
    """

    windows: NDArray[np.float64]
    early_log_s: NDArray[np.float64]
    late_log_s: NDArray[np.float64]


class Surprise(NamedTuple):
    """Comparison of intervals with predictions; arrays have shape (n,).

    Attributes
    ----------
    early, late : ndarray of float64
        Of `Prediction`.
    usual : ndarray of float64
        Log of the usual interval.
    """

    early: NDArray[np.float64]
    late: NDArray[np.float64]
    usual: NDArray[np.float64]


def _empty_history() -> NDArray[np.float64]:
    return np.full(HISTORY, np.nan)


@dataclass(frozen=True, slots=True)
class IntervalHistory:
    """Intervals of a patient so far.

    Attributes
    ----------
    expected : ndarray of float64, shape (50,)
        Log of the last intervals that did not come surprisingly early, the newest last; NaN where there are fewer.
    latest : ndarray of float64, shape (50,)
        The same of all intervals.
    early : int
        Number of surprisingly early ones in a row.
    doubtful : int
        Number of reasons why these are rather a new rhythm: hardly early, slower than a tachycardia, the usual shape.
    """

    __repr__ = short_repr

    expected: NDArray[np.float64] = field(default_factory=_empty_history)
    latest: NDArray[np.float64] = field(default_factory=_empty_history)
    early: int = 0
    doubtful: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """What the intervals around beats say; standard normal deviates, shape (n,), 0 where nothing is known.

    Attributes
    ----------
    early : ndarray of float64
        How early each beat comes.
    pause : ndarray of float64
        How late the next one comes.
    """

    __repr__ = short_repr

    early: NDArray[np.float64]
    pause: NDArray[np.float64]

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> Timing:
        return select(self, rows)


Result = TypeVar("Result")
WithPredictions = Generator[Histories, Surprise, Result]
"""A calculation that asks for predictions: yields histories, and receives how early and late intervals after them are.
"""


def predicting(model: IntervalModel, calculation: WithPredictions[Result]) -> Result:
    """Run a calculation that asks for predictions."""
    try:
        histories = next(calculation)
        while True:
            histories = calculation.send(predict_together(model, [histories])[0])
    except StopIteration as end:
        result: Result = end.value
        return result


def predict_together(model: IntervalModel, histories: Sequence[Histories]) -> list[Surprise]:
    """Predict what follows the histories of many patients: equal to that of each alone, but faster."""
    if not histories:
        return []
    windows, early_log_s, late_log_s = map(np.concatenate, zip(*histories, strict=True))
    prediction = model.predict(windows)
    early, late, usual = prediction.early(early_log_s), prediction.late(late_log_s), prediction.usual
    ends = np.cumsum([len(each.windows) for each in histories]).tolist()
    parts = [slice(end - len(each.windows), end) for end, each in zip(ends, histories, strict=True)]
    return [Surprise(early[part], late[part], usual[part]) for part in parts]


def timing_step(
    history: IntervalHistory,
    rr_s: NDArray[np.float64],
    next_s: NDArray[np.float64],
    usual_shape: NDArray[np.bool_],
) -> WithPredictions[tuple[IntervalHistory, Timing]]:
    """Measure how early the next beats come, and how late the beats after them.

    Parameters
    ----------
    history : IntervalHistory
        Before these beats.
    rr_s, next_s : ndarray of float64, shape (n,)
        RR interval before and after each beat, seconds; NaN where not known.
    usual_shape : ndarray of bool, shape (n,)
        Whether each beat has the patient's usual shape.

    Returns
    -------
    history : IntervalHistory
    timing : Timing
    """
    log_s, next_log_s = np.log(rr_s), np.log(next_s)
    is_known = np.isfinite(log_s)
    early, pause = np.zeros((2, len(log_s)))
    # Which intervals are surprising depends on those before. So guess which are, predict a block, and use it up to the
    # first wrong guess; the next block is predicted with a better guess.
    surprising = log_s < lower_median(history.expected) + _LIKELY_SURPRISING
    # After the history before each beat comes its own interval, and after that before the next beat, its pause.
    early_log_s, late_log_s = np.concatenate([log_s, _UNKNOWN]), np.concatenate([_UNKNOWN, next_log_s])
    start, is_pause_open = 0, False
    while start < len(log_s) or is_pause_open:
        rows, histories = slice(start, start + _AT_ONCE), slice(start, start + _AT_ONCE + 1)
        block = log_s[rows]
        windows = _windows(history.expected, block, is_known[rows] & ~surprising[rows])
        surprise = yield Histories(windows, early_log_s[histories], late_log_s[histories])
        if is_pause_open:
            pause[start - 1] = surprise.late[0]
        of_block = surprise.early[: len(block)]
        wrong = np.flatnonzero((of_block > _SURPRISING) != surprising[rows])
        surprising[rows] = of_block > _SURPRISING
        # What comes after a wrong guess, or after a new rhythm was accepted, rests on another history.
        part = slice(start, start + (int(wrong[0]) + 1 if len(wrong) else len(block)))
        history, count, is_new_rhythm = _after(
            history, log_s[part], is_known[part], surprising[part], surprise.usual, usual_shape[part]
        )
        early[start : start + count] = of_block[:count]
        # The pause after a beat is judged by the history with its own interval, unless that was surprising.
        is_pause_open = is_new_rhythm or len(wrong) > 0
        closed = count - is_pause_open
        pause[start : start + closed] = surprise.late[1 : 1 + closed]
        start += count
    return history, Timing(early, pause)


def _windows(
    expected: NDArray[np.float64], block: NDArray[np.float64], is_taken: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the history before each interval of a block and after the last, shape (n + 1, 50)."""
    line = np.concatenate([expected, block[is_taken]])
    places = np.zeros(len(block) + 1, np.intp)
    np.cumsum(is_taken, out=places[1:])
    windows: NDArray[np.float64] = line[places[:, None] + np.arange(HISTORY)]
    return windows


def _after(
    history: IntervalHistory,
    block: NDArray[np.float64],
    is_known: NDArray[np.bool_],
    surprising: NDArray[np.bool_],
    usual: NDArray[np.float64],
    usual_shape: NDArray[np.bool_],
) -> tuple[IntervalHistory, int, bool]:
    """Return the history after intervals, how many of them, and whether the last made a faster rhythm accepted."""
    is_expected = is_known & ~surprising
    early, doubtful, ends = history.early, history.doubtful, 0
    for beat in np.flatnonzero(surprising).tolist():
        # Surprising ones are in a row if all between them are unknown.
        if is_expected[ends:beat].any():
            early, doubtful = 0, 0
        ends = beat + 1
        hardly_early = block[beat] - usual[beat] > _EARLY_RATIO
        early += 1
        doubtful += int(hardly_early) + int(block[beat] >= math.log(FAST_S)) + int(usual_shape[beat])
        if doubtful >= _MOST_DOUBTFUL or early >= _MOST_EARLY:
            latest = _latest(history.latest, block[:ends][is_known[:ends]])
            return IntervalHistory(latest, latest), ends, True
    if is_expected[ends:].any():
        early, doubtful = 0, 0
    expected = _latest(history.expected, block[is_expected])
    return IntervalHistory(expected, _latest(history.latest, block[is_known]), early, doubtful), len(block), False


def _latest(history: NDArray[np.float64], newer: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([history, newer])[-HISTORY:]
