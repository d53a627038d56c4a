"""Training the network of RR intervals on simulated patients, whose rhythms it has to learn."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from ectopy.analysis.interval_model import LEAST_INTERVALS, IntervalModel
from ectopy.datasets.labelled_recording import LabelledBeats, LabelledRhythms
from ectopy.errors import MissingExtraError, NotEnoughNormalsError
from ectopy.training.train_intervals import IntervalExamples, labelled_examples, train_intervals, unlabelled_examples

FIBRILLATION, SINUS_RHYTHM = 0.25, 0.03


def intervals(seed: int, spread: float, count: int = 1200) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    return random.uniform(0.6, 1.1) * np.exp(random.normal(0.0, spread, count))


def patients() -> list[IntervalExamples]:
    return [
        unlabelled_examples(intervals(seed, spread), spread == FIBRILLATION, np.random.default_rng(seed))
        for seed in range(6)
        for spread in (SINUS_RHYTHM, FIBRILLATION)
    ]


@pytest.fixture(scope="module")
def model() -> IntervalModel:
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    return train_intervals(patients(), seed=1)


def early(model: IntervalModel, spread: float, share: float) -> float:
    """How early a beat is after this share of the usual interval, in a rhythm of this spread."""
    before = np.log(intervals(100, spread, 50))
    return float(model.predict(before[None]).early(np.array([np.median(before) + np.log(share)]))[0])


def test_it_learns_what_is_early_in_a_regular_and_in_an_irregular_rhythm(model: IntervalModel):
    assert early(model, SINUS_RHYTHM, 0.7) > 2.5
    assert abs(early(model, SINUS_RHYTHM, 1.0)) < 1
    assert early(model, FIBRILLATION, 0.7) < 2
    assert early(model, FIBRILLATION, 0.4) > 2


def test_a_seed_gives_the_same_network_and_another_one_another(model: IntervalModel):
    for weight, other in zip(model.weights, train_intervals(patients(), seed=1).weights, strict=True):
        np.testing.assert_array_equal(weight, other)
    assert not np.array_equal(model.weights[0], train_intervals(patients()[:2], seed=2).weights[0])


def test_nobody_to_learn_from_is_told():
    with pytest.raises(NotEnoughNormalsError, match="no RR intervals"):
        train_intervals([IntervalExamples(np.empty((0, 50)), np.empty(0))], seed=0)


def test_without_tensorflow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingExtraError, match=r"ectopy\[train\]"):
        train_intervals(patients(), seed=0)


def long_recording(ectopic: float, rhythm: str = "N") -> IntervalExamples:
    """Examples of a recording with ectopic beats, each after half of the usual interval, and its pause."""
    is_ectopic = np.random.default_rng(3).random(1500) < ectopic
    rr_s = np.where(is_ectopic, 0.4, intervals(3, SINUS_RHYTHM, 1500))
    beats = LabelledBeats(np.cumsum(rr_s), np.where(is_ectopic, "V", "N"))
    return labelled_examples(beats, LabelledRhythms(np.zeros(1), (rhythm,)), np.random.default_rng(0))


def test_ectopic_beats_are_never_a_target():
    examples = long_recording(0.2)
    assert len(examples) > 500
    assert np.exp(examples.log_s).min() > 0.5
    assert (np.isfinite(examples.windows).sum(axis=1) >= LEAST_INTERVALS).all()


def test_other_rhythms_teach_nothing():
    assert len(long_recording(0.0, "VT")) == 0
    assert len(long_recording(0.0, "SVTA")) == 0
