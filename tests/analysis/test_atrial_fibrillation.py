from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ectopy.analysis.atrial_fibrillation import (
    LEAST_EPISODE_S,
    MEASURES,
    WEIGHTS,
    WINDOW,
    find_fibrillation,
    log_odds,
    measure_irregularity,
    usual_intervals,
)


def sinus(beats: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """RR intervals that breathing changes by 8 %."""
    return 0.8 * np.exp(0.08 * np.sin(np.arange(beats) * 1.3) + 0.01 * rng.standard_normal(beats))


def fibrillation(beats: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return 0.65 * np.exp(0.22 * rng.standard_normal(beats))


def find(intervals_s: NDArray[np.float64], ectopic: NDArray[np.bool_] | None = None) -> list[tuple[int, int]]:
    flags = np.zeros(len(intervals_s), np.bool_) if ectopic is None else ectopic
    return find_fibrillation(np.cumsum(intervals_s), intervals_s, flags)


@pytest.mark.parametrize("seed", range(5))
def test_an_episode_is_where_the_intervals_have_no_pattern(seed: int):
    rng = np.random.default_rng(seed)
    intervals_s = np.concatenate([sinus(300, rng), fibrillation(200, rng), sinus(300, rng)])
    ((first, last),) = find(intervals_s)
    assert abs(first - 300) <= WINDOW // 2
    assert abs(last - 500) <= WINDOW // 2


@given(st.integers(0, 1000), st.floats(0.75, 1.5))
def test_breathing_is_not_fibrillation(seed: int, slower: float):
    assert find(slower * sinus(200, np.random.default_rng(seed))) == []


@given(st.integers(0, 1000), st.floats(0.05, 0.3))
def test_early_beats_that_are_ectopic_are_not_fibrillation(seed: int, share: float):
    rng = np.random.default_rng(seed)
    intervals_s, ectopic = sinus(300, rng), rng.random(300) < share
    ectopic[1:] &= ~ectopic[:-1]
    intervals_s[ectopic] *= rng.uniform(0.5, 0.8, int(ectopic.sum()))
    assert find(intervals_s, ectopic) == []


@given(st.integers(0, 1000), st.floats(0.3, 1.5), st.integers(1, 4), st.floats(0.3, 3.0))
def test_a_regular_rhythm_with_intervals_out_of_place_is_not_fibrillation(
    seed: int, interval_s: float, places: int, factor: float
):
    rng = np.random.default_rng(seed)
    intervals_s = interval_s * np.exp(0.01 * rng.standard_normal(200))
    intervals_s[rng.choice(200, places, replace=False)] *= factor
    assert find(intervals_s) == []


def test_a_short_recording_may_be_one_episode():
    rng = np.random.default_rng(1)
    assert find(fibrillation(45, rng)) == [(0, 44)]
    assert find(sinus(45, rng)) == []


def test_episodes_last_half_a_minute_and_are_as_far_apart():
    rng = np.random.default_rng(2)
    parts = [sinus(100, rng), fibrillation(120, rng), sinus(90, rng), fibrillation(20, rng), sinus(200, rng)] * 3
    intervals_s = np.concatenate(parts)
    times_s, episodes = np.cumsum(intervals_s), find(intervals_s)
    assert episodes
    assert all(times_s[last] - times_s[first] >= LEAST_EPISODE_S for first, last in episodes)
    apart_s = [times_s[after[0]] - times_s[before[1]] for before, after in pairwise(episodes)]
    assert all(gap_s >= LEAST_EPISODE_S for gap_s in apart_s)


@given(st.integers(0, 1000), st.integers(WINDOW, 200 - WINDOW))
def test_the_number_for_a_beat_rests_on_the_window_around_it(seed: int, beat: int):
    """So that a stream has it half a window later."""
    rng = np.random.default_rng(seed)
    intervals_s = np.where(rng.random(200) < 0.1, np.nan, fibrillation(200, rng))
    whole = log_odds(measure_irregularity(intervals_s))
    margin = WINDOW // 2 + 2
    part = log_odds(measure_irregularity(intervals_s[beat - margin : beat + margin]))
    assert part[margin] == pytest.approx(whole[beat])


def test_intervals_that_are_not_known_or_touch_ectopic_beats_do_not_count():
    intervals_s = np.array([np.nan, 0.8, 0.1, 0.8, 3.0, 0.8, 0.5, 1.1, 0.8])
    ectopic = np.array([0, 0, 0, 0, 0, 0, 1, 0, 0], bool)
    usual = usual_intervals(intervals_s, ectopic)
    assert np.flatnonzero(np.isfinite(usual)).tolist() == [1, 3, 5, 8]
    assert np.isnan(log_odds(measure_irregularity(usual))).all()
    assert find(np.full(3, np.nan)) == []
    assert find(np.empty(0)) == []


def test_every_measure_has_a_weight():
    assert measure_irregularity(np.full(40, 0.8)).shape == (40, len(MEASURES))
    assert len(WEIGHTS) == len(MEASURES) + 1
