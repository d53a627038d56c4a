"""Beats of a stream are those of the whole recording."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.signal import filter_twice, find_heartbeats
from ectopy.signal.beat_segments import BeatSegments, CutState, cut_beats, cut_end, cut_step, finite_median
from ectopy.signal.filters import Filter, filter_end, filter_step
from support.examples import examples
from support.heartbeat_stream import HeartbeatStream


@given(st.integers(0, 2**32 - 1), st.floats(100, 1000))
@settings(max_examples=examples(15))
def test_beats_of_a_stream_are_those_of_the_whole_whatever_the_chunking(seed: int, rate_hz: float):
    rng = np.random.default_rng(seed)
    episodes = [Episode("lead_off", 12, 4), Episode("asystole", 25, 8)]
    signal = simulate_recording(
        50, sampling_rate_hz=rate_hz, ectopic={"V": 0.1, "A": 0.05}, episodes=episodes, random_state=seed % 100
    ).signal
    signal[int(38 * rate_hz) : int(41 * rate_hz)] = np.nan
    plan = Filter.of(rate_hz)
    filters, hearts, state = plan.fresh(2), HeartbeatStream(2), CutState.fresh(2)
    parts, start = [], 0
    while start < len(signal):
        chunk = signal[start : start + rng.choice([1, 40, 3000])]
        filters, early, filtered = filter_step(plan, filters, chunk.T)
        state, beats = cut_step(state, early, filtered, hearts.step(early) / (filtered.rate_hz / 2))
        parts.append(beats)
        start += len(chunk)
    early, filtered = filter_end(plan, filters)
    outputs = np.concatenate([hearts.step(early), hearts.end()])
    streamed = BeatSegments.joined([*parts, cut_end(state, early, filtered, outputs / (filtered.rate_hz / 2))])

    early, filtered = filter_twice(signal, rate_hz)
    whole = cut_beats(filtered, find_heartbeats(early))
    assert len(whole) > 30
    for field in fields(BeatSegments):
        np.testing.assert_array_equal(getattr(streamed, field.name), getattr(whole, field.name))


def test_what_cutting_remembers_does_not_grow():
    rng = np.random.default_rng(0)
    plan = Filter.of(250.0)
    filters, hearts, state = plan.fresh(1), HeartbeatStream(1), CutState.fresh(1)
    sizes = []
    signal = np.concatenate([simulate_recording(60, leads=1).signal, 0.01 * rng.standard_normal((250 * 600, 1))])
    for start in range(0, len(signal), 2500):
        filters, early, filtered = filter_step(plan, filters, signal[start : start + 2500].T)
        state, _ = cut_step(state, early, filtered, hearts.step(early) / (filtered.rate_hz / 2))
        sizes.append(state.latest.signal.size + state.told.samples.size + state.told.times_s.size)
    assert max(sizes) < 2 * sizes[5]


@given(st.lists(st.lists(st.one_of(st.just(np.nan), st.floats(-5, 5)), min_size=7, max_size=7), min_size=1, max_size=9))
@settings(max_examples=examples(30))
def test_the_median_of_finite_values_is_that_without_the_others(rows: list[list[float]]):
    values = np.array(rows)
    expected = [np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else np.nan for row in values]
    np.testing.assert_array_equal(finite_median(values), expected)
    np.testing.assert_array_equal(finite_median(values.T, axis=0), expected)
