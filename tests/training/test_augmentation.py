from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.beats import Beats
from ectopy.training.augmentation import vary


@given(st.integers(2, 200), st.floats(1e-3, 1e3), st.floats(-10, 10))
def test_each_beat_keeps_its_mean_and_standard_deviation(samples: int, gain: float, offset: float):
    rng = np.random.default_rng(samples)
    beats = (offset * gain + gain * rng.normal(size=(6, samples))).astype(np.float32)
    varied = vary(beats, rng)
    assert varied.shape == beats.shape
    assert varied.dtype == np.float32
    np.testing.assert_allclose(varied.mean(axis=1), beats.mean(axis=1), atol=1e-4 * gain * 10)
    np.testing.assert_allclose(varied.std(axis=1), beats.std(axis=1), rtol=1e-2)


def test_variation_is_small_and_differs_from_beat_to_beat(simulated: Beats):
    normals = simulated.normals().samples[:200]
    varied = vary(normals, np.random.default_rng(0))
    correlation = [np.corrcoef(before, after)[0, 1] for before, after in zip(normals, varied, strict=True)]
    assert np.median(correlation) > 0.95
    same = vary(np.repeat(normals[:1], 5, axis=0), np.random.default_rng(0))
    assert len(np.unique(same.round(6), axis=0)) == 5


def test_variation_follows_its_generator(simulated: Beats):
    beats = simulated.samples[:10]
    np.testing.assert_array_equal(vary(beats, np.random.default_rng(1)), vary(beats, np.random.default_rng(1)))


@pytest.mark.filterwarnings("error")
def test_constant_beats_stay_finite():
    assert np.isfinite(vary(np.ones((3, 140), np.float32), np.random.default_rng(0))).all()
