from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.beats import BeatLayout, Beats
from ectopy.detector import Detector, ThresholdRule, Verdict
from ectopy.detector.score import combine
from ectopy.errors import DataError, LayoutError, NotEnoughNormalsError
from ectopy.evaluation import ranking_curves
from support.examples import examples


def test_larger_scores_are_more_abnormal(detector: Detector, simulated: Beats):
    assert ranking_curves(simulated.abnormal, detector.score(simulated)).auc > 0.9


def test_verdict_follows_score_and_threshold(detector: Detector, simulated: Beats):
    detection = detector.detect(simulated)
    np.testing.assert_array_equal(detection.abnormal, detection.score > detection.threshold)
    parts = detection.reconstruction_error, detection.latent_distance
    np.testing.assert_array_equal(detection.score, combine(*parts, detector.scoring.distance_weight))
    assert set(detection.verdict) == {Verdict.NORMAL, Verdict.ABNORMAL}
    np.testing.assert_array_equal(detection.score, detector.score(simulated))
    assert detection.p_value[detection.abnormal].max() < detector.rule.target_fpr + 1 / 293
    assert detection.abnormal[detection.p_value <= detector.rule.target_fpr].all()


def test_few_fresh_normals_are_flagged(detector: Detector, simulated: Beats):
    assert detector.detect(simulated.normals()).abnormal.mean() < 0.03


def test_threshold_rests_on_every_training_normal(detector: Detector):
    assert len(detector.calibration) == detector.card.normals == 292
    assert np.sum(detector.calibration > detector.threshold) == 2


@pytest.mark.parametrize("n", [0, 1, 2, 15, 16, 17, 255, 256, 257, 600])
def test_scores_do_not_depend_on_company(detector: Detector, simulated: Beats, n: int):
    together = detector.score(simulated.samples[:600])
    np.testing.assert_allclose(detector.score(simulated.samples[:n]), together[:n], rtol=0, atol=1e-5)


def test_threads_share_a_detector(detector: Detector, simulated: Beats):
    parts = np.array_split(simulated.samples[:800], 8)
    with ThreadPoolExecutor(4) as pool:
        scores = np.concatenate(list(pool.map(detector.score, parts)))
    np.testing.assert_allclose(scores, detector.score(simulated.samples[:800]), atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_beat_with_one_bad_sample_is_unreadable_and_spoils_no_other(
    detector: Detector, simulated: Beats, value: float
):
    beats = simulated.samples[:20].copy()
    beats[3, 70] = value
    beats[5] = 0.25
    detection = detector.detect(beats)
    np.testing.assert_array_equal(np.flatnonzero(detection.unreadable), [3, 5])
    assert np.isnan(detection.score[[3, 5]]).all()
    assert np.isnan(detection.p_value[[3, 5]]).all()
    rest = np.setdiff1d(np.arange(20), [3, 5])
    np.testing.assert_allclose(detection.score[rest], detector.score(simulated.samples[rest]), atol=1e-5)


@settings(max_examples=examples(60))
@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(allow_nan=True, allow_infinity=True))
def test_any_amplitude_gets_a_verdict_and_never_a_warning(detector: Detector, offset: float, gain: float):
    with np.errstate(all="ignore"):
        beats = (offset + gain * np.sin(np.linspace(0, 9, 140))[None, :]).astype(np.float64)
    detection = detector.detect(beats)
    assert detection.verdict[0] in set(Verdict)
    assert detection.unreadable[0] == np.isnan(detection.score[0])


@pytest.mark.parametrize("n", [1, 700])
def test_progress_is_told_to_the_last_readable_beat(detector: Detector, simulated: Beats, n: int):
    samples = simulated.samples[: n + 1].copy()
    samples[0] = np.nan
    for judge in (detector.detect, detector.explain):
        told: list[tuple[int, int]] = []
        judge(samples, lambda done, total, told=told: told.append((done, total)))
        assert told == sorted(set(told))
        assert told[-1] == (n, n)
        assert len(told) > (n > 1)


def test_explanation_adds_up(detector: Detector, simulated: Beats):
    sample = simulated.select(np.arange(40))
    explanation = detector.explain(sample)
    for rows, output, picture in detector.graph.run_explained(sample.samples):
        np.testing.assert_allclose(explanation.reconstruction[rows], picture.reconstruction.mean(axis=1), atol=1e-6)
        np.testing.assert_allclose(explanation.error[rows], np.abs(picture.error).mean(axis=1), atol=1e-6)
        np.testing.assert_allclose(output.mean_square_error, np.cbrt((picture.error**6).mean(axis=2)), rtol=1e-4)
    np.testing.assert_array_equal(explanation.detection.score, detector.score(sample))
    assert len(explanation.reason) == len(sample)
    assert f"{explanation.detection.score[7]:.1f}" in explanation.reason[7]


def test_explanation_points_at_what_was_changed(detector: Detector, simulated: Beats):
    beat = simulated.normals().samples[:1].copy()
    beat[0, 60:70] += 6
    reason = detector.explain(beat).reason[0]
    start, stop = (int(word) for word in reason.rstrip(".").replace("to", "").split("samples")[1].split())
    assert start >= 58
    assert stop <= 71


def test_explanation_of_an_unreadable_beat_says_so(detector: Detector):
    explanation = detector.explain(np.full((1, 140), np.nan))
    assert np.isnan(explanation.reconstruction).all()
    assert "Not readable" in explanation.reason[0]


def test_beats_of_another_layout_are_refused(detector: Detector, simulated: Beats):
    other = BeatLayout("ecg5000", 140, None, "z-score")
    with pytest.raises(LayoutError, match=r"simulated .* not as ecg5000"):
        detector.score(Beats(simulated.samples, other))
    with pytest.raises(LayoutError, match="250 Hz"):
        detector.score(Beats(simulated.samples, BeatLayout("simulated", 140, 250.0, "mV")))


def test_undeclared_beats_of_the_right_length_are_taken(detector: Detector, simulated: Beats):
    undeclared = Beats(simulated.samples[:5], BeatLayout.undeclared(140))
    np.testing.assert_array_equal(detector.score(undeclared), detector.score(simulated.samples[:5]))


@pytest.mark.parametrize("shape", [(5, 139), (5, 141), (140,), (2, 3, 140), ()])
def test_arrays_of_another_shape_are_refused(detector: Detector, shape: tuple[int, ...]):
    with pytest.raises(LayoutError, match="140 samples"):
        detector.score(np.zeros(shape))


def test_text_is_refused(detector: Detector):
    with pytest.raises(DataError, match="numbers"):
        detector.score([["a"] * 140])


def test_another_rule_takes_its_threshold_from_the_same_normals(detector: Detector):
    looser = detector.with_rule(ThresholdRule(target_fpr=0.05))
    assert looser.threshold < detector.threshold
    assert np.sum(looser.calibration > looser.threshold) == int(0.05 * 293)
    with pytest.raises(NotEnoughNormalsError, match="at least 999 normal beats"):
        detector.with_rule(ThresholdRule(target_fpr=0.001))


def test_what_is_no_heartbeat_is_hardly_ever_normal(detector: Detector, simulated: Beats):
    rng = np.random.default_rng(0)
    time = np.arange(140)
    normals = simulated.normals().samples
    shapes = {
        "white noise": rng.normal(size=(300, 140)),
        "random walk": rng.normal(size=(300, 140)).cumsum(axis=1),
        "sine": np.sin(2 * np.pi * (time * rng.uniform(0.5, 10, (300, 1)) / 140 + rng.random((300, 1)))),
        "upside down": -normals,
        "reversed": normals[:, ::-1],
    }
    for name, rows in shapes.items():
        standardised = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
        assert detector.detect(standardised).abnormal.mean() > 0.9, name
