"""Slow waves are no difference from a template, and a complex is one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ectopy.analysis.slow_waves import without_slow_waves

TIMES_S = np.arange(140) / 180.0
SEEDS = st.integers(0, 2**32 - 1)
ENDS = st.lists(st.integers(70, 140), min_size=1, max_size=6)


def noise(seed: int, beats: int, leads: int = 2) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(beats, leads, 140))


def up_to(ends: list[int]) -> NDArray[np.bool_]:
    """Which samples belong to beats that end at these."""
    return np.arange(140) < np.array(ends)[:, None]


@given(SEEDS, ENDS, st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5))
def test_a_level_and_two_waves_are_left_out_of_whatever_they_are_added_to(seed, ends, level, half, whole):
    wave_mv = (
        level
        + half * np.cos(np.pi * (np.arange(140) + 0.5) / 140)
        + whole * np.cos(2 * np.pi * (np.arange(140) + 0.5) / 140)
    )
    difference, own = noise(seed, len(ends)), up_to(ends)
    np.testing.assert_allclose(
        without_slow_waves(difference + wave_mv, own), without_slow_waves(difference, own), atol=1e-9
    )


@given(SEEDS, ENDS)
def test_what_is_left_is_nearest_to_nothing_and_zero_beyond_the_beat(seed: int, ends: list[int]):
    difference, own = noise(seed, len(ends)), up_to(ends)
    steady = without_slow_waves(difference, own)
    assert not steady[np.broadcast_to(~own[:, None], steady.shape)].any()
    assert (np.square(steady).sum(axis=2) <= np.square(difference * own[:, None]).sum(axis=2)).all()
    np.testing.assert_allclose(without_slow_waves(steady, own), steady, atol=1e-9)


@given(SEEDS, ENDS)
def test_a_beat_gives_the_same_bits_whatever_the_beats_beside_it(seed: int, ends: list[int]):
    difference, own = noise(seed, len(ends)), up_to(ends)
    alone = [without_slow_waves(difference[beat : beat + 1], own[beat : beat + 1]) for beat in range(len(ends))]
    np.testing.assert_array_equal(without_slow_waves(difference, own), np.concatenate(alone))


@pytest.mark.parametrize(("hz", "least", "most"), [(0.5, 0.0, 0.1), (1.0, 0.0, 0.3), (4.0, 0.8, 1.0), (10.0, 0.9, 1.0)])
def test_a_movement_goes_and_a_complex_stays(hz: float, least: float, most: float):
    phases = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    waves_mv = np.sin(2 * np.pi * hz * TIMES_S + phases[:, None])[:, None]
    waves_mv -= waves_mv.mean(axis=2, keepdims=True)
    steady = without_slow_waves(waves_mv, np.ones((24, 140), np.bool_))
    shares = np.sqrt(np.square(steady).sum(axis=2) / np.square(waves_mv).sum(axis=2))
    assert least <= np.median(shares) <= most


def test_no_beats_are_none():
    assert without_slow_waves(np.empty((0, 2, 140)), np.empty((0, 140), np.bool_)).shape == (0, 2, 140)
