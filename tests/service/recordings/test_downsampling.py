"""A signal is drawn at any zoom."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ectopy.service.recordings.downsampling import display_columns, pyramid
from support.uploads import RATE_HZ


@given(st.integers(1, 5000), st.integers(1, 60), st.floats(0, 25), st.floats(0, 25), st.integers(0, 9))
def test_columns_cover_every_sample(samples, columns, start_s, length_s, seed):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(samples, 2)).astype(np.float32)
    signal[rng.random(signal.shape) < 0.1] = np.nan
    part = display_columns(signal, pyramid(signal), RATE_HZ, start_s, start_s + length_s, columns)
    assert len(part.low) <= (2 if part.has_all_samples else 1) * columns
    first = round(part.start_s * RATE_HZ)
    stop = min(first + round(part.step_s * len(part.low) * RATE_HZ), samples)
    if not len(part.low):
        assert start_s >= samples / RATE_HZ
        return
    first_needed = min(int(start_s * RATE_HZ), samples)
    stop_needed = min(int((start_s + length_s) * RATE_HZ) + 1, samples)
    assert first <= first_needed
    assert stop >= stop_needed
    samples_of_part = signal[first:stop]
    assert np.array_equal(np.fmin.reduce(samples_of_part), np.fmin.reduce(part.low), equal_nan=True)
    assert np.array_equal(np.fmax.reduce(samples_of_part), np.fmax.reduce(part.high), equal_nan=True)


def test_a_short_part_is_drawn_sample_by_sample():
    signal = np.arange(100_000, dtype=np.float32)[:, None]
    part = display_columns(signal, pyramid(signal), RATE_HZ, 100.0, 100.1, 100)
    assert part.has_all_samples
    assert part.low[:, 0].tolist() == list(range(25_000, 25_026))
    assert (part.start_s, part.step_s) == (100.0, 1 / RATE_HZ)


def test_a_day_is_drawn_from_few_blocks():
    signal = np.zeros((int(24 * 3600 * RATE_HZ), 1), np.float32)
    signal[12_345_678] = 1.0
    levels = pyramid(signal)
    assert [len(level) for level in levels] == [337_500, 42_188, 5_274, 660]
    part = display_columns(signal, levels, RATE_HZ, 0, 24 * 3600, 1000)
    column = int(np.flatnonzero(part.high[:, 0])[0])
    assert part.start_s + column * part.step_s <= 12_345_678 / RATE_HZ + 2 * part.step_s
    assert abs(column * part.step_s - 12_345_678 / RATE_HZ) <= 2 * part.step_s
