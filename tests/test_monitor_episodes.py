"""What the monitor must announce, and what it must keep quiet about, on simulated patients."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context

import numpy as np
import pytest

from ectopy.datasets.simulated import Episode, simulate_recording
from episodes import CONDITION, announcements, calm, disturbed, urgent, watch

WITHIN_S = 5.0
EPISODES_EACH, PATIENTS = 5, 40
HOUR_S, DAY_H = 3600.0, 24


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("kind", CONDITION)
def test_episodes_are_announced_within_their_definition_and_five_seconds(kind: str):
    found = announcements(kind, seed=1000, episodes=3)
    assert not [each for each in found if each.delay_s > WITHIN_S]


@pytest.mark.parametrize("seed", [0, 1], ids=["sinus rhythm", "with ectopic beats"])
def test_minutes_of_sinus_rhythm_raise_nothing_urgent(seed: int):
    assert calm(seed, 150.0) == []


@pytest.mark.parametrize("length_s", [2.0, 2.7, 3.2])
def test_electrodes_that_come_off_for_a_moment_raise_nothing_urgent(length_s: float):
    loose = [Episode("lead_off", at_s, length_s) for at_s in np.arange(8.0, 110.0, 6.1)]
    recording = simulate_recording(115.0, rate_bpm=75.0, noise_mv=0.02, episodes=loose, random_state=3)
    assert urgent(watch(recording)) == []


def test_minutes_of_noise_and_loose_electrodes_raise_nothing_urgent():
    assert disturbed(0, 300.0) == []


@pytest.mark.long
@pytest.mark.parametrize("kind", CONDITION)
def test_two_hundred_episodes_are_announced_within_their_definition_and_five_seconds(
    pool: ProcessPoolExecutor, kind: str
):
    parts = pool.map(announcements, repeat(kind), range(PATIENTS), repeat(EPISODES_EACH))
    found = [each for part in parts for each in part]
    assert len(found) == PATIENTS * EPISODES_EACH
    delays_s = np.array([each.delay_s for each in found])
    print(f"{kind}: {np.sum(np.isinf(delays_s))} missed, delays {np.percentile(delays_s, [50, 95, 100])}")
    assert not [each for each in found if each.called_s is None]
    assert np.percentile(delays_s, 95) <= WITHIN_S


@pytest.mark.long
@pytest.mark.parametrize("watched", [calm, disturbed])
def test_a_day_raises_nothing_urgent(pool: ProcessPoolExecutor, watched):
    hours = dict(enumerate(pool.map(watched, range(DAY_H), repeat(HOUR_S))))
    assert {seed: calls for seed, calls in hours.items() if calls} == {}
