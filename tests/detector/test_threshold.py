from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ectopy.detector.threshold import THRESHOLDS, ThresholdRule, normals_needed, p_values
from ectopy.errors import NotEnoughNormalsError, SettingError

scores = arrays(np.float64, st.integers(1, 300), elements=st.floats(-50, 50))
rates = st.floats(0.001, 0.6)


@given(scores, rates)
def test_conformal_verdicts_and_p_values_agree_to_one_rank(normals, rate):
    assume(len(normals) >= normals_needed(rate))
    threshold = ThresholdRule("conformal", rate).threshold(normals)
    judged = np.concatenate([normals, normals + 1e-3, normals - 1e-3, [-60.0, 60.0]])
    p, flagged = p_values(judged, normals), judged > threshold + 1e-9
    assert np.all(p[flagged] < rate + 1 / (len(normals) + 1))
    assert np.all(judged[p <= rate * (1 - 1e-9)] > threshold - 1e-9)


@given(st.integers(1, 400), st.integers(1, 50))
def test_conformal_at_a_whole_rank_is_that_score(n, above):
    assume(above <= n)
    normals = np.random.default_rng(n).permutation(float(n) + np.arange(n))
    threshold = ThresholdRule("conformal", above / (n + 1)).threshold(normals)
    assert threshold == pytest.approx(np.sort(normals)[n - above])


@given(rates)
def test_conformal_needs_just_as_many_normals_as_it_says(rate):
    needed = normals_needed(rate)
    normals = np.arange(float(needed))
    assert np.isfinite(ThresholdRule("conformal", rate).threshold(normals))
    with pytest.raises(NotEnoughNormalsError, match=f"at least {needed} normal beats"):
        ThresholdRule("conformal", rate).threshold(normals[:-1])


def test_one_percent_needs_99_normals():
    assert normals_needed(0.01) == 99


@pytest.mark.parametrize("n", [119, 130, 292])
def test_conformal_keeps_its_rate_on_fresh_normals_on_average(n):
    rng = np.random.default_rng(n)
    rule = ThresholdRule("conformal", 0.05)
    flagged = [np.mean(rng.gumbel(size=2000) > rule.threshold(rng.gumbel(size=n))) for _ in range(1000)]
    assert np.mean(flagged) == pytest.approx(0.05, abs=0.002)


def test_named_alternatives_follow_their_definitions():
    normals = np.random.default_rng(1).normal(size=500)
    assert ThresholdRule("mean+kstd", k_std=2).threshold(normals) == pytest.approx(normals.mean() + 2 * normals.std())
    assert ThresholdRule("quantile", 0.1).threshold(normals) == pytest.approx(np.quantile(normals, 0.9))
    assert ThresholdRule("max").threshold(normals) == normals.max()


@given(scores, scores)
def test_p_values_are_in_range_fall_with_the_score_and_ignore_order(judged, normals):
    p = p_values(np.sort(judged), normals)
    assert np.all((p > 0) & (p <= 1))
    assert np.all(np.diff(p) <= 0)
    np.testing.assert_array_equal(p, p_values(np.sort(judged), normals[::-1]))


def test_p_value_of_nan_is_nan():
    assert np.isnan(p_values(np.array([np.nan]), np.arange(5.0))).all()


@pytest.mark.parametrize(
    "setting",
    [{"name": "guess"}, {"target_fpr": 0.0}, {"target_fpr": 1.0}, {"target_fpr": float("nan")}, {"k_std": np.inf}],
)
def test_impossible_rules_are_refused(setting):
    with pytest.raises(SettingError):
        ThresholdRule(**setting)


def test_the_message_for_an_unknown_rule_lists_the_known_ones():
    with pytest.raises(SettingError, match=", ".join(THRESHOLDS).replace("+", r"\+")):
        ThresholdRule("guess")
