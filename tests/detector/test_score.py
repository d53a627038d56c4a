from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from ectopy.detector.score import KnownNormals, LogScale, combine


@given(st.integers(1, 40), st.integers(1, 4), st.integers(1, 30), st.integers(0, 10**6))
def test_latent_distance_is_scikit_learns_nearest_neighbour(n, members, references, seed):
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, members, 3)).astype(np.float32)
    reference = rng.normal(size=(members, references, 3)).astype(np.float32)
    distance = KnownNormals(reference).distance(latent)
    assert distance.shape == (n, members)
    for member in range(members):
        expected = NearestNeighbors(n_neighbors=1).fit(reference[member]).kneighbors(latent[:, member])[0][:, 0]
        np.testing.assert_allclose(distance[:, member], expected, rtol=1e-5, atol=1e-6)


def test_distance_of_a_known_normal_is_zero():
    reference = np.random.default_rng(0).normal(size=(2, 20, 4)).astype(np.float32)
    latent = np.swapaxes(reference, 0, 1)
    np.testing.assert_allclose(KnownNormals(reference).distance(latent), 0, atol=1e-6)


@given(st.floats(1e-3, 1e3))
def test_log_scale_does_not_depend_on_the_unit(factor):
    normals = np.random.default_rng(0).lognormal(size=200)
    scores = LogScale.of(normals).standardise(normals)
    assert scores.mean() == pytest.approx(0, abs=1e-9)
    assert scores.std() == pytest.approx(1)
    np.testing.assert_allclose(LogScale.of(factor * normals).standardise(factor * normals), scores, atol=1e-9)


def test_log_scale_of_equal_values_is_finite():
    assert np.isfinite(LogScale.of(np.zeros(5)).standardise(np.zeros(5))).all()


def test_a_member_that_learned_badly_is_measured_by_its_own_normals():
    rng = np.random.default_rng(0)
    values, held_out_by = rng.lognormal(size=400), np.arange(400) % 4
    values[held_out_by == 2] = (10 * values[held_out_by == 2]) ** 2
    own = np.arange(400), held_out_by
    scores = LogScale.of_each(values, held_out_by, 4).standardise(np.tile(values[:, None], 4))[own]
    common = LogScale.of(values).standardise(values)
    lifted = [scores[held_out_by == member].mean() for member in range(4)]
    assert np.ptp(lifted) < 0.5 < 1.5 < np.ptp([common[held_out_by == member].mean() for member in range(4)])


@given(st.integers(1, 5), st.integers(0, 1000))
def test_members_with_few_normals_keep_close_to_the_common_scale(each, seed):
    values, held_out_by = np.random.default_rng(seed).lognormal(size=4 * each), np.arange(4 * each) % 4
    scale, common = LogScale.of_each(values, held_out_by, 4), LogScale.of(values)
    assert scale.mean.shape == scale.std.shape == (4,)
    assert (scale.std > 0.75 * common.std).all()
    spread = np.ptp(np.log(values + common.floor))
    assert (np.abs(scale.mean - common.mean) <= each / (each + 10) * spread + 1e-9).all()


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0, 50), st.floats(0.1, 2))
def test_the_combined_score_grows_with_both_parts_and_the_error_counts_up_to_its_cap(error, distance, more, weight):
    def score(error, distance):
        return combine(np.array([error]), np.array([distance]), weight)[0]

    assert score(error + more, distance) >= score(error, distance)
    assert score(error, distance + more) >= score(error, distance)
    assert score(3.5 + more, distance) == score(3.5, distance)
    same = min(error, 3.5)
    assert score(same, same) == pytest.approx(same)
