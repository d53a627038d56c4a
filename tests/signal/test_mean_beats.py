from __future__ import annotations

import numpy as np
import pytest

from ectopy.signal.filters import FilterSettings, filter_twice
from ectopy.signal.mean_beats import mean_beats
from ectopy.signal.wave_delineation import BEFORE
from ectopy.signal.wave_network import SAMPLES

RATE_HZ = 360.0


def some_signal(leads: int = 2, seconds: int = 20) -> np.ndarray:
    steps = np.random.default_rng(7).normal(0.0, 0.05, (int(seconds * RATE_HZ), leads))
    return (np.cumsum(steps, axis=0) / 20 + steps).astype(np.float32)


def windows_of(signal: np.ndarray, positions: np.ndarray, filters: FilterSettings | None) -> np.ndarray:
    """The filtered signal around each position, shape (leads, beats, 252)."""
    early, _ = filter_twice(signal, RATE_HZ, filters)
    places = positions[:, None] // 2 + np.arange(-BEFORE, SAMPLES - BEFORE)
    return early.signal[:, places]


@pytest.mark.parametrize("high_hz", [15.0, 40.0, 60.0])
@pytest.mark.parametrize("notch_hz", [None, 10.0, 50.0, 60.0])
def test_filter_of_the_mean_is_the_mean_of_the_filtered_beats(notch_hz: float | None, high_hz: float):
    signal, filters = some_signal(), FilterSettings(high_hz=high_hz, notch_hz=notch_hz)
    positions = np.array([900, 1500, 2222, 4000])
    means, counts = mean_beats(signal, RATE_HZ, [(positions, np.ones((4, 2), np.bool_))], filters)
    expected = windows_of(signal, positions, filters).mean(axis=1)
    expected -= np.median(expected, axis=1, keepdims=True)
    assert counts.tolist() == [[4, 4]]
    assert means.rate_hz == 180
    np.testing.assert_allclose(means.signal, expected, atol=2e-3)
    assert not means.missing.any()


def test_beats_that_do_not_count_or_have_gaps_change_nothing():
    signal = some_signal()
    positions = np.array([100, 900, 1500, 2222, 7100])  # the first and the last lie too near to the ends
    use = np.ones((5, 2), np.bool_)
    use[1, 0] = False
    signal[1500:1503, 1] = np.nan
    means, counts = mean_beats(signal, RATE_HZ, [(positions, use)])
    assert counts.tolist() == [[2, 2]]
    for lead, rows in enumerate([[2, 3], [1, 3]]):
        alone, _ = mean_beats(signal[:, [lead]], RATE_HZ, [(positions[rows], np.ones((2, 1), np.bool_))])
        np.testing.assert_allclose(means.signal[lead], alone.signal[0], atol=1e-5)


def test_groups_lie_one_behind_the_other_and_one_without_beats_is_missing():
    signal = some_signal()
    one, none, other = np.array([900]), np.empty(0, np.int64), np.array([2000])
    groups = [(positions, np.ones((len(positions), 2), np.bool_)) for positions in (one, none, other)]
    means, counts = mean_beats(signal, RATE_HZ, groups)
    assert counts.tolist() == [[1, 1], [0, 0], [1, 1]]
    assert means.signal.shape == (2, 3 * SAMPLES)
    assert means.missing.reshape(2, 3, SAMPLES).all(axis=2).tolist() == [[False, True, False]] * 2
    for place, group in ((0, groups[0]), (2, groups[2])):
        alone, _ = mean_beats(signal, RATE_HZ, [group])
        np.testing.assert_array_equal(means.signal[:, place * SAMPLES : (place + 1) * SAMPLES], alone.signal)


@pytest.mark.parametrize("rate_hz", [100.0, 128.0, 250.0, 257.0, 1000.0])
def test_fiducial_point_stays_where_it_was_at_every_rate(rate_hz):
    times = np.arange(int(10 * rate_hz)) / rate_hz
    position = round(5 * rate_hz)
    bump = np.exp(-0.5 * np.square((times - position / rate_hz) / 0.03)).astype(np.float32)
    means, _ = mean_beats(bump[:, None], rate_hz, [(np.array([position]), np.ones((1, 1), np.bool_))])
    assert int(means.signal[0].argmax()) == BEFORE
