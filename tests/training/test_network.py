from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.beats import BeatLayout, Beats, beats_digest
from ectopy.datasets import load_simulated
from ectopy.detector import Detector
from ectopy.detector.runtime import Output
from ectopy.detector.score import combine
from ectopy.errors import DataError, NotEnoughNormalsError, SettingError
from ectopy.training import ARCHITECTURES, Trained, TrainingSettings, from_keras, train_network
from ectopy.training.reconstruction_error import cubic_mean_square, tolerant_error
from ectopy.training.training import labels_look_reversed, train


@pytest.fixture(scope="module")
def normals() -> Beats:
    return load_simulated("train").normals()


def briefly(name: str) -> TrainingSettings:
    """Training of which only the compiling takes long."""
    return TrainingSettings(architecture=name, members=2, max_steps=20)


@cache
def network(name: str = "dense") -> Trained:
    """Two members, trained once on beats that each stand alone."""
    return train_network(load_simulated("train").normals().samples, briefly(name), 0)


@cache
def saved_detector(name: str) -> Detector:
    """One trained once, with another seed than the network."""
    normals = load_simulated("train").normals()
    # The unrolled steps of an LSTM take long to compile: it reads beats of 35 samples, two and a half steps.
    samples = np.ascontiguousarray(normals.samples[:, :: 4 if name == "lstm" else 1])
    return train(Beats(samples, BeatLayout.undeclared(samples.shape[1])), briefly(name), random_state=5)


class Grouped(NamedTuple):
    trained: Trained
    progress: list[tuple[int, int]]


@pytest.fixture(scope="module")
def grouped(normals: Beats) -> Grouped:
    """Two members, trained on pairs of beats, with the progress that was reported."""
    progress: list[tuple[int, int]] = []
    settings = TrainingSettings(architecture="dense", members=2, max_steps=100)
    groups = np.arange(len(normals)) // 2
    report = lambda step, steps: progress.append((step, steps))  # noqa: E731
    return Grouped(train_network(normals.samples, settings, 0, report, groups), progress)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.long) if name != "dense" else name for name in ARCHITECTURES],
)
def test_litert_and_keras_agree_on_scores_after_save_and_load(name: str, simulated: Beats, tmp_path: Path):
    detector = saved_detector(name)
    judged = np.ascontiguousarray(simulated.samples[:300, :: 140 // detector.layout.samples])
    detector.save(tmp_path / "bundle.ectopy")
    loaded = Detector.load(tmp_path / "bundle.ectopy").score(judged)
    outputs = from_keras(detector.network)(judged, training=False)
    output = {name: np.asarray(value) for name, value in outputs.items()}
    error, distance = detector.scoring.parts(Output(output["mean_square_error"], output["latent"]))
    expected = combine(error, distance, detector.scoring.distance_weight)
    # Relative to the largest score: a score of nearly zero, an average normal, has no digits to agree on.
    np.testing.assert_allclose(loaded, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_another_process_gives_the_same_scores(bundle: Path, detector: Detector, simulated: Beats, tmp_path: Path):
    np.save(tmp_path / "beats.npy", simulated.samples[:300])
    code = (
        "import sys, numpy as np; from ectopy import Detector;"
        "np.save(sys.argv[3], Detector.load(sys.argv[1]).score(np.load(sys.argv[2])));"
        "assert not {'keras', 'tensorflow'} & sys.modules.keys()"
    )
    files = [str(path) for path in (bundle, tmp_path / "beats.npy", tmp_path / "scores.npy")]
    subprocess.run([sys.executable, "-c", code, *files], check=True)
    np.testing.assert_array_equal(np.load(files[2]), detector.score(simulated.samples[:300]))


@pytest.mark.parametrize("name", ["dense", pytest.param("conv", marks=pytest.mark.long)])
def test_the_same_seed_gives_the_same_file_and_another_seed_another_network(
    name: str, normals: Beats, simulated: Beats, tmp_path: Path
):
    first = saved_detector(name)
    second = train(Beats(normals.samples, first.layout), briefly(name), random_state=5)
    beats = simulated.samples[:300]
    np.testing.assert_array_equal(first.score(beats), second.score(beats))
    files = [tmp_path / "first.ectopy", tmp_path / "second.ectopy"]
    first.save(files[0])
    second.save(files[1])
    assert files[0].read_bytes() == files[1].read_bytes()
    one, other = (model(beats, training=False)["error"] for model in (from_keras(first.network), network(name).network))
    assert not np.allclose(one, other)


beat_pairs = st.integers(0, 10**6).map(
    lambda seed: np.random.default_rng(seed).normal(size=(2, 3, 140)).astype(np.float32)
)


@given(beat_pairs)
def test_error_is_the_distance_from_the_envelope_smoothed_with_its_sign(pair):
    beats, reconstruction = pair[0], pair[1][:, None, :]
    outside = np.zeros_like(beats)
    for beat in range(3):
        for sample in range(140):
            near = reconstruction[beat, 0, max(sample - 1, 0) : sample + 2]
            outside[beat, sample] = beats[beat, sample] - np.clip(beats[beat, sample], near.min(), near.max())
    expected = [np.convolve(row, np.ones(5) / 5, "same") for row in outside]
    np.testing.assert_allclose(np.asarray(tolerant_error(beats, reconstruction))[:, 0], expected, atol=1e-5)


@given(beat_pairs, st.sampled_from([-1, 1]))
def test_a_beat_one_sample_early_or_late_has_no_error(pair, shift):
    beats = pair[0]
    late = np.roll(beats, shift, axis=1)
    error = np.asarray(tolerant_error(late, beats[:, None, :]))
    np.testing.assert_array_equal(error[..., 5:-5], 0)


@given(beat_pairs, st.floats(-12, 12))
def test_cubic_mean_is_the_power_mean_in_any_unit(pair, exponent):
    error = (pair[0] * 10.0**exponent).astype(np.float32)[None]
    expected = np.square(error.astype(np.float64))
    expected = np.power((expected**3).mean(axis=2), 1 / 3)
    np.testing.assert_allclose(np.asarray(cubic_mean_square(error)), expected, rtol=1e-4)


def test_cubic_mean_lies_between_mean_and_largest_and_counts_one_wrong_wave_for_more_than_many_small_ones():
    everywhere = np.ones((1, 1, 140), np.float32)
    in_one_place = np.where(np.arange(140) < 14, np.sqrt(10), 0).astype(np.float32)[None, None]
    assert np.asarray(cubic_mean_square(everywhere)) == pytest.approx(1)
    assert np.asarray(cubic_mean_square(in_one_place)) == pytest.approx(10 / np.cbrt(10), rel=1e-5)
    assert np.asarray(cubic_mean_square(0 * everywhere)) == 0


def test_training_lowers_the_loss_and_keeps_its_curve(detector: Detector):
    curve = detector.card.curve
    assert len(curve.steps) == len(curve.training) == len(curve.held_out) > 1
    assert curve.held_out[-1] < curve.held_out[0]
    assert curve.training[-1] < curve.training[0]


def test_groups_are_held_out_as_a_whole_parts_are_even_and_progress_is_reported(normals: Beats, grouped: Grouped):
    held_out_by = grouped.trained.held_out_by
    np.testing.assert_array_equal(held_out_by[0::2], held_out_by[1::2])
    counts = np.bincount(held_out_by, minlength=2)
    assert counts.sum() == len(normals)
    assert np.ptp(counts) <= 2
    assert grouped.progress == [(50, 100), (100, 100)]


@pytest.mark.parametrize("several", [False, True])
def test_the_error_of_one_persons_beats_is_a_cubic_mean_and_of_several_peoples_an_ordinary_one(
    normals: Beats, grouped: Grouped, several: bool
):
    output = (grouped.trained if several else network()).network(normals.samples[:20], training=False)
    mean = np.square(np.asarray(output["error"])).mean(axis=2) if several else cubic_mean_square(output["error"])
    np.testing.assert_allclose(np.asarray(output["mean_square_error"]), np.asarray(mean), rtol=1e-5)


def test_a_member_learns_nothing_from_the_beats_it_is_kept_from(normals: Beats):
    first, changed = network(), normals.samples.copy()
    kept_from_0 = first.held_out_by == 0
    # The scale is learned on all normals, so the change must leave it alone: each row turned round in time.
    changed[kept_from_0] = changed[kept_from_0, ::-1]
    second = train_network(changed, briefly("dense"), 0)
    probe = normals.samples[:20]
    before, after = (np.asarray(t.network(probe, training=False)["reconstruction"]) for t in (first, second))
    np.testing.assert_allclose(before[:, 0], after[:, 0], atol=1e-6)
    assert not np.allclose(before[:, 1], after[:, 1], atol=1e-4)


def test_abnormal_beats_are_never_learned(detector: Detector):
    beats = load_simulated("train")
    assert detector.card.normals == (~beats.abnormal).sum()
    assert detector.card.digest == beats_digest(beats.samples[~beats.abnormal])
    assert detector.card.metrics["abnormal_training_beats"] == beats.abnormal.sum()


@pytest.mark.parametrize(
    ("abnormal", "flagged", "looks_reversed"), [(208, 0.9, False), (208, 0.1, True), (10, 0.0, True), (9, 0.0, False)]
)
def test_labels_look_reversed_where_ten_abnormal_beats_or_more_are_scored_normal(
    detector: Detector, abnormal: int, flagged: float, looks_reversed: bool
):
    assert not labels_look_reversed(detector)
    metrics = {"abnormal_training_beats": abnormal, "abnormal_training_beats_flagged": flagged}
    card = replace(detector.card, metrics=detector.card.metrics | metrics)
    assert labels_look_reversed(replace(detector, card=card)) is looks_reversed


def test_bad_normals_are_refused_with_their_place(normals: Beats):
    samples = normals.samples.copy()
    samples[17, 3] = np.inf
    with pytest.raises(DataError, match=r"1 of 292 normal beats .* normal beat 17"):
        train(Beats(samples, normals.layout))
    samples = normals.samples.copy()
    samples[4] = 1.0
    with pytest.raises(DataError, match="normal beat 4"):
        train(Beats(samples, normals.layout))


def test_fewer_groups_than_members_are_refused(normals: Beats):
    with pytest.raises(NotEnoughNormalsError, match="at least 3"):
        train_network(normals.samples, TrainingSettings(members=3), 0, groups=np.arange(len(normals)) % 2)


def test_too_few_normals_say_how_many_are_needed(normals: Beats):
    few = normals.select(np.arange(98))
    with pytest.raises(NotEnoughNormalsError, match=r"98 normal beats.*at least 99.*0\.0102"):
        train(few)
    abnormal = Beats(few.samples, BeatLayout.undeclared(140), np.full(98, 2))
    with pytest.raises(NotEnoughNormalsError, match="no normal beats"):
        train(abnormal)


@pytest.mark.parametrize(
    "setting",
    [
        {"architecture": "resnet"},
        {"members": 1},
        {"max_steps": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"patience": 0},
    ],
)
def test_impossible_settings_are_refused(setting):
    with pytest.raises(SettingError):
        TrainingSettings(**setting)
