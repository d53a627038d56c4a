"""One unit for every measure: how rare a value is among normal beats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.analysis.normal_scale import QUANTILES, NormalScale
from ectopy.errors import DataError

SCALE = NormalScale.of(np.random.default_rng(0).lognormal(0.0, 0.5, 20_000))


@given(st.lists(st.floats(-10, 1e6), min_size=2, max_size=50))
def test_a_larger_value_is_never_less_rare(values: list[float]):
    deviates = SCALE.deviates(np.sort(values))
    assert (np.diff(deviates) >= 0).all()
    assert np.isfinite(deviates).all()


def test_a_normal_sample_has_its_own_deviates():
    sample = np.random.default_rng(1).normal(size=200_000)
    values = np.linspace(-2.5, 3.0, 50)
    np.testing.assert_allclose(NormalScale.of(sample).deviates(values), values, atol=0.1)
    np.testing.assert_allclose(NormalScale.of(3 * sample + 7).deviates(3 * values + 7), values, atol=0.1)


def test_the_tail_goes_on_beyond_the_largest_normal_beat():
    largest = SCALE.quantiles[-1]
    deviates = SCALE.deviates(largest * np.array([1.0, 1.5, 2.0, 3.0]))
    assert deviates[0] > 3
    assert (np.diff(deviates) > 0.2).all()


def test_what_is_not_known_stays_so():
    assert np.isnan(SCALE.deviates(np.array([1.0, np.nan]))).tolist() == [False, True]


@pytest.mark.parametrize(
    "quantiles",
    [
        np.linspace(1.0, 0.0, QUANTILES),
        np.linspace(0.0, 1.0, QUANTILES - 1),
        np.full(QUANTILES, np.nan),
        np.zeros((QUANTILES, 1)),
    ],
    ids=["descending", "too few", "NaN", "two dimensions"],
)
def test_quantiles_that_are_not_ascending_are_rejected(quantiles: np.ndarray):
    with pytest.raises(DataError, match="ascending quantiles"):
        NormalScale(quantiles)
