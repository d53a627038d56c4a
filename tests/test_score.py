from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from ectopy.detector.score import KnownNormals, LogScale, combine, mean_square, tolerant_error


@given(st.integers(1, 40), st.integers(1, 4), st.integers(1, 30), st.integers(0, 10**6))
def test_latent_distance_is_scikit_learns_nearest_neighbour(n, members, references, seed):
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, members, 3)).astype(np.float32)
    known = rng.normal(size=(members, references, 3))
    distance = KnownNormals(known).distance(latent)
    assert distance.shape == (n, members)
    for member in range(members):
        expected = NearestNeighbors(n_neighbors=1).fit(known[member]).kneighbors(latent[:, member])[0][:, 0]
        np.testing.assert_allclose(distance[:, member], expected, rtol=1e-6, atol=1e-6)


def test_distance_of_a_known_normal_is_zero():
    known = np.random.default_rng(0).normal(size=(2, 20, 4)).astype(np.float32)
    latent = np.swapaxes(known, 0, 1)
    np.testing.assert_allclose(KnownNormals(known.astype(float)).distance(latent), 0, atol=1e-6)


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
    np.testing.assert_allclose(tolerant_error(beats, reconstruction)[:, 0], expected, atol=1e-5)


@given(beat_pairs, st.sampled_from([-1, 1]))
def test_a_beat_one_sample_early_or_late_has_no_error(pair, shift):
    beats = pair[0]
    late = np.roll(beats, shift, axis=1)
    error = tolerant_error(late, beats[:, None, :])
    np.testing.assert_array_equal(error[..., 5:-5], 0)


def test_mean_square_is_taken_per_member():
    error = np.arange(12, dtype=np.float32).reshape(1, 2, 6)
    np.testing.assert_allclose(mean_square(error), [[np.mean(np.arange(6) ** 2), np.mean(np.arange(6, 12) ** 2)]])


@given(st.floats(1e-3, 1e3))
def test_log_scale_does_not_depend_on_the_unit(factor):
    normals = np.random.default_rng(0).lognormal(size=200)
    scores = LogScale.of(normals).standardise(normals)
    assert scores.mean() == pytest.approx(0, abs=1e-9)
    assert scores.std() == pytest.approx(1)
    np.testing.assert_allclose(LogScale.of(factor * normals).standardise(factor * normals), scores, atol=1e-9)


def test_log_scale_of_equal_values_is_finite():
    assert np.isfinite(LogScale.of(np.zeros(5)).standardise(np.zeros(5))).all()


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_the_combined_score_lies_near_the_smaller_part(error, distance):
    score = combine(np.array([error]), np.array([distance]))[0]
    assert min(error, distance) <= score + 1e-12 <= min(error, distance) + np.log(2) / 2 + 1e-9
    assert combine(np.array([distance]), np.array([error]))[0] == pytest.approx(score)
    assert combine(np.array([error]), np.array([error]))[0] == pytest.approx(error)
