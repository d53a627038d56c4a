"""A signal is alike to itself after its period, and to a copy of any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.signal.autocorrelation import autocorrelation


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_each_lag_is_the_cosine_of_what_overlaps_whatever_the_size(seed: int, factor: float):
    windows = np.random.default_rng(seed).normal(size=(3, 60))
    correlation = autocorrelation(factor * windows, 5, 40)
    assert correlation.shape == (3, 36)
    for lag in (5, 17, 40):
        early, late = windows[:, :-lag], windows[:, lag:]
        expected = (early * late).sum(axis=1) / np.linalg.norm(early, axis=1) / np.linalg.norm(late, axis=1)
        np.testing.assert_allclose(correlation[:, lag - 5], expected, atol=1e-9)


def test_the_highest_lag_is_the_period_and_a_flat_window_has_none():
    wave = np.sin(2 * np.pi * np.arange(270) / 31)
    correlation = autocorrelation(np.array([wave, np.zeros(270)]), 15, 54)
    assert 15 + correlation[0].argmax() == 31
    assert correlation[0].max() == pytest.approx(1.0)
    assert (correlation[1] == 0).all()
