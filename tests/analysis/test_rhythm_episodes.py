from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.analysis.rhythm_episodes import find_rhythm_episodes, paced_stretches, summarise_rhythm
from ectopy.analysis.rhythm_signs import RhythmSigns
from support.beat_streams import analysis_of


def rhythms(rr_s: list[float]) -> list[str]:
    return [episode.rhythm for episode in find_rhythm_episodes(analysis_of("N" * (len(rr_s) + 1), [np.nan, *rr_s]))]


@pytest.mark.parametrize(
    ("rr_s", "expected"),
    [
        ([0.8] * 100, ["sinus rhythm"]),
        ([1.3] * 100, ["sinus bradycardia"]),
        ([0.5] * 100, ["sinus tachycardia"]),
        ([0.5] * 20, ["sinus rhythm"]),
        ([0.8] * 100 + [0.5] * 100 + [0.8] * 100, ["sinus rhythm", "sinus tachycardia", "sinus rhythm"]),
        ([0.8] * 50 + [np.nan] + [0.8] * 50, ["sinus rhythm"]),
        ([0.8], ["sinus rhythm"]),
        ([], []),
    ],
)
def test_the_rate_names_a_regular_rhythm(rr_s: list[float], expected: list[str]):
    assert rhythms(rr_s) == expected


def test_fibrillation_has_a_burden_a_longest_episode_and_a_rate():
    rng = np.random.default_rng(4)
    intervals_s = np.full(1000, 0.8)
    intervals_s[200:500] = 0.6 * np.exp(0.2 * rng.standard_normal(300))
    episodes = find_rhythm_episodes(analysis_of("N" * 1001, [np.nan, *intervals_s]))
    assert [episode.rhythm for episode in episodes] == ["sinus rhythm", "atrial fibrillation", "sinus rhythm"]
    figures = summarise_rhythm(episodes)
    fibrillation = figures["atrial_fibrillation"]
    labelled = 100 * intervals_s[200:500].sum() / intervals_s.sum()
    assert fibrillation["burden"] == pytest.approx(labelled, abs=4)
    assert fibrillation["longest_s"] == pytest.approx(episodes[1].duration_s, abs=0.001)
    assert fibrillation["mean_rate_bpm"] == pytest.approx(episodes[1].rate_bpm, abs=0.001)
    assert sum(figures["shares"].values()) == pytest.approx(100, abs=0.01)


def test_nothing_is_known_of_no_beats():
    figures = summarise_rhythm(find_rhythm_episodes(analysis_of("")))
    assert figures["shares"] == {}
    assert figures["atrial_fibrillation"]["burden"] is None


@given(st.integers(0, 1000), st.floats(0.3, 1.6), st.floats(0.01, 0.3))
def test_episodes_follow_each_other_from_the_first_beat_to_the_last(seed: int, rr: float, spread: float):
    rng = np.random.default_rng(seed)
    intervals_s = rr * np.exp(spread * rng.standard_normal(200))
    analysis = analysis_of("N" * 201, [np.nan, *intervals_s])
    episodes = find_rhythm_episodes(analysis)
    assert episodes[0].start_s == analysis.beats.times_s[0]
    assert episodes[-1].end_s == analysis.beats.times_s[-1]
    assert sum(episode.beats for episode in episodes) == 200
    for before, after in pairwise(episodes):
        assert before.end_s == after.start_s
        assert before.rhythm != after.rhythm


def test_tachycardias_half_a_minute_apart_are_one_only_if_that_is_one_as_well():
    for usual_s, expected in ((0.7, 1), (1.4, 3)):
        intervals_s = ([0.5] * 70 + [usual_s] * 20) * 3
        found = find_rhythm_episodes(analysis_of("N" * (len(intervals_s) + 1), [np.nan, *intervals_s]))
        tachycardias = [episode for episode in found if episode.rhythm == "sinus tachycardia"]
        assert len(tachycardias) == expected
        assert all(episode.rate_bpm > 100 for episode in tachycardias)


def test_beats_that_follow_spikes_by_the_same_time_are_paced():
    analysis = analysis_of("N" * 60)
    times_s = analysis.beats.times_s
    spikes_s = np.delete(times_s[10:31] - 0.12, [4, 11, 12])
    paced = replace(analysis, signs=RhythmSigns(spikes_s))
    episodes = find_rhythm_episodes(paced)
    assert [episode.rhythm for episode in episodes] == ["sinus rhythm", "paced rhythm", "sinus rhythm"]
    assert (episodes[1].start_s, episodes[1].end_s) == (times_s[10], times_s[30])
    assert summarise_rhythm(episodes)["shares"]["paced rhythm"] == pytest.approx(100 * 20 / 59, abs=0.01)


@given(st.lists(st.floats(0.03, 0.3), min_size=30, max_size=30, unique=True), st.integers(0, 29))
def test_few_spikes_and_those_at_any_time_before_beats_are_not_a_paced_rhythm(delays_s: list[float], number: int):
    times_s = np.arange(1.0, 31.0)
    apart_s = 0.03 + 0.27 * (np.arange(30) * 7 % 10) / 9  # neighbours differ by more than 20 ms
    assert paced_stretches(times_s, times_s - apart_s) == []
    assert paced_stretches(times_s, times_s[:4] - delays_s[0]) == []
    assert paced_stretches(times_s, times_s - 0.4) == []
    stretches = paced_stretches(times_s, times_s - np.array(delays_s))
    assert all(last - first >= 4 for first, last in stretches)
    spikes_s = np.delete(times_s - 0.1, number)
    assert paced_stretches(times_s, spikes_s) == [(0 if number else 1, 29 if number != 29 else 28)]
