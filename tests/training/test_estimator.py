from __future__ import annotations

from collections.abc import Container
from itertools import product
from unittest import SkipTest

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator

from ectopy import AutoencoderDetector
from ectopy.beats import Beats
from ectopy.datasets import load_simulated
from ectopy.errors import DataError, NotEnoughNormalsError

# scikit-learn's checks fit on as few as ten samples, so the rate asked for is one that ten can support.
CHECKED = AutoencoderDetector("dense", target_fpr=0.5, members=2, max_steps=20, random_state=0)

CONSTANT = "some of its rows are constant, and a flat line is no heartbeat: training refuses it, by name and row"
AMONG_KNOWN_NORMALS = (
    "it wants some of the fitted beats flagged, but they are known normals, at no distance from themselves"
)
ROUNDING = "LiteRT computes in 32-bit floats, and one beat and a block of beats differ in the last digits of rounding"

# Name of a check to the reason why it fails.
EXCEPTIONS = {
    "check_classifier_data_not_an_array": CONSTANT,
    "check_estimators_dtypes": CONSTANT,
    "check_methods_subset_invariance": ROUNDING,
    "check_outliers_fit_predict": AMONG_KNOWN_NORMALS,
    "check_outliers_train": AMONG_KNOWN_NORMALS,
}

# The checks of the short run: one for each kind of promise. The long run has them all.
SHORT = {
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_get_params_invariance",
    "check_set_params",
    "check_mixin_order",
    "check_valid_tag_types",
    "check_estimators_unfitted",
    "check_estimators_empty_data_messages",
    "check_fit2d_1sample",
    "check_fit2d_1feature",
    "check_fit1d",
    "check_complex_data",
}


def failures(estimator: AutoencoderDetector, names: Container[str] | None) -> dict[str, str]:
    """Run scikit-learn's checks, and give those that failed."""
    failed = {}
    for checked, check in estimator_checks_generator(estimator, legacy=True):
        name = check.func.__name__
        if names is None or name in names:
            try:
                check(checked)
            except SkipTest:
                continue
            except Exception as error:
                failed[name] = str(error)
    return failed


def test_scikit_learns_own_checks_pass_in_short():
    assert failures(CHECKED, SHORT) == {}


@pytest.mark.long
def test_scikit_learns_own_checks_pass_but_for_the_named_exceptions():
    assert set(failures(CHECKED, None)) == set(EXCEPTIONS)


def test_conventions_for_outlier_detectors(simulated: Beats):
    draw_beats = np.random.RandomState(0)
    estimator = AutoencoderDetector("dense", members=2, max_steps=50, layout=simulated.layout, random_state=draw_beats)
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
    assert estimator.detector_.layout == simulated.layout
    for method, value in product((estimator.fit, estimator.score_samples, estimator.predict), (np.nan, np.inf)):
        with pytest.raises(DataError, match=r"contains (NaN|infinity)"):
            method(np.where(np.arange(beats.size).reshape(beats.shape) == 3, value, beats))


def test_settings_survive_cloning():
    estimator = AutoencoderDetector("vae", 0.02, "quantile", members=3, random_state=7)
    assert clone(estimator).get_params() == estimator.get_params()


@pytest.mark.long
def test_a_random_state_object_gives_what_its_seed_does():
    beats = load_simulated("train").normals().samples
    make = lambda: AutoencoderDetector("dense", members=2, max_steps=2, random_state=np.random.RandomState(1))  # noqa: E731
    np.testing.assert_array_equal(make().fit(beats).score_samples(beats), make().fit(beats).score_samples(beats))


def test_too_few_beats_for_the_rate_is_a_named_error():
    with pytest.raises(NotEnoughNormalsError, match="at least 99"):
        AutoencoderDetector(members=2).fit(np.random.default_rng(0).normal(size=(50, 140)))
