"""The timing of beats: in any pieces, at any rate, in runs and bigeminy, and when a rhythm changes for good."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ectopy.analysis.interval_model import (
    HISTORY,
    Histories,
    IntervalHistory,
    IntervalModel,
    Timing,
    predict_together,
    predicting,
    timing_step,
)
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.errors import DataError
from ectopy.signal.array_columns import join
from support.examples import examples

SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=examples(20))


@cache
def model() -> IntervalModel:
    calibration = load_ambulatory().recordings
    assert calibration is not None
    return IntervalModel(calibration.interval_weights)


def regular(count: int, interval_s: float = 0.8) -> NDArray[np.float64]:
    """Sinus rhythm that varies by some per cent."""
    return interval_s * (1 + np.random.default_rng(0).normal(0.0, 0.02, count))


def timing_of(rr_s: NDArray[np.float64], usual_shape: bool = False) -> Timing:
    next_s = np.append(rr_s[1:], np.nan)
    return predicting(model(), timing_step(IntervalHistory(), rr_s, next_s, np.full(len(rr_s), usual_shape)))[1]


def whatever(seed: int) -> NDArray[np.float64]:
    """Sinus rhythm, single early beats, runs longer than the history, gaps, a faster rhythm that lasts."""
    random = np.random.default_rng(seed)
    kinds = random.integers(0, 5, 12)
    parts = [regular(70)]
    for kind in kinds:
        length = int(random.integers(1, 90))
        parts += {
            0: [regular(length)],
            1: [np.full(length, 0.4) * random.uniform(0.9, 1.1, length)],
            2: [np.full(min(length, 5), np.nan)],
            3: [np.tile([0.5, 1.1], length // 2)],
            4: [regular(length, 0.6)],
        }[int(kind)]
    return np.concatenate(parts)


@given(SEEDS, st.lists(st.integers(0, 400), max_size=20))
@few
def test_any_division_gives_the_same_bits(seed: int, cuts: list[int]):
    rr_s, usual_shape = whatever(seed), np.random.default_rng(seed).random(2000) < 0.3
    next_s, usual_shape = np.append(rr_s[1:], np.nan), usual_shape[: len(rr_s)]
    end, expected = predicting(model(), timing_step(IntervalHistory(), rr_s, next_s, usual_shape))
    history, parts = IntervalHistory(), []
    for start, stop in pairwise([0, *sorted(min(cut, len(rr_s)) for cut in cuts), len(rr_s)]):
        part = slice(start, stop)
        history, timing = predicting(model(), timing_step(history, rr_s[part], next_s[part], usual_shape[part]))
        parts.append(timing)
    actual = join(parts)
    np.testing.assert_array_equal(actual.early, expected.early)
    np.testing.assert_array_equal(actual.pause, expected.pause)
    np.testing.assert_array_equal(history.expected, end.expected)
    np.testing.assert_array_equal(history.latest, end.latest)
    assert (history.early, history.doubtful) == (end.early, end.doubtful)


@given(SEEDS, st.integers(1, 150))
@few
def test_a_prediction_does_not_depend_on_the_others(seed: int, count: int):
    random = np.random.default_rng(seed)
    windows = np.log(0.8) + random.normal(0.0, 0.2, (count, HISTORY))
    windows[np.arange(HISTORY) < random.integers(0, HISTORY, count)[:, None]] = np.nan
    together, row = model().predict(windows), int(random.integers(count))
    alone = model().predict(windows[row : row + 1])
    for name in ("weights", "locations", "scales", "usual", "enough"):
        np.testing.assert_array_equal(getattr(together, name)[row], getattr(alone, name)[0])


@given(SEEDS, st.lists(st.integers(1, 30), max_size=8))
@few
def test_predictions_for_many_are_those_for_each_to_the_last_bit(seed: int, counts: list[int]):
    random = np.random.default_rng(seed)
    log_s = [np.log(0.8) + random.normal(0.0, 0.2, (count, HISTORY + 2)) for count in counts]
    histories = [Histories(each[:, :HISTORY], each[:, HISTORY], each[:, HISTORY + 1]) for each in log_s]
    for one, together in zip(histories, predict_together(model(), histories), strict=True):
        alone = model().predict(one.windows)
        np.testing.assert_array_equal(together.early, alone.early(one.early_log_s))
        np.testing.assert_array_equal(together.late, alone.late(one.late_log_s))
        np.testing.assert_array_equal(together.usual, alone.usual)


@given(st.floats(0.7, 1.4))
@few
def test_the_rate_of_a_patient_hardly_matters(factor: float):
    rr_s = np.concatenate([regular(60), [0.5, 1.1], regular(20)])
    actual, expected = timing_of(factor * rr_s).early, timing_of(rr_s).early
    assert abs(actual[60] - expected[60]) < 0.2
    assert np.median(np.abs(actual - expected)) < 0.2


@given(st.floats(0.6, 1.2), st.floats(0.4, 0.7), st.integers(20, 80))
@few
def test_an_early_beat_in_a_regular_rhythm_is_early_and_its_pause_late(rr_s: float, share: float, before: int):
    timing = timing_of(np.concatenate([regular(before, rr_s), [share * rr_s, (2 - share) * rr_s], regular(20, rr_s)]))
    assert timing.early[before] > 3
    assert timing.pause[before] > 1.5
    assert np.delete(timing.early, before).max() < 3


def test_bigeminy_from_the_first_beat_on_stays_early():
    timing = timing_of(np.tile([0.5, 1.1], 100))
    assert (timing.early[20::2] > 3).all()
    assert (timing.early[1::2] < 1.5).all()


@pytest.mark.parametrize("interval_s", [0.3, 0.4, 0.5, 0.55])
def test_a_run_is_early_to_its_end(interval_s: float):
    timing = timing_of(np.concatenate([regular(60), np.full(60, interval_s), regular(20)]))
    assert (timing.early[60:120] > 3).all()
    assert (timing.early[120:] < 3).all()


@pytest.mark.parametrize(
    ("interval_s", "usual_shape", "after"),
    [(0.65, False, 8), (0.5, True, 16), (0.4, False, 200)],
    ids=["slow", "usual shape", "fast"],
)
def test_a_faster_rhythm_that_lasts_is_accepted(interval_s: float, usual_shape: bool, after: int):
    early = timing_of(np.concatenate([regular(60), np.full(250, interval_s)]), usual_shape).early[60:]
    assert (early[:after] > 2).all()
    assert (early[after:] < 2).all()


@given(st.integers(0, 3), st.floats(0.2, 2.0))
def test_fewer_than_four_intervals_say_nothing(count: int, interval_s: float):
    timing = timing_of(np.array([np.nan, *[0.8] * count, interval_s]))
    assert not timing.early.any()
    if count < 3:
        assert not timing.pause.any()


def test_unknown_intervals_say_nothing_and_are_not_remembered():
    rr_s = regular(60)
    gap = np.full(5, np.nan)
    timing = timing_of(np.concatenate([rr_s[:40], gap, rr_s[40:]]))
    assert not timing.early[40:45].any()
    np.testing.assert_array_equal(np.delete(timing.early, range(40, 45)), timing_of(rr_s).early)


@pytest.mark.parametrize("layer", range(6))
def test_weights_of_another_network_are_rejected(layer: int):
    weights = list(model().weights)
    weights[layer] = weights[layer][..., :-1]
    with pytest.raises(DataError, match="not those of a network of RR intervals"):
        replace(model(), weights=tuple(weights))
    with pytest.raises(DataError, match="not those of a network of RR intervals"):
        replace(model(), weights=model().weights[:-2])
