from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from ectopy import AutoencoderDetector
from ectopy.beats import Beats
from ectopy.datasets import load_simulated
from ectopy.errors import NotEnoughNormalsError

# scikit-learn's checks fit on as few as ten samples, so the rate asked for is one that ten can support.
CHECKED = AutoencoderDetector("dense", target_fpr=0.3, members=2, max_steps=2, random_state=0)

# Name of a check to the reason why it may fail.
EXCEPTIONS: dict[str, str] = {}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_own_checks_pass():
    results = check_estimator(CHECKED, expected_failed_checks=EXCEPTIONS, on_fail=None, on_skip=None)
    failed = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert failed == {}
    assert {result["status"] for result in results} >= {"passed"}


def test_conventions_for_outlier_detectors(simulated: Beats):
    estimator = AutoencoderDetector("dense", members=2, max_steps=100, random_state=0)
    estimator.fit(load_simulated("train").normals().samples)
    beats = simulated.samples[:500]
    scores, decision, predicted = (
        method(beats) for method in (estimator.score_samples, estimator.decision_function, estimator.predict)
    )
    np.testing.assert_array_equal(scores, -estimator.detector_.score(beats))
    np.testing.assert_allclose(decision, scores - estimator.offset_)
    np.testing.assert_array_equal(predicted == -1, estimator.detector_.detect(beats).abnormal)
    normal = ~simulated.abnormal[:500]
    assert scores[normal].mean() > scores[~normal].mean()


def test_settings_survive_cloning():
    estimator = AutoencoderDetector("vae", 0.02, "quantile", members=3, random_state=7)
    assert clone(estimator).get_params() == estimator.get_params()


def test_a_random_state_object_is_taken():
    beats = load_simulated("train").normals().samples
    make = lambda: AutoencoderDetector("dense", members=2, max_steps=2, random_state=np.random.RandomState(1))  # noqa: E731
    np.testing.assert_array_equal(make().fit(beats).score_samples(beats), make().fit(beats).score_samples(beats))


def test_too_few_beats_for_the_rate_is_a_named_error():
    with pytest.raises(NotEnoughNormalsError, match="at least 99"):
        AutoencoderDetector(members=2).fit(np.random.default_rng(0).normal(size=(50, 140)))
